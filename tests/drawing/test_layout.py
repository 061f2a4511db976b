from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors.drawing.layers import into_layers
from stageflow_actors.drawing.ordering import count_crossings, order_layers
from stageflow_actors.drawing.placing import not_falling, place_layers
from tests.drawing.shapes import diagram, diagrams


def depth_of(order):
    return {place: depth for depth, layer in enumerate(order) for place in layer}


# --- layers ---------------------------------------------------------------------------------------


def test_a_stage_lies_one_layer_below_the_lowest_that_it_waits_for():
    layered = into_layers(diagram("a>b", "b>c", "a>c", "x"))
    assert [layered.layers[depth][0] for depth in (0, 1, 2)] == [0, 1, 2]
    assert 3 in layered.layers[0]


def test_long_edges_from_one_stage_share_their_bends():
    layered = into_layers(diagram("a>b", "b>c", "c>d", "a>c", "a>d"))
    to_c, to_d = layered.paths[3], layered.paths[4]
    assert to_d[:2] == to_c[:2]
    assert layered.place_count == 4 + 2


@given(diagrams())
def test_every_link_leads_to_the_next_layer_and_every_edge_is_a_way_of_links(drawn):
    layered = into_layers(drawn)
    depths = depth_of(layered.layers)
    links = {(link.start, link.end) for link in layered.links}
    assert all(depths[end] == depths[start] + 1 for start, end in links)
    for edge, path in zip(drawn.edges, layered.paths, strict=True):
        assert (path[0], path[-1]) == (edge.source, edge.target)
        assert all(layered.is_bend(place) for place in path[1:-1])
        assert set(pairwise(path)) <= links


# --- order ----------------------------------------------------------------------------------------


def crossings_by_trying(order, links):
    position = {place: index for layer in order for index, place in enumerate(layer)}
    depths = depth_of(order)
    ends = {(link.start, link.end) for link in links}
    return sum(
        depths[a] == depths[c] and position[a] < position[c] and position[b] > position[d]
        for a, b in ends
        for c, d in ends
    )


@given(diagrams())
def test_crossings_are_counted_as_by_trying_every_pair(drawn):
    layered = into_layers(drawn)
    expected = crossings_by_trying(layered.layers, layered.links)
    assert count_crossings(layered.layers, layered.links) == expected


@given(diagrams())
def test_ordering_keeps_every_place_in_its_layer_and_adds_no_crossing(drawn):
    layered = into_layers(drawn)
    order = order_layers(layered)
    assert [sorted(layer) for layer in order] == [sorted(layer) for layer in layered.layers]
    before = count_crossings(layered.layers, layered.links)
    assert count_crossings(order, layered.links) <= before


def test_crossings_that_can_be_avoided_are():
    layered = into_layers(diagram("a b c", "c>x", "b>y", "a>z", "z>p", "y>q", "x>r"))
    assert count_crossings(layered.layers, layered.links) > 0
    assert count_crossings(order_layers(layered), layered.links) == 0


def test_the_best_order_found_is_kept_though_later_ones_are_worse():
    drawn = diagram("a b c", "c>d", "c>e", "d>e", "e>f", "b>g", "c>g", "e>g")
    layered = into_layers(drawn)
    assert count_crossings(order_layers(layered), layered.links) == 1


# --- places ---------------------------------------------------------------------------------------


@given(diagrams())
def test_neighbours_keep_their_distance(drawn):
    layered = into_layers(drawn)
    order = order_layers(layered)
    extents = [10.0 + place % 3 for place in range(layered.place_count)]
    centres = place_layers(layered, order, extents, 5.0)
    for layer in order:
        for left, right in pairwise(layer):
            apart = (centres[right] - extents[right] / 2) - (centres[left] + extents[left] / 2)
            assert apart >= 5.0 - 1e-6
    assert min(c - e / 2 for c, e in zip(centres, extents, strict=True)) >= -1e-6


def test_a_chain_is_straight_beside_other_stages():
    drawn = diagram("a>b", "b>c", "c>d", "x>y", "x>z", "d>e", "y>e")
    layered = into_layers(drawn)
    centres = place_layers(layered, order_layers(layered), [10.0] * layered.place_count, 5.0)
    assert len({round(centres[place], 6) for place in range(4)}) == 1


def test_the_bends_of_a_long_edge_lie_on_one_line():
    layered = into_layers(diagram("a>b", "a>d", "b>d", "a>e", "b>e", "d>e"))
    centres = place_layers(layered, order_layers(layered), [10.0] * layered.place_count, 5.0)
    bends = layered.paths[3][1:-1]
    assert len(bends) == 2
    assert len({round(centres[place], 6) for place in bends}) == 1


def squares(values, wishes):
    return sum(
        weight * (value - wish) ** 2 for value, (wish, weight) in zip(values, wishes, strict=True)
    )


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 4)), min_size=1, max_size=6),
    st.lists(st.integers(-50, 50), min_size=6, max_size=6),
)
def test_values_that_never_fall_are_as_near_as_possible(wishes, others):
    found = not_falling([(float(wish), float(weight)) for wish, weight in wishes])
    assert all(left <= right + 1e-9 for left, right in pairwise(found))
    another = sorted(value / 10 for value in others[: len(wishes)])
    assert squares(found, wishes) <= squares(another, wishes) + 1e-6
