"""Runs over a WebSocket: started, fed, shown, cancelled, watched again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stageflow_actors import Pipeline
from stageflow_actors.serving import ServedPipeline, ServingSettings
from tests.serving import flows
from tests.serving.live import ended, frames, start, until
from tests.serving.sockets import PLENTY, PROTOCOL, open_socket


async def measure(ctx):
    """What came in, as the stage sees it."""
    return {
        key: len(value) if isinstance(value, bytes) else value for key, value in ctx.data.items()
    } | {"text": ctx.snapshot.input_text}


async def talk(ctx):
    await ctx.stream.send("hello")
    await ctx.stream.send({"tokens": 4}, audience="internal")
    await ctx.stream.send(b"\x00\xff")
    await ctx.stream.send(np.arange(3, dtype="<i2"))
    return {}


async def mirror(ctx):
    await ctx.stream.send(ctx.data["audio"])
    return {}


@pytest.fixture(scope="module")
def served(gates):
    return [
        flows.plain(),
        flows.typed(),
        flows.failing(),
        flows.gated(gates),
        ServedPipeline(flows.gated(gates, "lasting"), on_disconnect="continue"),
        Pipeline("measuring").with_stage("measure", measure, "work"),
        Pipeline("talking").with_stage("talk", talk, "work"),
        Pipeline("mirroring").with_stage("mirror", mirror, "work"),
    ]


@pytest.fixture(scope="module")
def settings():
    return ServingSettings(drain_s=0.2)


def pass_all(gates, text):
    for number in range(1, 5):
        gates.of(f"{text}.{number}").set()


def numbers(heard, ref="a"):
    return [each["number"] for each in heard if "number" in each and each["ref"] == ref]


def test_a_run_is_accepted_shown_and_ends_with_its_document(client, socket):
    heard = socket.run("plain", body={"input_text": "hi", "data": {"a": 1}})
    assert [each["type"] for each in heard] == ["accepted", *["event"] * 6, "ended"]
    assert numbers(heard) == [1, 2, 3, 4, 5, 6]
    run_id = heard[0]["run_id"]
    told = frames(client, f"/v1/runs/{run_id}")
    assert [each["event"] for each in heard[1:-1]] == [each["event"] for each in told]
    assert [each["data"] for each in heard[1:-1]] == [json.loads(each["data"]) for each in told]
    assert heard[-1]["run"] == client.get(f"/v1/runs/{run_id}").json()
    assert heard[-1]["run"]["result"]["outputs"]["echo"]["data"]["data"] == {"a": 1}


def test_a_name_can_be_used_again_once_its_run_has_ended(socket):
    for _ in range(3):
        assert socket.run("plain")[-1]["run"]["state"] == "ok"


def test_two_runs_go_on_side_by_side(socket, gates):
    socket.start("gated", ref="one", body={"input_text": "side-1"})
    socket.start("gated", ref="two", body={"input_text": "side-2"})
    pass_all(gates, "side-2")
    heard = socket.hear_until("ended", "two")
    pass_all(gates, "side-1")
    heard += socket.hear_until("ended", "one")
    for ref in ("one", "two"):
        assert numbers(heard, ref) == list(range(1, 13))


def test_events_come_while_the_run_goes_on(socket, gates):
    socket.start("gated", body={"input_text": "seen"})
    for number in range(1, 5):
        heard = {}
        while heard.get("event") != f"stage.s{number}.started":
            heard = socket.hear()
        gates.of(f"seen.{number}").set()  # nothing goes on before this was heard
    assert socket.hear_until("ended")[-1]["run"]["state"] == "ok"


def test_a_run_that_fails_is_a_result_and_hides_the_inside(socket):
    heard = socket.run("failing")
    assert heard[-1]["run"]["state"] == "failed"
    assert flows.SECRET not in json.dumps(heard)


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"pipeline": "none"}, "SERVE-PIPELINE-UNKNOWN"),
        ({"pipeline": "typed", "body": {"input_text": "x"}}, "SERVE-INPUT"),
        ({"pipeline": "plain", "body": {"input_text": 5}}, "SERVE-INPUT"),
        ({"pipeline": "plain", "body": {"data": {"_auth_token": "ada"}}}, "SERVE-INPUT"),
        ({"pipeline": "plain", "timeout_s": 1e9}, "SERVE-MESSAGE"),
        ({"pipeline": "plain", "timeout_s": 0}, "SERVE-MESSAGE"),
        ({"pipeline": "plain", "key": "two words"}, "SERVE-MESSAGE"),
    ],
)
def test_a_run_that_cannot_be_is_refused_and_its_name_is_free(socket, parts, code):
    socket.start(**parts)
    said = socket.hear()
    assert (said["type"], said["ref"], said["is_closed"]) == ("error", "a", True)
    assert said["problem"]["code"] == code
    assert socket.run("plain")[-1]["run"]["state"] == "ok"


def test_a_deadline_ends_the_run(socket):
    heard = socket.run("gated", body={"input_text": "never"}, timeout_s=0.01)
    assert heard[-1]["run"]["state"] == "timed_out"


# --- input ----------------------------------------------------------------------------------------


def test_input_comes_in_parts_as_data_and_as_bytes(socket):
    socket.start("measuring", body={"input_text": "t", "data": {"a": 1, "b": 1}}, is_open=True)
    assert socket.hear()["type"] == "input_credit"
    socket.say("input", ref="a", data={"b": 2, "c": [3]})
    for part in (b"\x00" * 10, b"", b"\xff" * 7):
        socket.say_bytes("a", "audio", part)
    socket.say("end", ref="a")
    run = socket.hear_until("ended")[-1]["run"]
    seen = run["result"]["outputs"]["measure"]["data"]
    assert seen == {"a": 1, "b": 2, "c": [3], "audio": 17, "text": "t"}


def test_no_run_starts_before_its_input_has_ended(live, socket):
    before = live.desk("measuring").stats()
    socket.start("measuring", is_open=True)
    socket.hear()
    socket.turn(5)
    assert live.desk("measuring").stats() == before
    socket.say("leave", ref="a")
    assert socket.hear() == {"type": "left", "ref": "a"}


def test_bytes_go_in_and_out_as_they_are(socket):
    given = bytes(range(256)) * 200
    socket.start("mirroring", is_open=True)
    socket.hear()
    socket.say_bytes("a", "audio", given)
    socket.say("end", ref="a")
    heard = socket.hear_until("ended")
    pieces = [each for each in heard if each["type"] == "piece"]
    assert [each["bytes"] for each in pieces] == [given]


def test_pieces_are_events_or_come_with_their_bytes(live, socket):
    heard = socket.run("talking")
    hello, blob, array = [each for each in heard if each.get("event") == "stream.token"]
    assert (hello["type"], hello["data"]["data"]) == ("event", "hello")
    assert (blob["type"], blob["bytes"]) == ("piece", b"\x00\xff")
    assert array["data"]["array"] == {"dtype": "<i2", "shape": [3]}
    assert np.frombuffer(array["bytes"], "<i2").tolist() == [0, 1, 2]
    with open_socket(live, "insider") as insider:
        heard = insider.run("talking")
    assert {"tokens": 4} in [each.get("data", {}).get("data") for each in heard]


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda s: s.say("input", ref="a", data={"_x": 1}), "SERVE-INPUT"),
        (lambda s: s.say_bytes("a", "auth_token", b""), "SERVE-INPUT"),
        (lambda s: s.say_bytes("a", "there", b""), "SERVE-INPUT"),
    ],
)
def test_input_that_cannot_be_used_closes_its_run(socket, send, code):
    socket.start("measuring", body={"data": {"there": 1}}, is_open=True)
    socket.hear()
    send(socket)
    said = socket.hear()
    assert (said["problem"]["code"], said["is_closed"]) == (code, True)
    socket.say("input", ref="a", data={})
    assert socket.refusal() == "SERVE-MESSAGE"


def test_input_for_a_run_that_goes_on_is_refused(socket, gates):
    socket.start("gated", body={"input_text": "late"})
    socket.hear()
    socket.say("input", ref="a", data={"x": 1})
    heard = socket.hear_until("error")
    assert heard[-1]["is_closed"] is False
    pass_all(gates, "late")
    assert socket.hear_until("ended")[-1]["run"]["state"] == "ok"


# --- cancel, leave, keys, watch -------------------------------------------------------------------


def test_a_run_is_cancelled_and_ends(socket):
    socket.start("gated", body={"input_text": "stopped"})
    socket.hear_until("event")
    for _ in range(3):
        socket.say("cancel", ref="a")
    heard = socket.hear_until("ended")
    assert heard[-1]["run"]["state"] == "cancelled"
    assert heard[-2]["event"] == "run.ended"
    socket.say("cancel", ref="a")  # it comes too late, which is no fault
    assert socket.turn() == []


def test_a_run_that_is_left_is_not_heard_of_any_more_and_goes_on(client, socket, gates):
    socket.start("gated", body={"input_text": "left"})
    run_id = socket.hear()["run_id"]
    socket.say("leave", ref="a")
    socket.hear_until("left")
    pass_all(gates, "left")
    assert ended(client, f"/v1/runs/{run_id}")["state"] == "ok"
    assert socket.turn(5) == []


def test_one_key_starts_one_run(live, socket, gates):
    pass_all(gates, "keyed")
    body = {"input_text": "keyed"}
    ids = {socket.run("gated", body=body, key="k")[0]["run_id"] for _ in range(2)}
    assert len(ids) == 1
    socket.start("gated", body={"input_text": "another"}, key="k")
    assert socket.refusal() == "SERVE-KEY-REUSED"
    with open_socket(live, "eve") as stranger:
        assert stranger.run("gated", body=body, key="k")[0]["run_id"] not in ids


def test_a_key_stands_for_the_bytes_of_the_input_too(socket):
    answers = []
    for blob in (b"1", b"1", b"2"):
        socket.start("measuring", key="bytes", is_open=True)
        socket.hear()
        socket.say_bytes("a", "audio", blob)
        socket.say("end", ref="a")
        said = socket.hear()
        answers.append(said.get("run_id") or said["problem"]["code"])
        if said["type"] == "accepted":
            socket.hear_until("ended")
    assert answers[0] == answers[1]
    assert answers[2] == "SERVE-KEY-REUSED"


def test_every_position_of_a_run_gives_exactly_the_rest(client, socket):
    run_id = start(client, "plain").rpartition("/")[2]
    told = socket_watch(socket, run_id, 0)
    assert numbers(told) == list(range(1, 7))
    for position in range(1, 7):
        assert numbers(socket_watch(socket, run_id, position)) == list(range(position + 1, 7))


def socket_watch(socket, run_id, after):
    socket.say("watch", ref="a", run_id=run_id, after=after, credit=PLENTY)
    heard = socket.hear_until("ended")
    assert heard[0] == {"type": "accepted", "ref": "a", "run_id": run_id}
    return heard


def test_a_client_that_comes_back_has_no_gap_and_no_repetition(live, client, gates):
    """Dropped after each entry, while the run goes on."""
    run_id = start(client, "gated", input_text="resumed").rpartition("/")[2]
    gate = (f"resumed.{number}" for number in range(1, 5))
    had = []
    while not had or had[-1]["event"] != "run.ended":
        with open_socket(live) as socket:
            after = len(had)
            socket.say("watch", ref="a", run_id=run_id, after=after, credit=PLENTY)
            assert socket.hear()["type"] == "accepted"
            had.append(socket.hear())
        event = had[-1]["event"]
        if event.startswith("stage.") and event.endswith(".started"):
            gates.of(next(gate)).set()
    assert [each["number"] for each in had] == list(range(1, 13))
    told = frames(client, f"/v1/runs/{run_id}")
    assert [each["event"] for each in had] == [each["event"] for each in told]


@pytest.mark.parametrize("after", [7, 10**9])
def test_a_position_that_was_never_given_out_is_refused(client, socket, after):
    run_id = client.post("/v1/pipelines/plain/runs", json={}).json()["run_id"]
    socket.say("watch", ref="a", run_id=run_id, after=after, credit=PLENTY)
    assert socket.refusal() == "SERVE-CURSOR"
    assert len(socket_watch(socket, run_id, 5)) == 3


# --- clients that go ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_runs_of_a_client_that_goes_are_cancelled_unless_that_is_said(live, client, gates, how):
    text = f"gone-{how}"
    ids = {}
    with open_socket(live) as socket:
        for ref, pipeline, parts in (
            ("mine", "gated", {}),
            ("unread", "gated", {"credit": 0}),
            ("keyed", "gated", {"key": text}),
            ("lasting", "lasting", {}),
        ):
            socket.start(pipeline, ref=ref, body={"input_text": text}, **parts)
            ids[ref] = socket.hear_until("accepted", ref)[-1]["run_id"]
        elsewhere = start(client, "gated", input_text=text)
        socket.say("watch", ref="w", run_id=elsewhere.rpartition("/")[2], credit=PLENTY)
        socket.hear_until("accepted", "w")
        if how == "closed":
            socket.connection.close()
        else:
            socket.connection.socket.shutdown(2)
    for ref in ("mine", "unread"):
        assert ended(client, f"/v1/runs/{ids[ref]}")["state"] == "cancelled"
    pass_all(gates, text)
    for path in (f"/v1/runs/{ids['keyed']}", f"/v1/runs/{ids['lasting']}", elsewhere):
        assert ended(client, path)["state"] == "ok"
    until(lambda: not live.service.streams, "the end of the socket")


def test_the_socket_is_chosen_by_its_name(live):
    with open_socket(live, subprotocols=["other", PROTOCOL]) as socket:
        assert socket.connection.subprotocol == PROTOCOL
    with open_socket(live) as socket:
        assert socket.connection.subprotocol is None
