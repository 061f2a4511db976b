"""What the cores of this machine are worth together: two of them are often two halves of one."""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

_STEPS = 1_000_000
_SLOTS = 1_024
_TIMES = 5


def worth_of_all() -> float:
    """How much work all cores do at once, as a multiple of what one of them does alone."""
    count = os.cpu_count() or 1
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        list(pool.map(_work, range(count)))  # every process is there
        ratios = []
        for _ in range(_TIMES):
            (alone,) = pool.map(_work, range(1))
            together = list(pool.map(_work, range(count)))
            ratios.append(sum(alone / took for took in together))
    return statistics.median(ratios)


def _work(_number: int) -> float:
    """Keep a core busy as Python does, with objects that are made and thrown away; how long."""
    slots: dict[int, tuple[int, object]] = {}
    began = time.perf_counter()
    for step in range(_STEPS):
        slots[step % _SLOTS] = (step, slots.get(step // 2 % _SLOTS, (0, None))[0])
    return time.perf_counter() - began
