"""One trace from a client to the stages behind Serve, as a collector receives it."""

from __future__ import annotations

import secrets
from collections import Counter

import pytest

from tests.serve.door import ONE_PROCESS, SOON, Door
from tests.telemetry.otlp_receiver import OtlpReceiver

pytestmark = pytest.mark.ray

CLIENT_SPAN = secrets.token_hex(8)


class Traced(Door):
    """Its processes export to ``receiver``, and nothing before their end: who loses it is seen."""

    def __init__(self, url, name, receiver) -> None:
        super().__init__(url, name)
        self._told = receiver.environment() | {
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "60000",
        }

    def deploy(self) -> None:
        from ray import serve

        from stageflow_actors.serving.replicas.ingress import Door as Replicas
        from stageflow_actors.serving.replicas.served_app import ServedApp

        flows = "tests.serve.traced_flows"
        served = ServedApp(
            pipeline=f"{flows}:outside",
            registry=f"{flows}:registry",
            verifier="tests.serve.flows:Tokens",
            settings=SOON,
            runtime=ONE_PROCESS,
        )
        environment = {"runtime_env": {"env_vars": self._told}}
        replicas = Replicas.options(ray_actor_options=environment)
        serve.run(replicas.bind(served), name=self.name, route_prefix=f"/{self.name}")


def test_a_request_its_run_its_stages_and_their_children_are_one_trace(serve_session):
    trace_id = secrets.token_hex(16)
    headers = {
        "traceparent": f"00-{trace_id}-{CLIENT_SPAN}-01",
        "tracestate": "a=1",
        "Idempotency-Key": "one",
    }
    with OtlpReceiver() as receiver:
        door = Traced(serve_session, "traced", receiver)
        door.deploy()
        try:
            with door.client() as client:
                path = "/v1/pipelines/outside/runs"
                first, again = (client.post(path, json={}, headers=headers) for _ in range(2))
        finally:
            door.delete()
        assert first.content == again.content
        run = first.json()
        assert (run["state"], run["trace_id"]) == ("ok", trace_id)
        receiver.wait_for(lambda seen: len(of_trace(seen.spans, trace_id)) >= 7)
        check(of_trace(receiver.spans, trace_id), run["run_id"])


def of_trace(spans, trace_id):
    return [each for each in spans if each.trace_id == trace_id]


def check(spans, run_id):
    """Each span is there once, below the one that it belongs to, from the process that made it."""
    ids = {each.span_id: each for each in spans}
    assert len(ids) == len(spans)
    above = {
        (each.name, ids[each.parent_span_id].name if each.parent_span_id in ids else "the client")
        for each in spans
    }
    request = "POST /traced/v1/pipelines/{name}/runs"
    assert above == {
        (request, "the client"),
        ("invoke_workflow outside", request),
        ("stageflow.stage ask", "invoke_workflow outside"),
        ("inner", "stageflow.stage ask"),
        ("invoke_workflow inside", "stageflow.stage ask"),
        ("stageflow.stage tell", "invoke_workflow inside"),
    }
    first, again = sorted(
        (each for each in spans if each.name == request), key=lambda span: span.start_ns
    )
    assert first.parent_span_id == again.parent_span_id == CLIENT_SPAN
    (run,) = [each for each in spans if each.name == "invoke_workflow outside"]
    assert run.parent_span_id == first.span_id
    for each in (first, again, run):
        assert each.attributes["stageflow.run.id"] == run_id
    assert {each.trace_state for each in (first, again)} == {"a=1"}
    roles = Counter(each.resource["stageflow.process.role"] for each in spans)
    assert roles == {"replica": 2, "keeper": 4, "stage": 1}
    assert len({each.resource["process.pid"] for each in spans}) == 3
