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


def lossy_runs(count, kept, folder, losses):
    """What became of so many runs in a Ray session of their own."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.stress.lossy_runs", str(count), str(kept), str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **losses},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_processes_answer_again_from_their_records(is_full, tmp_path):
    """With their records, nothing is even executed twice."""
    count = 2_000 if is_full else 40
    told = lossy_runs(count, 1_000, tmp_path, lossy_rpc(lost_replies=0.1))
    assert told["statuses"] == {"ok": count}
    assert (told["outputs"], told["paid"], told["executed"]) == (count, count, count)
    assert told["asked_again"] > 0


@pytest.mark.stress
def test_without_the_records_work_is_done_again_and_counts_once(tmp_path):
    count = 2_000
    told = lossy_runs(count, 0, tmp_path, lossy_rpc(lost_replies=0.1))
    assert told["statuses"] == {"ok": count}
    assert (told["outputs"], told["paid"]) == (count, count)
    assert told["executed"] > count


@pytest.mark.stress
def test_lost_requests_are_made_again(tmp_path):
    count = 2_000
    told = lossy_runs(count, 1_000, tmp_path, lossy_rpc(lost_requests=0.1))
    assert told["statuses"] == {"ok": count}
    assert (told["outputs"], told["paid"], told["executed"]) == (count, count, count)
    assert told["asked_again"] > 0
