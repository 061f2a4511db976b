"""``WideStage``: what the events of one stage of a run come to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from stageflow_actors.engine.failures import Action
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.plan import Plan
from stageflow_actors.providers import semconv

_MOST_LISTED = 20
"""Models, currencies and states of a breaker that are named."""
_LONGEST_AMOUNT = 50
_MOST_TOKENS = 2**63
_LOST, _REJECTED, _FELL_BACK, _FAILED = "lost", "rejected", "fell_back", "fail"


class Calls:
    """Calls of providers in sum. ``cost`` is by currency."""

    __slots__ = ("cost", "count", "input_tokens", "models", "output_tokens")

    def __init__(self) -> None:
        self.count = self.input_tokens = self.output_tokens = 0
        self.cost: dict[str, Decimal] = {}
        self.models: dict[str, None] = {}

    def take(self, attributes: Any) -> None:
        """Count one call; a stage may say anything of it."""
        if not isinstance(attributes, Mapping):
            attributes = {}
        self.count += 1
        self.input_tokens += _tokens(attributes.get(semconv.GEN_AI_USAGE_INPUT_TOKENS))
        self.output_tokens += _tokens(attributes.get(semconv.GEN_AI_USAGE_OUTPUT_TOKENS))
        model = attributes.get(semconv.GEN_AI_RESPONSE_MODEL)
        model = model or attributes.get(semconv.GEN_AI_REQUEST_MODEL)
        if isinstance(model, str) and len(self.models) < _MOST_LISTED:
            self.models[model] = None
        amount = attributes.get(semconv.STAGEFLOW_PROVIDER_COST_AMOUNT)
        if amount is not None:
            self._spend(attributes.get(semconv.STAGEFLOW_PROVIDER_COST_CURRENCY), amount)

    def add(self, other: Calls) -> None:
        """Count those, too."""
        self.count += other.count
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        for model in other.models:
            if len(self.models) < _MOST_LISTED:
                self.models[model] = None
        for currency, amount in other.cost.items():
            self._spend(currency, amount)

    def told(self) -> dict[str, Any]:
        """As fields of an event; amounts are text, as they are in records of calls."""
        return {
            "provider_calls": self.count,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost": FrozenDict({name: str(amount) for name, amount in self.cost.items()}),
            "models": tuple(self.models),
        }

    def _spend(self, currency: Any, amount: Any) -> None:
        known = str(currency or "")
        text = str(amount)
        is_new = known not in self.cost
        if len(text) > _LONGEST_AMOUNT or (is_new and len(self.cost) >= _MOST_LISTED):
            return
        try:
            total = self.cost.get(known, Decimal(0)) + Decimal(text)
        except ArithmeticError:
            return  # it is no number
        if total.is_finite():
            self.cost[known] = total


_NO_CALLS = FrozenDict(Calls().told())
_NOTHING: Mapping[str, int] = FrozenDict()
_CHILDREN = MappingProxyType(
    {
        "spawned": "spawned_child",
        "completed": "child_completed",
        "failed": "child_failed",
        "cancelled": "child_cancelled",
    }
)


class WideStage:
    """One stage of one run so far: all its attempts, whoever asked for them.

    ``is_told``: its event has been made. ``has_ended``: nothing more of it is known to come.
    """

    __slots__ = (
        "_action",
        "_began_at",
        "_end",
        "_ended_at",
        "_is_open",
        "_keys",
        "_queue_s",
        "_route",
        "_started_at",
        "_told_at",
        "answered",
        "attempt",
        "attempts",
        "breaker",
        "calls",
        "children",
        "has_ended",
        "is_told",
        "name",
        "pieces",
        "repeats",
        "retries",
        "status",
        "work_s",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = _LOST
        self.attempt: int | None = None
        self.attempts = self.retries = self.repeats = self.pieces = 0
        self.work_s = self._queue_s = self._told_at = 0.0
        self._started_at: float | None = None
        self._began_at: float | None = None
        self._ended_at: float | None = None
        self._end: Mapping[str, Any] = {}
        self._action: str | None = None
        self._keys: tuple[str, ...] | None = None
        self._route: Any = None
        self._is_open = self.has_ended = self.is_told = self.answered = False
        self.calls: Calls | None = None
        self.children: dict[str, int] | None = None
        self.breaker: tuple[str, ...] = ()

    def begin(self, at: float, attempt: int | None) -> None:
        """An attempt is about to start."""
        if self.attempts:
            if self.status == _REJECTED:
                self.repeats += 1
            else:
                self.retries += 1
        else:
            self._started_at = at
        self.attempts += 1
        self.attempt, self._told_at = attempt, at
        self.status, self.has_ended, self._is_open = _LOST, False, True
        self._action = self._keys = None
        self._end = {}

    def end(self, at: float, attempt: int | None, data: Mapping[str, Any]) -> None:
        """It has ended, for good as far as is known."""
        self._take_times(at, data)
        self._end, self.attempt = data, attempt
        said = data.get("status")
        self.status = _FAILED if said in (None, "retry") else str(said)
        self._ended_at = data.get("ended_at", at)
        self.has_ended = True

    def fail(self, at: float, data: Mapping[str, Any]) -> None:
        """It is known what is done about a failed attempt."""
        self._take_times(at, data)
        self._action = data.get("action_taken")
        if self._action == Action.FALLBACK:
            self.status = _FELL_BACK
        elif self._action in (Action.RETRY, Action.GUARD_RETRY):
            self._end, self.status = data, _FAILED
            if self._action == Action.GUARD_RETRY:
                self.reject()

    def reject(self) -> None:
        """A guard wants it made again."""
        self.status, self.has_ended, self._keys = _REJECTED, False, None

    def note_keys(self, keys: tuple[str, ...]) -> None:
        """What is in the output of the attempt that has just ended."""
        self._keys = keys

    def note_child(self, word: str) -> None:
        """``spawned_child``, or how one has ended: ``child_completed`` and the like."""
        known = self.children = self.children or {}
        known[word] = known.get(word, 0) + 1

    def note_route(self, route: Any) -> None:
        """A router: where it has sent the run."""
        self._route = route

    def note_breaker(self, state: str) -> None:
        """The state that its breaker is in from now on."""
        if len(self.breaker) < _MOST_LISTED:
            self.breaker = (*self.breaker, state)

    def note_call(self, attributes: Any) -> None:
        """It has called a provider."""
        calls = self.calls = self.calls or Calls()
        calls.take(attributes)

    def told(self, plan: Plan) -> dict[str, Any]:
        """The fields of its event."""
        end, keys, calls = self._end, self._keys, self.calls
        if self.status == _FELL_BACK:
            fallback = plan.stages[plan.stage_names.index(self.name)].fallback
            keys = tuple(sorted(fallback or {}))
        elif self.status != "ok":
            keys = None
        return {
            "status": self.status,
            "attempts": self.attempts,
            "retries": self.retries,
            "repeats": self.repeats,
            "started_at": self._started_at,
            "began_at": self._began_at,
            "ended_at": self._ended_at,
            "queue_ms": int(self._queue_s * 1000),
            "duration_ms": int(self.work_s * 1000),
            "error": end.get("error"),
            "error_type": end.get("error_type"),
            "code": end.get("code"),
            "reason": end.get("reason"),
            "action_taken": self._action,
            "data_keys": keys,
            **(_NO_CALLS if calls is None else calls.told()),
            "children": _NOTHING if self.children is None else _family(self.children),
            "pieces": self.pieces,
            "answered": self.answered,
            "breaker": self.breaker,
            "route": self._route,
        }

    def _take_times(self, at: float, data: Mapping[str, Any]) -> None:
        """Of an attempt, once: two events may tell of its end."""
        if not self._is_open:
            return
        self._is_open = False
        began_at, ended_at = data.get("began_at"), data.get("ended_at")
        if began_at is None or ended_at is None:
            return
        if self._began_at is None:
            self._began_at = began_at
        self._ended_at = ended_at
        self.work_s += max(0.0, ended_at - began_at)
        self._queue_s += max(0.0, began_at - self._told_at)


def _family(known: Mapping[str, int]) -> dict[str, int]:
    return {word: known.get(type_, 0) for word, type_ in _CHILDREN.items()}


def _tokens(said: Any) -> int:
    is_count = isinstance(said, int) and not isinstance(said, bool) and 0 <= said < _MOST_TOKENS
    return int(said) if is_count else 0
