"""The progress of a run: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleRenderable, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stageflow_actors.cli.progress import ROUTE_TAKEN, Progress, StageProgress, Step
from stageflow_actors.drawing.labels import cells, padded, short, shown
from stageflow_actors.model.events import Event
from stageflow_actors.model.plan import Plan

_REFRESHES_PER_S = 8
_LINES_BESIDE_STAGES = 4
_NAME_CELLS = 30


class Display(Protocol):
    """Shows events from ``with`` to the end of its block."""

    def note(self, event: Event) -> None:
        """Show what this event changed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def display_for(console: Console, plan: Plan, runtime: str, *, is_quiet: bool) -> Display:
    """The live table if ``console`` is a terminal; else lines, or nothing if ``is_quiet``."""
    progress = Progress(plan.stage_names)
    if console.is_terminal:
        return LiveTable(console, plan, progress, runtime)
    return Lines(None if is_quiet else console, plan, progress, runtime)


class Lines:
    """One line for each change of a stage, with the milliseconds since the run began."""

    def __init__(
        self, console: Console | None, plan: Plan, progress: Progress, runtime: str
    ) -> None:
        self._console = console
        self._plan = plan
        self._progress = progress
        self._runtime = runtime
        self._width = max(cells(short(name, _NAME_CELLS)) for name in plan.stage_names)

    def __enter__(self) -> Self:
        self._print(_deploying(self._plan, self._runtime))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def note(self, event: Event) -> None:
        stage = self._progress.note(event)
        if stage is not None:
            since_ms = (event.at - (self._progress.began_at or event.at)) * 1000
            name = padded(short(stage.name, _NAME_CELLS), self._width)
            told = shown(stage.note) if event.type == ROUTE_TAKEN else _told(stage)
            self._print(f"{since_ms:9.1f} ms  {name}  {told}".rstrip())

    def _print(self, line: str) -> None:
        if self._console is not None:
            self._console.print(line, soft_wrap=True)


class LiveTable:
    """A line for each stage, redrawn as the run goes on, gone when it has ended."""

    def __init__(self, console: Console, plan: Plan, progress: Progress, runtime: str) -> None:
        self._console = console
        self._progress = progress
        self._starting = Spinner("dots", _deploying(plan, runtime))
        self._working = Spinner("dots", style="bold")
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def note(self, event: Event) -> None:
        self._progress.note(event)

    def _render(self) -> ConsoleRenderable:
        if self._progress.began_at is None:
            return self._starting
        table = Table.grid(padding=(0, 2))
        now = time.time()
        stages = list(self._progress.stages.values())
        visible = most_interesting(stages, self._console.height - _LINES_BESIDE_STAGES)
        for stage in visible:
            table.add_row(*self._row(stage, now))
        return Group(table, Text(_counts(self._progress, len(stages) - len(visible)), style="dim"))

    def _row(self, stage: StageProgress, now: float) -> list[ConsoleRenderable]:
        style = _style(stage.step)
        sign = self._working if stage.step is Step.STARTED else Text(_sign(stage.step), style)
        seconds = stage.seconds
        if stage.step is Step.STARTED and stage.started_at is not None:
            seconds = now - stage.started_at
        told = Text("" if seconds is None else f"{seconds:.1f} s", justify="right")
        name = Text(short(stage.name, _NAME_CELLS), style, no_wrap=True)
        note = Text(
            short(stage.note, self._console.width), "dim", no_wrap=True, overflow="ellipsis"
        )
        return [sign, name, told, note]


def most_interesting(stages: list[StageProgress], room: int) -> list[StageProgress]:
    """At most ``room`` stages in their order: first what failed or works, then what ended last."""
    if len(stages) <= room:
        return stages
    ranked = sorted(stages, key=_rank)
    chosen = {stage.name for stage in ranked[: max(1, room)]}
    return [stage for stage in stages if stage.name in chosen]


def _rank(stage: StageProgress) -> tuple[int, float]:
    if stage.step is Step.FAILED:
        return 0, 0.0
    if stage.step is Step.STARTED:
        return 1, stage.started_at or 0.0
    return (3, 0.0) if stage.ended_at is None else (2, -stage.ended_at)


def _counts(progress: Progress, left_out: int) -> str:
    ended = progress.count(Step.COMPLETED, Step.SKIPPED, Step.FAILED, Step.CANCELLED)
    working = progress.count(Step.STARTED)
    text = f"{ended} of {len(progress.stages)} stages have ended, {working} at work"
    return f"{text}; {left_out} not shown" if left_out else text


def _told(stage: StageProgress) -> str:
    seconds = "" if stage.seconds is None else f" in {stage.seconds * 1000:.1f} ms"
    note = f": {shown(stage.note)}" if stage.note else ""
    return f"{stage.step}{seconds}{note}"


def _deploying(plan: Plan, runtime: str) -> str:
    count = len(plan.stages)
    stages = "1 stage" if count == 1 else f"{count} stages"
    return f"{shown(plan.name)}: starting {stages} ({runtime}) ..."


def _sign(step: Step) -> str:
    signs = "·", " ", "✔", "↷", "✘", "■"
    return signs[list(Step).index(step)]


def _style(step: Step) -> str:
    styles = "dim", "bold", "green", "dim", "bold red", "yellow"
    return styles[list(Step).index(step)]
