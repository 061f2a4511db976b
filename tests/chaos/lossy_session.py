"""A Ray session that may lose calls: makes some, and prints what became of them, as JSON.

python -m tests.chaos.lossy_session CALLS driver|actor
"""

from __future__ import annotations

import json
import sys

import ray
from ray.exceptions import ActorUnavailableError

MOST_TRIES = 100


class Counter:
    def __init__(self):
        self.ran = []

    async def add(self, number):
        self.ran.append(number)

    async def report(self):
        return self.ran


class Caller:
    def __init__(self, counter):
        self.counter = counter

    async def call(self, count):
        return await call(self.counter, count)


async def call(counter, count):
    """The type of what was raised, by the number of the call that raised it."""
    calls = [counter.add.remote(number) for number in range(count)]
    raised = {}
    for number, reply in enumerate(calls):
        try:
            await reply
        except Exception as error:
            raised[number] = type(error).__name__
    return raised


def insist(actor_call):
    """What it answers, once the answer gets here."""
    for _ in range(MOST_TRIES):
        try:
            return ray.get(actor_call())
        except ActorUnavailableError:
            continue
    raise TimeoutError(f"{MOST_TRIES} answers were lost")


def start(actor, *args):
    return ray.remote(max_restarts=0, max_task_retries=0)(actor).remote(*args)


def main(count, caller):
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100 * 2**20,
    )
    counter = start(Counter)
    if caller == "driver":
        import asyncio

        raised = asyncio.run(call(counter, count))
    else:
        raised = ray.get(start(Caller, counter).call.remote(count))
    print(json.dumps({"raised": raised, "ran": insist(counter.report.remote)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
