"""Stages that are skipped, by themselves or for what comes before them, and what follows them."""

from __future__ import annotations

from stageflow_actors import Pipeline, RoutingDecision, StageKind, StageOutput
from tests.conformance.crossing import Journal
from tests.conformance.skips_stages import Note, plain
from tests.conformance.test_events import events_of


def two_inputs(folder, second):
    """``careful`` is conditional and reads ``first``, which is plain, and ``second``."""
    return (
        Pipeline("two")
        .with_stage("first", plain, StageKind.WORK)
        .with_stage("second", second, StageKind.GUARD)
        .with_stage(
            "careful",
            Note,
            dependencies=("first", "second"),
            conditional=True,
            config={"folder": folder},
        )
    )


async def test_skip_reason_in_one_of_two_inputs_skips_a_conditional_stage(runtime, tmp_path):
    async def second(ctx):
        return {"skip_reason": "seen before", "n": 2}

    events, result = await events_of(runtime, two_inputs(tmp_path, second))
    assert result.ok
    assert result.outputs["second"].data == {"skip_reason": "seen before", "n": 2}
    assert result.outputs["careful"].status == "skip"
    assert result.outputs["careful"].data == {"reason": "seen before"}
    assert result.skipped == {"careful": "seen before"}
    assert Journal(tmp_path).lines == []
    assert not [event for event in events if event.type == "stage.careful.started"]


async def test_skip_reason_counts_where_it_is_true_and_is_then_told_as_text(runtime, tmp_path):
    async def second(ctx):
        return {"skip_reason": ctx.data["value"]}

    async with runtime.deploy(two_inputs(tmp_path, second)) as app:
        handles = [await app.start(data={"value": each}) for each in ("", None, 0, ["a"], True)]
        skipped = [(await handle.result()).skipped for handle in handles]
    assert skipped == [{}, {}, {}, {"careful": "['a']"}, {"careful": "True"}]
    assert Journal(tmp_path).lines == ["careful"] * 3


async def test_returned_skip_passes_to_conditional_dependents_and_ends_at_the_others(
    runtime, tmp_path
):
    async def second(ctx):
        return StageOutput.skip("nothing to do")

    note = {"folder": tmp_path}
    pipeline = (
        two_inputs(tmp_path, second)
        .with_stage("far", Note, dependencies="careful", conditional=True, config=note)
        .with_stage("other", Note, dependencies="second", config=note)
        .with_stage("next", Note, dependencies="careful", config=note)
        .with_stage("over", Note, dependencies="next", conditional=True, config=note)
    )
    events, result = await events_of(runtime, pipeline)
    assert result.ok
    assert result.skipped == dict.fromkeys(["second", "careful", "far"], "nothing to do")
    assert sorted(Journal(tmp_path).lines) == ["next", "other", "over"]
    assert result.outputs["far"].data == {"reason": "nothing to do"}
    assert result.outputs["other"].data == result.outputs["next"].data == {"why": "nothing to do"}
    assert result.outputs["over"].data == {"why": "none"}
    told = {event.type: event.data for event in events if event.type.endswith(".skipped")}
    assert list(told) == ["stage.second.skipped", "stage.careful.skipped", "stage.far.skipped"]
    for data in told.values():
        assert (data["status"], data["reason"]) == ("skip", "nothing to do")
        assert type(data["duration_ms"]) is int


async def test_skipped_stage_has_a_time_no_duration_and_one_event(runtime, tmp_path):
    async def second(ctx):
        return {"skip_reason": "seen before"}

    events, result = await events_of(runtime, two_inputs(tmp_path, second))
    timing = result.timings["careful"]
    assert result.started_at <= timing.started_at == timing.ended_at <= result.ended_at
    assert (timing.duration_ms, result.outputs["careful"].duration_ms) == (0, 0)
    [told] = [event for event in events if event.stage == "careful"]
    assert (told.type, told.attempt) == ("stage.careful.skipped", 1)
    assert told.data == {"status": "skip", "duration_ms": 0, "reason": "seen before"}
    assert list(result.outputs)[-1] == "careful"
    assert "careful" not in result.cancelled


async def test_stage_that_is_not_conditional_runs_whatever_its_inputs_say(run, tmp_path):
    async def second(ctx):
        return {"skip_reason": "seen before"}

    pipeline = two_inputs(tmp_path, second).with_stage(
        "bold", Note, dependencies=("first", "second"), config={"folder": tmp_path}
    )
    result = await run(pipeline)
    assert Journal(tmp_path).lines == ["bold"]
    assert result.outputs["bold"].data == {"why": "none"}


async def test_skip_without_a_reason_skips_all_the_same(run, tmp_path):
    async def second(ctx):
        return StageOutput.skip()

    result = await run(two_inputs(tmp_path, second))
    assert result.skipped == {"second": "", "careful": ""}
    assert result.outputs["careful"].data == {"reason": ""}


async def test_first_of_several_skipped_inputs_gives_the_reason(run, tmp_path):
    async def skip(ctx):
        return StageOutput.skip(f"because of {ctx.stage_name}")

    pipeline = (
        Pipeline()
        .with_stage("a", skip, StageKind.GUARD)
        .with_stage("b", skip, StageKind.GUARD)
        .with_stage(
            "c", Note, dependencies=("b", "a"), conditional=True, config={"folder": tmp_path}
        )
    )
    assert (await run(pipeline)).skipped["c"] == "because of b"


async def test_conditional_stage_runs_after_a_skip_that_it_does_not_read(run, tmp_path):
    async def skip(ctx):
        return StageOutput.skip("nothing to do")

    pipeline = (
        Pipeline()
        .with_stage("before", skip, StageKind.GUARD)
        .with_stage("first", plain, StageKind.WORK)
        .with_stage(
            "careful",
            Note,
            dependencies="first",
            after="before",
            conditional=True,
            config={"folder": tmp_path},
        )
    )
    result = await run(pipeline)
    assert result.skipped == {"before": "nothing to do"}
    assert Journal(tmp_path).lines == ["careful"]


async def test_branch_that_is_passed_by_does_not_skip_a_conditional_join(run, tmp_path):
    async def decide(ctx):
        return RoutingDecision("fast")

    note = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("router", decide, StageKind.ROUTE)
        .with_stage("fast", Note, dependencies="router", route="fast", config=note)
        .with_stage("slow", Note, dependencies="router", route="slow", config=note)
        .with_stage("join", Note, dependencies=("slow", "fast"), conditional=True, config=note)
    )
    result = await run(pipeline)
    assert list(result.skipped) == ["slow"]
    assert Journal(tmp_path).lines == ["fast", "join"]


async def test_conditional_branch_is_skipped_on_its_route_too(run, tmp_path):
    async def decide(ctx):
        return StageOutput.ok(route=RoutingDecision("fast"), skip_reason="seen before")

    note = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("router", decide, StageKind.ROUTE)
        .with_stage("bold", Note, dependencies="router", route="fast", config=note)
        .with_stage(
            "careful", Note, dependencies="router", route="fast", conditional=True, config=note
        )
    )
    result = await run(pipeline)
    assert result.skipped == {"careful": "seen before"}
    assert Journal(tmp_path).lines == ["bold"]
