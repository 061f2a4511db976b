"""What anybody may send in the headers of a trace: never harm, never a word in the logs."""

from __future__ import annotations

import pytest

from tests.serving import flows
from tests.serving.traced import RUNS, Outer
from tests.telemetry.spans_seen import SeenSpans


@pytest.fixture(scope="module")
def seen():
    with pytest.MonkeyPatch.context() as patch:
        yield SeenSpans(patch)


@pytest.fixture(scope="module")
def served(seen):
    return [flows.plain()]


@pytest.fixture
def outer(seen):
    return Outer(seen)


ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HOSTILE = {
    "nothing": [("traceparent", "")],
    "twice": [("traceparent", f"00-{ID}-{SPAN}-01")] * 2,
    "no hexadecimals": [("traceparent", f"00-{ID[:-1]}x-{SPAN}-01")],
    "upper case": [("traceparent", f"00-{ID.upper()}-{SPAN}-01")],
    "no trace": [("traceparent", f"00-{'0' * 32}-{SPAN}-01")],
    "no span": [("traceparent", f"00-{ID}-{'0' * 16}-01")],
    "the version that is none": [("traceparent", f"ff-{ID}-{SPAN}-01")],
    "more than its version has": [("traceparent", f"00-{ID}-{SPAN}-01-more")],
    "a state alone": [("tracestate", "a=1"), ("baggage", "a=1")],
    "no ASCII": [("traceparent", b"00-\xe9\xff")],
}


@pytest.mark.parametrize("given", HOSTILE.values(), ids=HOSTILE)
def test_headers_that_are_none_begin_a_trace(client, seen, given):
    headers = [
        (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in given
    ]
    headers.append((b"Authorization", b"Bearer ada"))
    answer = client.post(RUNS.format(name="plain"), json={}, headers=headers)
    assert answer.status_code == 200
    begun = Outer(seen)
    begun.trace_id = answer.json()["trace_id"]
    assert begun.trace_id != ID
    assert begun.request().parent is None


def test_a_version_to_come_is_read_as_far_as_it_is_known(client, outer):
    (told,) = outer.headers.values()
    later = {"traceparent": f"cc{told[2:]}-what-will-be"}
    answer = client.post(RUNS.format(name="plain"), json={}, headers=later)
    assert answer.json()["trace_id"] == outer.trace_id


@pytest.mark.parametrize("state", ["a=1,a=2", "=", "A=1", ",".join(f"k{n}=1" for n in range(33))])
def test_a_state_that_is_none_is_left_out_without_a_word(client, outer, state, caplog):
    headers = {**outer.headers, "tracestate": state, "baggage": "user=ann"}
    answer = client.post(RUNS.format(name="plain"), json={}, headers=headers)
    assert answer.json()["trace_id"] == outer.trace_id
    assert not outer.request().context.trace_state
    assert caplog.records == []


@pytest.mark.parametrize("name", ["traceparent", "tracestate", "baggage"])
def test_a_header_that_is_huge_does_no_harm(client, outer, name):
    headers = {**outer.headers, name: "a" * 100_000}
    assert client.post(RUNS.format(name="plain"), json={}, headers=headers).status_code < 500


def test_a_trace_that_its_client_does_not_keep_is_not_kept(client, seen):
    outer = Outer(seen, flags="00")
    answer = client.post(RUNS.format(name="plain"), json={}, headers=outer.headers)
    assert answer.json()["trace_id"] == outer.trace_id
    client.get("/healthz/live")
    assert outer.spans == []
