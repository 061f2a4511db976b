"""One reply in ten is lost on its way: no run is lost, and none is accepted twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from stageflow_actors.testing import lossy_rpc
from tests.chaos.elsewhere import ROOT

pytestmark = pytest.mark.ray


ONE_BY_ONE = {"max_messages_per_call": 1}
"""Nothing is gathered, so that there are calls enough to lose some."""
IMPATIENT = {
    "max_unanswered_calls": 1,
    "max_messages_per_call": 2,
    "max_losses_per_stage": 1_000,
    "restart_intensity": 1_000,
}
"""Two losses in a row end a process of a stage; it carries little per call, so that they come."""


def lossy_runs(count, settings, folder, losses):
    """What became of so many runs in a Ray session of their own."""
    words = [str(count), json.dumps(settings), str(folder)]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.stress.lossy_runs", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **losses},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_a_lost_reply_comes_with_a_later_call(is_full, tmp_path):
    """Nothing is even executed twice."""
    count = 2_000 if is_full else 40
    told = lossy_runs(count, ONE_BY_ONE, tmp_path, lossy_rpc(lost_replies=0.1))
    assert told["statuses"] == {"ok": count}
    assert (told["outputs"], told["paid"], told["executed"]) == (count, count, count)
    assert told["asked_again"] > 0


@pytest.mark.stress
def test_where_processes_are_given_up_early_work_is_done_again_and_counts_once(tmp_path):
    count = 2_000
    told = lossy_runs(count, IMPATIENT, tmp_path, lossy_rpc(lost_replies=0.1))
    assert told["statuses"] == {"ok": count}
    assert (told["outputs"], told["paid"]) == (count, count)
    assert told["executed"] > count


@pytest.mark.stress
def test_lost_requests_are_made_again(tmp_path):
    count = 2_000
    told = lossy_runs(count, ONE_BY_ONE, tmp_path, lossy_rpc(lost_requests=0.1))
    assert told["statuses"] == {"ok": count}
    assert (told["outputs"], told["paid"], told["executed"]) == (count, count, count)
    assert told["asked_again"] > 0
