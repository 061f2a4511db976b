"""Simulated processes that host several stages go on ahead of their run, and die as a whole."""

from collections import Counter

import pytest

from stageflow_actors import Effects, Pipeline
from stageflow_actors.engine.facts import Ending
from stageflow_actors.testing import FaultKind, What, simulate, violations

CHAIN = ("a", "b", "c", "d")


async def body(ctx):
    raise AssertionError("a simulation runs no code of a stage")


def chain(effects=Effects.KEYED):
    """Without limits of time, so that it makes no difference when ends are told."""
    pipeline, before = Pipeline("chain"), ()
    for name in CHAIN:
        pipeline = pipeline.with_stage(name, body, "work", dependencies=before, effects=effects)
        before = (name,)
    return pipeline.build(interceptors=[])


def pair():
    pipeline = Pipeline("pair").with_stage("x", body, "work").with_stage("y", body, "work")
    return pipeline.build(interceptors=[])


def play(seed, pipeline=None, **options):
    """A history that breaks no rule."""
    history = simulate(seed, pipeline, **options)
    assert violations(history) == [], history.story()
    return history


def of_kind(history, what):
    return [record for record in history.records if record.what is what]


def seen_in(history):
    """What became of each execution that was begun ahead."""
    over, begun, announced = set(), set(), set()
    for record in history.records:
        stage = record.stage
        if record.what is What.BEGUN_AHEAD:
            begun.add(stage)
            over.discard(stage)
        elif record.what is What.BODY_OVER:
            over.add(stage)
        elif record.what is What.END_TOLD:
            announced.update(record.ahead)
        elif record.what is What.STARTED and stage in begun:
            begun.discard(stage)
            if stage not in announced:
                yield "done again"
            else:
                yield "ended early" if stage in over else "caught up with"
        elif record.what is What.TOLD_TO_STOP and stage in announced and stage not in over:
            yield "stopped"
    yield from ["never heard of"] * len(begun)


@pytest.mark.parametrize(
    ("count", "least"), [(300, 2), pytest.param(3_000, 20, marks=pytest.mark.stress)]
)
def test_everything_happens_to_what_is_begun_ahead(count, least):
    seen = Counter(each for seed in range(count) for each in seen_in(play(seed)))
    assert set(seen) == {
        "caught up with",
        "ended early",
        "stopped",
        "done again",
        "never heard of",
    }
    assert min(seen.values()) >= least, seen


# --- who is ahead ---------------------------------------------------------------------------------


def test_stages_go_ahead_in_a_process_that_they_share_and_nowhere_else():
    ahead = Counter()
    for seed in range(50):
        ahead["shared"] += len(of_kind(play(seed, chain(), shared=[CHAIN]), What.BEGUN_AHEAD))
        ahead["alone"] += len(of_kind(play(seed, chain(), shared=()), What.BEGUN_AHEAD))
        halves = play(seed, chain(), shared=["ab", "cd"])
        stages = {record.stage for record in of_kind(halves, What.BEGUN_AHEAD)}
        assert stages <= {CHAIN.index("b"), CHAIN.index("d")}
        ahead["in halves"] += len(stages)
    assert ahead["alone"] == 0
    assert min(ahead["shared"], ahead["in halves"]) > 10


def result_of(history):
    """Its verdict, and each end that counted, in order."""
    ends = [(each.stage, each.attempt, each.ending) for each in of_kind(history, What.END_TOLD)]
    (verdict,) = of_kind(history, What.VERDICT)
    return verdict.text, verdict.data, ends


def test_a_run_ends_as_it_does_where_nothing_goes_ahead():
    verdicts = Counter()
    for seed in range(200):
        result = result_of(play(seed, chain(), faults=(), shared=[CHAIN]))
        assert result == result_of(play(seed, chain(), faults=(), shared=()))
        verdicts[result[0]] += 1
    assert verdicts["ok"] > 50
    assert len(verdicts) > 1


@pytest.mark.parametrize("shared", [["abx"], ["ab", "bc"]])
def test_processes_that_cannot_be_are_refused(shared):
    with pytest.raises(ValueError, match="each once at most"):
        simulate(0, chain(), shared=shared)


def test_a_story_says_who_is_together_and_what_was_begun_ahead():
    stories = [play(seed, chain(), faults=(), shared=["ab"]).story() for seed in range(20)]
    assert all("together [[0, 1]]" in story.splitlines()[0] for story in stories)
    assert any("begun ahead b attempt 1" in story for story in stories)
    assert any("ahead [1]" in story for story in stories)


# --- deaths ---------------------------------------------------------------------------------------


def test_what_was_begun_ahead_of_a_death_is_done_again_where_that_does_no_harm():
    again = Counter()
    for seed in range(100):
        for effects in (Effects.KEYED, Effects.ONCE_ONLY):
            faults = {FaultKind.DIES_AHEAD}
            history = play(seed, chain(effects), faults=faults, shared=[CHAIN])
            ledger = history.ledger()
            again[effects] += sum(len(set(each)) < len(each) for each in ledger.values())
    assert again[Effects.KEYED] > 3
    assert again[Effects.ONCE_ONLY] == 0


def test_whoever_shares_a_process_dies_with_it():
    deaths = Counter()
    for seed in range(300):
        for shared in ((), ["xy"]):
            faults = {FaultKind.DIES, FaultKind.INNOCENT_KILL}
            history = simulate(seed, pair(), faults=faults, shared=shared)
            first = [each for each in of_kind(history, What.END_TOLD) if each.attempt == 1]
            lost = [each for each in first if each.ending is Ending.LOST]
            overs = [each.at for each in of_kind(history, What.BODY_OVER) if each.attempt == 1]
            deaths[bool(shared)] += len(lost) == 2 and overs[0] == overs[1] > 0
    assert deaths[True] > 3 * deaths[False] > 0
