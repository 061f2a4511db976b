"""Stages on two machines: results are those of one process, and no run hangs on a lost machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.chaos.elsewhere import ROOT

pytestmark = pytest.mark.ray

FAR_WORDS = """
from stageflow_actors import Pipeline
from far_tools import pick
from far_words.words import WORDS
from tests.cluster.stages import LEFT, RIGHT, on, told


async def choose(ctx):
    return told(word=pick(WORDS))


def pipeline():
    near = Pipeline("words").with_stage("near", choose, "work", placement=on(LEFT))
    return near.with_stage("far", choose, "work", placement=on(RIGHT))
"""


def scene(*given, limit_s=110):
    """What a cluster of its own has told."""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.cluster.two_nodes", *map(str, given)],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=limit_s,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("count", ["few", pytest.param("every", marks=pytest.mark.stress)])
def test_runs_end_as_they_do_in_one_process(count):
    told = scene("ends", count)
    assert {name: each["there"] for name, each in told.items()} == {
        name: each["here"] for name, each in told.items()
    }
    assert {each["there"]["status"] for each in told.values()} == {
        "ok",
        "failed",
        "cancelled",
        "timed_out",
    }
    assert told["crossing"]["sides"] == {"record": "left", "hear": "right", "answer": "left"}
    assert told["crossing"]["there"]["outputs"]["hear"]["length"] == 2**20
    assert told["far"]["sides"]["far"] == "right"


@pytest.mark.parametrize(
    "count", [3, pytest.param(100, marks=pytest.mark.stress)], ids=["few", "many"]
)
def test_a_machine_that_is_lost_and_replaced_ends_every_run_by_its_policy(tmp_path, count):
    told = scene("loss", tmp_path, count, "back", limit_s=110 + count)
    assert told == {
        "near": {"ok": count},
        "plain": {"failed STAGE-OUTCOME-UNKNOWN": count},
        "fallback": {"ok STAGE-OUTCOME-UNKNOWN": count},
        "lenient": {"ok STAGE-OUTCOME-UNKNOWN": count},
        "again": {"ok": count},
    }


@pytest.mark.parametrize(
    "count",
    [pytest.param(count, marks=pytest.mark.stress) for count in (3, 100)],
    ids=["few", "many"],
)
def test_a_machine_that_is_lost_for_good_leaves_no_run_hanging(tmp_path, count):
    told = scene("loss", tmp_path, count, "gone", limit_s=110 + count)
    assert told == {
        "near": {"ok": count},
        "again": {"failed SUPERVISION-ESCALATED": count},
    }


@pytest.mark.stress
def test_code_that_no_machine_has_goes_along(tmp_path):
    package = tmp_path / "far_words"
    package.mkdir()
    (package / "__init__.py").write_text(FAR_WORDS)
    (package / "words.py").write_text("WORDS = ['Hello']")
    (tmp_path / "far_tools.py").write_text("def pick(words): return words[0]")
    told = scene("code", tmp_path)
    assert told["outputs"] == 2 * [{"near": {"word": "Hello"}, "far": {"word": "Hello"}}]
    assert told["sides"] == {"near": "left", "far": "right"}
    assert told["is_there"]


@pytest.mark.stress
@pytest.mark.parametrize(("which", "what"), [("none", "has no"), ("other", "0.0.7")])
def test_a_machine_without_this_library_is_named_when_the_cluster_is_joined(which, what):
    told = scene("version", which)
    assert told["type"] == "DeploymentError"
    assert what in told["message"]
    assert "stageflow_actors" in told["message"]
