"""Requests generated from the OpenAPI document: no defect, and answers as the document says."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stageflow_actors.serving.scopes import RULES
from tests.serving import flows

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
DESCRIBED = [rule for rule in RULES if rule.path not in ("/openapi.json", "/docs", "/v1/ws")]
COUNTS = pytest.mark.parametrize(
    "count",
    [
        pytest.param(12, id="few"),
        pytest.param(400, id="many", marks=[pytest.mark.stress, pytest.mark.timeout(900)]),
    ],
)
"""How many are generated for each route; all routes together have 10,000 under ``make stress``."""


def so_many(count):
    return hypothesis_settings(
        max_examples=count, deadline=None, suppress_health_check=[*HealthCheck]
    )


@pytest.fixture(scope="module")
def served():
    return [flows.typed(), flows.plain(), flows.failing(), flows.refusing()]


@pytest.fixture(scope="module")
def described(live):
    with live.client() as client:
        return schemathesis.openapi.from_dict(client.get("/openapi.json").json())


@COUNTS
@pytest.mark.parametrize(
    ("rule", "mode"),
    [
        pytest.param(rule, mode, id=f"{rule.method} {rule.path} {mode.value}")
        for rule in DESCRIBED
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or rule.scope is not None  # health takes nothing
    ],
)
def test_whatever_is_asked_is_answered_as_the_document_says(live, described, rule, mode, count):
    paths = [path for path in described if path.startswith(rule.path.partition("{")[0])]
    asked = rule.path.replace("{name}/runs", "typed/runs")
    assert asked in paths
    operation = described[asked][rule.method]

    @so_many(count)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate(
            base_url=live.url, headers={"Authorization": "Bearer ada"}, checks=CHECKS
        )

    ask()
