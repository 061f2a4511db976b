"""Requests generated from the OpenAPI document for pipelines that are models."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import given
from schemathesis import GenerationMode

from stageflow_actors.serving.scopes import RULES
from tests.serving import openai_models
from tests.serving.openai_models import model, one
from tests.serving.test_generated import CHECKS, COUNTS, so_many

PATHS = ("/v1/models", "/v1/chat", "/v1/audio")
ROUTES = [rule for rule in RULES if rule.path.startswith(PATHS)]


@pytest.fixture(scope="module")
def served():
    return [
        model(one("echo", openai_models.echo), chat="s.text", usage="s.tokens"),
        model(one("hear", openai_models.hear), transcription="s.speech"),
        model(one("speak", openai_models.speak), speech="s.audio"),
    ]


@pytest.fixture(scope="module")
def described(live):
    with live.client() as client:
        return schemathesis.openapi.from_dict(client.get("/openapi.json").json())


@COUNTS
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize("rule", ROUTES, ids=lambda rule: f"{rule.method} {rule.path}")
def test_whatever_is_asked_of_a_model_is_answered_as_the_document_says(
    live, described, rule, mode, count
):
    operation = described[rule.path][rule.method]

    @so_many(count)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate(
            base_url=live.url, headers={"Authorization": "Bearer ada"}, checks=CHECKS
        )

    ask()


def test_a_request_that_the_document_allows_is_answered(live, described):
    """Or the test above would say little: it also passes if everything is refused."""
    statuses = set()

    @so_many(12)
    @given(case=described["/v1/chat/completions"]["POST"].as_strategy())
    def ask(case):
        case.body = {**case.body, "messages": [{"role": "user", "content": "x"}]}
        statuses.add(
            case.call(base_url=live.url, headers={"Authorization": "Bearer ada"}).status_code
        )

    ask()
    assert statuses == {200}
