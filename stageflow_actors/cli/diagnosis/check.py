"""``Check``: one thing that was looked at, and how it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How it is. Only ``BROKEN`` keeps pipelines from running."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """``told`` is for people, ``details`` for programs."""

    name: str
    verdict: Verdict
    told: str
    hint: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
