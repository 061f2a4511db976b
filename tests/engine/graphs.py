"""The little language that the tests of the engine describe pipelines in."""

from __future__ import annotations

from collections.abc import Mapping

from stageflow_actors import StageSpec
from stageflow_actors.errors import StageLostError, StageTimeoutError
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.plan import Plan, make_plan
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.execution import ExecutionConfig, ExecutionMode
from stageflow_actors.model.policies.guard import GuardRetryPolicy
from stageflow_actors.model.policies.retry import JitterStrategy, RetryPolicy
from stageflow_actors.model.policies.timeouts import Timeouts

FLAGS = ("conditional", "tolerant", "fallback")
COVERED = {"timeout": StageTimeoutError, "loss": StageLostError}
GUARD_OPTIONS = {"rejects": "max_attempts", "stagnant": "stagnation_limit", "within": "timeout_s"}
FALLBACK = {"from": "fallback"}


def plan_of(graph: Mapping[str, str], timeouts: Mapping[str, float] | None = None) -> Plan:
    """A plan from name -> what is said of the stage, as in ``{"a": "", "b": "", "c": "a b"}``.

    Plain words are dependencies, and ``opt:a`` is an optional one. Others: ``after:a``, ``any:a``
    (``after_any``), ``route:left``, ``router:a``, ``conditional``; ``tolerant`` (the run goes on
    without it), ``fallback``; ``retry:3`` (attempts), ``covers:timeout``, ``covers:loss``,
    ``effects:none``; ``total:5`` (seconds); ``guard:a`` (the producer), ``rejects:3``
    (``max_attempts``), ``stagnant:2`` (``stagnation_limit``), ``within:9`` (its ``timeout_s``).
    """
    seconds = timeouts or {}
    said = {name: _sorted_out(words) for name, words in graph.items()}
    modes = {name: ExecutionMode.CONTINUE_ON_ERROR for name in graph if "tolerant" in said[name]}
    specs = [_spec(name, words, seconds.get(name)) for name, words in said.items()]
    return make_plan("p", specs, ExecutionConfig(error_policy=modes))[0]


def _sorted_out(words: str) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for word in words.split():
        key, _colon, value = word.rpartition(":")
        said.setdefault(word if word in FLAGS else key, []).append(value)
    return said


def _spec(name: str, words: Mapping[str, list[str]], attempt_s: float | None) -> StageSpec:
    said = {key: tuple(values) for key, values in words.items() if key != "tolerant"}

    def only(key: str) -> str | None:
        return next(iter(said.pop(key, ())), None)

    optional = said.pop("opt", ())
    total = only("total")
    spec = StageSpec(
        name,
        print,
        StageKind.WORK,
        (*said.pop("", ()), *optional),
        timeout=Timeouts(attempt=attempt_s, total=None if total is None else float(total)),
        after=said.pop("after", ()),
        after_any=said.pop("any", ()),
        conditional=bool(said.pop("conditional", ())),
        route=said.pop("route", ()),
        router=only("router"),
        optional=optional,
        fallback=FALLBACK if said.pop("fallback", ()) else None,
        retry=_retry(only("retry"), said.pop("covers", ())),
        effects=Effects(only("effects") or Effects.UNKNOWN),
        guard_retry=_guard(only("guard"), {key: only(key) for key in GUARD_OPTIONS}),
    )
    assert not said, f"{name}: {said} means nothing"
    return spec


def _retry(attempts: str | None, covers: tuple[str, ...]) -> RetryPolicy | None:
    """Waits of 1, 2, 4, ... seconds; no chance in them."""
    if attempts is None:
        return None
    return RetryPolicy(
        max_attempts=int(attempts),
        jitter=JitterStrategy.NONE,
        retry_on=tuple(COVERED[each] for each in covers),
    )


def _guard(producer: str | None, said: Mapping[str, str | None]) -> GuardRetryPolicy | None:
    if producer is None:
        return None
    numbers = {GUARD_OPTIONS[key]: float(value) for key, value in said.items() if value is not None}
    for count in ("max_attempts", "stagnation_limit"):
        if count in numbers:
            numbers[count] = int(numbers[count])
    return GuardRetryPolicy(producer, **numbers)
