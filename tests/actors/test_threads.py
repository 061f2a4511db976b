"""Threads of plain ``def`` bodies: bounded, used again, and not in the way of the program's end."""

import subprocess
import sys
import threading

import pytest

from stageflow_actors.actors.threads import BodyThreads

GIVES_UP = """
import time
from stageflow_actors import LocalRuntime, Pipeline

def sleeps(ctx):
    time.sleep(600)

pipeline = Pipeline().with_stage("sleeps", sleeps, "work")
try:
    pipeline.run_sync(runtime=LocalRuntime(), timeout=0.05)
except Exception as error:
    print(error.result.abandoned)
"""


def test_program_ends_although_a_body_that_was_given_up_does_not():
    ended = subprocess.run(
        [sys.executable, "-c", GIVES_UP], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "('sleeps',)\n"


@pytest.fixture
def threads():
    made = BodyThreads(2, "test")
    yield made
    made.shutdown()


def held(threads, count):
    """So many bodies that wait for the event; the thread of each, once it has one."""
    free, begun = threading.Event(), [threading.Event() for _ in range(count)]

    def body(index):
        begun[index].set()
        free.wait(30)
        return threading.current_thread().name

    return free, begun, [threads.submit(lambda i=i: body(i)) for i in range(count)]


def test_further_bodies_wait_for_a_thread(threads):
    free, begun, futures = held(threads, 3)
    assert begun[0].wait(30) and begun[1].wait(30)
    assert not begun[2].is_set() and not futures[2].running()
    free.set()
    assert len({future.result(30) for future in futures}) == 2


def test_a_thread_is_used_again(threads):
    names = {threads.submit(lambda: threading.current_thread().name).result(30) for _ in range(2)}
    first = threads.submit(lambda: 1)
    assert first.result(30) == 1
    assert len(names) <= 2


def test_one_that_is_busy_for_good_is_replaced(threads):
    free, begun, futures = held(threads, 2)
    assert begun[0].wait(30) and begun[1].wait(30)
    threads.replace_one()
    assert threads.submit(lambda: "served").result(30) == "served"
    free.set()
    assert [future.result(30) for future in futures]


def test_what_a_body_raises_is_its_result(threads):
    def raises():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        threads.submit(raises).result(30)
    assert threads.submit(lambda: "alive").result(30) == "alive"


def test_shutdown_takes_back_what_waits(threads):
    free, begun, futures = held(threads, 3)
    assert begun[0].wait(30) and begun[1].wait(30)
    threads.shutdown()
    assert futures[2].cancelled()
    free.set()
    assert [future.result(30) for future in futures[:2]]
