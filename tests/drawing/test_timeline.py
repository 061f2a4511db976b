from stageflow_actors import Pipeline, PipelineResults, RunResult, RunStatus, StageTiming
from stageflow_actors.drawing.timeline import bars_of, timeline
from stageflow_actors.model.identity import new_id
from stageflow_actors.model.results import StageCancellation
from tests.drawing.shapes import body, pipeline_of


def result(timings, *, seconds=10.0, skipped=(), cancelled=()):
    return RunResult(
        pipeline="p",
        pipeline_run_id=new_id(),
        status=RunStatus.OK,
        outputs=PipelineResults(),
        failures={},
        skipped=dict.fromkeys(skipped, "why"),
        cancelled={name: StageCancellation(name, "why", started=False) for name in cancelled},
        timings={
            name: StageTiming(100 + start, 100 + end) for name, (start, end) in timings.items()
        },
        started_at=100.0,
        ended_at=100.0 + seconds,
    )


def test_a_stage_waits_for_others_is_ready_and_works():
    plan = pipeline_of(a="", b="a").plan
    bars = bars_of(plan, result({"a": (0, 4), "b": (5, 10)}), 10)
    assert [str(bar) for bar in bars] == ["████", "····░█████"]
    assert (bars[1].started_ms, bars[1].worked_ms) == (5000, 5000)


def test_a_stage_that_waits_for_order_only_waits_too():
    pipeline = pipeline_of(a="").with_stage("b", body, "work", after="a")
    pipeline = pipeline.with_stage("c", body, "work", after_any="b")
    ran = result({"a": (0, 3), "b": (3, 6), "c": (6, 10)})
    assert [str(bar) for bar in bars_of(pipeline.plan, ran, 10)] == [
        "███",
        "···███",
        "······████",
    ]


def test_the_shortest_stage_has_a_bar_even_at_the_very_end():
    plan = pipeline_of(a="", b="a").plan
    bars = bars_of(plan, result({"a": (0, 9.999), "b": (9.999, 10)}), 10)
    assert str(bars[1]) == "·········█"
    assert max(len(str(bar)) for bar in bars) == 10


def test_stages_that_did_not_run_are_named_with_the_reason():
    plan = pipeline_of(a="", b="a", c="a").plan
    text = timeline(plan, result({"a": (0, 1), "b": (1, 1)}, skipped="b", cancelled="c"))
    lines = {line.split()[0]: line for line in text.splitlines()[1:4]}
    assert lines["b"].split() == ["b", "skipped"]
    assert lines["c"].split() == ["c", "not", "started"]


def test_a_stage_that_skipped_itself_has_a_bar():
    plan = pipeline_of(a="").plan
    assert "█" in timeline(plan, result({"a": (0, 1)}, skipped="a")).splitlines()[1]


def test_timeline_fits_its_width_and_says_what_the_signs_mean():
    names = {f"stage_with_a_long_name_{number}": "" for number in range(3)}
    plan = pipeline_of(**names).plan
    ran = result(dict.fromkeys(names, (2, 5)))
    for width in (60, 100):
        assert max(map(len, timeline(plan, ran, width=width).splitlines())) <= width
    assert timeline(plan, ran).splitlines()[-1] == "░ ready, not started, █ works"


def test_plain_timeline_is_ascii():
    plan = pipeline_of(a="", b="a").plan
    text = timeline(plan, result({"a": (0, 4), "b": (6, 10)}), is_plain=True)
    assert text.isascii()
    assert "####" in text


def test_a_run_without_any_duration_has_a_timeline():
    plan = Pipeline("p").with_stage("a", body, "work").plan
    assert "█" in timeline(plan, result({"a": (0, 0)}, seconds=0.0))
