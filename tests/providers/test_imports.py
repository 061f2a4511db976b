"""The package costs nothing until it is used, and brings nothing heavy with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.style.sources import LIBRARY, ROOT

PROVIDERS = [source for source in LIBRARY if source.module.startswith("stageflow_actors.providers")]
LOADED = "import {module}, sys; print(*sys.modules)"


def loaded_by(module):
    fresh = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOADED.format(module=module)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return set(fresh.stdout.split())


def test_importing_the_library_does_not_load_the_records():
    assert not [name for name in loaded_by("stageflow_actors") if ".providers" in name]


def test_importing_the_records_loads_no_runtime_and_no_telemetry():
    loaded = loaded_by("stageflow_actors.providers")
    assert "stageflow_actors.providers.speech" in loaded
    assert not {name.split(".")[0] for name in loaded} & {"ray", "opentelemetry", "fastapi"}
    assert not [name for name in loaded if name.startswith("stageflow_actors.actors")]


@pytest.mark.parametrize("source", PROVIDERS, ids=repr)
def test_records_are_pure_and_stand_on_the_model_only(source):
    for name in source.imports():
        own = name.startswith(("stageflow_actors.model", "stageflow_actors.providers"))
        assert own or not name.startswith("stageflow_actors")
        assert name.split(".")[0] not in {"asyncio", "ray", "opentelemetry", "time", "random"}


def test_there_are_sources_or_the_test_above_means_nothing():
    assert len(PROVIDERS) > 5
