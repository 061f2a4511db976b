"""``Pipeline``: the immutable builder that users write, and ``StageGraph``: what it builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from stageflow_actors.configuration.form import FileForm
from stageflow_actors.errors import (
    ContractErrorInfo,
    InvalidRunInputError,
    PipelineValidationError,
    StageDefinitionError,
    plain_text,
)
from stageflow_actors.model.context import RunContext
from stageflow_actors.model.declaration import (
    StageOptions,
    StagePolicies,
    declare_stage,
    spec_of,
)
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.lineage import Lineage
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.pipeline_context import to_pipeline_context
from stageflow_actors.model.plan import DEFAULT_EXECUTION, Plan, duplicate_stage, make_plan
from stageflow_actors.model.policies.execution import ExecutionConfig, ExecutionMode
from stageflow_actors.model.results import PipelineResults
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.stage import StageRunner, StageSpec

if TYPE_CHECKING:
    from stageflow_actors.actors.handle import RunHandle
    from stageflow_actors.actors.runtime import Runtime
    from stageflow_actors.interceptors.protocol import BaseInterceptor
    from stageflow_actors.security.admission import Admission

RunStart = RunContext | ContextSnapshot
"""What a run can start from, instead of the parts of a context."""


class _Runnable:
    """What a pipeline and its graph share: they can be run."""

    plan: Plan
    specs: tuple[StageSpec, ...]
    execution: ExecutionConfig
    interceptors: tuple[BaseInterceptor, ...]
    admissions: tuple[Admission, ...]

    async def run(
        self, ctx: RunStart | None = None, /, *, runtime: Runtime | None = None, **parts: Any
    ) -> PipelineResults:
        """Run once: from a context, or from its parts as in ``run(input_text="World")``.

        Without ``runtime`` this runs on Ray: the first run starts a local one if this process has
        none, and deploys the stages, which stay up for the next run.

        Raises:
            PipelineValidationError: the stages do not form a pipeline.
            InvalidRunInputError: a context and parts were given.
            StageExecutionError: a stage failed; ``.results`` has what finished.
            PipelineCancelled: the run was cancelled; ``.results`` has what finished.
            RuntimeFault: Ray could not be started, or a stage could not be deployed.
        """
        context = to_pipeline_context(ctx, parts)
        if runtime is None:
            from stageflow_actors.actors.defaults import DEFAULT_RUNTIME

            runtime = DEFAULT_RUNTIME.get()
        return await runtime.run_once(self, context)

    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of what a run takes: what the ``input_model`` of its first stages say.

        Raises:
            StageDefinitionError: a model has types that no schema describes.
        """
        from stageflow_actors.contracts import input_schema

        return input_schema(self.specs)

    def output_schema(self) -> dict[str, Any]:
        """The JSON Schema of what a run returns: a property for each stage that no stage reads.

        Raises:
            StageDefinitionError: a model has types that no schema describes.
        """
        from stageflow_actors.contracts import output_schema

        return output_schema(self.specs)

    def run_sync(
        self, ctx: RunStart | None = None, /, *, runtime: Runtime | None = None, **parts: Any
    ) -> PipelineResults:
        """``run`` for scripts without an event loop; blocks until the run has ended.

        Raises:
            InvalidRunInputError: called inside a running event loop; besides what ``run`` raises.
        """
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._run_to_its_end(ctx, runtime, parts))
        raise InvalidRunInputError(
            "run_sync() was called inside a running event loop.", hint="Use 'await run(...)' there."
        )

    async def _run_to_its_end(
        self, ctx: RunStart | None, runtime: Runtime | None, parts: Mapping[str, Any]
    ) -> PipelineResults:
        """``run``; no mode may leave it half done where the event loop closes next."""
        returned = await self.run(ctx, runtime=runtime, **parts)
        if self.execution.mode is ExecutionMode.FAIL_FAST_ASYNC:
            await cast("RunHandle", returned).result()
        return returned


class StageGraph(_Runnable):
    """A validated pipeline, ready to run any number of times.

    Without ``interceptors`` it has ``get_default_interceptors()``.

    Raises:
        PipelineValidationError: the stages do not form a pipeline (a ``ValueError``).
        PolicyError: a policy names a stage that does not exist, or is not upstream.
    """

    def __init__(
        self,
        specs: Sequence[StageSpec],
        *,
        name: str = "pipeline",
        execution: ExecutionConfig = DEFAULT_EXECUTION,
        interceptors: Iterable[BaseInterceptor | Admission] | None = None,
    ) -> None:
        # What they need, asyncio for one, would double the time that importing a pipeline takes.
        from stageflow_actors.interceptors.defaults import (
            get_default_interceptors,
            split,
            with_defaults,
        )
        from stageflow_actors.security.admission import Admission

        given = get_default_interceptors() if interceptors is None else list(interceptors)
        for each in given:
            if isinstance(each, type):
                raise StageDefinitionError(
                    f"interceptors= has the class {each.__name__} itself.",
                    hint=f"Give an instance: {each.__name__}(...).",
                )
        self.admissions = tuple(each for each in given if isinstance(each, Admission))
        defaults, self.interceptors = split(
            each for each in given if not isinstance(each, Admission)
        )
        self.execution = execution
        self.plan, self.specs = make_plan(name, with_defaults(name, specs, defaults), execution)

    @property
    def name(self) -> str:
        """Name of the pipeline."""
        return self.plan.name

    def stage_names(self) -> list[str]:
        """Names in topological order, ties as declared."""
        return list(self.plan.stage_names)


class Pipeline(_Runnable, FileForm):
    """Stages and their dependencies. Every method returns a new pipeline; none changes this one.

    Stages may be added in any order; dependencies are checked by ``build``.
    """

    def __init__(self, name: str = "pipeline") -> None:
        if not isinstance(name, str) or not name.strip():
            raise StageDefinitionError(
                f"A pipeline needs a name, got {name!r}.", hint="Give it a non-empty string."
            )
        self.name = plain_text(name)
        self._lineage = Lineage()
        self._length = 0

    @classmethod
    def from_stages(cls, *stages: StageSpec | StageRunner, name: str = "pipeline") -> Self:
        """A pipeline of declared stages: ``stage(...)`` specs, or what ``@stage`` marked."""
        return cls(name).with_stages(*stages)

    def with_stage(
        self,
        name: str,
        runner: StageRunner,
        kind: StageKind | str | None = None,
        dependencies: str | Sequence[str] = (),
        **policies: Unpack[StagePolicies],
    ) -> Self:
        """A pipeline with one more stage; ``StageOptions`` lists the keywords.

        Raises:
            StageDefinitionError: the stage is unusable, or its name is taken.
            TypeError: an option that does not exist.
        """
        options = cast("StageOptions", policies)
        if dependencies:
            options["dependencies"] = dependencies
        return self._with(declare_stage(name, runner, kind, options))

    def with_stages(self, *stages: StageSpec | StageRunner) -> Self:
        """A pipeline with more declared stages.

        Raises:
            StageDefinitionError: one of them is unusable, or its name is taken.
        """
        pipeline = self
        for declared in stages:
            pipeline = pipeline._with(spec_of(declared))
        return pipeline

    def compose(self, other: Pipeline) -> Self:
        """A pipeline with the stages of both; a stage in both must be the same in both.

        Named ``a+b``, or ``a`` where both have that name. What a file says of all of ``a`` holds.

        Raises:
            PipelineValidationError: two different stages share a name (``CONTRACT-004-CONFLICT``).
        """
        name = self.name if self.name == other.name else f"{self.name}+{other.name}"
        combined = self._empty(name).with_stages(*self.declared())
        for spec in other.declared():
            mine = self.get_stage(spec.name)
            if mine is None:
                combined = combined._with(spec)
            elif mine != spec:
                raise _conflict(spec.name, self.name, other.name)
        return combined

    def has_stage(self, name: str) -> bool:
        """Whether there is a stage of that name."""
        return self.get_stage(name) is not None

    def get_stage(self, name: str) -> StageSpec | None:
        """The stage of that name, or ``None``."""
        return self._lineage.find(name, self._length)

    def stage_names(self) -> list[str]:
        """Names in topological order, ties as declared.

        Raises:
            PipelineValidationError: the stages do not form a pipeline.
        """
        return self.build().stage_names()

    def build(
        self,
        *,
        execution: ExecutionConfig = DEFAULT_EXECUTION,
        interceptors: Iterable[BaseInterceptor | Admission] | None = None,
    ) -> StageGraph:
        """The validated graph; ``execution`` says what a failure does to the rest of a run.

        ``interceptors`` are called around each execution of a stage, in order of their priority, or
        check a run before it is submitted; those that name a policy give it to every stage without
        one of its own. Without them it has ``get_default_interceptors()``, with ``[]`` none.

        Raises:
            PipelineValidationError: no stages, or a dependency that does not exist.
            CycleDetectedError: stages depend on each other in a circle.
            PolicyError: a policy names a stage that does not exist, or is not upstream.
        """
        if execution is DEFAULT_EXECUTION and interceptors is None:
            return self._graph
        options = self._graph_options(execution, interceptors)
        return StageGraph(self.declared(), name=self.name, **options)

    @property
    def plan(self) -> Plan:  # type: ignore[override] # computed here, stored in StageGraph
        """The validated shape."""
        return self._graph.plan

    @property
    def specs(self) -> tuple[StageSpec, ...]:  # type: ignore[override]
        """The stages in the plan's order."""
        return self._graph.specs

    @property
    def execution(self) -> ExecutionConfig:  # type: ignore[override]
        """What a failure does to the rest of a run: ends it, unless a file says otherwise."""
        return self._graph.execution

    @property
    def interceptors(self) -> tuple[BaseInterceptor, ...]:  # type: ignore[override]
        """What is called around each execution of a stage."""
        return self._graph.interceptors

    @property
    def admissions(self) -> tuple[Admission, ...]:  # type: ignore[override]
        """What checks a run before it is submitted: nothing."""
        return self._graph.admissions

    @cached_property
    def _graph(self) -> StageGraph:
        return StageGraph(self.declared(), name=self.name, **self._graph_options())

    def declared(self) -> list[StageSpec]:
        """The stages as they were added; whether they form a pipeline is not checked."""
        return self._lineage.first(self._length)

    def _with(self, spec: StageSpec) -> Self:
        if self.has_stage(spec.name):
            raise duplicate_stage(self.name, spec.name)
        grown = self._empty(self.name)
        grown._lineage = self._lineage.grow(self._length, spec)
        grown._length = self._length + 1
        return grown


def _conflict(stage: str, left: str, right: str) -> PipelineValidationError:
    return PipelineValidationError(
        f"Pipelines '{left}' and '{right}' have different stages named '{stage}'.",
        stages=[stage],
        info=ContractErrorInfo(
            code="CONTRACT-004-CONFLICT",
            summary="Two different stages share a name",
            fix_hint="Rename one of them, or make them the same.",
            context={"stage": stage, "pipelines": [left, right]},
        ),
    )


async def run_stage(
    name: str,
    runner: StageRunner,
    kind: StageKind | str | None = None,
    /,
    *,
    config: Mapping[str, Any] | None = None,
    runtime: Runtime | None = None,
    **parts: Any,
) -> StageOutput:
    """Run one stage as a pipeline of its own, named ``{name}_pipeline``; returns its output."""
    pipeline = Pipeline(f"{name}_pipeline").with_stage(name, runner, kind, config=config)
    results = await pipeline.run(runtime=runtime, **parts)
    return results.require(name)
