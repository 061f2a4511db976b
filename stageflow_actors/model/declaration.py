"""``stage``: how a class, an instance or a function becomes a declared stage."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, Unpack, overload

from pydantic import BaseModel

from stageflow_actors.errors import StageDefinitionError, plain_text
from stageflow_actors.model import stage_checks
from stageflow_actors.model.declared import Declaration
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.policies.batching import Batching
from stageflow_actors.model.policies.breaker import BreakerPolicy
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.guard import GuardRetryPolicy
from stageflow_actors.model.policies.idempotency import IdempotencyPolicy
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.policies.restart import Restart
from stageflow_actors.model.policies.retry import RetryPolicy
from stageflow_actors.model.policies.scaling import Autoscaling
from stageflow_actors.model.policies.timeouts import Timeouts
from stageflow_actors.model.stage import InputModel, StageRunner, StageSpec


class StagePolicies(TypedDict, total=False):
    """Everything a stage may be declared with beside its name, runner, kind and dependencies."""

    after: str | Sequence[str]
    """Stages that only have to be done before: ended ok or skipped. Their output it cannot read."""
    after_any: str | Sequence[str]
    """Stages that have to have ended before, however they ended: it runs after a failure, too."""
    conditional: bool
    """Skipped where a dependency was skipped, or has a ``skip_reason`` in its data."""
    route: str | Sequence[str]
    """The route, or routes, of a router on which it runs; on any other it is skipped."""
    router: str
    """Which dependency decides on the route, where there are several."""
    config: Mapping[str, Any] | None
    """Constructor arguments of a stage class."""
    timeout: float | Timeouts | None
    """Seconds that one execution may take, or all four limits; ``None``: no limit."""
    retry: RetryPolicy | None
    """Which failures are tried again, how often and after how long."""
    effects: Effects | str
    """What repeating it would do: none, keyed, once_only or unknown. See ``Effects``."""
    fallback: Mapping[str, Any] | None
    """What its dependents read where it fails; the failure then stops nothing."""
    optional: str | Sequence[str]
    """Dependencies that it can do without: it runs where they failed, and sees why."""
    breaker: BreakerPolicy | None
    """When it is left alone for a while because it keeps failing."""
    idempotency: IdempotencyPolicy | None
    """Equal requests, told by a key in the run's data, are executed once."""
    restart: Restart | str
    """Whether its process is replaced when it has ended: permanent, transient or temporary."""
    placement: Placement | None
    """What its process needs of the machine: CPUs, GPUs, memory, labels, who shares it."""
    replicas: int
    """How many processes it has, 1 by default; each run is executed by one of them."""
    autoscaling: Autoscaling | None
    """How many processes it has, by how much there is to do; instead of ``replicas``."""
    concurrency: int | None
    """How many of its executions one process has at a time; ``None``: no limit."""
    batching: Batching | None
    """How many runs it takes at once, as one list, and how long it waits for more of them."""
    guard_retry: GuardRetryPolicy | None
    """Which stage runs again when this one rejects what that has made."""
    input_model: InputModel | None
    """What it reads: checked where it is made, so that a violation fails the producer."""
    output_model: type[BaseModel] | None
    """What it returns when it ends ok; a violation fails it."""


class StageOptions(StagePolicies, total=False):
    """What a stage may be declared with beside its name, runner and kind."""

    dependencies: str | Sequence[str]
    """Stages whose output it reads, and waits for."""


_DECLARATION = "__stageflow_stage__"
Runner = TypeVar("Runner", bound=Callable[..., Any])


@overload
def stage(
    name: str,
    runner: StageRunner,
    kind: StageKind | str | None = None,
    **options: Unpack[StageOptions],
) -> StageSpec: ...
@overload
def stage(
    name: str | None = None,
    runner: None = None,
    kind: StageKind | str | None = None,
    **options: Unpack[StageOptions],
) -> Callable[[Runner], Runner]: ...
def stage(
    name: str | None = None,
    runner: StageRunner | None = None,
    kind: StageKind | str | None = None,
    **options: Unpack[StageOptions],
) -> StageSpec | Callable[[Runner], Runner]:
    """Declare a stage: with a ``runner`` the declaration itself, without one a decorator.

    ``StageOptions`` lists the options.

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
        TypeError: an option that does not exist.
    """
    if callable(name):
        raise StageDefinitionError(
            f"@stage on {name!r} has no parentheses.", hint="Write @stage(kind=StageKind.WORK)."
        )
    if runner is not None:
        return declare_stage(name or "", runner, kind, options)
    _check_options(options)

    def declare(target: Runner) -> Runner:
        called = name or getattr(target, "name", None) or getattr(target, "__name__", None)
        to_spec(str(called), target, kind or StageKind.WORK, options)  # refused here, if at all
        noted = None if kind is None else stage_checks.to_kind(kind, str(called))
        setattr(target, _DECLARATION, Declaration(called, noted, options))
        return target

    return declare


def declare_stage(
    name: str, runner: StageRunner, kind: StageKind | str | None, options: StageOptions
) -> StageSpec:
    """A validated ``StageSpec``; what is not given is taken from ``@stage`` on the runner.

    Raises:
        StageDefinitionError: the declaration is unusable; the message says which part.
        TypeError: an option that does not exist.
    """
    _check_options(options)
    stage_checks.check_name(name)
    declared = _declaration_of(runner)
    if declared is None:
        return to_spec(name, runner, kind, options)
    return to_spec(name, runner, kind or declared.kind, {**declared.options, **options})


def to_spec(
    name: str, runner: StageRunner, kind: StageKind | str | None, options: StageOptions
) -> StageSpec:
    """The spec of what was declared: names made plain, each stage named as one kind of edge."""
    stage_checks.check_config(name, runner, options.get("config"))
    timeout = options.get("timeout")
    stage_checks.check_timeout(name, timeout)
    reads = _to_names(name, options.get("dependencies"))
    after = _to_names(name, options.get("after"))
    after_any = _to_names(name, options.get("after_any"))
    return StageSpec(
        name=plain_text(name),
        runner=runner,
        kind=_kind_of(name, runner, kind),
        dependencies=reads,
        config=options.get("config"),
        timeout=float(timeout) if isinstance(timeout, int) else timeout,
        after=tuple(other for other in after if other not in reads),
        after_any=tuple(other for other in after_any if other not in (*reads, *after)),
        conditional=bool(options.get("conditional", False)),
        route=_to_names(name, options.get("route")),
        router=options.get("router"),
        input_model=options.get("input_model"),
        output_model=options.get("output_model"),
        optional=_to_names(name, options.get("optional")),
        fallback=options.get("fallback"),
        retry=options.get("retry"),
        effects=stage_checks.to_choice(
            Effects, "effects", options.get("effects", Effects.UNKNOWN), name
        ),
        guard_retry=options.get("guard_retry"),
        breaker=options.get("breaker"),
        idempotency=options.get("idempotency"),
        restart=stage_checks.to_choice(
            Restart, "restart", options.get("restart", Restart.PERMANENT), name
        ),
        placement=options.get("placement"),
        replicas=options.get("replicas", 1),
        autoscaling=options.get("autoscaling"),
        concurrency=options.get("concurrency"),
        batching=options.get("batching"),
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
    return declare_stage(declaration.name, declared, None, {})


def _declaration_of(runner: object) -> Declaration | None:
    """What ``@stage`` noted on this very class, function or object, not on what it derives from.

    An instance of a marked class is declared like its class, but configured already.
    """
    own: Declaration | None = getattr(runner, "__dict__", {}).get(_DECLARATION)
    if own is not None or isinstance(runner, type):
        return own
    of_class: Declaration | None = vars(type(runner)).get(_DECLARATION)
    return None if of_class is None else of_class._replace(options=_without_config(of_class))


def _without_config(declaration: Declaration) -> StageOptions:
    return {**declaration.options, "config": None}


def _check_options(options: StageOptions) -> None:
    known = [*StageOptions.__required_keys__, *StageOptions.__optional_keys__]
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; there are {sorted(known)}."
            raise TypeError(f"A stage has no option '{option}'{hint}")


def _kind_of(name: str, runner: object, kind: StageKind | str | None) -> StageKind:
    given = kind or getattr(runner, "kind", None)
    if given is None:
        raise StageDefinitionError(
            f"Stage '{name}' has no kind.",
            hint="Pass one, for example StageKind.TRANSFORM, or set kind on its class.",
        )
    return stage_checks.to_kind(given, name)


def _to_names(name: str, names: str | Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(names, str):
        return (plain_text(names),)
    stage_checks.check_names(name, names or ())
    return tuple(dict.fromkeys(map(plain_text, names or ())))
