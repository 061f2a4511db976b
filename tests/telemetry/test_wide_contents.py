"""What the wide events of stages and runs say."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

from stageflow_actors import (
    BreakerPolicy,
    GuardRetryPolicy,
    IdempotencyPolicy,
    InMemoryEventSink,
    LocalRuntime,
    Pipeline,
    RetryPolicy,
    RoutingDecision,
    Settings,
    StageOutput,
    stage,
)
from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.wide_events import MOST_DETAILS, WideEventLog, open_log
from tests.telemetry.wide import WIDE, events_of, the_run, wide_of


async def ok(ctx):
    return {"x": 1}


def test_off_there_is_no_log_that_follows_anything():
    plan = Pipeline().with_stage("a", ok, "work").build().plan
    assert type(open_log(plan, Settings())) is EventLog
    assert type(open_log(plan, WIDE)) is WideEventLog


async def test_off_nothing_of_it_is_told():
    async def ok(ctx):
        return {"a": 1}

    events, _result = await events_of(Pipeline().with_stage("s", ok, "work"), Settings())
    assert [event.type for event in events if event.type.endswith(".wide")] == []
    assert [event for event in events if "data_keys" in event.data] == []


async def test_an_ordinary_stage_says_when_it_worked_and_what_it_made():
    async def ok(ctx):
        await asyncio.sleep(0.02)
        return {"text": "x", "answer": 42, "_Token-of-9f8e7d": None, "x" * 300: 1}

    events, _result = await events_of(Pipeline("tea").with_stage("s", ok, "work"))
    told = wide_of(events)["s"]
    assert (told["status"], told["attempts"], told["retries"], told["repeats"]) == ("ok", 1, 0, 0)
    assert told["started_at"] <= told["began_at"] <= told["ended_at"]
    assert told["duration_ms"] >= 20
    assert told["data_keys"] == ("_Token-of-9f8e7d", "answer", "text", "x" * 100)
    assert (told["error"], told["action_taken"], told["children"]) == (None, None, {})
    run = the_run(events)
    assert (run["pipeline_name"], run["status"]) == ("tea", "ok")
    assert run["stage_counts"] == {"ok": 1}
    [detail] = run["stage_details"]
    assert detail == {
        "name": "s",
        "status": "ok",
        "attempts": 1,
        "duration_ms": told["duration_ms"],
    }
    assert run["stage_details_left_out"] == 0


async def test_names_in_an_output_are_cut_and_a_secret_among_them_is_hidden():
    async def many(ctx):
        return {f"key{index:02}": 0 for index in range(80)}

    async def leaks(ctx):
        return {ctx.data["api_key"]: 1}

    pipeline = Pipeline().with_stage("many", many, "work").with_stage("leaks", leaks, "work")
    events, _result = await events_of(pipeline, data={"api_key": "sk-Zx91Qv77Lm20Rt"})
    assert wide_of(events)["many"]["data_keys"] == tuple(f"key{index:02}" for index in range(50))
    assert "Zx91" not in repr(wide_of(events)["leaks"])


async def test_a_stage_that_raised_says_why_after_all_its_attempts():
    async def bad(ctx):
        await asyncio.sleep(0.005)
        raise ValueError(f"no {ctx.attempt}")

    retry = RetryPolicy(max_attempts=3, initial_delay_s=0, retry_on=Exception)
    pipeline = (
        Pipeline().with_stage("s", bad, "work", retry=retry).with_stage("t", bad, "work", "s")
    )
    events, _result = await events_of(pipeline)
    told = wide_of(events)["s"]
    assert (told["status"], told["attempts"], told["retries"]) == ("fail", 3, 2)
    assert (told["error"], told["error_type"], told["code"]) == (
        "no 3",
        "ValueError",
        "STAGE-RAISED",
    )
    assert told["action_taken"] == "stop_run"
    assert told["data_keys"] is None
    ends = [event.data for event in events if event.type == "stage.error"]
    assert told["began_at"] == ends[0]["began_at"]
    assert told["ended_at"] == ends[2]["ended_at"]
    worked_s = sum(end["ended_at"] - end["began_at"] for end in ends)
    assert told["duration_ms"] == int(worked_s * 1000)
    run = the_run(events)
    assert (run["deciding_stage"], run["reason"], run["retries"]) == ("s", "no 3", 2)
    assert run["stage_counts"] == {"fail": 1, "not_started": 1}
    assert run["stage_details"][1]["status"] == "not_started"


async def test_a_stage_that_fell_back_says_so_with_what_stands_in():
    async def bad(ctx):
        raise ValueError("no")

    pipeline = Pipeline().with_stage("s", bad, "work", fallback={"rows": [], "count": 0})
    events, _result = await events_of(pipeline)
    told = wide_of(events)["s"]
    assert (told["status"], told["action_taken"], told["error"]) == ("fell_back", "fallback", "no")
    assert told["data_keys"] == ("count", "rows")


async def test_a_stage_that_a_guard_had_repeated_has_one_event_when_the_guard_has_passed():
    async def make(ctx):
        return {"draft": ctx.attempt}

    async def judge(ctx):
        return StageOutput.ok() if ctx.inputs.get("draft") > 2 else StageOutput.fail("poor")

    policy = GuardRetryPolicy("make", max_attempts=5)
    pipeline = (
        Pipeline()
        .with_stage("make", make, "work")
        .with_stage("judge", judge, "guard", "make", guard_retry=policy)
    )
    events, _result = await events_of(pipeline)
    told = wide_of(events)["make"]
    assert (told["status"], told["attempts"], told["repeats"], told["retries"]) == ("ok", 3, 2, 0)
    types = [event.type for event in events]
    assert types.index("stage.wide") > types.index("stage.judge.completed")


async def test_calls_of_providers_are_summed_over_attempts_whatever_stages_say_of_them():
    def call(**attributes):
        return {"attributes": attributes, "latency_ms": 1.0}

    good = {
        "gen_ai.request.model": "small",
        "gen_ai.response.model": "small-7",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
        "stageflow.provider.cost.amount": "0.10",
        "stageflow.provider.cost.currency": "USD",
    }
    odd = {
        "gen_ai.usage.input_tokens": -5,
        "gen_ai.usage.output_tokens": True,
        "stageflow.provider.cost.amount": "much",
    }

    async def calls(ctx):
        ctx.emit_event("provider.call", call(**good))
        ctx.emit_event("provider.call", call(**odd))
        ctx.emit_event("provider.call", {"attributes": "none"})
        if ctx.attempt == 1:
            raise ValueError("again")

    retry = RetryPolicy(max_attempts=2, initial_delay_s=0, retry_on=Exception)
    pipeline = Pipeline().with_stage("s", calls, "work", retry=retry)
    pipeline = pipeline.with_stage("t", calls, "work", retry=retry)
    few = Settings(wide_events=True, max_events_per_run=4)
    for settings in (WIDE, few):  # what is dropped counts, too
        events, result = await events_of(pipeline, settings)
        told, run = wide_of(events)["s"], the_run(events)
        assert (told["provider_calls"], told["input_tokens"], told["output_tokens"]) == (6, 20, 8)
        assert (told["cost"], told["models"]) == ({"USD": "0.20"}, ("small-7",))
        assert (run["provider_calls"], run["input_tokens"]) == (12, 40)
        assert {name: Decimal(amount) for name, amount in run["cost"].items()} == {
            "USD": Decimal("0.4")
        }
        assert run["events_dropped"] == result.events_dropped


async def test_an_event_of_a_stage_cannot_pass_for_one_of_the_runtime():
    async def lies(ctx):
        for type_ in ("stage.s.failed", "stage.error", "stage.s.started", "stage.answered"):
            ctx.emit_event(type_, {"status": "fail", "action_taken": "stop_run"})

    events, _result = await events_of(Pipeline().with_stage("s", lies, "work"))
    [told] = [event.data for event in events if event.type == "stage.wide"]
    assert (told["status"], told["attempts"], told["answered"]) == ("ok", 1, False)


async def test_children_pieces_routes_and_answers_are_part_of_it():
    async def fine(ctx):
        return {"x": 1}

    async def bad(ctx):
        raise ValueError("no")

    async def spawns(ctx):
        await ctx.spawn("fine")
        await ctx.spawn("bad")
        await ctx.stream.send("piece")
        await ctx.stream.send("piece")

    async def decides(ctx):
        return RoutingDecision("left")

    registry = {
        "fine": Pipeline("fine").with_stage("c", fine, "work"),
        "bad": Pipeline("bad").with_stage("c", bad, "work"),
    }
    sink = InMemoryEventSink()
    runtime = LocalRuntime(settings=WIDE, registry=registry, event_sink=sink)
    graph = Pipeline.from_stages(
        stage("spawns", spawns, "work"),
        stage("decides", decides, "route"),
        stage("left", fine, "work", dependencies="decides", route="left"),
        stage("right", fine, "work", dependencies="decides", route="right"),
    )
    async with runtime, runtime.deploy(graph) as app:
        run = await app.start()
        events = [event async for event in run.events()]
        await run.result()
        await runtime.flush_events()
    told = wide_of(events)
    assert told["spawns"]["children"] == {
        "spawned": 2,
        "completed": 1,
        "failed": 1,
        "cancelled": 0,
    }
    assert told["spawns"]["pieces"] == 2
    assert told["decides"]["route"] == "left"
    assert (told["right"]["status"], told["right"]["attempts"]) == ("skip", 0)
    assert (the_run(events)["children"], the_run(events)["pieces"]) == (2, 2)
    wide = [each.data for each in sink.of_type("pipeline.wide")]
    assert Counter(each["status"] for each in wide if "parent_run_id" in each) == {
        "ok": 1,
        "failed": 1,
    }


async def test_a_stage_says_that_it_was_answered_and_what_its_breaker_did():
    async def fine(ctx):
        return {"x": 1}

    async def bad(ctx):
        raise ValueError("no")

    breaker = BreakerPolicy(failure_threshold=1, trip_on=Exception)
    policies = {"s": (fine, {"idempotency": IdempotencyPolicy()}), "b": (bad, {"breaker": breaker})}
    told = {}
    for name, (body, options) in policies.items():
        runtime = LocalRuntime(settings=WIDE)
        graph = Pipeline().with_stage(name, body, "work", **options)
        async with runtime, runtime.deploy(graph) as app:
            for turn in range(2):
                run = await app.start(data={"idempotency_key": "k"})
                events = [event async for event in run.events()]
                told[name, turn] = wide_of(events)[name]
    assert [told["s", turn]["answered"] for turn in range(2)] == [False, True]
    assert [told["b", turn]["breaker"] for turn in range(2)] == [("open",), ()]
    assert told["b", 1]["code"] == "STAGE-CIRCUIT-OPEN"


def test_of_many_stages_the_run_names_some_and_first_of_all_those_that_failed():
    pipeline = Pipeline("wide")
    for index in range(MOST_DETAILS + 50):
        pipeline = pipeline.with_stage(f"s{index}", ok, "work")
    plan = pipeline.build().plan
    log = WideEventLog(plan, max_events=100_000)
    for name in plan.stage_names:
        is_last = name == plan.stage_names[-1]
        log.append(f"stage.{name}.started", 0.0, name, 1, {})
        end = "cancelled" if is_last else "completed"
        status = "interrupted" if is_last else "ok"
        log.append(f"stage.{name}.{end}", 0.0, name, 1, {"status": status})
    log.append("pipeline.cancelled", 0.0, None, None, {"status": "cancelled"})
    told = the_run(log.take())
    assert len(told["stage_details"]) == MOST_DETAILS
    assert told["stage_details_left_out"] == 50
    assert told["stage_details"][-1]["status"] == "interrupted"
    assert told["stage_counts"] == {"ok": MOST_DETAILS + 49, "interrupted": 1}
