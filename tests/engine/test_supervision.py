"""Restarts: which deaths are made good, how often, and what is told when it was too often."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stageflow_actors.engine.supervision import Death, RestartWindow, is_replaced, story
from stageflow_actors.model.policies.restart import Restart

STAGES = st.sampled_from(["stt", "llm", "tts", "a\nb", "x" * 500])
DEATHS = st.builds(Death, STAGES | st.text(), st.floats(0, 2e9), st.text())


def asked(window, *times):
    return [window.admit(at) for at in times]


# --- whether --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restart", "after_normal", "after_abnormal"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.TRANSIENT, False, True),
        (Restart.TEMPORARY, False, False),
    ],
)
def test_the_restart_type_and_the_kind_of_end_decide(restart, after_normal, after_abnormal):
    assert is_replaced(restart, is_normal=True) is after_normal
    assert is_replaced(restart, is_normal=False) is after_abnormal


def test_every_restart_type_is_one_of_these():
    assert list(Restart) == [Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY]


# --- how often ------------------------------------------------------------------------------------


def test_as_many_as_the_intensity_are_admitted_and_one_more_is_not():
    assert asked(RestartWindow(3, 30.0), 1.0, 2.0, 3.0, 4.0) == [True, True, True, False]


def test_with_an_intensity_of_0_none_is_admitted_ever():
    assert asked(RestartWindow(0, 1.0), 0.0, 100.0, 200.0) == [False, False, False]


def test_restarts_exactly_one_period_apart_are_within_it():
    assert asked(RestartWindow(1, 30.0), 100.0, 130.0) == [True, False]


def test_restarts_more_than_one_period_apart_do_not_count_together():
    assert asked(RestartWindow(1, 30.0), 100.0, 130.001, 160.002) == [True, True, True]


def test_the_period_moves_with_the_restarts():
    """No border is crossed at which the counting starts anew."""
    assert asked(RestartWindow(2, 10.0), 0.0, 9.0, 11.0, 12.0) == [True, True, True, False]


@pytest.mark.parametrize("period_s", [0.0, 30.0])
def test_a_clock_that_stands_still_lets_no_more_through(period_s):
    assert asked(RestartWindow(2, period_s), *[7.0] * 4) == [True, True, False, False]


def test_a_restart_that_was_refused_counts():
    window = RestartWindow(1, 10.0)
    assert asked(window, 0.0, 8.0, 16.0) == [True, False, False]
    assert window.admit(27.0)


def test_the_window_is_the_same_for_times_below_zero():
    assert asked(RestartWindow(1, 5.0), -20.0, -15.0, -9.0) == [True, False, True]


@given(
    intensity=st.integers(0, 4),
    period=st.integers(0, 10),
    steps=st.lists(st.integers(0, 6), max_size=40),
)
@example(intensity=1, period=5, steps=[5, 5])
def test_it_agrees_with_a_list_of_all_restarts(intensity, period, steps):
    window, times, now = RestartWindow(intensity, period), [], 0
    for step in steps:
        now += step
        times.append(now)
        within = [at for at in times if at >= now - period]
        assert window.admit(now) == (len(within) <= intensity)


# --- what is told ---------------------------------------------------------------------------------


def test_it_tells_who_died_how_often_and_why_lately():
    deaths = [
        Death("stt", 100.0, "exit code 1"),
        Death("tts", 101.0, "exit code 2"),
        Death("stt", 101.5, "exit code 3"),
        Death("tts", 103.0, "exit code 4"),
        Death("stt", 103.0, "exit code 5"),
    ]
    assert story(deaths, 4, 30.0) == (
        "Stage 'stt' died 3 times and 'tts' twice within 30 s, more often than "
        "restart_intensity=4 allows; last: 'stt' (exit code 3), "
        "1.5 s later 'tts' (exit code 4), 0.0 s later 'stt' (exit code 5)."
    )


def test_it_tells_of_a_single_death():
    assert story([Death("stt", 5.0, "killed")], 0, 0.5) == (
        "Stage 'stt' died once within 0.5 s, more often than restart_intensity=0 allows; "
        "last: 'stt' (killed)."
    )


def test_it_tells_only_of_those_that_were_too_many():
    deaths = [Death("old", 0.0, "long ago")] * 9 + [Death("new", 90.0, "just now")] * 2
    assert "Stage 'new' died twice within" in story(deaths, 1, 10.0)
    assert "old" not in story(deaths, 1, 10.0)


def test_the_stages_that_died_most_come_first_and_few_are_named():
    deaths = [Death(stage, 0.0, "killed") for stage in "abccdddeff"]
    told = story(deaths, len(deaths) - 1, 1.0)
    assert told.startswith("Stage 'd' died 3 times, 'c' twice, 'f' twice and 3 others 3 times with")


def test_four_stages_are_all_named():
    deaths = [Death(stage, 0.0, "killed") for stage in "abcd"]
    assert story(deaths, 3, 1.0).startswith(
        "Stage 'a' died once, 'b' once, 'c' once and 'd' once within"
    )


def test_a_clock_that_was_set_back_is_told_as_no_time_at_all():
    deaths = [Death("a", 100.0, "killed"), Death("a", 40.0, "killed")]
    assert "0.0 s later 'a'" in story(deaths, 1, 1.0)


def test_names_and_reasons_cannot_write_on_a_terminal():
    told = story([Death("a\x1b[2J", 0.0, "one\r\ntwo\u202e \ud83d!")], 0, 1.0)
    assert "'a [2J' (one  two   !)" in told


def test_there_is_a_sentence_even_without_a_death():
    assert story([], 5, 30.0) == "Stages died more often than restart_intensity=5 allows."


@given(deaths=st.lists(DEATHS, max_size=30), intensity=st.integers(0, 30))
def test_the_story_is_one_printable_line_of_a_bounded_length(deaths, intensity):
    told = story(deaths, intensity, 30.0)
    assert told.isprintable()
    assert told.endswith(".")
    assert len(told) < 1_500
