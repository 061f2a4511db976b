"""Stages that do without what failed: by optional dependencies, or by a fallback."""

from __future__ import annotations

from stageflow_actors import MissingInputError, Pipeline, RunStatus
from tests.conformance.failing_stages import (
    TOLERANT,
    Look,
    at_once,
    broken,
    executions,
    fine,
    of_type,
    watched,
)
from tests.conformance.stages import WaitForever


async def test_a_stage_runs_without_its_optional_inputs_and_sees_why(runtime, tmp_path):
    note = {"folder": tmp_path}
    graph = (
        Pipeline()
        .with_stage("bad", broken, "work")
        .with_stage("late", WaitForever, config=note, timeout=0.1)
        .with_stage("behind", Look, dependencies="bad", config=note)
        .with_stage("good", fine, "work")
        .with_stage(
            "look",
            Look,
            dependencies=("bad", "late", "behind", "good"),
            optional=("bad", "late", "behind", "good"),
            config=note,
        )
        .build(execution=TOLERANT)
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    seen = result.outputs["look"].data
    assert seen["missing"] == {
        "bad": ["failed", "bad is broken"],
        "late": ["timed_out", "Stage timed out after 100ms"],
        "behind": ["skipped", "'bad' failed: bad is broken"],
    }
    assert seen["inputs"] == {"good": {"fine": True}}


async def test_a_missing_input_has_no_output_reads_as_the_default_and_raises_when_wanted(runtime):
    async def look(ctx):
        try:
            ctx.inputs.get_output("bad")
        except MissingInputError as error:
            found = [error.stage, error.reason, error.code]
        return {
            "found": found,
            "has": ctx.inputs.has_output("bad"),
            "value": ctx.inputs.get_from("bad", "rows", default=7),
        }

    graph = (
        Pipeline()
        .with_stage("bad", broken, "work")
        .with_stage("look", look, "work", dependencies="bad", optional="bad")
        .build(execution=TOLERANT)
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    assert result.outputs["look"].data == {
        "found": ["bad", "bad is broken", "INPUT-MISSING"],
        "has": False,
        "value": 7,
    }


async def test_an_optional_dependency_still_stops_the_run_that_tolerates_nothing(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("bad", broken, "work")
        .with_stage("look", Look, dependencies="bad", optional="bad", config={"folder": tmp_path})
    )
    result = await run(pipeline)
    assert (result.status, result.stage) == (RunStatus.FAILED, "bad")
    assert executions(tmp_path, "look") == 0


async def test_one_required_input_that_failed_skips_a_stage_whose_others_are_optional(
    runtime, tmp_path
):
    graph = (
        Pipeline()
        .with_stage("bad", broken, "work")
        .with_stage("worse", broken, "work")
        .with_stage(
            "look",
            Look,
            dependencies=("bad", "worse"),
            optional="bad",
            config={"folder": tmp_path},
        )
        .build(execution=TOLERANT)
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    assert result.skipped == {"look": "'worse' failed: worse is broken"}


async def test_dependents_read_the_fallback_of_a_failed_stage(runtime, tmp_path):
    graph = (
        Pipeline()
        .with_stage("bad", broken, "work", fallback={"rows": [1, 2]})
        .with_stage("look", Look, dependencies="bad", config={"folder": tmp_path})
        .build()
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    assert result.outputs["look"].data["inputs"] == {"bad": {"rows": [1, 2]}}
    assert result.outputs["look"].data["missing"] == {}
    assert (result.ok, result.tolerated) == (True, ("bad",))
    assert result.outputs["bad"].data == {"rows": [1, 2]}
    assert type(result.failures["bad"].original) is LookupError


async def test_a_fallback_stands_in_for_a_stage_that_timed_out(runtime, tmp_path):
    graph = (
        Pipeline()
        .with_stage(
            "late", WaitForever, config={"folder": tmp_path}, timeout=0.1, fallback={"n": 0}
        )
        .with_stage("look", Look, dependencies="late", config={"folder": tmp_path})
        .build()
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    assert result.outputs["look"].data["inputs"] == {"late": {"n": 0}}
    assert result.failures["late"].code == "STAGE-TIMEOUT"


async def test_a_fallback_comes_after_the_last_attempt(runtime, tmp_path):
    graph = (
        Pipeline()
        .with_stage(
            "bad", broken, "work", retry=at_once(2, retry_on=LookupError), fallback={"n": 0}
        )
        .build()
    )
    async with runtime.deploy(graph) as app:
        events, result = await watched(app)
    actions = [each["action_taken"] for each in of_type(events, "stage.error")]
    assert actions == ["retry", "fallback"]
    assert (result.attempts, result.outputs["bad"].data) == ({"bad": 2}, {"n": 0})
