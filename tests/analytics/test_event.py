"""``AnalyticsEvent``: as a dictionary, as a line, from what the runtime tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors import AnalyticsEvent

RUN = UUID(int=7)
AT = datetime(2030, 1, 2, 3, 4, 5, 6, UTC)

texts = st.text(st.characters(exclude_categories=()))  # with lone surrogates
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def test_event_says_only_what_is_set():
    plain = AnalyticsEvent("a.b", AT, {"n": 1}, event_id=RUN).to_dict()
    assert plain == {
        "event_id": str(RUN),
        "event_type": "a.b",
        "timestamp": "2030-01-02T03:04:05.000006+00:00",
        "data": {"n": 1},
    }


def test_event_comes_back_from_its_line_as_it_was():
    event = AnalyticsEvent("a", AT, {"n": [1, None]}, RUN, "dig", 1.5, {"team": "x"})
    assert AnalyticsEvent.from_json(event.to_json()) == event


@settings(deadline=None)
@given(type_=texts, stage=st.none() | texts, data=st.dictionaries(texts, json_values))
def test_whatever_text_is_in_an_event_is_one_line_and_comes_back(type_, stage, data):
    event = AnalyticsEvent(type_, AT, data, stage_name=stage)
    line = event.to_json()
    assert line.isascii()
    assert line.isprintable()
    assert AnalyticsEvent.from_json(line) == event


def test_data_that_json_lacks_is_written_all_the_same():
    class Hostile:
        def __repr__(self):
            raise ValueError

    loop = {}
    loop["itself"] = loop
    data = {"id": RUN, "nan": float("nan"), "big": 10**5000, "loop": loop, "own": Hostile(), 3: 4}
    back = json.loads(AnalyticsEvent("a", data=data).to_json())["data"]
    assert back["id"] == str(RUN)
    assert set(back) == {"id", "nan", "big", "loop", "own", "3"}


def test_events_are_told_apart_by_their_id():
    one, other = AnalyticsEvent("a"), AnalyticsEvent("a")
    assert one.event_id != other.event_id
    assert AnalyticsEvent.from_json(one.to_json()).event_id == one.event_id
    assert AnalyticsEvent.from_dict({"event_type": "a"}).event_id != one.event_id


def test_event_of_the_runtime_has_its_fields_by_name():
    data = {
        "pipeline_run_id": str(RUN),
        "stage": "dig",
        "duration_ms": 12,
        "timestamp": AT.isoformat(),
        "seq": 3,
    }
    event = AnalyticsEvent.of_runtime("stage.dig.completed", data)
    assert (event.event_type, event.timestamp, event.pipeline_run_id) == (
        "stage.dig.completed",
        AT,
        RUN,
    )
    assert (event.stage_name, event.duration_ms, event.data) == ("dig", 12, data)


@pytest.mark.parametrize(
    "odd",
    ["no", 5, True, None, float("inf"), 10**400, object()],
    ids=lambda odd: type(odd).__name__,
)
def test_fields_of_an_unexpected_form_stay_in_the_data_alone(odd):
    names = ("pipeline_run_id", "duration_ms", "timestamp")
    data = {name: odd for name in names if not (name == "duration_ms" and odd == 5)}
    event = AnalyticsEvent.of_runtime("a", data)
    assert (event.pipeline_run_id, event.duration_ms) == (None, None)
    assert abs((datetime.now(UTC) - event.timestamp).total_seconds()) < 600
    assert event.data == data
    assert AnalyticsEvent.of_runtime("a", {"stage": 5}).stage_name is None
    AnalyticsEvent.from_json(event.to_json())


def test_ids_that_are_no_text_are_taken_too():
    run = uuid4()
    event = AnalyticsEvent.of_runtime("a", {"pipeline_run_id": run, "timestamp": AT})
    assert (event.pipeline_run_id, event.timestamp) == (run, AT)
    assert AnalyticsEvent.of_runtime("a", None).data == {}
