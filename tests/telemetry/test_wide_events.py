"""One wide event for each stage and one for each run, whatever happens to them."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from stageflow_actors import (
    GuardRetryPolicy,
    LocalRuntime,
    Pipeline,
    RetryPolicy,
    Settings,
    StageOutput,
)
from stageflow_actors.actors.wide_events import WideEventLog, told_widely
from stageflow_actors.errors import CycleDetectedError, PolicyError
from stageflow_actors.model.events import RUN_ENDS, Event
from stageflow_actors.testing import What, simulate
from tests.telemetry.wide import events_of, the_run, wide_of

ENDS = ("completed", "skipped", "cancelled", "failed")


def words_of(events, name):
    prefix = f"stage.{name}."
    return [each.type.removeprefix(prefix) for each in events if each.type.startswith(prefix)]


def check_books(events, names):
    """The rules that hold of every run that has ended."""
    wides = Counter(event.stage for event in events if event.type == "stage.wide")
    for name in names:
        words = words_of(events, name)
        was_seen = "started" in words or "skipped" in words
        assert wides[name] == was_seen, (name, words)
    assert set(wides) <= set(names)
    types = [event.type for event in events]
    assert types.count("pipeline.wide") == 1
    assert types[-2] == "pipeline.wide"
    assert types[-1] in RUN_ENDS
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for place, event in enumerate(events):
        if event.type == "stage.wide":
            after = {each.type for each in events[place + 1 :] if each.stage == event.stage}
            assert not after & {f"stage.{event.stage}.{word}" for word in ("started", *ENDS)}
            starts = words_of(events, event.stage).count("started")
            assert event.data["attempts"] == starts
            assert starts == bool(starts) + event.data["retries"] + event.data["repeats"]
    told = the_run(events)
    assert sum(told["stage_counts"].values()) == len(names)
    assert told["stage_counts"].get("not_started", 0) == len(names) - sum(wides.values())


def played(history):
    """What a run would have told, of what the engine decided."""
    log = WideEventLog(history.plan, max_events=10_000)
    for record in history.records:
        if record.what is What.EVENT:
            name = None if record.stage < 0 else history.plan.stages[record.stage].name
            log.append(record.text, record.at, name, record.attempt or None, record.data)
    return log.take()


def test_each_stage_has_one_and_the_run_has_one_whatever_the_engine_is_told():
    statuses = Counter()
    for seed in range(300):
        history = simulate(seed)
        events = played(history)
        check_books(events, history.plan.stage_names)
        statuses.update(data["status"] for data in wide_of(events).values())
    rare = ("ok", "skip", "fail", "lost", "interrupted", "timed_out", "fell_back", "rejected")
    assert {status for status in rare if statuses[status] < 3} == set()


# --- the same over stages that run ----------------------------------------------------------------


def body_of(random):
    """One that ends in a way of its own, each time that it is executed."""
    kinds = ["ok"] * 6 + ["skip", "fail", "raise", "retry", "cancel", "branch", "hang", "exit"]
    ways = [random.choice(kinds) for _ in range(8)]

    async def body(ctx):
        way = ways[(ctx.attempt - 1) % len(ways)]
        if way == "raise":
            raise ValueError("broken")
        if way == "exit":
            raise asyncio.CancelledError
        if way == "hang":
            await asyncio.sleep(60)
        ways_out = {
            "skip": StageOutput.skip("no need"),
            "fail": StageOutput.fail("no"),
            "retry": StageOutput.retry("again"),
            "cancel": StageOutput.cancel("enough"),
            "branch": StageOutput.cancel_branch("not here"),
        }
        return ways_out.get(way, StageOutput.ok())

    return body


def random_pipeline(random):
    names: list[str] = []
    pipeline = Pipeline("chance")
    for index in range(random.randint(3, 9)):
        picked = [each for each in names if random.random() < 0.4]
        options = {
            "timeout": 0.02,
            "conditional": random.random() < 0.1,
            "fallback": {"x": 1} if random.random() < 0.2 else None,
        }
        if random.random() < 0.5:
            options["retry"] = RetryPolicy(
                max_attempts=random.randint(2, 3), initial_delay_s=0.001, retry_on=Exception
            )
        if picked and random.random() < 0.4:
            options["guard_retry"] = GuardRetryPolicy(random.choice(picked))
        name = f"s{index}"
        pipeline = pipeline.with_stage(
            name,
            body_of(random),
            "guard" if "guard_retry" in options else "work",
            dependencies=tuple(picked),
            **options,
        )
        names.append(name)
    return pipeline


@pytest.mark.timeout(120)
async def test_each_stage_has_one_and_the_run_has_one_whatever_stages_do():
    statuses: Counter[str] = Counter()
    for seed in range(40):
        random = Random(seed)
        try:
            graph = random_pipeline(random).build()
        except (PolicyError, CycleDetectedError):
            continue
        limit_s = random.choice((None, None, 0.03))
        events, result = await events_of(graph, timeout=limit_s)
        check_books(events, graph.plan.stage_names)
        told = wide_of(events)
        assert set(told) == {name for name in result.timings if name in told}
        assert the_run(events)["status"] == result.status.value
        statuses.update(data["status"] for data in told.values())
    assert {"ok", "fail", "skip", "interrupted", "timed_out"} <= set(statuses)


# --- runs that could not tell of their end --------------------------------------------------------


def loss(seq):
    told = {"status": "failed", "code": "SUPERVISOR-LOST", "reason": "it died"}
    return Event("pipeline.failed", seq, 9.0, None, None, told)


def test_of_a_lost_run_what_had_begun_is_told_as_lost_wherever_its_events_end():
    for seed in range(40):
        history = simulate(seed)
        events = played(history)
        end = next(place for place, each in enumerate(events) if each.type == "pipeline.wide")
        for place in range(end):
            seen = events[:place]
            added = told_widely(history.plan, seen, (loss(len(seen) + 1),))
            whole = [*seen, *added]
            check_books(whole, history.plan.stage_names)
            begun = {each.stage for each in seen if each.type.endswith(".started")} - {None}
            ended = {each.stage for each in seen if each.type.rpartition(".")[2] in ENDS}
            told = wide_of(added)
            assert {told[name]["status"] for name in begun - ended if name in told} <= {
                "lost",
                "fail",
                "rejected",
            }
        run = the_run(whole)
        assert (run["status"], run["code"]) == ("failed", "SUPERVISOR-LOST")


async def test_a_run_that_is_refused_has_one_too():
    settings = Settings(wide_events=True, max_running_runs=1, max_waiting_runs=0)
    release = asyncio.Event()

    async def waits(ctx):
        await release.wait()

    runtime = LocalRuntime(settings=settings)
    async with runtime, runtime.deploy(Pipeline("busy").with_stage("s", waits, "work")) as app:
        first, second = await app.start(), await app.start()
        events = [event async for event in second.events()]
        release.set()
        assert (await first.result()).ok
    assert [(each.type, each.seq) for each in events] == [
        ("pipeline.wide", 1),
        ("pipeline.refused", 2),
    ]
    told = the_run(events)
    assert (told["status"], told["pipeline_name"]) == ("failed", "busy")
    assert told["stage_counts"] == {"not_started": 1}
