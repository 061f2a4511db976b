"""Big outputs: each stays where it was made, and travels as a reference, a ``FarOutput``.

It is the return value of a call that the supervisor makes for it: so it belongs to the supervisor,
and outlives the process that made it; and nobody who only passes it on ever has its bytes.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stageflow_actors.actors.codec import FarOutput, Payload
from stageflow_actors.actors.messages import Assignment, Execution, RunReport


def to_parts(payload: Payload) -> list[pickle.PickleBuffer]:
    """The bytes as Ray stores them without a copy of its own, and reads them without any."""
    return [pickle.PickleBuffer(each) for each in (payload.head, *payload.buffers)]


def of_parts(parts: Sequence[Any]) -> Payload:
    """The payload of what ``to_parts`` made; it lies in the memory that processes share."""
    views: list[Any] = [memoryview(part) for part in parts]  # they read like bytes
    return Payload(views[0], tuple(views[1:]))


def take_far(
    actor: Any, execution: Execution, far: FarOutput, taken: Callable[[FarOutput | None, Any], None]
) -> None:
    """Have a stage's process give its big output away; ``taken`` gets it, or why it is lost.

    The second of two results says when the first one, which nobody looks at here, is stored: Ray
    stores them in that order.
    """
    ref, is_there = actor.take.remote(execution)

    def told(answer: asyncio.Future[bool]) -> None:
        if not answer.cancelled():
            error = answer.exception()
            taken(None if error else far._replace(ref=ref), error)

    asyncio.wrap_future(is_there.future()).add_done_callback(told)


def has_far(work: Assignment) -> bool:
    """Whether anything that it reads is far."""
    rejected = None if work.rejection is None else work.rejection.output
    return type(rejected) is FarOutput or any(
        type(output) is FarOutput for output in work.inputs.values()
    )


async def brought_near(work: Assignment) -> Assignment:
    """``work`` with everything that it reads here.

    Raises:
        RayError: it is lost.
    """
    rejection = work.rejection
    if rejection is not None and type(rejection.output) is FarOutput:
        rejection = rejection._replace(output=await _near(rejection.output))
    names = tuple(work.inputs)
    near = await asyncio.gather(*(_near(work.inputs[name]) for name in names))
    inputs: Mapping[str, Any] = dict(zip(names, near, strict=True))
    return work._replace(inputs=inputs, rejection=rejection)


def is_far(report: RunReport) -> bool:
    """Whether any output of the run is far."""
    return any(
        type(end.receipt.output) is FarOutput or type(end.fell_back) is FarOutput
        for end in report.ends
    )


async def report_near(report: RunReport) -> RunReport:
    """``report`` with every output here.

    Raises:
        RayError: one is lost.
    """
    if not is_far(report):
        return report
    near = await asyncio.gather(*(_near(end.receipt.output) for end in report.ends))
    ends = [
        end._replace(receipt=end.receipt._replace(output=output))
        for end, output in zip(report.ends, near, strict=True)
    ]
    return report._replace(ends=tuple(ends))


async def _near(output: Any) -> Any:
    if type(output) is not FarOutput:
        return output
    assert output.ref is not None, "the supervisor takes it before it tells of it"
    return of_parts(await asyncio.wrap_future(output.ref.future()))
