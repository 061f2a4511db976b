"""When each stage of a run waited and worked, as bars on one scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor

from stageflow_actors.drawing.canvas import plain
from stageflow_actors.drawing.labels import cells, padded, short
from stageflow_actors.model.plan import Plan, StagePlan
from stageflow_actors.model.results import RunResult

WAITS, READY, WORKS = "·", "░", "█"
"""For other stages; ready, but not started yet; at work."""
_TIME_CELLS = 11
_LEAST_BAR = 10


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage that ran: how many cells of the scale it waited, was ready, and worked (>= 1).

    ``started_ms`` counts from the beginning of the run.
    """

    stage: str
    waits: int
    ready: int
    works: int
    started_ms: float
    worked_ms: float

    def __str__(self) -> str:
        return WAITS * self.waits + READY * self.ready + WORKS * self.works


def bars_of(plan: Plan, result: RunResult, length: int) -> list[Bar]:
    """A bar for each stage that ran, in the order of the plan; the run is ``length`` cells."""
    ran = [stage for stage in plan.stages if _ran(stage.name, result)]
    return [_bar(plan, stage, result, length) for stage in ran]


def timeline(plan: Plan, result: RunResult, *, width: int = 80, is_plain: bool = False) -> str:
    """Names, times and bars, and what the bars mean; with ``is_plain`` in ASCII.

    Up to ``width`` columns wide, unless that leaves no room for bars.
    """
    names = [short(stage.name, max(8, width // 3)) for stage in plan.stages]
    room = max(map(cells, names), default=0)
    length = max(_LEAST_BAR, width - room - 2 * _TIME_CELLS - 4)
    bars = {bar.stage: bar for bar in bars_of(plan, result, length)}
    lines = [f"{'':{room}}  {'started':>{_TIME_CELLS}}{'worked':>{_TIME_CELLS}}"]
    for name, stage in zip(names, plan.stages, strict=True):
        bar = bars.get(stage.name)
        times = _times(bar) if bar else f"{_why_not(stage.name, result):>{2 * _TIME_CELLS}}"
        lines.append(f"{padded(name, room)}  {times}  {bar or ''}".rstrip())
    lines.append(_in_words(bars.values()))
    return "\n".join(map(plain, lines) if is_plain else lines) + "\n"


def _ran(stage: str, result: RunResult) -> bool:
    """A stage that a route or a condition passed by has times, but they are one moment."""
    timing = result.timings.get(stage)
    return timing is not None and not (stage in result.skipped and timing.duration_ms <= 0)


def _why_not(stage: str, result: RunResult) -> str:
    return "skipped" if stage in result.skipped else "not started"


def _bar(plan: Plan, stage: StagePlan, result: RunResult, length: int) -> Bar:
    timing = result.timings[stage.name]
    ready_at = min(_ready_at(plan, stage, result), timing.started_at)
    scale = _Scale(result.started_at, max(result.ended_at - result.started_at, 1e-9), length)
    ready, started = scale.cell(ready_at), scale.cell(timing.started_at)
    works = max(1, scale.cell(timing.ended_at) - started)
    started = min(started, length - works)
    ready = min(ready, started)
    since_ms = (timing.started_at - result.started_at) * 1000
    return Bar(stage.name, ready, started - ready, works, since_ms, timing.duration_ms)


def _ready_at(plan: Plan, stage: StagePlan, result: RunResult) -> float:
    """When the last of the stages it waits for ended; the beginning of the run for a first one."""
    sources = (*stage.dependencies, *stage.after, *stage.after_any)
    names = [plan.stages[source].name for source in sources]
    ends = [result.timings[name].ended_at for name in names if name in result.timings]
    return max(ends, default=result.started_at)


@dataclass(frozen=True, slots=True)
class _Scale:
    started_at: float
    seconds: float
    length: int

    def cell(self, at: float) -> int:
        share = (at - self.started_at) / self.seconds
        return min(self.length, max(0, floor(share * self.length + 0.5)))


def _times(bar: Bar) -> str:
    return f"{_duration(bar.started_ms):>{_TIME_CELLS}}{_duration(bar.worked_ms):>{_TIME_CELLS}}"


def _duration(milliseconds: float) -> str:
    if milliseconds >= 10_000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.1f} ms"


def _in_words(bars: Iterable[Bar]) -> str:
    meanings = ((WAITS, "waits for others"), (READY, "ready, not started"), (WORKS, "works"))
    used = "".join(map(str, bars))
    return ", ".join(f"{sign} {meaning}" for sign, meaning in meanings if sign in used)
