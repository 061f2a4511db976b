"""``PipelineRegistry``: the pipelines that stages may start as child runs, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from stageflow_actors.errors import StageDefinitionError, UnknownPipelineError, plain_text
from stageflow_actors.model.plan import Plan
from stageflow_actors.ports import Deployable

_PARTS = ("plan", "specs", "execution", "interceptors", "admissions")
_MAX_LISTED = 20
_MAX_COMPARED = 200


class PipelineRegistry:
    """Pipelines under their own names, or those that a mapping gives them. None is ever replaced.

    Safe to use from any thread.

    Raises:
        StageDefinitionError, PipelineValidationError: as ``register``.
    """

    def __init__(
        self, pipelines: Iterable[Deployable] | Mapping[str, Deployable] | None = None
    ) -> None:
        self._pipelines: dict[str, Deployable] = {}
        if isinstance(pipelines, Mapping):
            for name, pipeline in pipelines.items():
                self._register(pipeline, name)
            return
        if pipelines is not None and not isinstance(pipelines, Iterable):
            raise StageDefinitionError(
                f"The pipelines that stages may start are {_shown(pipelines)}.",
                hint="Give a list of pipelines, or a dict of them by name.",
            )
        for pipeline in pipelines or ():
            self.register(pipeline)

    def register(self, pipeline: Deployable, *, name: str | None = None) -> str:
        """Add a pipeline under ``name``, by default its own; returns that name.

        The same object may come again, and under several names. It is validated now.

        Raises:
            StageDefinitionError: another pipeline has that name (``REGISTRY-NAME``), the name is
                not a non-empty string, or this is no pipeline.
            PipelineValidationError: its stages do not form a pipeline.
        """
        return self._register(pipeline, _plan_of(pipeline).name if name is None else name)

    def get(self, name: str) -> Deployable:
        """The pipeline of that name.

        Raises:
            UnknownPipelineError: there is none, or this cannot be a name; lists those there are.
        """
        found = self._pipelines.get(_name_in(name))
        if found is None:
            raise unknown_pipeline(name, self)
        return found

    def items(self) -> tuple[tuple[str, Deployable], ...]:
        """Names with their pipelines, sorted by name."""
        return tuple((name, self._pipelines[name]) for name in self)

    def __contains__(self, name: object) -> bool:
        return _name_in(name) in self._pipelines

    def __iter__(self) -> Iterator[str]:
        return iter(sorted([*self._pipelines]))

    def __len__(self) -> int:
        return len(self._pipelines)

    def _register(self, pipeline: Deployable, name: object) -> str:
        plan = _plan_of(pipeline)
        plain = _name_in(name)
        if not plain:
            raise StageDefinitionError(
                f"Pipeline '{plan.name}' was registered under the name {_shown(name)}.",
                hint="Give it a non-empty string.",
            )
        if self._pipelines.setdefault(plain, pipeline) is not pipeline:
            raise StageDefinitionError(
                f"Another pipeline is registered as {_shown(plain)} already.",
                hint="Give one of them another name: register(pipeline, name=...).",
                code="REGISTRY-NAME",
            )
        return plain


RegistrySource = PipelineRegistry | Iterable[Deployable] | Mapping[str, Deployable] | None
"""What a runtime takes as its registry."""


def unknown_pipeline(name: object, known: Iterable[str]) -> UnknownPipelineError:
    """The error of a name that is not ``known``; needs no registry, and takes any ``name``.

    It tells similar names, and up to 20 of the known ones.
    """
    names = sorted(known)
    listed = ", ".join(names[:_MAX_LISTED]) or "none"
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    registered = f"Registered: {listed}{more}."
    asked = _name_in(name)
    if not asked:
        return UnknownPipelineError(
            f"A pipeline is asked for by its name, not by {_shown(name)}.", hint=registered
        )
    near = difflib.get_close_matches(asked[:_MAX_COMPARED], names)
    meant = f"Did you mean {' or '.join(repr(each) for each in near)}? " if near else ""
    return UnknownPipelineError(
        f"No pipeline is registered as {_shown(name)}.", hint=f"{meant}{registered}"
    )


def _plan_of(pipeline: Deployable) -> Plan:
    """The plan, validated; what is wrong with the stages passes through."""
    plan: object = getattr(pipeline, "plan", None)
    missing = [part for part in _PARTS if not hasattr(pipeline, part)]
    if isinstance(plan, Plan) and not missing:
        return plan
    lacking = f"it lacks {', '.join(missing)}" if missing else "its plan is no Plan"
    raise StageDefinitionError(
        f"{_shown(pipeline)} cannot be registered as a pipeline: {lacking}.",
        hint="Register a Pipeline, or the StageGraph that its build() returns.",
    )


def _name_in(value: object) -> str:
    """The name that ``value`` is, as plain text; empty, which no pipeline is called, if none."""
    plain = plain_text(value) if isinstance(value, str) else ""
    return plain if plain.strip() else ""


def _shown(value: object) -> str:
    """``value`` in 80 characters at most; never raises, whatever its class does."""
    try:
        return f"{value!r:.80}"
    except Exception:
        return f"<{type(value).__name__}>"
