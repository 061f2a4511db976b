"""The package is pure, stands on the model only, and costs a running stage little."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stageflow_actors import contracts
from tests.style.sources import LIBRARY, ROOT

OURS = ("stageflow_actors.contracts", "stageflow_actors.model.checking")
CONTRACTS = [source for source in LIBRARY if source.module.startswith(OURS)]


def loaded_by(module):
    code = f"import {module}, sys; print(*sys.modules)"
    fresh = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return set(fresh.stdout.split())


def test_importing_the_library_loads_no_contracts():
    assert not [name for name in loaded_by("stageflow_actors") if ".contracts" in name]


def test_a_check_loads_neither_the_comparison_nor_the_registry_nor_ray():
    loaded = loaded_by("stageflow_actors.model.checking.checks")
    assert not {name for name in loaded if name.startswith("stageflow_actors.contracts")}
    assert not {name.split(".")[0] for name in loaded} & {"ray", "opentelemetry", "fastapi"}


@pytest.mark.parametrize("source", CONTRACTS, ids=repr)
def test_contracts_are_pure_and_stand_on_the_model_only(source):
    for name in source.imports():
        below = ("stageflow_actors.contracts", "stageflow_actors.model", "stageflow_actors.errors")
        assert name.startswith(below) or not name.startswith("stageflow_actors")
        assert name.split(".")[0] not in {"asyncio", "ray", "opentelemetry", "time", "random"}


def test_there_are_sources_or_the_test_above_means_nothing():
    assert len(CONTRACTS) > 10


def test_every_public_name_is_there_and_each_is_told_once():
    for name in contracts.__all__:
        assert getattr(contracts, name) is not None
    listed = [name for _module, names in contracts._MODULES for name in names]
    listed += ["RUN_INPUT", "Contract", "read_as"]
    assert sorted(listed) == sorted(contracts.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Contracts'"):
        _ = contracts.Contracts
