import dataclasses
import enum
import math
import pickle

import numpy as np
import pytest

from stageflow_actors import RoutingDecision, RoutingError, StageArtifact, StageOutput
from stageflow_actors.model.output import StageStatus, to_output
from stageflow_actors.model.routing import undecided

ROUTES = ("fast", "slow")


def test_a_decision_needs_no_more_than_a_route():
    decision = RoutingDecision("fast")
    assert (decision.selected_route, decision.fallback_route) == ("fast", None)
    assert (decision.confidence, decision.metadata) == (1.0, {})


def test_a_decision_cannot_be_changed():
    for field in dataclasses.fields(RoutingDecision):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(RoutingDecision("fast"), field.name, None)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("selected_route", value) for value in ("", "  ", None, 5, b"fast", ["fast"])
    ]
    + [("fallback_route", value) for value in ("", "\t", 5, b"slow")]
    + [("confidence", value) for value in (-0.1, 1.01, math.nan, math.inf, "0.5", None, True)]
    + [("confidence", value) for value in (False, 1j)]
    + [("metadata", value) for value in (None, [("a", 1)], "a")],
)  # fmt: skip
def test_a_part_that_cannot_be_used_is_refused_and_named(part, value):
    with pytest.raises(RoutingError) as refused:
        RoutingDecision(**{"selected_route": "fast", part: value})
    assert refused.value.code == "ROUTE-INVALID"
    assert f"RoutingDecision.{part} must be" in refused.value.message
    assert repr(value) in refused.value.message


def test_a_huge_part_is_named_in_short():
    with pytest.raises(RoutingError) as refused:
        RoutingDecision(["x" * 10_000])
    assert len(refused.value.message) < 200


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 1.0, 0.5, np.float64(0.5), np.float32(0.5)])
def test_confidence_is_any_number_from_0_to_1_and_then_a_float(confidence):
    kept = RoutingDecision("fast", confidence).confidence
    assert kept == confidence
    assert type(kept) is float


class Named(enum.StrEnum):
    FAST = "fast"
    SLOW = "slow"


class Mixed(str, enum.Enum):  # noqa: UP042 - the text of a member is not its value
    FAST = "fast"
    SLOW = "slow"


@pytest.mark.parametrize("route", [Named, Mixed])
def test_routes_of_a_class_of_their_own_become_plain_text(route):
    decision = RoutingDecision(route.FAST, fallback_route=route.SLOW)
    assert (type(decision.selected_route), type(decision.fallback_route)) == (str, str)
    assert decision == RoutingDecision("fast", fallback_route="slow")
    assert decision.route_among(ROUTES, "router") == "fast"


@pytest.mark.parametrize(
    ("decision", "taken"),
    [
        (RoutingDecision("fast"), "fast"),
        (RoutingDecision("slow", fallback_route="fast"), "slow"),
        (RoutingDecision("nowhere", fallback_route="slow"), "slow"),
    ],
)
def test_the_selected_route_is_taken_or_else_the_fallback(decision, taken):
    assert decision.route_among(ROUTES, "router") == taken


def test_confidence_does_not_decide():
    assert RoutingDecision("fast", 0.0, "slow").route_among(ROUTES, "router") == "fast"


@pytest.mark.parametrize(
    ("fallback", "asked"),
    [(None, "route 'nowhere'"), ("elsewhere", "route 'nowhere' and the fallback 'elsewhere'")],
)
def test_a_route_without_a_branch_is_refused_and_lists_those_there_are(fallback, asked):
    with pytest.raises(RoutingError) as refused:
        RoutingDecision("nowhere", fallback_route=fallback).route_among(ROUTES, "router")
    error = refused.value
    said = f"Stage 'router' selected {asked}, but its branches are on: fast, slow."
    assert (error.code, error.message, error.routes) == ("ROUTE-UNMATCHED", said, ROUTES)
    assert isinstance(error, LookupError)
    assert error.hint


def test_a_route_is_matched_as_a_whole_and_by_its_case():
    for route in ("fas", "Fast", "fast "):
        with pytest.raises(RoutingError):
            RoutingDecision(route).route_among(ROUTES, "router")


def test_the_error_of_a_stage_without_a_decision_says_what_waits_for_one():
    error = undecided("router", ROUTES)
    assert (error.code, error.routes) == ("ROUTE-UNDECIDED", ROUTES)
    assert "'router'" in error.message
    assert "fast, slow" in error.message
    assert "RoutingDecision" in error.hint


def test_a_routing_error_survives_a_process_boundary():
    error = pickle.loads(pickle.dumps(undecided("router", ROUTES)))
    assert (error.code, error.routes) == ("ROUTE-UNDECIDED", ROUTES)


@pytest.mark.parametrize(
    "returned",
    [
        RoutingDecision("fast", 0.5),
        {"route": RoutingDecision("fast", 0.5)},
        StageOutput.ok(route=RoutingDecision("fast", 0.5)),
        StageOutput.ok({"route": RoutingDecision("fast", 0.5)}),
    ],
    ids=["alone", "dict", "keyword", "output"],
)
def test_a_decision_stands_beside_the_data_and_its_route_within(returned):
    output = to_output(returned, "router")
    assert output.status is StageStatus.OK
    assert output.data == {"route": "fast"}
    assert output.routing == RoutingDecision("fast", 0.5)


def test_other_data_stays_beside_a_decision_and_the_returned_dict_as_it_is():
    decision = RoutingDecision("fast")
    returned = {"n": 1, "route": decision}
    assert to_output(returned, "router").data == {"n": 1, "route": "fast"}
    assert returned == {"n": 1, "route": decision}


def test_a_route_that_is_no_decision_is_only_data():
    for value in ("fast", None, {"selected_route": "fast"}):
        output = to_output({"route": value}, "router")
        assert (output.data, output.routing) == ({"route": value}, None)
    assert to_output({"other": RoutingDecision("fast")}, "router").routing is None


def test_a_decision_leaves_the_rest_of_its_output_as_it_was():
    artifact = StageArtifact("chart", b"")
    output = StageOutput.ok(route=RoutingDecision("fast"), n=1).with_artifacts(artifact)
    routed = to_output(output.with_version("v1").with_duration(3), "router")
    assert (routed.version, routed.duration_ms, routed.artifacts) == ("v1", 3, (artifact,))
