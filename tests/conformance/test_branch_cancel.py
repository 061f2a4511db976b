"""A stage stops what depends on it, and nothing else."""

from __future__ import annotations

from stageflow_actors import Pipeline, StageOutput, StageStatus
from tests.conformance.crossing import Journal
from tests.conformance.failing_stages import Look, fine, of_type, watched

WHY = "'stop' cancelled its branch: not needed"


async def stop(ctx):
    return StageOutput.cancel_branch("not needed", {"seen": 3})


def branching(folder):
    """``stop`` ends its branch: ``child`` and ``grandchild``; ``join`` has a live input, too."""
    note = {"folder": folder}
    return (
        Pipeline("branching")
        .with_stage("stop", stop, "work")
        .with_stage("live", fine, "work")
        .with_stage("child", Look, dependencies="stop", config=note)
        .with_stage("grandchild", Look, dependencies="child", config=note)
        .with_stage("join", Look, dependencies=("grandchild", "stop", "live"), config=note)
        .with_stage("next", Look, dependencies="join", config=note)
    )


async def test_descendants_are_skipped_with_the_reason_and_where_it_came_from(run, tmp_path):
    result = await run(branching(tmp_path))
    assert result.skipped == {"child": WHY, "grandchild": WHY}
    assert Journal(tmp_path).lines == ["join", "next"]


async def test_a_join_with_a_live_input_runs_and_reads_why_the_others_are_not_there(run, tmp_path):
    result = await run(branching(tmp_path))
    assert result.outputs["join"].data["inputs"] == {
        "grandchild": {"reason": WHY},
        "stop": {"cancel_reason": "not needed", "seen": 3},
        "live": {"fine": True},
    }
    assert result.outputs["next"].status is StageStatus.OK


async def test_a_cancelled_branch_is_no_failure_and_no_cancel_of_the_run(run, tmp_path):
    result = await run(branching(tmp_path))
    assert result.ok
    assert result.error() is None
    assert (result.failures, result.cancelled, result.tolerated) == ({}, {}, ())
    output = result.outputs["stop"]
    assert (output.status, output.reason) == (StageStatus.CANCEL_BRANCH, "not needed")
    assert result.outputs.ok


async def test_events_tell_who_cancelled_the_branch_and_what_was_skipped_for_it(runtime, tmp_path):
    async with runtime.deploy(branching(tmp_path)) as app:
        events, _result = await watched(app)
    ((cancelled),) = of_type(events, "stage.stop.cancelled")
    assert (cancelled["status"], cancelled["reason"]) == ("cancel_branch", "not needed")
    for stage in ("child", "grandchild"):
        assert of_type(events, f"stage.{stage}.skipped")[0]["reason"] == WHY
        assert not of_type(events, f"stage.{stage}.started")


async def test_the_first_cancelled_input_says_why_where_all_are(run, tmp_path):
    async def halt(ctx):
        return StageOutput.cancel_branch("closed")

    pipeline = (
        Pipeline()
        .with_stage("stop", stop, "work")
        .with_stage("halt", halt, "work")
        .with_stage("both", Look, dependencies=("halt", "stop"), config={"folder": tmp_path})
    )
    assert (await run(pipeline)).skipped == {"both": "'halt' cancelled its branch: closed"}


async def test_branches_of_a_router_that_cancels_its_branch_are_skipped_for_that(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("stop", stop, "route")
        .with_stage("live", fine, "work")
        .with_stage(
            "fast",
            Look,
            dependencies=("stop", "live"),
            route="fast",
            router="stop",
            config={"folder": tmp_path},
        )
    )
    assert (await run(pipeline)).skipped == {"fast": WHY}


async def test_what_only_comes_after_a_cancelled_branch_runs(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("stop", stop, "work")
        .with_stage("later", Look, after="stop", config={"folder": tmp_path})
    )
    result = await run(pipeline)
    assert (result.skipped, Journal(tmp_path).lines) == ({}, ["later"])


async def test_a_conditional_join_runs_for_its_live_input(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("stop", stop, "work")
        .with_stage("live", fine, "work")
        .with_stage(
            "join",
            Look,
            dependencies=("stop", "live"),
            conditional=True,
            config={"folder": tmp_path},
        )
    )
    assert list((await run(pipeline)).outputs["join"].data["inputs"]) == ["stop", "live"]


async def test_a_stage_that_was_skipped_was_not_executed(run, tmp_path):
    attempts = (await run(branching(tmp_path))).attempts
    assert (attempts["stop"], attempts["join"], attempts.get("child", 0)) == (1, 1, 0)
