"""From a stage's wish for a child to the line that it is sent on, and back, whatever happens."""

from __future__ import annotations

import asyncio
import time

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from stageflow_actors import (
    ContextSnapshot,
    LocalRuntime,
    MaxDepthExceededError,
    Pipeline,
    PipelineTimer,
    RunStatus,
    Settings,
    SpawnRefusedError,
    StageAbandonedError,
    StageContext,
    StageInputs,
    SupervisorLostError,
    UnknownPipelineError,
)
from stageflow_actors.actors.doors import door_of
from stageflow_actors.actors.nursery import Nursery
from stageflow_actors.actors.reports import result_of, unstarted_report
from stageflow_actors.interceptors import ChildTrackerMetricsInterceptor
from stageflow_actors.model.ancestry import Ancestry
from stageflow_actors.model.identity import new_id
from tests.actors.desks import turns

PARENT = ("run", 0, 1)


async def ok(ctx):
    return None


class Line:
    """Ends every child as ``outcome`` says, when ``gate`` is open; notes what it was told."""

    def __init__(self, outcome=None):
        self.gate = asyncio.Event()
        self.outcome = outcome
        self.submitted, self.cancelled = [], []

    async def submit(self, parent, facts, context, keys, door):
        self.submitted.append((parent, facts, context))
        await self.gate.wait()
        if self.outcome is not None:
            raise self.outcome
        return result_of(unstarted_report(door.plan, "enough"), door.plan.name, context.snapshot)

    def cancel(self, parent, child_run_id, reason):
        self.cancelled.append((parent, child_run_id, reason))


class Scene:
    """A stage whose process may spawn ``words``, and the line that its children take."""

    def __init__(self, outcome=None, is_open=True, settings=None, **parts):
        self.line = Line(outcome)
        if is_open:
            self.line.gate.set()
        doors = {"words": door_of(Pipeline("plain").with_stage("only", ok, "work"))}
        self.looked_up = []
        nursery = Nursery(doors, self._find(doors), self.line, settings or Settings())
        snapshot = ContextSnapshot(topology="shop")
        self.ctx = StageContext(
            snapshot,
            StageInputs(snapshot),
            "price",
            PipelineTimer(),
            spawner=nursery.spawner(PARENT),
            **parts,
        )

    def _find(self, doors):
        def find(name):
            self.looked_up.append(name)
            return doors[name]

        return find

    @property
    def child_id(self):
        return self.line.submitted[0][1].child_run_id


async def test_a_child_is_sent_with_what_is_to_be_told_of_it():
    scene = Scene()
    child = await scene.ctx.spawn("words", "hello")
    ((parent, facts, context),) = scene.line.submitted
    assert parent == PARENT
    assert facts == (
        "words",
        str(child.child_run_id),
        str(scene.ctx.pipeline_run_id),
        "price",
        str(scene.ctx.correlation_id),
        1,
    )
    assert (context.snapshot.input_text, context.snapshot.topology) == ("hello", "plain")
    assert (child.pipeline, child.status) == ("words", RunStatus.CANCELLED)


async def test_the_clock_of_a_child_runs_from_when_it_is_asked_for():
    scene = Scene()
    await scene.ctx.spawn("words", timeout=50)
    context = scene.line.submitted[0][2]
    assert 0 < context.remaining_s <= 50


async def test_a_child_that_nobody_knows_the_end_of_has_failed():
    scene = Scene(SupervisorLostError("It died."))
    child = await scene.ctx.spawn("words")
    assert (child.status, child.code) == (RunStatus.FAILED, "SUPERVISOR-LOST")
    assert "It died." in child.error
    assert isinstance(child.result.failures["<supervisor>"].original, SupervisorLostError)
    assert str(child.child_run_id) == scene.child_id


async def test_a_refusal_on_the_line_is_raised():
    with pytest.raises(SpawnRefusedError, match="too late"):
        await Scene(SpawnRefusedError("too late")).ctx.spawn("words")


# --- whoever waits is cancelled -------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [None, SupervisorLostError("It died."), LookupError("odd")])
async def test_who_is_cancelled_has_the_child_told_and_goes_when_it_has_ended(outcome):
    scene = Scene(outcome, is_open=False)
    spawning = asyncio.ensure_future(scene.ctx.spawn("words"))
    await turns()
    spawning.cancel()
    await turns()
    assert scene.line.cancelled == [(PARENT, scene.child_id, "whoever waited for it was cancelled")]
    assert not spawning.done()
    scene.line.gate.set()
    await asyncio.wait({spawning})
    assert spawning.cancelled()


async def test_one_of_many_that_is_refused_ends_the_others_before_that_is_raised():
    scene = Scene(is_open=False, settings=Settings(max_children_per_stage=2))
    spawning = asyncio.ensure_future(scene.ctx.spawn_many("words", [None] * 3))
    await turns()
    assert len(scene.line.submitted) == len(scene.line.cancelled) == 2
    assert not spawning.done()
    scene.line.gate.set()
    with pytest.raises(SpawnRefusedError):
        await spawning


async def test_no_more_than_so_many_are_sent_at_a_time():
    scene = Scene(is_open=False)
    spawning = asyncio.ensure_future(scene.ctx.spawn_many("words", [None] * 5, concurrency=2))
    await turns()
    assert len(scene.line.submitted) == 2
    scene.line.gate.set()
    assert len(await spawning) == 5


# --- refused before anything is sent --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parts", "error"),
    [
        ("word", {}, UnknownPipelineError),
        (None, {}, UnknownPipelineError),
        (["words"], {}, UnknownPipelineError),
        ("words", {"settings": Settings(max_spawn_depth=0)}, MaxDepthExceededError),
        (
            "words",
            {"ancestry": Ancestry(new_id(), new_id(), "s", 5)},
            MaxDepthExceededError,
        ),
    ],
)
async def test_what_is_refused_is_not_sent_and_not_counted(name, parts, error):
    scene = Scene(**parts)
    with pytest.raises(error):
        await scene.ctx.spawn(name)
    assert (scene.line.submitted, scene.looked_up, scene.ctx.child_runs) == ([], [], 0)


async def test_one_level_above_the_limit_is_sent():
    scene = Scene(ancestry=Ancestry(new_id(), new_id(), "s", 4))
    await scene.ctx.spawn("words")
    assert scene.line.submitted[0][1].depth == 5


async def test_how_deep_it_was_is_told():
    scene = Scene(ancestry=Ancestry(new_id(), new_id(), "s", 5))
    with pytest.raises(MaxDepthExceededError) as refused:
        await scene.ctx.spawn("words")
    error = refused.value
    assert (error.current_depth, error.max_depth) == (5, 5)
    assert error.parent_run_id == str(scene.ctx.pipeline_run_id)


async def test_a_stage_that_was_told_to_stop_sends_none():
    scene = Scene()
    scene.ctx.cancellation.request("enough")
    with pytest.raises(SpawnRefusedError, match=r"told to stop \(enough\)"):
        await scene.ctx.spawn("words")
    assert scene.line.submitted == []


async def test_a_stage_that_was_given_up_sends_none():
    scene = Scene()
    scene.ctx.cancellation.abandon()
    with pytest.raises(StageAbandonedError):
        await scene.ctx.spawn("words")
    assert scene.line.submitted == []


async def test_an_unknown_name_is_told_even_when_nothing_may_be_sent():
    scene = Scene(settings=Settings(max_spawn_depth=0))
    with pytest.raises(UnknownPipelineError, match="words"):
        await scene.ctx.spawn("word")


# --- from a thread --------------------------------------------------------------------------------


async def test_a_child_asked_for_on_another_loop_is_sent_from_the_one_of_the_process():
    scene = Scene(is_open=False)
    loops = []
    submit = scene.line.submit

    async def noting(*args):
        loops.append(asyncio.get_running_loop())
        return await submit(*args)

    scene.line.submit = noting
    asking = asyncio.ensure_future(
        asyncio.to_thread(lambda: asyncio.run(scene.ctx.spawn("words", "hello")))
    )
    while not loops:
        await asyncio.sleep(0.001)
    scene.line.gate.set()  # on this loop: only here it can be waited for
    assert (await asking).status is RunStatus.CANCELLED
    assert loops == [asyncio.get_running_loop()]


async def test_a_refusal_is_raised_on_the_loop_that_asked():
    scene = Scene()
    with pytest.raises(UnknownPipelineError):
        await asyncio.to_thread(lambda: asyncio.run(scene.ctx.spawn("word")))


async def test_a_thread_that_gives_its_child_up_has_it_told():
    scene = Scene(is_open=False)
    asking = asyncio.to_thread(
        lambda: asyncio.run(asyncio.wait_for(scene.ctx.spawn("words"), 0.05))
    )
    with pytest.raises(TimeoutError):
        await asking
    while not scene.line.cancelled:
        await asyncio.sleep(0.001)
    assert scene.line.cancelled[0][1] == scene.child_id
    scene.line.gate.set()
    await turns()


# --- counted --------------------------------------------------------------------------------------


async def test_children_that_a_stage_spawns_are_metrics(monkeypatch):
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)

    async def parent(ctx):
        await ctx.spawn_many("words", ["a", "b"])
        await ctx.spawn("words", "c")

    runtime = LocalRuntime(registry=[Pipeline("words").with_stage("only", ok, "work")])
    shop = Pipeline("shop").with_stage("price", parent, "work")
    counting = shop.build(interceptors=[ChildTrackerMetricsInterceptor()])
    async with runtime, runtime.deploy(counting) as app:
        await app.run()
    data = reader.get_metrics_data()
    (scope,) = data.resource_metrics[0].scope_metrics
    (counted,) = (m for m in scope.metrics if m.name == "stageflow.child_runs")
    (point,) = counted.data.data_points
    assert point.value == 3
    assert dict(point.attributes) == {
        "stageflow.pipeline.name": "shop",
        "stageflow.stage.name": "price",
        "stageflow.child.pipeline.name": "words",
        "stageflow.run.status": "ok",
    }
    provider.shutdown()


async def test_waiting_for_the_door_counts_as_time_of_the_child():
    class SlowCheck:
        priority = 1

        async def admit(self, context, tell):
            started = time.monotonic()
            while time.monotonic() < started + 0.02:
                await asyncio.sleep(0.005)
            return context

    scene = Scene()
    slow = door_of(Pipeline("plain").with_stage("only", ok, "work"))
    scene.ctx._spawner._nursery._find_door = lambda _name: slow._replace(admissions=(SlowCheck(),))
    await scene.ctx.spawn("words", timeout=50)
    assert scene.line.submitted[0][2].remaining_s <= 50 - 0.02
