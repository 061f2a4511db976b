"""What runs again when a guard rejects, and what has to wait until it has let pass."""

import pytest
from hypothesis import strategies as st

from stageflow_actors import PolicyError
from stageflow_actors.model.policies.guard import GuardRetryPolicy
from tests.counted import few_or_many
from tests.engine.graphs import plan_of
from tests.engine.random_graphs import random_graph
from tests.model.counting import calls_made_by


def named(plan, indices):
    return {plan.stage_names[index] for index in indices}


def stage_of(plan, name):
    return plan.stages[plan.stage_names.index(name)]


def region_of(plan, guard):
    return named(plan, stage_of(plan, guard).guard.region)


def gates_of(plan, name):
    return named(plan, stage_of(plan, name).gates)


# --- regions --------------------------------------------------------------------------------------


def test_region_of_a_guard_behind_its_producer_is_the_two_of_them():
    plan = plan_of({"above": "", "make": "above", "check": "make guard:make", "below": "check"})
    assert region_of(plan, "check") == {"make", "check"}
    assert plan.stage_names[stage_of(plan, "check").guard.producer] == "make"


@pytest.mark.parametrize("edge", ["", "opt:", "after:", "any:"])
def test_stages_between_producer_and_guard_are_in_the_region_whatever_the_edge(edge):
    graph = {"make": "", "mid": f"{edge}make", "check": f"{edge}mid guard:make"}
    assert region_of(plan_of(graph), "check") == {"make", "mid", "check"}


def test_every_way_from_producer_to_guard_is_in_the_region_and_what_leads_to_it_is_not():
    graph = {
        "make": "",
        "left": "make",
        "right": "make beside",
        "beside": "",
        "check": "left right guard:make",
    }
    assert region_of(plan_of(graph), "check") == {"make", "left", "right", "check"}


def test_region_is_in_the_order_of_the_plan():
    plan = plan_of({"check": "mid guard:make", "mid": "make", "make": ""})
    assert list(stage_of(plan, "check").guard.region) == [0, 1, 2]


def test_numbers_of_the_policy_are_in_the_plan():
    plan = plan_of({"make": "", "check": "make guard:make rejects:5 stagnant:3 within:9"})
    guard = stage_of(plan, "check").guard
    assert (guard.max_attempts, guard.stagnation_limit, guard.timeout_s) == (5, 3, 9.0)
    plain = stage_of(plan_of({"make": "", "check": "make guard:make"}), "check").guard
    of_policy = GuardRetryPolicy("make")
    assert plain[2:] == (of_policy.max_attempts, of_policy.stagnation_limit, None)


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param({"make": "", "check": "guard:make"}, id="beside it"),
        pytest.param({"check": "guard:make", "make": "check"}, id="behind it"),
        pytest.param({"check": "guard:check"}, id="the guard itself"),
        pytest.param({"check": "guard:nobody"}, id="nowhere"),
    ],
)
def test_producer_that_is_not_upstream_of_its_guard_is_refused_with_what_to_do(graph):
    with pytest.raises(PolicyError, match="is not upstream of it") as refused:
        plan_of(graph)
    assert refused.value.code == "POLICY-GUARD"
    assert "to the dependencies of 'check'" in refused.value.hint


@pytest.mark.parametrize("stage", ["make", "mid", "check"])
def test_a_stage_that_must_not_run_twice_is_refused_inside_of_a_region(stage):
    graph = {"make": "", "mid": "make", "check": "mid guard:make"}
    with pytest.raises(PolicyError, match=f"'{stage}' is once_only, and guard 'check'") as refused:
        plan_of({**graph, stage: f"{graph[stage]} effects:once_only"})
    assert refused.value.code == "POLICY-GUARD"


def test_a_stage_that_must_not_run_twice_may_be_outside_of_a_region():
    once = "effects:once_only"
    graph = {"above": once, "make": "above", "check": "make guard:make", "use": f"make {once}"}
    assert region_of(plan_of(graph), "check") == {"make", "check"}


# --- gates ----------------------------------------------------------------------------------------

CHECKED = {"make": "", "check": "make guard:make"}


@pytest.mark.parametrize("edge", ["", "opt:", "after:"])
def test_guard_is_the_gate_of_whoever_else_waits_for_its_producer(edge):
    plan = plan_of({**CHECKED, "other": f"{edge}make"})
    assert gates_of(plan, "other") == {"check"}
    assert "other" in named(plan, stage_of(plan, "check").dependents)


def test_stage_that_only_wants_the_producer_to_be_over_only_wants_the_guard_to_be_over():
    plan = plan_of({**CHECKED, "close": "any:make"})
    assert gates_of(plan, "close") == set()
    assert named(plan, stage_of(plan, "close").after_any) == {"make", "check"}
    assert named(plan, plan.finalizers) == {"close"}


def test_stage_that_waits_for_the_guard_anyway_and_those_further_behind_have_no_gate():
    plan = plan_of({**CHECKED, "other": "make check", "below": "other"})
    assert (gates_of(plan, "other"), gates_of(plan, "below")) == (set(), set())


def test_stage_inside_of_the_region_has_no_gate():
    plan = plan_of({"make": "", "mid": "make", "check": "mid guard:make"})
    assert gates_of(plan, "mid") == gates_of(plan, "make") == set()


def test_two_guards_of_two_producers_are_both_gates_of_a_stage_that_reads_both():
    graph = {**CHECKED, "make2": "", "check2": "make2 guard:make2", "join": "make make2"}
    assert gates_of(plan_of(graph), "join") == {"check", "check2"}


def test_second_guard_of_one_producer_comes_behind_the_first_and_rejects_for_both():
    plan = plan_of({**CHECKED, "again": "make guard:make", "below": "make"})
    assert gates_of(plan, "again") == {"check"}
    assert region_of(plan, "check") == {"make", "check"}
    assert region_of(plan, "again") == {"make", "check", "again"}
    assert gates_of(plan, "below") == {"check", "again"}


@pytest.mark.parametrize("first", ["inner", "outer"])
def test_gate_that_puts_a_stage_between_another_producer_and_its_guard_widens_that_region(first):
    graph = {
        "outer": "inner side guard:make",
        "inner": "make draft guard:draft",
        "make": "",
        "draft": "",
        "side": "draft",  # waits for inner, and so comes behind make
    }
    plan = plan_of({first: graph[first], **graph})
    assert gates_of(plan, "side") == {"inner"}
    assert region_of(plan, "inner") == {"draft", "inner"}
    assert region_of(plan, "outer") == {"make", "inner", "side", "outer"}


def reached(edges, start):
    found, open_ = set(), [start]
    while open_:
        news = set(edges[open_.pop()]) - found
        found |= news
        open_ += news
    return found


@few_or_many(st.randoms(use_true_random=False))
def test_whatever_the_graph_nothing_outside_of_a_region_works_on_what_may_be_rejected(random):
    plan = plan_of(random_graph(random, most=12))
    before = [(*stage.strict, *stage.after_any) for stage in plan.stages]
    after = [stage.dependents for stage in plan.stages]
    for index, stage in enumerate(plan.stages):
        if stage.guard is None:
            continue
        between = reached(after, stage.guard.producer) & reached(before, index)
        region = {stage.guard.producer, *between, index}
        assert set(stage.guard.region) == region
        outside = [each for each in range(len(before)) if each not in region]
        readers = [each for each in outside if region & set(before[each])]
        assert all(index in before[each] for each in readers)
        strict = [each for each in readers if (region - {index}) & set(plan.stages[each].strict)]
        of_own = [each for each in strict if index not in plan.stages[each].after_any]
        assert all(index in plan.stages[each].strict for each in of_own)


def test_planning_twice_as_many_guards_of_their_own_makes_calls_in_proportion_to_guards_and_edges():
    def guards(count):
        pairs = [{f"m{n}": "", f"g{n}": f"m{n} guard:m{n}"} for n in range(count)]
        return {name: words for pair in pairs for name, words in pair.items()}

    def nested(count):
        chain = {f"m{n}": f"m{n - 1}" if n else "" for n in range(count)}
        last = f"m{count - 1}"
        return {f"g{n}": f"{last} guard:m{n}" for n in range(count)} | chain

    for make in (guards, nested):
        few, many = make(20), make(40)
        calls = [calls_made_by(lambda graph=graph: plan_of(graph)) for graph in (few, many)]
        assert calls[1] <= 4.5 * calls[0]
