"""``Bodies``: how a run has its stages executed, whatever and wherever executes them."""

from __future__ import annotations

from typing import Protocol, TypeVar

from stageflow_actors.actors.messages import Assignment, Receipt


class Ends(Protocol):
    """Who is told of the end of an execution."""

    def stage_ended(self, stage: int, attempt: int, receipt: Receipt) -> None:
        """It has ended."""

    def began(self, stage: int, attempt: int) -> None:
        """One that had to wait executes now: its time counts from here."""

    def stop_heard(self, stage: int, attempt: int) -> None:
        """It was told to stop, and is doing so."""


class GatedRun(Ends, Protocol):
    """The run behind the gates."""

    def is_open(self, stage: int) -> bool:
        """Whether ``stage`` may still be executed, or is."""

    def is_in_doubt(self, stage: int) -> bool:
        """Whether nobody knows how far the last execution of ``stage`` got."""

    def is_timing_out(self, stage: int) -> bool:
        """Whether ``stage`` was told to stop because its time is up."""


EndsT_contra = TypeVar("EndsT_contra", bound=Ends, contravariant=True)


class Bodies(Protocol[EndsT_contra]):
    """Executes the stages of one run. Each ``start`` is answered by ``stage_ended`` once."""

    def start(self, ends: EndsT_contra, stage: int, assignment: Assignment) -> bool:
        """Begin one execution; ``False``: it has to wait, and ``began`` says when that is over."""

    def interrupt(self, ends: EndsT_contra, stage: int, attempt: int, reason: str) -> None:
        """Tell it to stop; one that does and takes its time says so with ``stop_heard``."""

    def skipped(self, ends: EndsT_contra, stage: int) -> None:
        """Take note of a stage that is not executed at all."""

    def decided(self, ends: EndsT_contra) -> None:
        """Take note that the run has acted on all that it knows."""

    def kill(self, ends: EndsT_contra, stage: int, attempt: int) -> None:
        """End its process, or give it up; its end is ``Ending.LOST``."""
