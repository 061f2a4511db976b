"""One ledger per test."""

from __future__ import annotations

import pytest

from stageflow_actors.testing import FaultLedger


@pytest.fixture
def ledger(tmp_path):
    return FaultLedger(tmp_path / "faults.jsonl")
