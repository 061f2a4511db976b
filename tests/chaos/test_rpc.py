"""Messages that get lost, in a Ray session of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from stageflow_actors.testing import lossy_rpc
from tests.chaos.elsewhere import ROOT

NUMBERS = "RAY_testing_rpc_failure"


def session(count, caller, losses):
    """Which of ``count`` calls raised what, and which of them ran, in the order they did."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.chaos.lossy_session", str(count), caller],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **losses},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    return {int(number): kind for number, kind in told["raised"].items()}, told["ran"]


@pytest.mark.ray
def test_a_call_whose_reply_is_lost_has_run_and_the_caller_cannot_know():
    raised, ran = session(60, "driver", lossy_rpc(lost_replies=1, most=3))
    assert sorted(ran) == list(range(60))
    assert list(raised.values()) == ["ActorUnavailableError"] * len(raised)
    assert 1 <= len(raised) <= 3  # other calls of the process may be among the three


@pytest.mark.ray
@pytest.mark.stress
@pytest.mark.parametrize("caller", ["driver", "actor"])
def test_a_share_of_the_replies_is_lost(caller):
    raised, ran = session(400, caller, lossy_rpc(lost_replies=0.1))
    assert set(raised.values()) == {"ActorUnavailableError"}
    assert sorted(ran) == list(range(400))
    assert 10 <= len(raised) <= 100  # 40 are to be expected


@pytest.mark.ray
@pytest.mark.stress
@pytest.mark.parametrize("caller", ["driver", "actor"])
def test_a_call_whose_request_is_lost_has_not_run(caller):
    raised, ran = session(400, caller, lossy_rpc(lost_requests=0.1))
    assert set(raised.values()) == {"ActorUnavailableError"}
    assert sorted([*ran, *raised]) == list(range(400))
    assert 10 <= len(raised) <= 100


@pytest.mark.ray
@pytest.mark.stress
def test_both_are_lost_side_by_side():
    raised, ran = session(300, "driver", lossy_rpc(lost_requests=0.2, lost_replies=0.2))
    assert set(ran) | set(raised) == set(range(300))
    assert set(ran) & set(raised), "no reply was lost"
    assert set(raised) - set(ran), "no request was lost"


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ({"lost_requests": 0.1}, (-1, 10, 0)),
        ({"lost_replies": 0.29}, (-1, 0, 29)),
        ({"lost_requests": 0.57, "lost_replies": 0.43, "most": 7}, (7, 57, 43)),
        ({"lost_replies": 1}, (-1, 0, 100)),
    ],
)
def test_shares_are_told_in_percent(given, numbers):
    (losses,) = json.loads(lossy_rpc(**given)[NUMBERS]).values()
    told = losses["num_failures"], losses["req_failure_prob"], losses["resp_failure_prob"]
    assert told == numbers


def test_another_method_can_be_meant():
    losses = json.loads(lossy_rpc(lost_requests=1, method="CancelTask")[NUMBERS])
    assert list(losses) == ["CoreWorkerService.grpc_client.CancelTask"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"lost_requests": -0.1},
        {"lost_replies": 1.1},
        {"lost_requests": 0.6, "lost_replies": 0.5},
        {"lost_replies": 0.005},
        {"lost_replies": "0.1"},
        {"lost_replies": float("nan")},
        {"lost_replies": True},
        {"lost_replies": 0.1, "most": 0},
        {"lost_replies": 0.1, "most": -1},
        {"lost_replies": 0.1, "method": "Push Task"},
        {"lost_replies": 0.1, "method": None},
    ],
)
def test_what_would_lose_nothing_or_makes_no_sense_is_refused(given):
    with pytest.raises(ValueError):
        lossy_rpc(**given)
