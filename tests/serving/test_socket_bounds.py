"""What a WebSocket takes, how it ends, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import json
import threading
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stageflow_actors import InMemoryEventSink, LocalRuntime
from stageflow_actors.serving import ServingSettings, build_app
from stageflow_actors.serving.socket_frames import Frame, pack
from tests.serving import flows
from tests.serving.live import ACME, Live, Tokens, ended, start, until
from tests.serving.sockets import PLENTY, open_socket, tasks_of


def built(pipelines, **settings):
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    bounds = ServingSettings(**settings)
    return build_app(pipelines, runtime=runtime, verifier=Tokens(), settings=bounds)


@pytest.fixture(scope="module")
def live(gates):
    pipelines = [flows.plain(), flows.typed(), flows.gated(gates)]
    app = built(
        pipelines,
        max_body_bytes=20_000,
        max_runs_per_socket=3,
        max_bad_messages_per_socket=5,
        max_streams_per_tenant=300,
        drain_s=0.2,
    )
    server = Live(app).start()
    yield server
    server.stop()


# --- how much -------------------------------------------------------------------------------------


def test_a_socket_has_so_many_runs_at_a_time(socket):
    for ref in "abc":
        socket.start("gated", ref=ref, body={"input_text": "full"}, is_open=ref == "c")
    socket.hear_until("input_credit", "c")
    for _ in range(20):  # that is no fault of the message
        socket.start("plain", ref="d")
        said = socket.hear_until("error")[-1]
        assert (said["ref"], said["problem"]["code"]) == ("d", "SERVE-TOO-MANY-RUNS")
        assert said["is_closed"]
        assert said["problem"]["retry_after_s"] > 0
    socket.say("leave", ref="c")
    socket.hear_until("left", "c")
    socket.start("plain", ref="d")
    assert socket.hear_until("ended", "d")[-1]["run"]["state"] == "ok"


def test_a_name_stands_for_one_run_at_a_time(socket):
    socket.start("gated", body={"input_text": "taken"})
    socket.hear_until("accepted")
    socket.start("plain")
    said = socket.hear_until("error")[-1]
    assert (said["problem"]["code"], said["is_closed"]) == ("SERVE-MESSAGE", False)
    socket.say("cancel", ref="a")
    assert socket.hear_until("ended")[-1]["run"]["pipeline"] == "gated"


def test_what_is_said_of_no_run_is_told_where_it_would_be_lost(socket):
    for type_ in ("credit", "cancel", "leave"):
        socket.say(type_, ref="none", **({"bytes": 1} if type_ == "credit" else {}))
    assert socket.turn() == []
    for type_ in ("input", "end"):
        socket.say(type_, ref="none", **({"data": {}} if type_ == "input" else {}))
        assert socket.refusal() == "SERVE-MESSAGE"


def test_a_message_that_is_too_large_closes_the_socket(socket):
    socket.start("plain", body={"input_text": "x" * 20_000})
    assert socket.close_code() == 1009


def test_messages_that_cannot_be_used_are_answered_and_too_many_close_the_socket(socket):
    for number in range(6):
        socket.connection.send("{" if number % 2 else b"{")
        assert socket.hear()["type"] == "error"
        if number == 4:
            assert socket.run("plain")[-1]["run"]["state"] == "ok"
    assert socket.close_code() == 4400


REFS = st.sampled_from(["a", "b", "c", "d", "", "a b"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
PARTS = {
    "ref": REFS | ANYTHING,
    "pipeline": st.sampled_from(["plain", "typed", "gated", "none"]) | ANYTHING,
    "body": st.fixed_dictionaries({"input_text": st.just("fuzz"), "data": ANYTHING}) | ANYTHING,
    "credit": st.integers(-1, 10_000) | ANYTHING,
    "bytes": st.integers(-1, 10_000) | ANYTHING,
    "is_open": st.booleans() | ANYTHING,
    "key": st.text(max_size=5),
    "timeout_s": st.sampled_from([0.001, 1, 1e300, -1]) | ANYTHING,
    "run_id": st.text(max_size=40),
    "after": st.integers(-1, 100) | ANYTHING,
    "data": st.dictionaries(st.text(max_size=5), ANYTHING, max_size=3) | ANYTHING,
}
TYPES = {
    "start": ("ref", "pipeline", "credit"),
    "input": ("ref", "data"),
    "end": ("ref",),
    "credit": ("ref", "bytes"),
    "cancel": ("ref",),
    "watch": ("ref", "run_id", "credit"),
    "leave": ("ref",),
    "ping": (),
    "pong": (),
    "other": (),
}


@st.composite
def texts(draw):
    type_ = draw(st.sampled_from([*TYPES]))
    more = draw(st.lists(st.sampled_from([*PARTS]), max_size=2))
    said = {name: draw(PARTS[name]) for name in (*TYPES[type_], *more)}
    return json.dumps({"type": type_, **said})


BLOBS = st.builds(
    lambda header, payload: pack(Frame(json.dumps(header).encode(), payload)),
    st.fixed_dictionaries({"type": st.just("input"), "ref": REFS, "key": st.text(max_size=5)})
    | ANYTHING,
    st.binary(max_size=50),
)
MESSAGES = texts() | BLOBS | st.text(max_size=50) | st.binary(max_size=50)


@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(messages=st.lists(MESSAGES, min_size=1, max_size=12))
def test_whatever_is_sent_is_answered_and_never_with_a_defect(live, messages):
    with open_socket(live) as socket:
        try:
            for message in messages:
                socket.connection.send(message)
            heard = socket.turn()
        except Exception as closed:
            assert closed.rcvd.code in (4400, 1009)
            return
    codes = {each["problem"]["code"] for each in heard if each["type"] == "error"}
    assert not codes & {"SERVE-DEFECT", "SERVE-UNAVAILABLE"}


# --- heartbeats -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beating(gates):
    server = Live(built([flows.gated(gates)], heartbeat_s=0.3, drain_s=0.2)).start()
    yield server
    server.stop()


def test_a_client_that_says_nothing_is_closed_and_its_runs_end(beating):
    with open_socket(beating, is_silent=True) as socket, beating.client() as client:
        socket.start("gated", body={"input_text": "silent"})
        run_id = socket.hear()["run_id"]
        assert socket.close_code() == 4408
        assert ended(client, f"/v1/runs/{run_id}")["state"] == "cancelled"


def test_a_client_that_answers_pings_stays(beating):
    with open_socket(beating) as socket:
        for _ in range(6):  # twice as many as a silent one would be given
            while json.loads(socket.connection.recv())["type"] != "ping":
                pass
            socket.say("pong")
        assert socket.turn() == []


# --- nothing is left ------------------------------------------------------------------------------


def test_sockets_that_are_dropped_half_used_leave_nothing_behind(live, client, gates):
    location = start(client, "gated", input_text="held")
    run_id = location.rpartition("/")[2]
    client.get(f"{location}/events", headers={"Last-Event-ID": "99"})  # from now on it is recorded
    before = tasks_of(live)
    for number in range(200):
        with open_socket(live) as socket:
            kind = number % 5
            if kind == 1:
                socket.start("gated", credit=number % 2, body={"input_text": "dropped"})
            elif kind == 2:
                socket.start("gated", is_open=True)
                socket.say_bytes("a", "audio", b"12")
            elif kind == 3:
                socket.say("watch", ref="a", run_id=run_id, credit=number % 2 * PLENTY)
                socket.hear()
            elif kind == 4:
                socket.run("plain")
            if number % 3:
                socket.connection.socket.shutdown(2)
    until(lambda: not live.service.streams, "the end of all sockets")
    until(lambda: live.desk("gated").live() == [UUID(run_id)], "the end of all runs")
    until(lambda: tasks_of(live) <= before, "the end of all tasks")
    client.delete(location)


class Scripted:
    """The server's end of a socket without a server: what comes in, and when, is a script."""

    def __init__(self, app, *messages) -> None:
        self.app = app
        self.sent: list[dict] = []
        self.news = asyncio.Event()
        self._coming = asyncio.Queue()
        self.come({"type": "websocket.connect"})
        for message in messages:
            self.come({"type": "websocket.receive", "text": json.dumps(message)})

    def come(self, event):
        self._coming.put_nowait(event)

    async def serve(self):
        scope = {
            "type": "websocket",
            "path": "/v1/ws",
            "headers": [(b"authorization", b"Bearer ada")],
            "client": ("127.0.0.1", 1),
            "subprotocols": [],
        }
        await self.app(scope, self._coming.get, self._send)

    async def _send(self, message):
        self.sent.append(message)
        self.news.set()

    async def accepted(self):
        """The id of the first run."""
        while True:
            for each in self.sent:
                said = json.loads(each.get("text") or "{}")
                if said.get("type") == "accepted":
                    return said["run_id"]
            self.news.clear()
            await self.news.wait()


START = {
    "type": "start",
    "ref": "a",
    "pipeline": "gated",
    "credit": PLENTY,
    "body": {"input_text": "scripted"},
}


async def state_of(app, run_id):
    while True:
        shown = await app.state.service.look(run_id, f"org:{ACME}")
        if shown.is_ended:
            return shown.state
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("how", ["told", "cancelled"])
async def test_however_a_server_says_that_the_client_has_gone_its_runs_end(how):
    """Some tell whoever receives, and nobody else; others cancel, and what is awaited then."""
    app = built([flows.gated(flows.Gates())], drain_s=0.05)
    async with app.router.lifespan_context(app):
        script = Scripted(app, START)
        serving = asyncio.create_task(script.serve())
        run_id = await script.accepted()
        if how == "told":
            script.come({"type": "websocket.disconnect", "code": 1006})
            await serving
        else:
            serving.cancel()
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
        assert await state_of(app, run_id) == "cancelled"
        assert not app.state.service.streams


async def test_a_client_that_goes_while_its_run_starts_leaves_none():
    app = built([flows.gated(flows.Gates())], drain_s=0.05)
    async with app.router.lifespan_context(app):
        script = Scripted(app, START)
        script.come({"type": "websocket.disconnect", "code": 1006})
        await script.serve()
        desk = app.state.service.desk("gated")
        while desk.live():
            await asyncio.sleep(0.002)
        assert desk.stats().kept.runs <= 1


def test_a_server_that_goes_down_lets_the_runs_of_its_sockets_end(gates):
    server = Live(built([flows.gated(gates)], drain_s=20)).start()
    stopping = threading.Thread(target=server.stop)
    with open_socket(server) as socket:
        socket.start("gated", body={"input_text": "drained"})
        run_id = socket.hear()["run_id"]
        record = server.desk("gated")._book.known(run_id)
        stopping.start()
        assert socket.close_code() == 1012
    for number in range(1, 5):
        gates.of(f"drained.{number}").set()
    stopping.join()
    assert record.state == "ok"
