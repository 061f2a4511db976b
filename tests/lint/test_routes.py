import pytest

from stageflow_actors import Pipeline, RoutingDecision, StageOutput
from tests.lint.checking import found_in, mistakes, notes, other

READY_MADE = RoutingDecision("fast")


def pipeline_with(router):
    """Branches on fast, deep and deeper wait for the router."""
    return (
        Pipeline("p")
        .with_stage("router", router, "route")
        .with_stage("fast", other, "work", "router", route="fast")
        .with_stage("deep", other, "work", "router", route=("deep", "deeper"))
    )


def rules(router):
    return [str(finding.rule) for finding in found_in(pipeline_with(router))]


def choose(ctx):
    return "fast" if ctx.attempt else "deep"


async def sound(ctx):
    if ctx.attempt:
        return StageOutput.ok(route=RoutingDecision("fast"), score=1)
    return RoutingDecision(selected_route="deep", fallback_route="deeper")


async def through_a_function(ctx):
    return RoutingDecision(choose(ctx), 1.0, "deeper")


async def ready_made(ctx):
    return READY_MADE


async def wrong(ctx):
    return RoutingDecision("fats")


async def wrong_by_keyword(ctx):
    return RoutingDecision(selected_route="fats")


async def caught(ctx):
    return RoutingDecision("fats", fallback_route="fast")


async def wrong_fallback(ctx):
    return RoutingDecision(ctx.snapshot.input_text, fallback_route="fats")


async def computed(ctx):
    return RoutingDecision(ctx.snapshot.input_text)


async def fast_only(ctx):
    return RoutingDecision("fast", fallback_route=None)


async def none_at_all(ctx):
    return StageOutput.ok()


@pytest.mark.parametrize("router", [sound, through_a_function], ids=lambda each: each.__name__)
def test_routes_that_fit_are_fine(router):
    assert rules(router) == []


@pytest.mark.parametrize("router", [wrong, wrong_by_keyword], ids=lambda each: each.__name__)
def test_a_selected_route_without_a_branch_is_found(router):
    finding = mistakes(pipeline_with(router))[0]
    assert (str(finding.rule), finding.hint) == ("unknown-route", "Did you mean 'fast'?")
    assert finding.message == (
        "'router' selects route 'fats', but its branches are on: fast, deep, deeper."
    )
    assert finding.place.line == router.__code__.co_firstlineno + 1


def test_a_selected_route_without_a_branch_is_a_note_where_a_fallback_catches_it():
    assert mistakes(pipeline_with(caught)) == []
    assert "unknown-route" in rules(caught)


def test_a_fallback_without_a_branch_is_found():
    assert "falls back to route 'fats'" in mistakes(pipeline_with(wrong_fallback))[0].message


def test_a_computed_route_is_a_note():
    assert rules(computed) == ["computed-name"]


@pytest.mark.parametrize("router", [fast_only, ready_made], ids=lambda each: each.__name__)
def test_a_route_that_no_decision_selects_is_a_note(router):
    messages = [note.message for note in notes(pipeline_with(router))]
    assert messages == [
        "No decision found in 'router' selects route 'deep'.",
        "No decision found in 'router' selects route 'deeper'.",
    ]
    assert mistakes(pipeline_with(router)) == []


def test_a_router_without_any_decision_is_a_note():
    assert rules(none_at_all) == ["no-decision"]


def test_decisions_that_no_branch_waits_for_are_fine():
    pipeline = Pipeline("p").with_stage("router", wrong, "route")
    assert found_in(pipeline) == []
