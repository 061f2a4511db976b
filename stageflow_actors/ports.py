"""Protocols of the replaceable parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from stageflow_actors.model.claims import Claim
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.policies.execution import ExecutionConfig
from stageflow_actors.model.stage import StageSpec


@runtime_checkable
class EventSink(Protocol):
    """Where events go.

    The runtime awaits ``emit`` for one event after the other, on an event loop and thread of its
    own: a slow or raising sink costs no run anything. Open clients that are bound to a loop on the
    first ``emit``, not before.
    """

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        """Store or forward one event; may wait."""

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> bool | None:
        """The same without waiting, for callers outside the runtime; ``False``: it was dropped."""


@runtime_checkable
class SelectiveEventSink(EventSink, Protocol):
    """A sink that can say beforehand what it would discard; nothing is prepared for it then."""

    def accepts(self, type: str) -> bool:
        """Whether events of this type are of any use to it now."""


class Deployable(Protocol):
    """A validated pipeline: its plan, and the user code of each stage in the plan's order."""

    @property
    def plan(self) -> Plan:
        """The shape, as plain data."""

    @property
    def specs(self) -> tuple[StageSpec, ...]:
        """The stages with their runners."""

    @property
    def interceptors(self) -> tuple[Any, ...]:
        """What is called around each execution of a stage, in order."""

    @property
    def admissions(self) -> tuple[Any, ...]:
        """What checks a run before it is submitted."""

    @property
    def execution(self) -> ExecutionConfig:
        """What a failure does to the rest of a run, and who hears of it."""


class IdempotencyStore(Protocol):
    """Who works on which idempotency key, and the answers that there are.

    A key is free, pending (an owner works on it) or answered. A pending one is free again when its
    owner's lease has run out, an answered one when its time to live has. Owners are told apart by
    any text of their own. All methods may be called from any event loop.

    Raises:
        Exception: whatever a store raises fails the stage, which is not executed then.
    """

    async def claim(self, key: str, params: str, owner: str, lease_s: float) -> Claim:
        """Take the key for ``owner`` if it is free; of several claims at once, one does.

        The same owner is refused, too, while it works on the key.
        """

    async def renew(self, key: str, owner: str, lease_s: float) -> bool:
        """Let the lease end ``lease_s`` from now; ``False``: the key is not pending by ``owner``.

        A lease that has run out can be renewed as long as nobody else has taken the key.
        """

    async def complete(self, key: str, owner: str, answer: str, ttl_s: float) -> bool:
        """Keep the answer for ``ttl_s``; ``False``, and nothing is kept, as for ``renew``."""

    async def release(self, key: str, owner: str) -> None:
        """Free the key if it is pending by ``owner``; an answer stays."""

    async def changed(self, key: str) -> None:
        """Wait while the key is pending; may return sooner, and at once if it is not."""

    async def close(self) -> None:
        """Give up what the store holds; later calls, and those of ``changed`` that wait, raise."""
