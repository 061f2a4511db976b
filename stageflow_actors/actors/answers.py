"""Answers: the ok output of a stage as JSON text, and back as what a reader of it gets.

Text and never pickle: a store may be a file that others can write to. What JSON would change on the
way is refused, a tuple for example; so an answer that is opened equals the output it was made of,
but for artifacts and events, which are not kept.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from stageflow_actors.engine.facts import Signal
from stageflow_actors.errors import RuntimeFault, StageOutputError
from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH, FrozenDict, FrozenList, freeze
from stageflow_actors.model.output import StageOutput, StageStatus
from stageflow_actors.model.routing import RoutingDecision
from stageflow_actors.model.snapshot_json.refusals import path_text, shown
from stageflow_actors.model.snapshot_json.walk import DICTS, Trail, path_of

_FORM = 1
_MAX_SIZE = 64 * 2**20
"""Values, and characters of text, in one answer. Parts that are shared count each time."""
_SAFE_BITS = 2_000
"""Integers up to here can be written, whatever the limit of this process."""
_SPLIT_PAIR = "[\ud800-\udbff][\udc00-\udfff]"
"""Two surrogates that JSON in ASCII would give back as one character."""
_NO_ROOM = (
    f"data of more than {_MAX_SIZE:,} values and characters",
    "Store it elsewhere, and return where it is.",
)
_LISTS = frozenset({list, FrozenList})
_LEVELS_AROUND_METADATA = 2
"""Those of the signal and of its decision."""


def answer_of(output: StageOutput, signal: Signal | None, stage: str) -> str:
    """Data, version, duration and decision of an ok ``output`` of ``stage``, and its signal.

    JSON in ASCII; ``NaN`` and infinities are written as Python does. The data may hold dicts with
    text as keys, lists, text, numbers, booleans and ``None``, of exactly these types.

    Raises:
        StageOutputError: it holds something else, or too much (``IDEMPOTENCY-OUTPUT``).
        ValueError: the output is not ok.
    """
    if output.status is not StageStatus.OK:
        raise ValueError(f"only an ok output is an answer, and this one says {output.status}")
    document = {
        "data": _as_dict(output.data),
        "version": output.version,
        "duration_ms": output.duration_ms,
        "routing": _decision_to_json(output.routing),
        "signal": _signal_to_json(signal),
    }
    writer = _Check(stage)
    for name, value in document.items():
        around = 0 if name == "data" else _LEVELS_AROUND_METADATA
        writer.check(value, (None, name), DEFAULT_MAX_DEPTH + around)
    document["form"] = _FORM
    if not writer.has_split_pair:
        return json.dumps(document, check_circular=False, separators=(",", ":"))
    text = json.dumps(document, check_circular=False, ensure_ascii=False)
    return json.dumps({"utf-8": b64encode(text.encode("utf-8", "surrogatepass")).decode()})


def open_answer(text: str) -> tuple[StageOutput, Signal | None]:
    """The output, its data frozen, and the signal that ``answer_of`` was given.

    Raises:
        RuntimeFault: ``text`` is no answer, or of another release (``IDEMPOTENCY-STORE``).
    """
    try:
        return _opened(json.loads(text))
    except Exception as error:  # the text may be anybody's
        raise RuntimeFault(
            f"A stored answer cannot be read: {type(error).__name__}: {error!s:.200}.",
            hint="Use a new key, or remove the answer from the store.",
            code="IDEMPOTENCY-STORE",
        ) from error


class _Check:
    """One walk over what is to be written; says whether it needs more than ASCII."""

    __slots__ = ("_room", "_stage", "has_split_pair")

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._room = _MAX_SIZE
        self.has_split_pair = False

    def check(self, value: Any, trail: Trail, depth_left: int) -> None:
        """Refuse the first value that would not come back as it is."""
        kind = type(value)
        self._take_room(1, trail)
        if kind is str:
            self._text(value, trail)
        elif kind is int:
            self._whole(value, trail)
        elif kind in DICTS or kind in _LISTS:
            self._container(value, trail, depth_left)
        elif not (kind is float or kind is bool or value is None):
            raise self._refused(trail, _shown(value), _hint_for(value))

    def _container(self, value: Any, trail: Trail, depth_left: int) -> None:
        if not depth_left:
            problem = f"data that contains itself, or is deeper than {DEFAULT_MAX_DEPTH} levels"
            raise self._refused(trail, problem, "Flatten it.")
        if type(value) in _LISTS:
            for index, item in enumerate(value):
                self.check(item, (trail, index), depth_left - 1)
            return
        for key, item in value.items():
            if type(key) is not str:
                problem = f"a dict with the key {shown(key)}, of type {type(key).__name__}"
                raise self._refused(trail, problem, "Use text for keys: str(key).")
            inner = (trail, key)
            self._text(key, inner)
            self.check(item, inner, depth_left - 1)

    def _text(self, value: str, trail: Trail) -> None:
        self._take_room(len(value), trail)
        if not value.isascii() and re.search(_SPLIT_PAIR, value):
            self.has_split_pair = True

    def _whole(self, value: int, trail: Trail) -> None:
        if value.bit_length() <= _SAFE_BITS:
            return
        self._take_room(value.bit_length() // 3, trail)
        try:
            str(value)
        except ValueError:
            hint = "Put it in as text; sys.set_int_max_str_digits() has the limit."
            raise self._refused(trail, f"{shown(value)}, too long to be read", hint) from None

    def _take_room(self, size: int, trail: Trail) -> None:
        self._room -= size
        if self._room < 0:
            raise self._refused(trail, *_NO_ROOM)

    def _refused(self, trail: Trail, problem: str, hint: str) -> StageOutputError:
        return StageOutputError(
            f"The output of stage '{self._stage}' cannot be kept for its idempotency key: "
            f"{path_text(path_of(trail))} is {problem}.",
            hint=hint,
            code="IDEMPOTENCY-OUTPUT",
        )


def _shown(value: Any) -> str:
    return f"of type {type(value).__name__}, which JSON does not give back"


def _hint_for(value: Any) -> str:
    match value:
        case tuple() | set() | frozenset():
            return "Make it a list."
        case dict():
            return "Make it a plain dict: dict(value)."
        case str() | int() | float():  # of a class of its own, an enum for example
            return "Make it a plain value: str(value), int(value) or float(value)."
        case _:
            return "Put it in as text, numbers, lists and dicts."


def _as_dict(data: Mapping[Any, Any]) -> dict[Any, Any]:
    return data if type(data) in DICTS else dict(data)  # type: ignore[return-value]


def _decision_to_json(decision: RoutingDecision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    return {
        "selected_route": decision.selected_route,
        "confidence": decision.confidence,
        "fallback_route": decision.fallback_route,
        "metadata": _as_dict(decision.metadata),
    }


def _signal_to_json(signal: Signal | None) -> dict[str, Any] | None:
    if signal is None:
        return None
    routing = None if signal.routing is None else _as_dict(signal.routing)
    return {"skip_reason": signal.skip_reason, "route": signal.route, "routing": routing}


def _opened(document: Any) -> tuple[StageOutput, Signal | None]:
    fields = _typed(document, dict)
    if "utf-8" in fields:
        text = b64decode(_typed(fields["utf-8"], str), validate=True)
        fields = _typed(json.loads(text.decode("utf-8", "surrogatepass")), dict)
    if fields["form"] != _FORM:
        raise ValueError(f"form {fields['form']!r:.40} instead of {_FORM}")
    output = StageOutput(
        StageStatus.OK,
        _frozen(fields["data"]),
        duration_ms=_optional(fields["duration_ms"], int),
        version=_optional(fields["version"], str),
        routing=_decision(fields["routing"]),
    )
    return output, _signal(fields["signal"])


def _decision(fields: Any) -> RoutingDecision | None:
    if fields is None:
        return None
    return RoutingDecision(
        _typed(fields["selected_route"], str),
        _typed(fields["confidence"], float),
        _optional(fields["fallback_route"], str),
        _frozen(fields["metadata"]),
    )


def _signal(fields: Any) -> Signal | None:
    if fields is None:
        return None
    routing = None if fields["routing"] is None else _frozen(fields["routing"])
    return Signal(_typed(fields["skip_reason"], str), _optional(fields["route"], str), routing)


def _frozen(value: Any) -> FrozenDict:
    max_depth = DEFAULT_MAX_DEPTH + _LEVELS_AROUND_METADATA
    frozen: FrozenDict = freeze(_typed(value, dict), max_depth=max_depth)[0]
    return frozen


def _optional(value: Any, kind: type) -> Any:
    return None if value is None else _typed(value, kind)


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{shown(value)} where a {kind.__name__} belongs")
    return value
