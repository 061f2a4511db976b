"""Credits: a client that takes nothing more stops the stage that it listens to."""

from __future__ import annotations

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline, Settings
from stageflow_actors.serving import ServingSettings, build_app
from tests.serving.live import Live, Tokens, ended, start, until
from tests.serving.sockets import PLENTY, open_socket

PIECE_BYTES, PIECES = 1_000, 400
WINDOW_BYTES = 10_000
AHEAD = 2 * WINDOW_BYTES // PIECE_BYTES + 2
"""Pieces that may wait: in the window of the stage, in that of the door, and one beyond each."""


class Counters:
    """How much each run has sent, by its text."""

    def __init__(self):
        self.sent = {}


@pytest.fixture(scope="module")
def counters():
    return Counters()


def counting(counters, gates):
    async def count(ctx):
        name = ctx.snapshot.input_text
        await gates.passed(name)
        for number in range(PIECES):
            counters.sent[name] = number
            await ctx.stream.send(number.to_bytes(2, "big") * (PIECE_BYTES // 2))
        counters.sent[name] = PIECES
        return {}

    return Pipeline("counting").with_stage("count", count, "work")


@pytest.fixture(scope="module")
def live(counters, gates):
    runtime = LocalRuntime(
        event_sink=InMemoryEventSink(), settings=Settings(stream_window_bytes=WINDOW_BYTES)
    )
    settings = ServingSettings(stream_window_bytes=WINDOW_BYTES, drain_s=0.2)
    app = build_app(
        [counting(counters, gates)], runtime=runtime, verifier=Tokens(), settings=settings
    )
    server = Live(app).start()
    yield server
    server.stop()


@pytest.fixture
def begin(socket, gates):
    """Starts a run whose stage begins to send once it is shown; gives the id of the run."""

    def started(name, ref="a", credit=PLENTY):
        socket.start("counting", ref=ref, credit=credit, body={"input_text": name})
        run_id = socket.hear_until("accepted", ref)[-1]["run_id"]
        socket.turn(3)
        gates.of(name).set()
        return run_id

    return started


def standstill(socket, counters, name):
    """What the stage has sent when turns of its event loop change that no more."""
    heard = []
    while True:
        before = counters.sent.get(name)
        heard += socket.turn(30)
        if before is not None and counters.sent[name] == before:
            return before, heard


def pieces(heard):
    return [int.from_bytes(each["bytes"][:2], "big") for each in heard if each["type"] == "piece"]


def test_without_credit_nothing_is_sent_and_the_stage_stands_still(socket, counters, begin):
    begin("none", credit=0)
    sent, heard = standstill(socket, counters, "none")
    assert heard == []
    assert 0 < sent <= AHEAD
    socket.say("cancel", ref="a")
    socket.say("credit", ref="a", bytes=PLENTY)
    assert socket.hear_until("ended")[-1]["run"]["state"] == "cancelled"


def test_with_credit_the_stage_goes_on_as_far_as_that_reaches(socket, counters, begin):
    begin("steps", credit=1)
    had = []
    for _ in range(5):
        sent, heard = standstill(socket, counters, "steps")
        had += pieces(heard)
        assert had == list(range(len(had)))
        assert sent <= len(had) + AHEAD
        socket.say("credit", ref="a", bytes=20 * PIECE_BYTES)
        until(lambda before=sent: counters.sent["steps"] > before, "the next piece")
    socket.say("credit", ref="a", bytes=PLENTY)
    had += pieces(socket.hear_until("ended"))
    assert had == list(range(PIECES))


def test_no_more_is_sent_than_there_was_credit_for_but_one_message(socket, counters, begin):
    total = 5_000
    begin("exact", credit=total)
    for _ in range(4):
        standstill(socket, counters, "exact")
        assert total <= socket.heard_bytes < total + PIECE_BYTES + 500
        socket.say("credit", ref="a", bytes=3_000)
        total += 3_000
    socket.say("cancel", ref="a")


def test_credit_of_one_run_is_nothing_to_another(socket, counters, begin):
    begin("poor", ref="poor", credit=0)
    begin("rich", ref="rich")
    heard = socket.hear_until("ended", "rich")
    assert {each["ref"] for each in heard if each["type"] == "piece"} == {"rich"}
    sent, _heard = standstill(socket, counters, "poor")
    assert sent <= AHEAD
    socket.say("credit", ref="poor", bytes=PLENTY)
    assert pieces(socket.hear_until("ended", "poor")) == list(range(PIECES))


def test_a_watched_run_waits_for_its_watcher_and_goes_on_when_that_leaves(
    live, socket, counters, begin
):
    run_id = begin("left", credit=0)
    sent, _heard = standstill(socket, counters, "left")
    assert sent <= AHEAD
    socket.say("leave", ref="a")
    with live.client() as client:  # nobody waits for the reader that has left
        assert ended(client, f"/v1/runs/{run_id}")["state"] == "ok"
    assert counters.sent["left"] == PIECES


def test_a_watcher_that_vanishes_holds_nobody_up(live, counters, gates):
    with live.client() as client:
        location = start(client, "counting", input_text="vanished")
        with open_socket(live) as socket:
            socket.say("watch", ref="a", run_id=location.rpartition("/")[2], credit=0)
            assert socket.hear()["type"] == "accepted"
            gates.of("vanished").set()
            assert standstill(socket, counters, "vanished")[0] <= AHEAD
            socket.connection.socket.shutdown(2)
        assert ended(client, location)["state"] == "ok"


# --- credit for input -----------------------------------------------------------------------------


def test_more_input_than_there_is_credit_for_is_refused(socket):
    socket.start("counting", is_open=True)
    credit = socket.hear()["bytes"]
    socket.say_bytes("a", "audio", bytes(credit))
    said = socket.hear()
    assert (said["problem"]["code"], said["is_closed"]) == ("SERVE-CREDIT", True)


def test_credit_for_input_comes_back_up_to_the_size_of_a_body(live, socket):
    most = live.service.settings.max_body_bytes
    socket.start("counting", is_open=True)
    credit, sent = socket.hear()["bytes"], 0
    while credit > 60_000:
        socket.say_bytes("a", "audio", bytes(50_000))
        sent, credit = sent + 50_000, credit - 50_000
        for said in socket.turn():
            assert said["type"] == "input_credit"
            credit += said["bytes"]
        assert sent + credit <= most
    assert most - 200_000 < sent
    socket.say_bytes("a", "audio", bytes(100_000))
    assert socket.refusal() == "SERVE-BODY-SIZE"
