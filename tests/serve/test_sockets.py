"""WebSockets through the proxies of Serve, to whichever replica."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from websockets.exceptions import InvalidStatus

from tests.serving.live import ended
from tests.serving.sockets import PLENTY, PROTOCOL, open_socket

pytestmark = pytest.mark.ray


@pytest.fixture
def address(client):
    return SimpleNamespace(url=str(client.base_url).rstrip("/"))


def test_a_run_is_started_at_one_replica_and_watched_at_any(address):
    run_ids = []
    for _ in range(6):
        with open_socket(address, subprotocols=[PROTOCOL]) as socket:
            assert socket.connection.subprotocol == PROTOCOL
            heard = socket.run("plain", body={"input_text": "hi"})
            run_ids.append(heard[0]["run_id"])
            for run_id in run_ids:
                socket.say("watch", ref="w", run_id=run_id, after=2, credit=PLENTY)
                told = socket.hear_until("ended")
                assert [each["number"] for each in told if "number" in each] == [3, 4, 5, 6]


def test_a_handshake_is_refused_with_the_problem(address):
    with pytest.raises(InvalidStatus) as refused, open_socket(address, token="nix"):
        pass
    answer = refused.value.response
    assert answer.status_code == 401
    assert json.loads(answer.body)["code"] == "SERVE-TOKEN-REFUSED"


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_a_client_that_goes_is_noticed_behind_the_proxy(address, client, gate, how):
    with open_socket(address) as socket:
        socket.start("gated", body={"input_text": str(gate)})
        run_id = socket.hear_until("accepted")[-1]["run_id"]
        if how == "dropped":
            socket.connection.socket.shutdown(2)
    assert ended(client, f"/v1/runs/{run_id}")["state"] == "cancelled"
