"""Which ended runs are kept, compared with a model that looks at all of them each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.serving.retention import Retention

KEPT_S, MAX_RUNS, MAX_BYTES = 10.0, 3, 100
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["keep", "expire", "inherit"]), st.integers(0, 120), st.integers(0, 6)
    ),
    max_size=30,
)


@given(STEPS)
def test_it_keeps_exactly_the_last_that_fit_and_are_young(steps):
    retention = Retention(KEPT_S, MAX_RUNS, MAX_BYTES)
    kept, now, expired, crowded_out = [], 0.0, 0, 0
    for number, (step, size, passed) in enumerate(steps):
        now += passed
        young = [each for each in kept if each[2] + KEPT_S > now]
        expired += len(kept) - len(young)
        gone = [each[0] for each in kept if each not in young]
        if step == "expire":
            assert retention.expire(now) == gone
            kept = young
        elif step == "inherit":
            kept = young
            news = [(f"{number}.{each}", size // 2, now - 2.0 * each) for each in range(6)]
            fit = [each for each in news if each[1] <= MAX_BYTES and each[2] + KEPT_S > now]
            rest = sorted([*kept, *fit], key=lambda each: each[2])
            expired += sum(each[2] + KEPT_S <= now for each in news)
            while len(rest) > MAX_RUNS or sum(each[1] for each in rest) > MAX_BYTES:
                rest.pop(0)
                crowded_out += 1
            gone += [each[0] for each in [*kept, *news] if each not in rest]
            told = retention.inherit([(key, size, now - at) for key, size, at in news], now)
            assert sorted(map(str, told)) == sorted(map(str, gone))
            kept = rest
        else:
            young.append((number, size, now))
            rest = [] if size > MAX_BYTES else list(young)
            if size > MAX_BYTES:
                rest = young[:-1]
            while len(rest) > MAX_RUNS or sum(each[1] for each in rest) > MAX_BYTES:
                rest.pop(0)
            crowded_out += len(young) - len(rest)
            gone += [each[0] for each in young if each not in rest]
            assert retention.keep(number, size, now) == gone
            kept = rest
        stats = retention.stats()
        assert stats == (len(kept), sum(each[1] for each in kept), expired, crowded_out)


def test_one_that_is_too_large_for_all_of_it_takes_nothing_else_with_it():
    retention = Retention(KEPT_S, MAX_RUNS, MAX_BYTES)
    assert retention.keep("small", 10, 0.0) == []
    assert retention.keep("large", 101, 0.0) == ["large"]
    assert retention.stats().runs == 1


def test_what_is_inherited_takes_no_room_of_what_ended_later():
    retention = Retention(KEPT_S, MAX_RUNS, MAX_BYTES)
    assert retention.keep("own", 40, 5.0) == []
    told = [("large", 101, 0.0), ("old", 60, 2.0), ("older", 10, 3.0), ("young", 60, 0.5)]
    assert sorted(retention.inherit(told, 6.0)) == ["large", "old", "older"]
    assert retention.stats() == (2, 100, 0, 3)
    assert [retention.age_s(key, 7.0) for key in ("own", "young")] == [2.0, 1.5]


def test_nothing_is_kept_twice():
    retention = Retention(KEPT_S, MAX_RUNS, MAX_BYTES)
    retention.keep("a", 1, 0.0)
    with pytest.raises(ValueError, match="already"):
        retention.keep("a", 1, 0.0)
    with pytest.raises(ValueError, match="already"):
        retention.inherit([("a", 1, 0.0)], 0.0)
