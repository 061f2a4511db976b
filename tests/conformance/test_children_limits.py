"""Child runs that are refused: of names that nobody knows, too deep, too many, and too late."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    InvalidRunInputError,
    MaxDepthExceededError,
    Settings,
    SpawnRefusedError,
    StageflowError,
    UnknownPipelineError,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.parents import (
    LONG_S,
    alone,
    answer_of,
    asking,
    child_of,
    ends,
    knowing,
    refusal_of,
    stopped,
    waiter,
    waiter_runs,
)

# --- names ----------------------------------------------------------------------------------------


async def test_a_name_that_nobody_knows_is_told_with_those_that_are_near(runtime):
    runtime = knowing(runtime, alone("summarise", ends), alone("other", ends))
    error = await refusal_of(runtime, asking("sumarise"))
    assert isinstance(error, UnknownPipelineError)
    assert error.code == "SPAWN-UNKNOWN"
    assert "Did you mean 'summarise'?" in str(error)
    assert "other, summarise" in str(error)


@pytest.mark.parametrize("name", [None, 7, ["ends"], "", "  "])
async def test_what_is_no_name_is_refused(runtime, name):
    error = await refusal_of(knowing(runtime, alone("ends", ends)), asking(name))
    assert isinstance(error, UnknownPipelineError)


async def test_without_a_registry_there_is_nobody_to_spawn(runtime):
    error = await refusal_of(runtime, asking("ends"))
    assert isinstance(error, UnknownPipelineError)
    assert "registry" in str(error)


async def test_a_pipeline_is_spawned_by_the_name_that_it_was_registered_under(runtime):
    runtime = type(runtime)(registry={"alias": alone("ends", ends)})
    child = await child_of(runtime, asking("alias", "x"))
    assert (child.pipeline, child.data) == ("alias", {"ends": {"text": "x"}})
    assert isinstance(await refusal_of(runtime, asking("ends")), UnknownPipelineError)


# --- depth ----------------------------------------------------------------------------------------


def endless(folder):
    """A pipeline that spawns itself until that is refused; it tells how deep it came, and why."""

    async def endless(ctx):
        Journal(folder).write(f"{ctx.depth}")
        try:
            child = await ctx.spawn("endless")
        except StageflowError as error:
            told = type(error).__name__, error.current_depth, error.max_depth, error.parent_run_id
            return {"refused": list(told), "run": str(ctx.pipeline_run_id)}
        return child.raise_for_status().data["endless"]

    return alone("endless", endless, timeout=LONG_S)


async def test_five_levels_are_accepted_and_the_sixth_is_refused(runtime, tmp_path):
    runtime = knowing(runtime, endless(tmp_path))
    child = await child_of(runtime, asking("endless"))
    deepest = child.data["endless"]
    assert Journal(tmp_path).lines == ["1", "2", "3", "4", "5"]
    assert list(deepest["refused"]) == ["MaxDepthExceededError", 5, 5, deepest["run"]]


async def test_how_deep_is_a_setting_that_reaches_every_level(runtime, tmp_path):
    runtime = knowing(runtime, endless(tmp_path), settings=Settings(max_spawn_depth=1))
    deepest = (await child_of(runtime, asking("endless"))).data["endless"]
    assert list(deepest["refused"]) == ["MaxDepthExceededError", 1, 1, deepest["run"]]
    assert Journal(tmp_path).lines == ["1"]


async def test_no_child_at_all_may_be_allowed(runtime):
    runtime = knowing(runtime, alone("ends", ends), settings=Settings(max_spawn_depth=0))
    error = await refusal_of(runtime, asking("ends"))
    assert isinstance(error, MaxDepthExceededError)
    assert (error.code, error.current_depth, error.max_depth) == ("SPAWN-DEPTH", 0, 0)


async def test_a_pipeline_may_spawn_itself_to_a_normal_end(runtime):
    async def factorial(ctx):
        n = ctx.data["n"]
        if n == 1:
            return {"product": 1}
        child = await ctx.spawn("factorial", {"n": n - 1})
        return {"product": n * child.data["factorial"]["product"]}

    runtime = knowing(runtime, alone("factorial", factorial))
    child = await child_of(runtime, asking("factorial", {"n": 4}))
    assert child.data == {"factorial": {"product": 24}}


async def test_pipelines_may_spawn_each_other_to_a_normal_end(runtime):
    def passing(here, there):
        async def stage(ctx):
            n = ctx.data["n"]
            child = await ctx.spawn(there, {"n": n - 1}) if n else None
            return {"line": [here, *(child.data[there]["line"] if child else ())]}

        return alone(here, stage)

    runtime = knowing(runtime, passing("ping", "pong"), passing("pong", "ping"))
    child = await child_of(runtime, asking("ping", {"n": 3}))
    assert list(child.data["ping"]["line"]) == ["ping", "pong", "ping", "pong"]


# --- number ---------------------------------------------------------------------------------------


async def test_one_execution_starts_so_many_children_and_no_more(runtime):
    async def parent(ctx):
        texts = [(await ctx.spawn("ends", text)).data["ends"]["text"] for text in ("a", "b")]
        with pytest.raises(SpawnRefusedError, match="has started 2 runs") as refused:
            await ctx.spawn("ends", "c")
        return {"texts": texts, "code": refused.value.code, "spawned": ctx.child_runs}

    settings = Settings(max_children_per_stage=2)
    runtime = knowing(runtime, alone("ends", ends), settings=settings)
    answer = await answer_of(runtime, parent)
    assert (list(answer["texts"]), answer["code"], answer["spawned"]) == (
        ["a", "b"],
        "SPAWN-REFUSED",
        2,
    )


async def test_one_too_many_among_many_cancels_the_others(runtime, tmp_path):
    settings = Settings(max_children_per_stage=2)
    runtime = knowing(runtime, waiter(tmp_path), settings=settings)
    error = await refusal_of(runtime, spawn_three)
    assert isinstance(error, SpawnRefusedError)


async def spawn_three(ctx):
    await ctx.spawn_many("waiter", [None] * 3)


async def test_a_source_of_inputs_that_breaks_leaves_no_child(runtime, tmp_path):
    async def note(ctx):
        Journal(tmp_path).write("began")

    async def parent(ctx):
        def broken():
            yield "first"
            yield "second"
            raise LookupError("no third")

        with pytest.raises(LookupError, match="no third"):
            await ctx.spawn_many("note", broken())
        await ctx.spawn("note")  # later than whatever that may have left
        return {"spawned": ctx.child_runs}

    answer = await answer_of(knowing(runtime, alone("note", note)), parent)
    assert answer == {"spawned": 1}
    assert Journal(tmp_path).lines == ["began"]


async def test_an_input_of_many_that_is_none_is_refused(runtime):
    async def parent(ctx):
        with pytest.raises(InvalidRunInputError):
            await ctx.spawn_many("ends", ["a", 17])
        return (await ctx.spawn("ends", "still here")).data["ends"]

    answer = await answer_of(knowing(runtime, alone("ends", ends)), parent)
    assert answer == {"text": "still here"}


# --- too late -------------------------------------------------------------------------------------


async def test_a_stage_that_was_told_to_stop_starts_no_child(runtime, tmp_path):
    async def parent(ctx):
        Gate(tmp_path, "parent-runs").open()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await ctx.spawn("ends", "too late")
            except SpawnRefusedError as error:
                Journal(tmp_path).write(str(error))
            raise

    async with knowing(runtime, alone("ends", ends)).deploy(alone("parent", parent)) as app:
        handle = await app.start()
        await Gate(tmp_path, "parent-runs").opened()
        await handle.cancel("enough")
        await handle.result()
    (said,) = Journal(tmp_path).lines
    assert "told to stop (enough)" in said


async def test_what_a_stage_has_left_behind_starts_no_child(runtime, tmp_path):
    kept = []

    async def left(ctx):
        await Gate(tmp_path, "parent-ended").opened()
        try:
            await ctx.spawn("ends", "too late")
        except SpawnRefusedError as error:
            Journal(tmp_path).write(str(error))
        Gate(tmp_path, "asked").open()

    async def parent(ctx):
        kept.append(asyncio.ensure_future(left(ctx)))

    async with knowing(runtime, alone("ends", ends)).deploy(alone("parent", parent)) as app:
        await app.run()
        Gate(tmp_path, "parent-ended").open()
        await Gate(tmp_path, "asked").opened()
        counts = (await app.describe())["child_runs"]
    (said,) = Journal(tmp_path).lines
    assert "when it had ended" in said
    assert counts["spawned"] == 0


async def test_a_refusal_ends_no_child_that_runs(runtime, tmp_path):
    async def parent(ctx):
        child = asyncio.ensure_future(ctx.spawn("waiter", timeout=LONG_S))
        await waiter_runs(tmp_path)
        with pytest.raises(UnknownPipelineError):
            await ctx.spawn("water")
        was_stopped = stopped(tmp_path)
        child.cancel()
        await asyncio.wait({child})
        return {"was stopped": was_stopped, "is stopped": stopped(tmp_path)}

    answer = await answer_of(knowing(runtime, waiter(tmp_path)), parent)
    assert answer == {"was stopped": False, "is stopped": True}
