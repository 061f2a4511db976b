import functools
from concurrent.futures import ThreadPoolExecutor

import pytest

from stageflow_actors import CleanupClosedError, CleanupFailure, PipelineContext
from stageflow_actors.model.cleanup import Cleanups, name_of


def first():
    pass


def second():
    pass


def drain(cleanups):
    popped = []
    while (cleanup := cleanups.pop()) is not None:
        popped.append(cleanup)
    return popped


def test_the_last_one_registered_comes_first_and_each_once():
    cleanups = Cleanups()
    for cleanup in (first, second, first):
        cleanups.register(cleanup)
    assert len(cleanups) == 3
    assert drain(cleanups) == [first, second, first]
    assert len(cleanups) == 0
    assert cleanups.pop() is None


def test_one_registered_meanwhile_comes_next():
    cleanups = Cleanups()
    cleanups.register(first)
    cleanups.register(first)
    assert cleanups.pop() is first
    cleanups.register(second)
    assert drain(cleanups) == [second, first]


def test_none_can_be_registered_once_there_was_none_to_call():
    for cleanups in (Cleanups(), Cleanups([first])):
        drain(cleanups)
        with pytest.raises(CleanupClosedError) as refused:
            cleanups.register(second)
        assert refused.value.code == "CLEANUP-CLOSED"
        assert "second" in refused.value.message
        assert refused.value.hint
        assert cleanups.pop() is None


@pytest.mark.parametrize("cleanup", [None, 5, "close", [first]])
def test_what_cannot_be_called_is_refused_and_named(cleanup):
    cleanups = Cleanups()
    with pytest.raises(TypeError) as refused:
        cleanups.register(cleanup)
    assert repr(cleanup) in str(refused.value)
    assert len(cleanups) == 0


def test_handing_over_leaves_none_and_closes_neither():
    former = Cleanups()
    former.register(first)
    latter = former.hand_over()
    former.register(second)
    latter.register(first)
    assert drain(former) == [second]
    assert drain(latter) == [first, first]


def test_cleanups_given_at_once_belong_to_the_cleanups_alone():
    empty = []
    cleanups = Cleanups(empty)
    cleanups.register(first)
    assert empty == []


def test_every_cleanup_registered_by_any_thread_comes_once():
    cleanups, marks = Cleanups(), [functools.partial(print, number) for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cleanups.register, marks))
        taken = list(pool.map(lambda _mark: cleanups.pop(), marks))
    assert set(taken) == set(marks)
    assert cleanups.pop() is None


class Close:
    def __call__(self):
        pass

    def now(self):
        pass


@pytest.mark.parametrize(
    ("cleanup", "name"),
    [
        (first, "first"),
        (Close(), "Close"),
        (Close().now, "Close.now"),
        (functools.partial(first), "partial"),
        ([].clear, "list.clear"),
    ],
)
def test_a_cleanup_is_called_in_reports_what_it_is_called_in_its_code(cleanup, name):
    assert name_of(cleanup) == name


def test_a_failure_says_whose_which_and_why():
    failure = CleanupFailure("s", "close", "OSError", "disk full")
    assert failure._asdict() == {
        "stage": "s",
        "cleanup": "close",
        "error_type": "OSError",
        "message": "disk full",
    }


def test_a_context_gives_its_cleanups_to_one_run_only():
    ctx = PipelineContext()
    assert drain(ctx.take_cleanups()) == []
    ctx.on_cleanup(first)
    one = ctx.take_cleanups()
    ctx.on_cleanup(second)
    other = ctx.take_cleanups()
    assert (drain(one), drain(other), drain(ctx.take_cleanups())) == ([first], [second], [])
    ctx.on_cleanup(first)  # a context outlives its runs


def test_a_context_with_another_snapshot_has_the_cleanups_of_the_same_run():
    ctx = PipelineContext()
    ctx.on_cleanup(first)
    assert drain(ctx.with_snapshot(ctx.snapshot).take_cleanups()) == [first]
    assert drain(ctx.take_cleanups()) == []
