"""The contract of a stage, and how a class, an instance or a function becomes one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar, cast, overload, runtime_checkable

from stageflow_actors.errors import StageDefinitionError, plain_text
from stageflow_actors.model.context import StageContext
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.output import StageReturn


class StageKind(StrEnum):
    """A label for readers, pictures and events. It changes no behaviour."""

    TRANSFORM = "transform"
    ENRICH = "enrich"
    ROUTE = "route"
    GUARD = "guard"
    WORK = "work"
    AGENT = "agent"


@runtime_checkable
class Stage(Protocol):
    """What a stage class offers; nothing has to be inherited.

    ``execute`` may be a plain ``def``: it then runs in a worker thread. ``async def setup(self)``
    and ``async def teardown(self)`` are optional and run once per process of the stage.
    """

    name: str
    kind: StageKind

    def execute(self, ctx: StageContext) -> StageReturn | Awaitable[StageReturn]:
        """Do the work of one run."""


StageFunction = Callable[[StageContext], StageReturn | Awaitable[StageReturn]]
StageRunner = type[Any] | StageFunction | Stage
"""A stage class, a stage instance, an ``async def`` or a plain ``def``."""


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One declared stage: its name, what runs it, and what it depends on. Always usable.

    ``dependencies`` are the stages whose output it reads, ``after`` those that only have to be done
    before, ``config`` the keyword arguments of a stage class, ``timeout`` the seconds one execution
    may take (``None``: no limit).
    """

    name: str
    runner: StageRunner
    kind: StageKind
    dependencies: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    timeout: float | None = None
    after: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_runner(self.name, self.runner)
        _to_kind(self.kind, self.name)
        _check_dependencies(self.name, self.dependencies)
        _check_dependencies(self.name, self.after)
        _check_config(self.name, self.runner, self.config)
        _check_timeout(self.name, self.timeout)
        if self.config is not None:
            object.__setattr__(self, "config", FrozenDict(self.config))


@dataclass(frozen=True, slots=True)
class _Declaration:
    """What ``@stage`` noted on a class or function."""

    name: str | None = None
    kind: StageKind | None = None
    dependencies: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    timeout: float | None = None
    after: tuple[str, ...] = ()


_LONGEST_TIMEOUT_S = 366 * 24 * 3600
_DECLARATION = "__stageflow_stage__"
Runner = TypeVar("Runner", bound=Callable[..., Any])


@overload
def stage(
    name: str,
    runner: StageRunner,
    kind: StageKind | str | None = None,
    *,
    dependencies: str | Sequence[str] = (),
    after: str | Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    timeout: float | None = None,
) -> StageSpec: ...
@overload
def stage(
    name: str | None = None,
    runner: None = None,
    kind: StageKind | str | None = None,
    *,
    dependencies: str | Sequence[str] = (),
    after: str | Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    timeout: float | None = None,
) -> Callable[[Runner], Runner]: ...
def stage(
    name: str | None = None,
    runner: StageRunner | None = None,
    kind: StageKind | str | None = None,
    *,
    dependencies: str | Sequence[str] = (),
    after: str | Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    timeout: float | None = None,
) -> StageSpec | Callable[[Runner], Runner]:
    """Declare a stage: with a ``runner`` the declaration itself, without one a decorator.

    ::

        Pipeline.from_stages(
            stage("greet", Greet),
            stage("shout", Shout, dependencies="greet"),
        )

        @stage(kind=StageKind.TRANSFORM, dependencies="greet")
        async def shout(ctx): ...

        Pipeline.from_stages(greet, shout)

    Raises:
        StageDefinitionError: the declaration is unusable; the message says which part.
    """
    if callable(name):
        raise StageDefinitionError(
            f"@stage on {name!r} has no parentheses.", hint="Write @stage(kind=StageKind.WORK)."
        )
    if runner is not None:
        return declare_stage(
            name or "",
            runner,
            kind,
            dependencies=dependencies,
            after=after,
            config=config,
            timeout=timeout,
        )

    def declare(target: Runner) -> Runner:
        called = name or getattr(target, "name", None) or getattr(target, "__name__", None)
        _check_timeout(str(called), timeout)
        declaration = _Declaration(
            name=called,
            kind=_to_kind(kind, str(called)) if kind is not None else None,
            dependencies=_to_names(str(called), dependencies),
            after=_to_names(str(called), after),
            config=config,
            timeout=timeout,
        )
        setattr(target, _DECLARATION, declaration)
        return target

    return declare


def declare_stage(
    name: str,
    runner: StageRunner,
    kind: StageKind | str | None = None,
    *,
    dependencies: str | Sequence[str] = (),
    after: str | Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    timeout: float | None = None,
) -> StageSpec:
    """A validated ``StageSpec``; what is not given is taken from ``@stage`` on the runner.

    Raises:
        StageDefinitionError: empty name, unusable runner, no kind, ``config`` without a class, or a
            ``timeout`` that is not a positive number.
    """
    _check_name(name)
    declared = _declaration_of(runner) or _Declaration()
    config = declared.config if config is None else config
    _check_config(name, runner, config)
    timeout = declared.timeout if timeout is None else timeout
    _check_timeout(name, timeout)
    reads = _to_names(name, dependencies) or declared.dependencies
    ordered = _to_names(name, after) or declared.after
    return StageSpec(
        name=plain_text(name),
        runner=runner,
        kind=_kind_of(name, runner, kind, declared.kind),
        dependencies=reads,
        after=tuple(other for other in ordered if other not in reads),
        config=config,
        timeout=None if timeout is None else float(timeout),
    )


def spec_of(declared: StageSpec | StageRunner) -> StageSpec:
    """``declared`` itself, or the spec of a class or function marked with ``@stage``.

    Raises:
        StageDefinitionError: it carries no declaration.
    """
    if isinstance(declared, StageSpec):
        return declared
    declaration = _declaration_of(declared)
    if declaration is None or declaration.name is None:
        raise StageDefinitionError(
            f"{declared!r} is not a declared stage.",
            hint="Mark it with @stage(kind=...), or pass stage(name, runner, kind).",
        )
    return declare_stage(declaration.name, declared)


def body_of(runner: StageRunner) -> Callable[[StageContext], Any]:
    """What is called with the context: ``execute`` of an instance, or the function itself."""
    return cast("Callable[[StageContext], Any]", getattr(runner, "execute", None) or runner)


def is_blocking(runner: StageRunner) -> bool:
    """Whether the body of ``runner`` is a plain ``def``, which has to run in a thread."""
    body = body_of(runner)
    while isinstance(body, functools.partial):
        body = body.func
    return not (
        inspect.iscoroutinefunction(body)
        or inspect.iscoroutinefunction(getattr(body, "__call__", None))  # noqa: B004 - the bound method
    )


def _declaration_of(runner: object) -> _Declaration | None:
    """What ``@stage`` noted on this very class, function or object, not on what it derives from.

    An instance of a marked class is declared like its class, but configured already.
    """
    own: _Declaration | None = getattr(runner, "__dict__", {}).get(_DECLARATION)
    if own is not None or isinstance(runner, type):
        return own
    of_class: _Declaration | None = vars(type(runner)).get(_DECLARATION)
    return None if of_class is None else replace(of_class, config=None)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise StageDefinitionError(
            f"A stage needs a name, got {name!r}.", hint="Give it a non-empty string."
        )


def _check_runner(name: str, runner: object) -> None:
    if callable(getattr(runner, "execute", None)):
        return
    if isinstance(runner, type) or not callable(runner):
        raise StageDefinitionError(
            f"Stage '{name}' cannot run {runner!r}.",
            hint="A runner is a class or an instance with execute(ctx), or a function of ctx.",
        )


def _check_dependencies(name: str, dependencies: object) -> None:
    if isinstance(dependencies, str) or not isinstance(dependencies, Iterable):
        raise StageDefinitionError(
            f"Stage '{name}' has dependencies={dependencies!r}.",
            hint="dependencies= and after= take a name or a sequence of names.",
        )
    for dependency in dependencies:
        if not isinstance(dependency, str):
            raise StageDefinitionError(
                f"Stage '{name}' depends on {dependency!r}, which is no name.",
                hint="dependencies= and after= take the names of stages.",
            )


def _check_config(name: str, runner: object, config: object) -> None:
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


def _check_timeout(name: str, timeout: object) -> None:
    if timeout is None:
        return
    is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not is_number or not 0 < timeout <= _LONGEST_TIMEOUT_S:  # type: ignore[operator]
        raise StageDefinitionError(
            f"Stage '{name}' has timeout={timeout!r}.",
            hint="Give seconds greater than 0 and at most a year, or None.",
        )


def _kind_of(
    name: str, runner: object, kind: StageKind | str | None, declared: StageKind | None
) -> StageKind:
    given = kind or declared or getattr(runner, "kind", None)
    if given is None:
        raise StageDefinitionError(
            f"Stage '{name}' has no kind.",
            hint="Pass one, for example StageKind.TRANSFORM, or set kind on its class.",
        )
    return _to_kind(given, name)


def _to_kind(kind: StageKind | str, name: str) -> StageKind:
    try:
        return StageKind(kind)
    except ValueError as unknown:
        known = ", ".join(StageKind)
        raise StageDefinitionError(
            f"Stage '{name}' has the unknown kind {kind!r}.", hint=f"Known kinds: {known}."
        ) from unknown


def _to_names(name: str, dependencies: str | Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(dependencies, str):
        return (plain_text(dependencies),)
    _check_dependencies(name, dependencies or ())
    return tuple(dict.fromkeys(map(plain_text, dependencies or ())))


def instantiate(spec: StageSpec) -> Stage | StageFunction:
    """What actually runs: a new instance of a stage class, anything else as it is."""
    if isinstance(spec.runner, type):
        return cast("Stage", spec.runner(**(spec.config or {})))
    return spec.runner
