import functools
import subprocess
import sys

import pytest

from tests.style.sources import LIBRARY, PACKAGE, ROOT, offenders

HEAVY = ["fastapi", "numpy", "opentelemetry.sdk", "ray"]

RUN_LOCALLY = """
import asyncio
from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline, StageOutput, stage

@stage(kind="transform")
async def greet(ctx):
    return StageOutput.ok(greeting=f"Hello, {ctx.snapshot.input_text}!")

@stage(kind="transform", dependencies="greet")
def shout(ctx):
    return {"shouted": ctx.inputs.get("greeting").upper()}

runtime = LocalRuntime(event_sink=InMemoryEventSink())
results = Pipeline.from_stages(greet, shout).run_sync(input_text="World", runtime=runtime)
assert results["shout"].data["shouted"] == "HELLO, WORLD!"
"""


@functools.cache
def loaded_by(code):
    """The modules that a fresh interpreter has loaded after running ``code``."""
    listing = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    fresh = subprocess.run(
        [sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert fresh.returncode == 0, fresh.stderr
    return frozenset(fresh.stdout.split())


@pytest.mark.parametrize(
    "code", [f"import {PACKAGE}", RUN_LOCALLY], ids=["importing", "running locally"]
)
def test_what_needs_no_cluster_loads_nothing_heavy(code):
    loaded = loaded_by(code)
    assert PACKAGE in loaded
    assert loaded & set(HEAVY) == set()


def test_importing_loads_nothing_that_nobody_has_asked_for():
    loaded = loaded_by(f"import {PACKAGE}")
    assert {name for name in loaded if name.split(".")[0] == PACKAGE} == {PACKAGE}
    assert {name.split(".")[0] for name in loaded} & {"asyncio", "dataclasses", "pydantic"} == set()


def test_what_is_used_is_loaded_alone():
    loaded = loaded_by(f"from {PACKAGE} import StageOutput")
    assert f"{PACKAGE}.model.output" in loaded
    assert not {name for name in loaded if name.startswith(f"{PACKAGE}.pipeline")}


MAY_IMPORT_RAY = (f"{PACKAGE}.actors.", f"{PACKAGE}.serving.")


def imports_of_ray(source):
    if not source.module.startswith(MAY_IMPORT_RAY):
        yield from (name for name in source.imports() if name.split(".")[0] == "ray")


def test_ray_is_imported_by_the_actors_and_what_serves_only():
    assert offenders(LIBRARY, imports_of_ray) == []


def test_some_module_imports_ray_or_the_test_above_means_nothing():
    assert any("ray" in source.imports() for source in LIBRARY)


def test_an_import_of_ray_is_noticed_inside_functions_too(plant):
    code = "import raylib\ndef late():\n    import ray.util\n    from ray import serve"
    files = [plant(f"{PACKAGE}/{name}.py", code) for name in ("engine/one", "actors/two")]
    assert offenders(files, imports_of_ray) == [
        f"{PACKAGE}/engine/one.py: {name}" for name in ("ray.util", "ray")
    ]
