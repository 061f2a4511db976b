"""A process that hosts several stages goes on by itself; a run is no different for it."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from stageflow_actors import (
    BreakerPolicy,
    CircuitBreakerOpenError,
    IdempotencyPolicy,
    LocalRuntime,
    Pipeline,
    PipelineContext,
    Placement,
    RayRuntime,
    RunStatus,
)
from tests.actors.lease_stages import Link, Twin
from tests.actors.watching import pid_of, replaced
from tests.conformance.crossing import Gate, Journal
from tests.conformance.parents import alone, ends

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

CHAIN = {"a": (), "b": ("a",), "c": ("b",), "d": ("c",)}
DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
TOGETHER = {"placement": Placement(share="one")}


def linked(folder, graph, effects=None, **options):
    pipeline = Pipeline()
    for name, needs in graph.items():
        own = {"effects": effects.get(name, "unknown")} if effects else {}
        pipeline = pipeline.with_stage(
            name, Link, dependencies=needs, config={"folder": folder}, **own, **options
        )
    return pipeline


def deployed(folder, graph=CHAIN, **options):
    return RayRuntime().deploy(linked(folder, graph, **TOGETHER, **options))


async def result_of(app, how="", **parts):
    return await (await app.start(input_text=how, **parts)).result()


async def until_over(handle, stage):
    """Every event up to the end of a stage, as they come."""
    seen = []
    async for event in handle.events():
        seen.append((event.type, event.stage, event.attempt))
        if event.type == f"stage.{stage}.completed":
            break
    return seen


async def story_of(app, how):
    """All that a run says of itself but times; events of stages side by side in any order."""
    handle = await app.start(input_text=how)
    result = await handle.result()
    events = Counter([(each.type, each.stage, each.attempt) async for each in handle.events()])
    data = {name: (output.status, output.data) for name, output in result.outputs.items()}
    failures = {name: each.message for name, each in result.failures.items()}
    ends = result.status, result.stage, result.reason, result.attempts, result.skipped
    return data, failures, ends, events


async def calls_of_a_run(app, **parts):
    """Fewest of several runs: a busy machine may part what a process would tell at once."""
    counts = []
    for _run in range(5):
        before = (await app.describe())["calls_to_stages"]
        assert (await result_of(app, **parts)).status is RunStatus.OK
        counts.append((await app.describe())["calls_to_stages"] - before)
    return min(counts)


# --- the same runs, in fewer calls ----------------------------------------------------------------


async def same_stories(folder, *apps):
    """Each of them says the same of a run that goes well, and of one that does not."""
    for how in ("", "b fails"):
        stories = []
        for app in apps:
            (folder / "journal.txt").unlink(missing_ok=True)
            stories.append(await story_of(app, how))
        assert all(story == stories[0] for story in stories)


async def test_a_chain_takes_one_call_and_is_the_same_as_without_processes(tmp_path):
    async with (
        LocalRuntime().deploy(linked(tmp_path, CHAIN)) as local,
        deployed(tmp_path) as together,
    ):
        await same_stories(tmp_path, local, together)
        assert await calls_of_a_run(together) == 1


async def test_a_lone_run_takes_one_call_and_is_the_same_as_in_processes_of_their_own(tmp_path):
    plain = linked(tmp_path, DIAMOND)
    async with (
        LocalRuntime().deploy(plain) as local,
        RayRuntime().deploy(plain) as apart,
        deployed(tmp_path, DIAMOND) as together,
    ):
        await same_stories(tmp_path, local, apart, together)
        assert await calls_of_a_run(together) == 1
        assert await calls_of_a_run(apart) >= 3


async def test_what_has_a_say_before_each_stage_has_it(tmp_path):
    """Hooks, keys, children and open breakers: nothing is begun ahead of the supervisor."""
    asked = []

    def context():
        ctx = PipelineContext()
        ctx.add_before_stage_start_hook(lambda stage, *_more: asked.append(stage))
        return ctx

    async with deployed(tmp_path, idempotency=IdempotencyPolicy()) as app:
        assert await calls_of_a_run(app) == 1
        before = (await app.describe())["calls_to_stages"]
        await app.run(context())
        hooked = (await app.describe())["calls_to_stages"]
        await app.run(data={"idempotency_key": "k"})
        keyed = (await app.describe())["calls_to_stages"]
    assert asked == list(CHAIN)
    assert hooked - before >= len(CHAIN)
    assert keyed - hooked >= len(CHAIN)

    folder = tmp_path / "broken"
    folder.mkdir()
    async with deployed(folder, breaker=BreakerPolicy(failure_threshold=1)) as app:
        assert (await result_of(app, "b fails")).failures["b"].code == "STAGE-RAISED"
        assert (await result_of(app)).failures["b"].code == CircuitBreakerOpenError.default_code
    assert Journal(folder).lines == ["a", "b", "a"]

    with_children = RayRuntime(registry=[alone("ends", ends)])
    async with with_children.deploy(linked(tmp_path, CHAIN, **TOGETHER)) as app:
        assert await calls_of_a_run(app) >= len(CHAIN)


# --- while it is ahead ----------------------------------------------------------------------------


async def test_what_has_ended_is_told_while_the_next_one_works_and_a_cancel_reaches_that(tmp_path):
    async with deployed(tmp_path) as app:
        handle = await app.start(input_text="b holds")
        assert ("stage.b.started", "b", 1) not in await until_over(handle, "a")
        await Gate(tmp_path, "b holds").opened()
        await handle.cancel("enough")
        result = await handle.result()
        assert Journal(tmp_path).lines == ["a", "b", "b over"]
        told = await app.describe()
    assert (result.status, result.reason) == (RunStatus.CANCELLED, "enough")
    assert list(result.outputs) == ["a"]
    assert result.cancelled.keys() == {"b", "c", "d"}
    assert result.attempts == {"a": 1, "b": 1}
    assert [stage["in_flight"] for stage in told["stages"]] == [0] * 4
    assert Journal(tmp_path).lines == ["a", "b", "b over"]


async def test_a_process_that_goes_on_alone_is_heard_though_its_run_has_more_to_do(tmp_path):
    """All of its receipts arrive at once, while the run waits for another process, too."""
    pipeline = linked(tmp_path, CHAIN, **TOGETHER).with_stage(
        "x", Link, config={"folder": tmp_path}
    )
    async with RayRuntime().deploy(pipeline) as app:
        handle = await app.start(input_text="x holds")
        seen = await until_over(handle, "d")
        Gate(tmp_path, "go-on").open()
        result = await handle.result()
    assert ("stage.x.completed", "x", 1) not in seen
    assert result.status is RunStatus.OK
    assert result.attempts == dict.fromkeys("abcdx", 1)


async def test_what_goes_on_alone_is_heard_where_all_that_the_run_knew_of_has_ended_together():
    """Then nothing else is due from that process but what it has begun by itself."""
    pipeline = Pipeline("twins")
    for name, needs in DIAMOND.items():
        pipeline = pipeline.with_stage(name, Twin, dependencies=needs, timeout=10, **TOGETHER)
    async with RayRuntime().deploy(pipeline) as app:
        for turns in range(8):
            result = await result_of(app, str(turns))
            assert result.status is RunStatus.OK, result.failures


# --- when it dies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", ["none", "unknown"])
async def test_what_was_ahead_when_its_process_died_ends_by_its_policy(effects, tmp_path):
    async with deployed(tmp_path, effects=dict.fromkeys(CHAIN, effects)) as app:
        handle = await app.start(input_text="b holds")
        await until_over(handle, "a")
        await Gate(tmp_path, "b holds").opened()
        os.kill(await pid_of(app, "b"), signal.SIGKILL)
        result = await handle.result()
        lines = Journal(tmp_path).lines
    if effects == "none":
        assert result.attempts == {"a": 1, "b": 2, "c": 1, "d": 1}
        assert lines == ["a", "b", "b", "c", "d"]
    else:
        assert {name: each.code for name, each in result.failures.items()} == {
            "b": "STAGE-OUTCOME-UNKNOWN"
        }
        assert list(result.outputs) == ["a"]
        assert lines == ["a", "b"]


@pytest.mark.parametrize(
    ("effects", "status", "lines"),
    [
        ({"a": "none", "b": "none"}, RunStatus.OK, ["a", "b", "a", "b", "c", "d"]),
        ({"a": "none"}, RunStatus.FAILED, ["a", "b"]),
    ],
    ids=["repeated", "not to be repeated"],
)
async def test_what_died_before_anybody_knew_of_it_is_not_done_twice_unless_it_may(
    effects, status, lines, tmp_path
):
    async with deployed(tmp_path, effects=effects) as app:
        result = await result_of(app, "b dies")
    assert (result.status, Journal(tmp_path).lines) == (status, lines)
    if status is RunStatus.FAILED:
        assert list(result.outputs) == ["a"]
        assert list(result.failures) == ["b"]


# --- when it retires ------------------------------------------------------------------------------


async def test_one_that_is_to_leave_stays_for_what_it_has_begun_ahead(tmp_path):
    async with deployed(tmp_path) as app:
        former = await pid_of(app, "a")
        handle = await app.start(input_text="a holds")
        await Gate(tmp_path, "a holds").opened()
        await app.run(input_text="d retires")
        await replaced(app, "a", former)
        Gate(tmp_path, "go-on").open()
        result = await handle.result()
    assert result.status is RunStatus.OK
    assert result.attempts == dict.fromkeys(CHAIN, 1)
