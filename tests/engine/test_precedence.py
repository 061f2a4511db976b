"""Which of several bad news of one tick decides, and that their order does not."""

import itertools

import pytest
from hypothesis import strategies as st

from stageflow_actors.engine.state import RunPhase
from stageflow_actors.engine.verdict import Cause, CauseKind, decisive
from tests.counted import few_or_many
from tests.engine.scene import Scene

FLAT = {"a": "", "b": "", "c": "", "d": ""}
TIMED_OUT = "Stage timed out after 1000ms"

NEWS = {
    "escalation": lambda scene: scene.escalated("too many deaths"),
    "failure": lambda scene: scene.fail("d", "boom"),
    "timeout": lambda scene: scene.timer("c"),
    "stage cancel": lambda scene: scene.cancel("b", "enough"),
    "outside": lambda scene: scene.outside("user left"),
    "completion": lambda scene: scene.ok("a"),
}
VERDICTS = {
    "escalation": ("failed", "<supervisor>", "too many deaths"),
    "failure": ("failed", "d", "boom"),
    "timeout": ("timed_out", "c", TIMED_OUT),
    "stage cancel": ("cancelled", "b", "enough"),
    "outside": ("cancelled", "<external>", "user left"),
}
RANKS = list(VERDICTS)


def scene_of(graph=FLAT):
    scene = Scene(graph, c=1.0, a=1.0)
    scene.begin()
    return scene


def verdict_of(scene, facts):
    """Take ``facts`` as one tick, then let every live body stop as told."""
    told = scene.tick(*facts)
    for name in scene.plan.stage_names:
        if scene.state(name).is_live and scene.phase is RunPhase.STOPPING:
            told = scene.tick(scene.interrupted(name))
    return told.verdict


@pytest.mark.parametrize(
    "news",
    [news for size in range(2, 7) for news in itertools.combinations(NEWS, size)],
    ids=" + ".join,
)
def test_escalation_beats_failure_beats_timeout_beats_a_stages_cancel_beats_one_from_outside(news):
    expected = VERDICTS[next(kind for kind in RANKS if kind in news)]
    for order in itertools.permutations(news):
        scene = scene_of()
        assert verdict_of(scene, [NEWS[kind](scene) for kind in order]) == expected


@pytest.mark.parametrize(
    ("make", "status"),
    [(Scene.fail, "failed"), (Scene.cancel, "cancelled"), (Scene.timer, "timed_out")],
    ids=["failure", "stage cancel", "timeout"],
)
def test_of_equal_news_the_first_stage_of_the_plan_decides(make, status):
    for names in itertools.permutations("ac"):
        scene = scene_of()
        assert verdict_of(scene, [make(scene, name) for name in names])[:2] == (status, "a")


def test_the_first_stage_is_the_first_of_the_plan_not_of_the_declaration():
    scene = scene_of({"declared_first": "last", "planned_first": "", "last": ""})
    scene.tick(scene.ok("last"))
    news = [scene.fail("declared_first", "x"), scene.fail("planned_first", "y")]
    assert verdict_of(scene, news) == ("failed", "planned_first", "y")


def test_the_reason_of_the_decisive_news_is_what_the_others_are_told():
    scene = scene_of()
    told = scene.tick(scene.outside("user left"), scene.cancel("b", "enough"), scene.fail("d"))
    assert told.interrupted == {"a": "boom", "c": "boom"}


def test_decisive_looks_at_kind_first_and_then_at_position():
    causes = [
        Cause(CauseKind.EXTERNAL_CANCEL, None, ""),
        Cause(CauseKind.STAGE_CANCEL, 0, ""),
        Cause(CauseKind.TIMEOUT, 1, ""),
        Cause(CauseKind.FAILURE, 9, ""),
        Cause(CauseKind.FAILURE, 3, ""),
        Cause(CauseKind.ESCALATION, None, ""),
    ]
    while causes:
        expected = min(causes, key=lambda cause: (cause.kind, cause.stage or 0))
        assert decisive(causes) is decisive(causes[::-1]) is expected
        causes.remove(expected)


# --- the order of facts within a tick -------------------------------------------------------------


def outcome(ticks):
    """What is left when ``ticks`` were taken and every live body has stopped as told.

    A fact is given as what happened and to which stage, as in ``("fail", "a")``.
    """
    scene = scene_of()
    for facts in ticks:
        scene.tick(*(getattr(scene, what)(*stage) for what, *stage in facts))
    verdict_of(scene, [])
    end = scene.commands[-1] if scene.phase is RunPhase.ENDED else None
    return end, list(scene.machine.state.stages)


@st.composite
def random_ticks(draw):
    """Three ticks with one fact about each stage, one cancel from outside and one escalation."""
    ends = ["ok", "skip", "fail", "cancel", "cancel", "interrupted"]
    limits = {"a": ["timer"], "c": ["timer"]}
    facts = [(draw(st.sampled_from(ends + limits.get(stage, []))), stage) for stage in FLAT]
    facts = draw(st.permutations([*facts, ("outside",), ("escalated",)]))
    first, second = sorted(draw(st.tuples(*[st.integers(0, len(facts))] * 2)))
    return [facts[:first], facts[first:second], facts[second:]]


@few_or_many(random_ticks(), st.randoms())
def test_the_order_of_facts_within_a_tick_does_not_change_the_outcome(ticks, random):
    shuffled = [random.sample(facts, len(facts)) for facts in ticks]
    assert outcome(shuffled) == outcome(ticks)


def test_of_stages_that_answer_a_cancel_in_one_tick_the_first_of_the_plan_is_named():
    for names in itertools.permutations("bd"):
        scene = scene_of()
        scene.tick(scene.outside("user left"))
        scene.tick(*(scene.cancel(name) for name in names))
        assert verdict_of(scene, []) == ("cancelled", "b", "user left")


@pytest.mark.parametrize("end", ["ok", "skip", "fail", "cancel", "interrupted"])
def test_an_end_and_the_timer_of_one_stage_in_one_tick_mean_the_same_in_either_order(end):
    facts = [(end, "a"), ("timer", "a")]
    assert outcome([facts]) == outcome([facts[::-1]])
