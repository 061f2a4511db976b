"""Whatever is drawn, no rule is broken; and everything that can be drawn does happen."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors import Pipeline, RetryPolicy, Settings
from stageflow_actors.testing import (
    FaultKind,
    Rule,
    VirtualClock,
    What,
    simulate,
    violations,
)
from tests.counted import few_or_many

SMALL, FULL = 300, 10_000
DIGEST = """
import hashlib
from stageflow_actors.testing import simulate
stories = "".join(simulate(seed).story() for seed in range(40))
print(hashlib.sha256(stories.encode()).hexdigest())
"""


def play(seed, **options):
    """A history that breaks no rule."""
    history = simulate(seed, **options)
    found = violations(history)
    assert not found, f"seed {seed} breaks\n{chr(10).join(found)}\n\n{history.story()}"
    return history


@cache
def played(seed):
    """The same for all that look at it."""
    return play(seed)


def faults_of(histories):
    counts = Counter()
    for history in histories:
        counts.update(history.faults)
    return counts


def rare(counts, least):
    return {kind.value: counts[kind] for kind in FaultKind if counts[kind] < least}


def of_kind(history, what):
    return [record for record in history.records if record.what is what]


def test_no_rule_is_broken_and_every_fault_happens():
    assert rare(faults_of(map(played, range(SMALL))), 30) == {}


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_no_rule_is_broken_and_every_fault_happens_often():
    assert rare(faults_of(map(play, range(FULL))), 1_000) == {}


@few_or_many(st.integers(min_value=0, max_value=2**63))
def test_no_rule_is_broken_whatever_the_seed(seed):
    play(seed)


@settings(deadline=None, max_examples=100)
@given(st.integers(min_value=0, max_value=2**63), st.sets(st.sampled_from(FaultKind)))
def test_no_rule_is_broken_whatever_the_faults(seed, faults):
    assert set(play(seed, faults=faults).faults) <= faults


def test_every_verdict_is_reached():
    verdicts = Counter(of_kind(played(seed), What.VERDICT)[0].text for seed in range(SMALL))
    assert min(verdicts[status] for status in ("ok", "failed", "timed_out", "cancelled")) >= 20


def test_the_same_seed_gives_the_same_history():
    for seed in range(40):
        assert simulate(seed) == simulate(seed)


def test_the_same_seed_gives_the_same_history_in_another_process():
    stories = "".join(simulate(seed).story() for seed in range(40))
    other = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert other.stdout.strip() == hashlib.sha256(stories.encode()).hexdigest()


def test_another_seed_gives_another_history():
    assert simulate(1).records != simulate(2).records


def test_the_wall_clock_decides_nothing():
    steady = frozenset(FaultKind) - {FaultKind.CLOCK_JUMP}
    jumps = 0
    for seed in range(100):
        jumping = simulate(seed)
        jumps += jumping.faults.get(FaultKind.CLOCK_JUMP, 0)
        assert jumping.records == simulate(seed, faults=steady).records
    assert jumps > 30


def test_without_faults_none_happens():
    for seed in range(50):
        assert play(seed, faults=()).faults == {}


def test_effects_are_written_by_live_bodies_only():
    written = 0
    for seed in range(100):
        live, announced = set(), set()
        for record in played(seed).records:
            body = (record.stage, record.attempt)
            announced.update((stage, 1) for stage in record.ahead)
            has_started = record.what is What.STARTED and body not in announced
            if has_started or record.what is What.BEGUN_AHEAD:
                live.add(body)
            elif record.what is What.BODY_OVER:
                live.remove(body)
            elif record.what is What.EFFECT:
                assert body in live
                written += 1
    assert written > 100


def test_the_ledger_has_what_each_attempt_wrote():
    several = 0
    for seed in range(100):
        history = played(seed)
        names = history.plan.stage_names
        effects = [(names[each.stage], each.attempt) for each in of_kind(history, What.EFFECT)]
        ledger = history.ledger()
        assert sorted(effects) == sorted(
            (name, attempt) for name, attempts in ledger.items() for attempt in attempts
        )
        several += sum(len(attempts) > 1 for attempts in ledger.values())
    assert several > 10


def pipeline():
    async def body(ctx):
        raise AssertionError("a simulation runs no code of a stage")

    retry = RetryPolicy(max_attempts=2)
    return (
        Pipeline("answering")
        .with_stage("fetch", body, "work", timeout=5.0, retry=retry)
        .with_stage("answer", body, "transform", dependencies="fetch", fallback={"text": ""})
        .with_stage("save", body, "work", after_any="answer")
    )


def test_a_pipeline_of_ones_own_is_simulated():
    histories = [play(seed, pipeline=pipeline(), limit_s=30.0) for seed in range(200)]
    assert {history.plan.name for history in histories} == {"answering"}
    assert {history.limit_s for history in histories} == {30.0}
    assert any(of_kind(history, What.FELL_BACK) for history in histories)
    assert any(len(of_kind(history, What.STARTED)) > 3 for history in histories)


def test_settings_of_ones_own_are_kept_to():
    own = Settings(grace_s=2.0)
    stops = [
        record.seconds
        for seed in range(100)
        for record in play(seed, settings=own).records
        if record.what is What.ARMED and record.timer.kind == "stop"
    ]
    assert stops.count(2.0) > 10


def test_a_run_that_never_ends_is_a_violation():
    history = replace(simulate(3), is_cut_short=True)
    assert violations(history) == [f"{Rule.ENDS}: it was given up after very many steps"]


def test_a_story_has_the_seed_the_stages_and_what_happened_in_order():
    story = play(4, pipeline=pipeline(), faults=()).story().splitlines()
    assert story[0].startswith("seed 4, limit None s")
    assert story[1].startswith("  0: name=fetch, kind=work")
    assert story[4] == "#1 0s accepted"
    assert story[-1].split()[2] == "verdict"


def test_the_clock_keeps_to_time_and_draws_the_order_within_a_moment():
    orders = set()
    for seed in range(20):
        clock, seen = VirtualClock(Random(seed)), []
        for name, delay_s in (("late", 2.0), ("a", 1.0), ("b", 1.0)):
            clock.schedule(delay_s, lambda name=name: seen.append((clock.now, name)))
        clock.schedule(1.5, seen.clear).is_cancelled = True
        while clock.step():
            pass
        assert [at for at, _name in seen] == [1.0, 1.0, 2.0]
        orders.add(tuple(name for _at, name in seen))
    assert orders == {("a", "b", "late"), ("b", "a", "late")}
