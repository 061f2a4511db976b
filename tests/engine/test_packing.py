"""Which stages live in one process: rules that hold for every pipeline, and how it looks."""

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors import Autoscaling, Batching, Placement, stage
from stageflow_actors.engine.packing import HostPlan, describe_hosts, most_together, plan_hosts
from stageflow_actors.model.plan import make_plan
from stageflow_actors.model.policies.restart import Restart
from tests.model.attributes import Batched
from tests.model.counting import calls_made_by
from tests.model.runners import AsyncStage
from tests.model.strategies import random_dags

SHARING = Placement(share="one", num_gpus=0.5)
SPECIAL = {
    "placed": {"placement": Placement(num_cpus=1)},
    "mortal": {"restart": "transient"},
    "many": {"replicas": 2},
    "scaled": {"autoscaling": Autoscaling()},
    "narrow": {"concurrency": 1},
    "batching": {"batching": Batching(), "kind": "work", "config": {"size": 1}, "runner": Batched},
}
OPTIONS = st.sampled_from([{}] * 8 + [{"placement": SHARING}] * 2 + list(SPECIAL.values()))


def planned(graph, options=None):
    """The plan of a graph given as name -> dependencies, its stages with options of their own."""
    specs = [
        stage(
            name, **{"runner": AsyncStage} | (options or {}).get(name, {}) | {"dependencies": needs}
        )
        for name, needs in graph.items()
    ]
    return make_plan("p", specs)[0]


def chains(count, length):
    """So many chains, declared side by side."""
    return {
        f"c{chain}s{place}": (f"c{chain}s{place - 1}",) if place else ()
        for place in range(length)
        for chain in range(count)
    }


def names_in(plan, hosts):
    return [[plan.stages[index].name for index in host.stages] for host in hosts]


def parted(plan, hosts):
    """How many stages live apart from one that they wait for, counted for each of these."""
    home = {index: at for at, host in enumerate(hosts) for index in host.stages}
    pairs = [(i, each) for i, one in enumerate(plan.stages) for each in one.dependents]
    return sum(home[one] != home[other] for one, other in pairs)


def is_plain(planned_stage):
    """As the rule is written, without looking at how it is kept."""
    said = (planned_stage.placement, planned_stage.autoscaling, planned_stage.concurrency)
    is_default = planned_stage.restart is Restart.PERMANENT and planned_stage.replicas == 1
    return said == (None, None, None) and is_default and not planned_stage.is_batching


@st.composite
def pipelines(draw):
    graph = draw(random_dags(16))
    return planned(graph, {name: draw(OPTIONS) for name in graph})


# --- every pipeline -------------------------------------------------------------------------------


@settings(deadline=None)
@given(pipelines(), st.integers(-1, 20))
def test_each_stage_is_in_one_host_and_hosts_are_in_the_order_of_their_first(plan, budget):
    hosts = plan_hosts(plan, budget)
    placed = [index for host in hosts for index in host.stages]
    assert sorted(placed) == list(range(len(plan.stages)))
    assert all(list(host.stages) == sorted(host.stages) for host in hosts)
    firsts = [host.stages[0] for host in hosts]
    assert firsts == sorted(firsts)


@settings(deadline=None)
@given(pipelines(), st.integers(-1, 20))
def test_there_are_as_many_hosts_as_the_budget_allows_and_no_fewer(plan, budget):
    """Plain stages share one where the others take it all; nothing is ever refused."""
    plain = [each for each in plan.stages if is_plain(each)]
    shares = {"one" for each in plan.stages if each.placement == SHARING}
    others = [each for each in plan.stages if each not in plain and each.placement != SHARING]
    kept = len(others) + len(shares)
    room = max(1, budget - kept)
    assert len(plan_hosts(plan, budget)) == kept + min(len(plain), room)


@settings(deadline=None)
@given(pipelines(), st.integers(-1, 20))
def test_only_plain_stages_are_packed_and_about_evenly(plan, budget):
    hosts = plan_hosts(plan, budget)
    plain = [host for host in hosts if is_plain(plan.stages[host.stages[0]])]
    stages = sum(len(host.stages) for host in plain)
    for host in hosts:
        together = [plan.stages[index] for index in host.stages]
        if host.share is not None:
            assert all(each.placement == SHARING for each in together)
        elif len(together) > 1:
            assert all(map(is_plain, together))
            assert len(together) <= most_together(stages, len(plain))
            assert host[1:] == (None, None, Restart.PERMANENT, 1, None)


@pytest.mark.parametrize(("stages", "hosts", "most"), [(5, 5, 1), (6, 5, 3), (40, 4, 12)])
def test_one_host_has_little_more_than_its_even_share(stages, hosts, most):
    assert most_together(stages, hosts) == most


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 20))
def test_a_cut_parts_no_more_than_one_pair_of_chains(count, length, budget):
    plan = planned(chains(count, length))
    hosts = plan_hosts(plan, budget)
    packed = len(hosts) < count * length
    assert not packed or parted(plan, hosts) <= len(hosts) - 1


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 8))
def test_chains_stay_together_where_there_is_a_host_for_each(count, length):
    plan = planned(chains(count, length))
    hosts = plan_hosts(plan, count)
    assert parted(plan, hosts) == 0
    assert {len(host.stages) for host in hosts} == {length}


@settings(deadline=None)
@given(pipelines(), st.integers(-1, 20))
def test_the_same_plan_gives_the_same_hosts_and_both_can_travel(plan, budget):
    hosts = plan_hosts(plan, budget)
    travelled = pickle.loads(pickle.dumps((plan, hosts)))
    assert travelled == (plan, hosts)
    assert plan_hosts(travelled[0], budget) == hosts


# --- how it looks ---------------------------------------------------------------------------------


def test_within_the_budget_every_stage_is_alone():
    plan = planned(chains(2, 2))
    assert [host.stages for host in plan_hosts(plan, 4)] == [(0,), (1,), (2,), (3,)]


def test_beyond_it_a_chain_lives_together():
    plan = planned(chains(2, 2))
    assert names_in(plan, plan_hosts(plan, 2)) == [["c0s0", "c0s1"], ["c1s0", "c1s1"]]


def test_a_little_more_in_one_host_is_better_than_a_chain_cut_in_two():
    plan = planned(chains(1, 5) | {"d0": (), "d1": ("d0",), "d2": ("d1",)})
    hosts = names_in(plan, plan_hosts(plan, 2))
    assert hosts == [["c0s0", "c0s1", "c0s2", "c0s3", "c0s4"], ["d0", "d1", "d2"]]


@pytest.mark.parametrize("options", SPECIAL.values(), ids=SPECIAL)
def test_what_says_something_of_its_process_keeps_it(options):
    plan = planned(chains(1, 4), {"c0s1": options})
    hosts = plan_hosts(plan, 1)
    assert names_in(plan, hosts) == [["c0s0", "c0s2", "c0s3"], ["c0s1"]]


def test_stages_that_share_are_one_host_within_the_budget_too():
    plan = planned(
        {"a": (), "b": ("a",), "c": ("b",)},
        {"a": {"placement": SHARING}, "c": {"placement": Placement(share="one", memory=5)}},
    )
    assert plan_hosts(plan, 9) == (
        HostPlan(
            (0, 2),
            "one",
            Placement(num_gpus=0.5, memory=5, share="one"),
            Restart.PERMANENT,
            1,
            None,
        ),
        HostPlan((1,), None, None, Restart.PERMANENT, 1, None),
    )


def test_a_fallback_of_one_that_shares_is_one_for_all_that_they_need():
    one = Placement(labels={"zone": "a"}, fallbacks=[Placement(labels={"zone": "b"})], share="x")
    plan = planned(
        {"a": (), "b": ()},
        {"a": {"placement": one}, "b": {"placement": Placement(num_gpus=1, share="x")}},
    )
    (host,) = plan_hosts(plan, 9)
    assert host.placement.num_gpus == 1
    assert host.placement.label_choices == ({"zone": "a"}, {"zone": "b"})


def test_who_only_shares_needs_nothing_of_the_machine():
    both = {name: {"placement": Placement(share="one")} for name in "ab"}
    (host,) = plan_hosts(planned({"a": (), "b": ()}, both), 9)
    assert (host.share, host.placement) == ("one", None)


def test_a_host_has_as_many_processes_as_its_stage_at_first():
    scaled = {"autoscaling": Autoscaling(max_replicas=6, initial_replicas=3)}
    options = {"a": {"replicas": 5}, "b": scaled, "c": {"restart": "temporary"}}
    many, grown, mortal = plan_hosts(planned({"a": (), "b": (), "c": ()}, options), 9)
    assert (many.replicas, many.autoscaling) == (5, None)
    assert (grown.replicas, grown.autoscaling) == (3, scaled["autoscaling"])
    assert (mortal.replicas, mortal.restart) == (1, Restart.TEMPORARY)


def test_hosts_are_told_as_plain_data_without_what_may_be_secret():
    placement = Placement(
        num_gpus=1,
        labels={"zone": "a"},
        fallbacks=[Placement(num_gpus=1, labels={"zone": "b"})],
        runtime_env={"env_vars": {"TOKEN": "hidden"}},
    )
    options = {"b": {"placement": placement}, "c": {"autoscaling": Autoscaling(max_replicas=2)}}
    plan = planned({"a": (), "b": (), "c": ()}, options)
    plain, placed, scaled = json.loads(json.dumps(describe_hosts(plan_hosts(plan, 9), plan)))
    assert plain == {
        "stages": ["a"],
        "share": None,
        "placement": None,
        "restart": "permanent",
        "replicas": 1,
        "autoscaling": None,
    }
    assert placed["placement"] == {
        "num_gpus": 1,
        "labels": {"zone": "a"},
        "fallbacks": [{"zone": "b"}],
        "runtime_env": ["env_vars"],
    }
    assert scaled["autoscaling"]["max_replicas"] == 2


@pytest.mark.parametrize("budget", [1, 30, 1000, 9999])
def test_the_work_is_linear(budget):
    small, large = planned(chains(10, 20)), planned(chains(40, 20))
    calls = [calls_made_by(lambda plan=plan: plan_hosts(plan, budget)) for plan in (small, large)]
    assert calls[1] <= 6 * calls[0] + 1000
