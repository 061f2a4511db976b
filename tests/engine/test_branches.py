"""Which stages run, which are skipped without running, and why."""

from functools import partial
from operator import methodcaller

import pytest

from stageflow_actors.engine.commands import EmitEvent, SkipStage, StartStage
from stageflow_actors.engine.facts import Signal
from stageflow_actors.engine.state import RunPhase, StageState
from tests.engine.scene import Scene

ok = partial(methodcaller, "ok")
skip = partial(methodcaller, "skip")

TOOK_LEFT = "'router' took route 'left'"
NO_ROUTE = "'router' was skipped and took no route"
FORK = {"router": "", "left": "router route:left", "right": "router route:right"}


def play(graph, *facts):
    """Begin a run, take ``facts`` in a tick each; the scene, and what the last tick commanded."""
    scene = Scene(graph)
    told = scene.begin()
    for fact in facts:
        told = scene.tick(fact(scene))
    return scene, told


def outcome(graph, *facts):
    """What the last of ``facts`` started and skipped."""
    told = play(graph, *facts)[1]
    return told.started, told.skipped


# --- routes ---------------------------------------------------------------------------------------


def test_the_branch_on_the_route_taken_starts_and_the_others_are_skipped_at_once():
    assert outcome(FORK, ok("router", route="left")) == (["left"], {"right": TOOK_LEFT})


def test_branches_on_one_route_all_start():
    graph = {**FORK, "left_too": "router route:left"}
    assert outcome(graph, ok("router", route="left"))[0] == ["left", "left_too"]


def test_stage_on_several_routes_runs_on_each_of_them():
    graph = {"router": "", "a": "router route:left route:right", "b": "router route:ahead"}
    assert outcome(graph, ok("router", route="left"))[0] == ["a"]
    assert outcome(graph, ok("router", route="right"))[0] == ["a"]
    took = "'router' took route 'ahead'"
    assert outcome(graph, ok("router", route="ahead")) == (["b"], {"a": took})


def test_stages_that_depend_on_a_router_without_a_route_run_on_every_route():
    graph = {**FORK, "log": "router"}
    assert outcome(graph, ok("router", route="left"))[0] == ["left", "log"]


def test_of_several_dependencies_the_named_router_decides():
    graph = {"router": "", "other": "", "a": "other router route:left router:router"}
    facts = ok("other", route="right"), ok("router", route="left")
    assert outcome(graph, *facts) == (["a"], {})
    facts = ok("other", route="left"), ok("router", route="right")
    assert outcome(graph, *facts) == ([], {"a": "'router' took route 'right'"})


def test_branch_waits_for_all_it_depends_on_before_it_is_skipped():
    graph = {**FORK, "slow": "", "right": "router slow route:right router:router"}
    scene, told = play(graph, ok("router", route="left"))
    assert told.skipped == {}
    assert scene.state("right") is StageState.WAITING
    assert scene.tick(scene.ok("slow")).skipped == {"right": TOOK_LEFT}


def test_branch_may_wait_for_a_stage_of_another_branch_without_reading_it():
    graph = {**FORK, "left": "router after:right route:left"}
    assert outcome(graph, ok("router", route="left")) == (["left"], {"right": TOOK_LEFT})


def test_two_routers_that_decide_in_one_tick_each_have_their_own_branches():
    graph = {
        "r": "",
        "q": "",
        "a": "r route:x",
        "b": "r route:y",
        "c": "q route:x",
        "d": "q route:y",
    }
    scene = Scene(graph)
    scene.begin()
    told = scene.tick(scene.ok("q", route="y"), scene.ok("r", route="x"))
    assert told.started == ["a", "d"]
    assert told.skipped == {"b": "'r' took route 'x'", "c": "'q' took route 'y'"}


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param([skip("idle"), skip("router")], id="it returned a skip"),
        pytest.param([ok("idle"), ok("router")], id="it ended ok without a route"),
    ],
)
def test_branches_of_a_router_that_took_no_route_are_unselected(facts):
    graph = {"idle": "", "router": "idle", "left": "router route:left", "below": "left"}
    assert outcome(graph, *facts) == ([], {"left": NO_ROUTE, "below": NO_ROUTE})


def test_branches_of_a_router_that_is_skipped_as_conditional_are_unselected():
    graph = {"idle": "", "router": "idle conditional", "left": "router route:left", "below": "left"}
    skipped = {"router": "no work", "left": NO_ROUTE, "below": NO_ROUTE}
    assert outcome(graph, skip("idle")) == ([], skipped)


NESTED = {
    **FORK,
    "inner": "right",
    "near": "inner route:near",
    "far": "inner route:far",
    "end": "near far",
}


def test_router_on_a_route_that_was_not_taken_leaves_its_branches_unselected_for_that_reason():
    skipped = dict.fromkeys(["right", "inner", "near", "far", "end"], TOOK_LEFT)
    assert outcome(NESTED, ok("router", route="left")) == (["left"], skipped)


def test_router_on_the_route_taken_decides_for_its_own_branches():
    facts = ok("router", route="right"), ok("right"), ok("inner", route="near")
    assert outcome(NESTED, *facts) == (["near"], {"far": "'inner' took route 'near'"})


# --- what depends on unselected stages ------------------------------------------------------------


def test_stage_that_depends_on_unselected_stages_only_is_unselected_down_to_the_end():
    graph = {**FORK, "a": "right", "b": "a", "join": "right b"}
    skipped = dict.fromkeys(["right", "a", "b", "join"], TOOK_LEFT)
    assert outcome(graph, ok("router", route="left")) == (["left"], skipped)


def test_stage_with_unselected_dependencies_of_two_routers_has_the_reason_of_the_first_it_names():
    graph = {"r": "", "q": "", "a": "r route:x", "b": "q route:x", "join": "b a"}
    _started, skipped = outcome(graph, ok("r", route="y"), ok("q", route="z"))
    assert skipped == {"b": "'q' took route 'z'", "join": "'q' took route 'z'"}


@pytest.mark.parametrize("end", [ok("left"), skip("left")], ids=["ok", "skip"])
def test_one_live_input_is_enough_for_a_join_to_run(end):
    graph = {**FORK, "join": "left right"}
    assert outcome(graph, ok("router", route="left"), end) == (["join"], {})


def test_input_that_was_skipped_as_conditional_is_no_unselected_one():
    graph = {**FORK, "idle": "", "on_idle": "idle conditional", "join": "on_idle right"}
    assert outcome(graph, ok("router", route="left"), skip("idle"))[0] == ["join"]


def test_stage_that_only_comes_after_unselected_stages_runs():
    for edge in ("after", "any"):
        graph = {**FORK, "later": f"{edge}:right"}
        assert outcome(graph, ok("router", route="left"))[0] == ["left", "later"]


def test_stage_that_comes_after_a_live_stage_is_unselected_with_its_inputs():
    for edge in ("after", "any"):
        graph = {**FORK, "later": f"right {edge}:left"}
        assert outcome(graph, ok("router", route="left"))[1] == {"right": TOOK_LEFT}
        facts = ok("router", route="left"), ok("left")
        assert outcome(graph, *facts) == ([], {"later": TOOK_LEFT})


# --- conditional stages ---------------------------------------------------------------------------

GUARD = {"guard": "", "on_guard": "guard conditional", "plain": "guard"}


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        pytest.param(skip("guard", "no work"), "no work", id="it was skipped"),
        pytest.param(skip("guard", ""), "", id="it was skipped and did not say why"),
        pytest.param(ok("guard", skip_reason="silence"), "silence", id="its data says so"),
    ],
)
def test_conditional_stage_is_skipped_for_the_reason_of_its_dependency(end, reason):
    assert outcome(GUARD, end) == (["plain"], {"on_guard": reason})


def test_conditional_stage_whose_dependencies_have_no_reason_to_skip_runs():
    assert outcome(GUARD, ok("guard")) == (["on_guard", "plain"], {})
    scene, _told = play(GUARD)
    fact = scene.ok("guard")
    fact.signal = Signal(skip_reason="")
    assert scene.tick(fact).started == ["on_guard", "plain"]


def test_conditional_stage_without_dependencies_runs():
    assert play({"a": "conditional"})[1].started == ["a"]
    assert outcome({"a": "", "b": "conditional after:a"}, skip("a"))[0] == ["b"]
    assert outcome({"a": "", "b": "conditional any:a"}, skip("a"))[0] == ["b"]


def test_one_dependency_with_a_reason_is_enough_and_the_first_named_gives_it():
    graph = {"a": "", "b": "", "c": "", "d": "b a c conditional"}
    facts = skip("a", "of a"), ok("b", skip_reason="of b"), ok("c")
    assert outcome(graph, *facts) == ([], {"d": "of b"})


def test_skip_passes_on_to_conditional_stages_with_its_reason():
    graph = {**GUARD, "next": "on_guard conditional", "last": "next conditional"}
    skipped = dict.fromkeys(["on_guard", "next", "last"], "no work")
    assert outcome(graph, skip("guard")) == (["plain"], skipped)


def test_skip_ends_at_a_stage_that_is_not_conditional():
    graph = {**GUARD, "runs": "on_guard", "on_runs": "runs conditional"}
    assert outcome(graph, skip("guard"))[0] == ["plain", "runs"]
    assert outcome(graph, skip("guard"), ok("runs")) == (["on_runs"], {})


def test_unselected_dependency_is_no_reason_to_skip_a_conditional_stage():
    graph = {**FORK, "join": "left right conditional"}
    assert outcome(graph, ok("router", route="left"), ok("left")) == (["join"], {})


def test_conditional_stage_with_unselected_inputs_only_is_unselected():
    graph = {**FORK, "below": "right conditional", "join": "left below conditional"}
    scene, told = play(graph, ok("router", route="left"))
    assert told.skipped == {"right": TOOK_LEFT, "below": TOOK_LEFT}
    assert scene.tick(scene.ok("left")).started == ["join"]


def test_conditional_stage_off_its_route_is_unselected_whatever_its_inputs_say():
    graph = {**FORK, "right": "router route:right conditional", "join": "left right conditional"}
    scene, told = play(graph, ok("router", route="left", skip_reason="silence"))
    assert told.skipped == {"right": TOOK_LEFT}
    assert scene.tick(scene.ok("left")).started == ["join"]


def test_conditional_stage_on_the_route_taken_is_skipped_where_the_router_says_so():
    graph = {**FORK, "left": "router route:left conditional"}
    _started, skipped = outcome(graph, ok("router", route="left", skip_reason="silence"))
    assert skipped == {"left": "silence", "right": TOOK_LEFT}


# --- what a tick commands -------------------------------------------------------------------------


def test_whole_pipeline_that_is_skipped_ends_the_run_ok_at_once():
    graph = {"guard": "", "a": "guard conditional", "b": "a conditional", "c": "b a conditional"}
    scene, told = play(graph, skip("guard"))
    assert told.skipped == dict.fromkeys("abc", "no work")
    assert told.verdict == ("ok", None, None)
    assert told.events == [
        "stage.guard.skipped",
        "stage.a.skipped",
        "stage.b.skipped",
        "stage.c.skipped",
        "pipeline.completed",
    ]


def test_skip_is_commanded_and_told_with_its_reason_and_the_time_of_the_tick():
    scene, told = play(FORK, ok("router", route="left"))
    right = scene.index("right")
    data = {"status": "skip", "duration_ms": 0, "reason": TOOK_LEFT}
    assert told.commands[-2:] == [
        SkipStage(right, TOOK_LEFT, 101.0),
        EmitEvent("stage.right.skipped", 101.0, right, 1, data),
    ]


def test_skip_without_a_reason_is_told_without_one():
    told = play(GUARD, skip("guard", ""))[1]
    assert told.event("stage.on_guard.skipped").data == {"status": "skip", "duration_ms": 0}


def test_skipped_stage_has_no_timer():
    scene = Scene(FORK, right=1.0)
    scene.begin()
    told = scene.tick(scene.ok("router", route="left"))
    right = scene.index("right")
    kinds = [type(command) for command in told.commands if command.stage == right]
    assert kinds == [SkipStage, EmitEvent]


def test_decision_is_told_before_anything_of_its_branches_starts_or_is_skipped():
    graph = {**FORK, "above": "", "below": "right"}
    scene = Scene(graph)
    scene.begin()
    told = scene.tick(scene.ok("router", route="left"), scene.ok("above"))
    event = told.event("pipeline.route")
    assert (event.stage, event.attempt, event.at) == (scene.index("router"), 1, 101.0)
    assert event.data == {"route": "left"}
    first = next(n for n, c in enumerate(told.commands) if isinstance(c, (StartStage, SkipStage)))
    before = [command.type for command in told.commands[: first - 1]]
    assert before == ["stage.router.completed", "pipeline.route", "stage.above.completed"]


def test_decision_that_no_branch_waits_for_is_told_all_the_same():
    scene, _told = play({"a": "", "b": "a"})
    fact = scene.ok("a")
    fact.signal = Signal(routing={"route": "left"})
    told = scene.tick(fact)
    assert told.events == ["stage.a.completed", "pipeline.route", "stage.b.started"]


def test_nothing_is_skipped_in_the_tick_that_stops_the_run_or_later():
    graph = {**FORK, "other": ""}
    scene = Scene(graph)
    scene.begin()
    told = scene.tick(scene.ok("router", route="left"), scene.fail("other"))
    assert (told.skipped, told.verdict[0]) == ({}, "failed")
    assert "pipeline.route" in told.events
    scene, _told = play(graph, methodcaller("fail", "other"))
    told = scene.tick(scene.ok("router", route="left"))
    assert (told.started, told.skipped, scene.phase) == ([], {}, RunPhase.ENDED)
    assert scene.state("right") is StageState.WAITING


def test_decision_that_comes_after_the_timeout_is_not_told():
    scene = Scene(FORK, router=1.0)
    scene.begin()
    scene.tick(scene.timer("router"))
    assert "pipeline.route" not in scene.tick(scene.ok("router", route="left")).events
