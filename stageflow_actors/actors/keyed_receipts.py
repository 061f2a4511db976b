"""Receipts that say what is in an output: the names at its top, for ``stage.wide``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.receipts import Receipts
from stageflow_actors.actors.sealing import PlainEvent
from stageflow_actors.actors.wiring import WiredStage
from stageflow_actors.engine.facts import Ending
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage_context import StageContext

DATA_KEYS = "data_keys"
"""What a receipt notes for the log of its run alone; it becomes no event."""

_MOST_KEYS = 50
_LONGEST_KEY = 100
_OK = Ending.OK.value
_make: Any = tuple.__new__  # `_replace` takes several times as long; this is for every stage
_PLAIN_NAME = r"[a-z]{1,20}(_[a-z]{1,20}){0,4}[0-9]{0,2}"
"""Nothing that could be a secret, or what somebody has said."""


def receipts_of(stage: WiredStage, settings: Settings) -> Receipts:
    """Those of a stage; with the names, if wide events are wanted."""
    return (KeyedReceipts if settings.wide_events else Receipts)(stage, settings)


class KeyedReceipts(Receipts):
    """Notes the names in an output that went well, sorted, at most 50 of them."""

    __slots__ = ("_known",)
    _place: ClassVar[int] = Receipt._fields.index("notes")

    def __init__(self, stage: WiredStage, settings: Settings) -> None:
        super().__init__(stage, settings)
        # Most stages return the same names each time, for which nothing is made then.
        self._known: tuple[tuple[Any, ...], tuple[PlainEvent, ...]] = (), _note(())

    def take(
        self,
        returned: Any,
        error: BaseException | None,
        ctx: StageContext,
        started_at: float,
        began: float,
        *,
        wants_retry: bool = False,
    ) -> Receipt:
        receipt = super().take(returned, error, ctx, started_at, began, wants_retry=wants_retry)
        if receipt.ending != _OK:
            return receipt
        data = returned
        if type(data) is not dict:
            output = receipt.output if type(receipt.output) is StageOutput else returned
            data = output.data if isinstance(output, StageOutput) else output
            if not isinstance(data, Mapping):
                return receipt
        try:
            notes = receipt.notes + self._notes_of(tuple(data), ctx)
        except Exception:  # a mapping of the user's own may raise anything
            return receipt
        made: Receipt = _make(
            Receipt, (*receipt[: self._place], notes, *receipt[self._place + 1 :])
        )
        return made

    def _notes_of(self, keys: tuple[Any, ...], ctx: StageContext) -> tuple[PlainEvent, ...]:
        before, notes = self._known
        if keys == before:
            return notes
        names = tuple(sorted(key for key in keys if isinstance(key, str))[:_MOST_KEYS])
        if all(map(_is_plain, names)):
            self._known = keys, (notes := _note(names))
            return notes
        clean: Callable[[str], str] = self.redactor(ctx).text
        return _note(
            tuple(name if _is_plain(name) else clean(name)[:_LONGEST_KEY] for name in names)
        )


def _note(names: tuple[str, ...]) -> tuple[PlainEvent, ...]:
    """Its time is none, as nobody reads it."""
    return ((DATA_KEYS, 0.0, {DATA_KEYS: names}),)


def _is_plain(name: str) -> bool:
    return re.fullmatch(_PLAIN_NAME, name) is not None
