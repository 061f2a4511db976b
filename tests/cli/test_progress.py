import io

import pytest
from rich.console import Console

from stageflow_actors.cli.display import display_for, most_interesting
from stageflow_actors.cli.progress import Progress, StageProgress, Step
from stageflow_actors.model.events import Event
from tests.drawing.shapes import pipeline_of


def event(type_, stage=None, at=0.0, **data):
    return Event(type_, 1, 100.0 + at, stage, 1 if stage else None, data)


RUN = [
    event("pipeline.created"),
    event("pipeline.started"),
    event("stage.a.started", "a", 0.1),
    event("stage.a.completed", "a", 0.3, status="ok"),
    event("stage.b.started", "b", 0.4),
    event("stage.b.failed", "b", 0.9, error="no answer"),
    event("stage.c.cancelled", "c", 0.9, reason="no answer"),
]


def test_events_of_stages_are_taken_in():
    progress = Progress("abc")
    changed = [progress.note(each) for each in RUN]
    assert [each.name for each in changed if each] == ["a", "a", "b", "b", "c"]
    assert progress.began_at == 100.0
    assert [stage.step for stage in progress.stages.values()] == [
        "completed",
        "failed",
        "cancelled",
    ]
    assert progress.stages["a"].seconds == pytest.approx(0.2)
    assert progress.stages["b"].note == "no answer"
    assert progress.stages["c"].seconds is None
    assert progress.count(Step.COMPLETED, Step.FAILED) == 2


@pytest.mark.parametrize(
    "odd",
    [
        event("my.event", "a"),
        event("started", "a"),
        event("stage.a.waiting", "a"),
        event("stage.a.paused", "a"),
        event("stage.b.started", "a"),
        event("stage.x.started", "x"),
        event("pipeline.completed"),
    ],
    ids=lambda each: f"{each.type}-{each.stage}",
)
def test_events_of_a_stages_own_change_nothing(odd):
    progress = Progress("ab")
    assert progress.note(odd) is None
    assert {stage.step for stage in progress.stages.values()} == {Step.WAITING}


def test_a_route_is_noted_and_changes_no_step():
    progress = Progress("a")
    progress.note(event("stage.a.started", "a"))
    progress.note(event("stage.a.completed", "a", 1.0))
    changed = progress.note(event("pipeline.route", "a", 1.0, selected_route="left"))
    assert (changed.step, changed.note) == (Step.COMPLETED, "took route 'left'")


def test_what_failed_and_what_works_is_shown_first_if_there_is_little_room():
    stages = [
        StageProgress("waits"),
        StageProgress("old", Step.COMPLETED, 1.0, 2.0),
        StageProgress("works", Step.STARTED, 3.0),
        StageProgress("failed", Step.FAILED, 1.0, 2.5),
        StageProgress("new", Step.COMPLETED, 1.0, 3.0),
    ]
    for room, shown in [
        (9, ["waits", "old", "works", "failed", "new"]),
        (4, ["old", "works", "failed", "new"]),
        (3, ["works", "failed", "new"]),
        (1, ["failed"]),
        (0, ["failed"]),
    ]:
        assert [stage.name for stage in most_interesting(stages, room)] == shown


def terminal(height=20):
    return Console(
        file=io.StringIO(), force_terminal=True, width=80, height=height, highlight=False
    )


def shown_on(console, events, stages="abc"):
    plan = pipeline_of(**dict.fromkeys(stages, "")).plan
    with display_for(console, plan, "local", is_quiet=False) as display:
        for each in events:
            display.note(each)
        display._live.refresh()
        return console.file.getvalue()


def test_a_terminal_gets_a_line_for_each_stage_that_is_drawn_anew():
    out = shown_on(terminal(), RUN)
    last = out.split("\r")[-1]
    assert "✔" in last
    assert "✘" in last
    assert "no answer" in last
    assert "3 of 3 stages have ended, 0 at work" in last


def test_a_small_terminal_gets_what_fits_and_a_count_of_the_rest():
    names = [f"s{number}" for number in range(50)]
    events = [event(f"stage.{name}.started", name) for name in names]
    plan = pipeline_of(**dict.fromkeys(names, "")).plan
    console = terminal(height=12)
    with display_for(console, plan, "local", is_quiet=False) as display:
        for each in events:
            display.note(each)
        display._live.refresh()
        last = console.file.getvalue().split("\r")[-1]
    assert last.count("s4") + last.count("s1") < 20
    assert "42 not shown" in last


def test_a_terminal_is_left_as_it_was():
    console = terminal()
    shown_on(console, RUN)
    out = console.file.getvalue()
    assert out.index("\x1b[?25l") < out.rindex("\x1b[?25h")


def test_what_is_no_terminal_gets_lines_or_nothing():
    plan = pipeline_of(a="", b="", c="").plan
    for is_quiet in (False, True):
        console = Console(file=io.StringIO(), width=80)
        with display_for(console, plan, "local", is_quiet=is_quiet) as display:
            for each in RUN:
                display.note(each)
        lines = console.file.getvalue().splitlines()
        assert len(lines) == (0 if is_quiet else 6)
