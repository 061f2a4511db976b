"""What the process of a stage knows of its failure, for those who decide what to do about it."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from stageflow_actors.engine.facts import NO_HINT, FailureHint
from stageflow_actors.model.output import StageOutput, StageStatus
from stageflow_actors.model.policies.retry import RetryPolicy
from stageflow_actors.model.policies.retry_after import retry_after_of
from stageflow_actors.model.stage import StageSpec

_REJECTIONS = (StageStatus.FAIL, StageStatus.RETRY)


def hint_of_error(spec: StageSpec, error: BaseException, *, wants_retry: bool) -> FailureHint:
    """Whether its policy retries ``error``, and how long it asks to wait."""
    policy, counts = spec.retry, spec.breaker is not None and spec.breaker.counts(error)
    if policy is None and not wants_retry:
        return FailureHint(counts=counts) if counts else NO_HINT
    policy = policy or RetryPolicy()
    after = retry_after_of(error, time.time(), policy.max_retry_after_s)
    is_covered = wants_retry or policy.covers(error)
    return FailureHint(is_covered, after.seconds, after.ignored, counts=counts)


def hint_of_output(spec: StageSpec, output: StageOutput, error: BaseException) -> FailureHint:
    """The hint of a failure that the stage returned."""
    if output.status not in _REJECTIONS:
        return NO_HINT
    hint = hint_of_error(spec, error, wants_retry=output.status is StageStatus.RETRY)
    if spec.guard_retry is None or output.status is StageStatus.RETRY:
        return hint
    fingerprint = hash_retry_payload(output, spec.guard_retry.hash_fields)
    return hint._replace(is_rejection=True, fingerprint=fingerprint or "")


def hash_retry_payload(
    output: StageOutput | None, fields: tuple[str, ...] | None = None
) -> str | None:
    """A SHA-256 in hex that is equal for equal data, or equal ``fields`` of it; ``None`` for none.

    Data that is no JSON counts by its ``repr``.
    """
    if output is None:
        return None
    data: dict[str, Any] = dict(output.data)
    if fields is not None:
        data = {name: data.get(name) for name in fields}
    try:
        text = json.dumps(data, sort_keys=True, default=repr)
    except Exception:  # keys of several kinds, a circle, a number or a repr of the user's
        text = _shape_of(data)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _shape_of(data: dict[str, Any]) -> str:
    try:
        return ascii(data)
    except Exception:  # what nobody can look at is equal to what nobody can look at
        return ascii(sorted(type(value).__name__ for value in data.values()))
