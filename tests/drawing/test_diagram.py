from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors import Pipeline, RoutingDecision
from stageflow_actors.drawing.diagram import ANY_END, Detail, Edge, EdgeKind, diagram_of
from stageflow_actors.drawing.reduction import implied_pairs
from tests.drawing.shapes import body, edges_by_name, pipeline_of


def drawn(pipeline, detail=Detail.NEEDED):
    return edges_by_name(diagram_of(pipeline.plan, detail))


# --- kinds of edges -------------------------------------------------------------------------------


async def decide(ctx):
    return RoutingDecision("left")


def test_edges_are_told_apart_by_what_they_carry():
    pipeline = (
        Pipeline("p")
        .with_stage("first", body, "work")
        .with_stage("router", decide, "route", "first")
        .with_stage(
            "left", body, "work", ("router", "first"), router="router", route=("left", "up")
        )
        .with_stage("then", body, "work", after="left")
        .with_stage("finally", body, "work", after_any="then")
    )
    assert diagram_of(pipeline.plan).edges == (
        Edge(0, 1, EdgeKind.DATA),
        Edge(1, 2, EdgeKind.ROUTE, "left | up"),
        Edge(0, 2, EdgeKind.DATA),
        Edge(2, 3, EdgeKind.ORDER),
        Edge(3, 4, EdgeKind.ORDER, ANY_END),
    )


def test_nodes_say_who_routes_and_who_may_be_skipped():
    pipeline = (
        Pipeline("p")
        .with_stage("router", decide, "route")
        .with_stage("left", body, "work", "router", route="left")
        .with_stage("maybe", body, "guard", "left", conditional=True)
        .with_stage("surely", body, "agent", "maybe")
    )
    nodes = diagram_of(pipeline.plan).nodes
    assert [node.is_router for node in nodes] == [True, False, False, False]
    assert [node.is_optional for node in nodes] == [False, True, True, False]
    assert [node.kind for node in nodes] == ["route", "work", "guard", "agent"]


# --- what is left out -----------------------------------------------------------------------------


def ordered(**extra):
    return pipeline_of(a="", b="a", c="b").with_stage("d", body, "work", "c", **extra)


def test_order_edge_beside_a_longer_path_is_left_out_and_counted():
    diagram = diagram_of(ordered(after="a").plan)
    assert edges_by_name(diagram) == {("a", "b"), ("b", "c"), ("c", "d")}
    assert diagram.footnotes() == ["1 order edge is not drawn: a longer path says the same."]


def test_data_edge_beside_a_longer_path_is_drawn():
    assert ("a", "c") in drawn(pipeline_of(a="", b="a", c="a b"))


def test_data_edge_beside_a_longer_path_is_left_out_only_if_the_fewest_are_asked_for():
    diagram = diagram_of(pipeline_of(a="", b="a", c="a b").plan, Detail.FEWEST)
    assert edges_by_name(diagram) == {("a", "b"), ("b", "c")}
    assert diagram.footnotes() == ["1 data edge is not drawn: a longer path says the same."]


def test_all_edges_are_drawn_where_all_are_asked_for():
    diagram = diagram_of(ordered(after=("a", "b")).plan, Detail.ALL)
    assert {("a", "d"), ("b", "d")} <= edges_by_name(diagram)
    assert diagram.footnotes() == []


def test_edge_that_any_end_satisfies_is_always_drawn():
    """It makes its stage run after a failure, which no other path does."""
    assert ("a", "d") in drawn(ordered(after_any="a"), Detail.FEWEST)


def test_path_over_an_edge_that_any_end_satisfies_implies_nothing():
    pipeline = (
        pipeline_of(a="", b="a")
        .with_stage("c", body, "work", after_any="b")
        .with_stage("d", body, "work", "c", after="a")
    )
    assert ("a", "d") in drawn(pipeline)


def test_route_edge_is_always_drawn():
    pipeline = (
        Pipeline("p")
        .with_stage("router", decide, "route")
        .with_stage("x", body, "work", "router")
        .with_stage("left", body, "work", ("router", "x"), router="router", route="left")
    )
    assert ("router", "left") in drawn(pipeline, Detail.FEWEST)


def test_two_ways_of_the_same_length_leave_nothing_out():
    pipeline = pipeline_of(a="", b="a", c="a", d="b c")
    assert drawn(pipeline, Detail.FEWEST) == drawn(pipeline, Detail.ALL)


# --- the reduction itself -------------------------------------------------------------------------


def reaches(edges, start, goal, *, longer_than=0):
    """Whether a path of more than ``longer_than`` edges leads there; by trying them all."""
    return any(
        (target == goal and longer_than <= 0)
        or reaches(edges, target, goal, longer_than=longer_than - 1)
        for source, target in edges
        if source == start
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] < pair[1]),
        unique=True,
    )
)
def test_implied_pairs_are_those_with_a_longer_path(edges):
    implied = implied_pairs(edges, 7)
    assert implied == {pair for pair in edges if reaches(edges, *pair, longer_than=1)}
    kept = [pair for pair in edges if pair not in implied]
    assert all(reaches(kept, *pair) for pair in edges)
