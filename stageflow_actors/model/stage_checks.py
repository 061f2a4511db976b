"""What a stage may be declared with. Every check raises ``StageDefinitionError`` and says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel

from stageflow_actors.errors import StageDefinitionError, StageflowError
from stageflow_actors.model.amounts import is_number
from stageflow_actors.model.frozen import freeze
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.policies.batching import Batching
from stageflow_actors.model.policies.numbers import check_count
from stageflow_actors.model.policies.timeouts import Timeouts

Choice = TypeVar("Choice", bound=StrEnum)
_LONGEST_TIMEOUT_S = 366 * 24 * 3600


def check_name(name: object) -> None:
    """A name is a string with something in it."""
    if not isinstance(name, str) or not name.strip():
        raise StageDefinitionError(
            f"A stage needs a name, got {name!r}.", hint="Give it a non-empty string."
        )


def check_runner(name: str, runner: object) -> None:
    """A runner has ``execute`` or ``execute_batch``, or is a function."""
    is_single, is_batched = _has(runner, "execute"), _has(runner, "execute_batch")
    if is_single and is_batched:
        raise StageDefinitionError(
            f"Stage '{name}' cannot run {runner!r}: it has both execute and execute_batch.",
            hint="Leave one of them out; execute_batch is called for one run, too.",
        )
    if is_single or is_batched:
        return
    if isinstance(runner, type) or not callable(runner):
        raise StageDefinitionError(
            f"Stage '{name}' cannot run {runner!r}.",
            hint="A runner is a class or an instance with execute(ctx) or execute_batch(ctxs), "
            "or a function of ctx.",
        )


def check_batching(name: str, runner: object, batching: object) -> None:
    """``batching`` is for stages that take batches."""
    check_policy(name, "batching", batching, Batching)
    if batching is not None and not _has(runner, "execute_batch"):
        raise StageDefinitionError(
            f"Stage '{name}' has batching= but no execute_batch.",
            hint="Write execute_batch(ctxs) instead of execute(ctx): it returns as many outputs.",
        )


def _has(runner: object, method: str) -> bool:
    return callable(getattr(runner, method, None))


def to_kind(kind: StageKind | str, name: str) -> StageKind:
    """``kind`` as a ``StageKind``."""
    try:
        return StageKind(kind)
    except ValueError as unknown:
        known = ", ".join(StageKind)
        raise StageDefinitionError(
            f"Stage '{name}' has the unknown kind {kind!r}.", hint=f"Known kinds: {known}."
        ) from unknown


def check_names(name: str, others: object) -> None:
    """Names of stages or routes: a sequence of strings, and no string itself."""
    if isinstance(others, str) or not isinstance(others, Iterable):
        raise StageDefinitionError(
            f"Stage '{name}' has {others!r} where names are expected.",
            hint="dependencies=, after=, after_any=, optional= and route= take a name or names.",
        )
    for other in others:
        if not isinstance(other, str):
            raise StageDefinitionError(
                f"Stage '{name}' refers to {other!r}, which is no name.",
                hint="dependencies=, after= and after_any= take the names of stages, "
                "route= those of routes.",
            )


def check_config(name: str, runner: object, config: object) -> None:
    """``config`` is for classes: it holds constructor arguments."""
    if config is None:
        return
    if not isinstance(config, Mapping):
        raise StageDefinitionError(
            f"Stage '{name}' has config={config!r}.",
            hint="config= is a mapping of constructor arguments.",
        )
    if not isinstance(runner, type):
        raise StageDefinitionError(
            f"Stage '{name}' has config= but is no class.",
            hint="config= holds the constructor arguments of a stage class; "
            "an instance or a function is configured already.",
        )


def check_timeout(name: str, timeout: object) -> None:
    """``timeout`` is a positive number of seconds, at most a year."""
    if timeout is None or isinstance(timeout, Timeouts):
        return
    if not is_number(timeout) or not 0 < timeout <= _LONGEST_TIMEOUT_S:
        raise StageDefinitionError(
            f"Stage '{name}' has timeout={timeout!r}.",
            hint="Give seconds greater than 0 and at most a year, Timeouts(...), or None.",
        )


def check_optional(name: str, optional: Sequence[str], dependencies: Sequence[str]) -> None:
    """Only what it reads can be missing."""
    for other in optional:
        if other not in dependencies:
            raise StageDefinitionError(
                f"Stage '{name}' has optional='{other}', which is not among its dependencies.",
                hint="Add it to dependencies=; order alone is after= or after_any=.",
            )


def check_fallback(name: str, fallback: object) -> None:
    """Data that every process can read as it is."""
    if fallback is None:
        return
    is_plain = False
    if isinstance(fallback, Mapping):
        try:
            is_plain = freeze(dict(fallback))[1]
        except StageflowError:  # contains itself, or is too deep
            is_plain = False
    if not is_plain:
        raise StageDefinitionError(
            f"Stage '{name}' has fallback={fallback!r:.80}, which is no mapping of plain data.",
            hint="Give what its dependents shall read when it fails, as in fallback={'rows': []}.",
        )


def check_policy(name: str, option: str, policy: object, kind: type) -> None:
    """A policy object, or nothing."""
    if policy is not None and not isinstance(policy, kind):
        raise StageDefinitionError(
            f"Stage '{name}' has {option}={policy!r:.80}.",
            hint=f"Pass {kind.__name__}(...).",
        )


def check_scaling(name: str, replicas: object, autoscaling: object, concurrency: object) -> None:
    """Whole numbers, at least 1; how many processes there are is said once."""
    counts = {"replicas": replicas}
    if concurrency is not None:
        counts["concurrency"] = concurrency
    check_count(f"Stage '{name}'", counts)
    if autoscaling is not None and replicas != 1:
        raise StageDefinitionError(
            f"Stage '{name}' has replicas={replicas!r} and autoscaling=.",
            hint="Give one of them; Autoscaling(initial_replicas=...) says how many there are "
            "at first.",
        )


def to_choice(choices: type[Choice], option: str, given: object, name: str) -> Choice:
    """``given`` as one of the ``choices`` of an option."""
    try:
        return choices(given)  # type: ignore[arg-type] # anything may have been given
    except ValueError as unknown:
        raise StageDefinitionError(
            f"Stage '{name}' has the unknown {option} {given!r:.80}.",
            hint=f"Known: {', '.join(choices)}.",
        ) from unknown


def router_of(
    name: str, routes: Sequence[str], router: str | None, dependencies: Sequence[str]
) -> str | None:
    """The stage whose decision ``routes`` refer to; the only dependency where none is named."""
    if not routes:
        if router is not None:
            raise StageDefinitionError(
                f"Stage '{name}' names the router '{router}' but no route.",
                hint="Add route='...', the route of this branch.",
            )
        return None
    if router is None and len(dependencies) == 1:
        return dependencies[0]
    if router not in dependencies:
        known = ", ".join(dependencies) or "none"
        raise StageDefinitionError(
            f"Stage '{name}' is on route {' or '.join(map(repr, routes))}, but which of its "
            f"dependencies decides is not said (router={router!r}, dependencies: {known}).",
            hint="Name the router in dependencies=, and in router= if there are several.",
        )
    return router


def check_input_model(name: str, model: object, dependencies: Sequence[str]) -> None:
    """One model where there is one input, one per dependency where there are several."""
    if model is None:
        return
    if not isinstance(model, Mapping):
        _check_model(name, "input_model", model)
        if len(dependencies) > 1:
            raise StageDefinitionError(
                f"Stage '{name}' has one input_model= for {len(dependencies)} dependencies.",
                hint="Pass a mapping with the model of each: "
                f"input_model={{'{dependencies[0]}': ...}}.",
            )
        return
    for dependency, each in model.items():
        _check_model(name, f"input_model for '{dependency}'", each)
        if dependency not in dependencies:
            raise StageDefinitionError(
                f"Stage '{name}' has an input_model for '{dependency}', "
                "which is not among its dependencies.",
                hint="Add it to dependencies=, or remove the model.",
            )


def check_output_model(name: str, model: object) -> None:
    """A pydantic model class."""
    if model is not None:
        _check_model(name, "output_model", model)


def _check_model(name: str, what: str, model: object) -> None:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise StageDefinitionError(
            f"Stage '{name}' has {what} {model!r}, which is no model.",
            hint="Pass a class derived from pydantic.BaseModel.",
        )
