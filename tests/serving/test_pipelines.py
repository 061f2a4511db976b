"""What the door says of its pipelines."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from jsonschema_rs import Draft202012Validator

from stageflow_actors.serving.scopes import RULES


def test_every_pipeline_is_listed_with_where_it_is(client, live):
    listed = client.get("/v1/pipelines").json()["pipelines"]
    assert [each["name"] for each in listed] == [*live.service.pipelines]
    for each in listed:
        assert client.get(each["links"]["self"]).json()["name"] == each["name"]


def test_a_pipeline_says_what_it_takes_and_returns(client):
    told = client.get("/v1/pipelines/typed").json()
    assert told["input_schema"]["required"] == ["input_text", "city"]
    assert told["output_schema"]["properties"]["reply"]["$ref"].endswith("Answer")
    assert told["stages"][0]["name"] == "reply"
    assert told["on_disconnect"] == "cancel"
    stages = client.get("/v1/pipelines/gated").json()["stages"]
    assert [each["dependencies"] for each in stages] == [[], ["s1"], ["s2"], ["s3"]]


@pytest.mark.parametrize(
    ("format_", "type_", "text"),
    [
        (None, "image/svg+xml", "<svg"),
        ("svg", "image/svg+xml", "<svg"),
        ("mermaid", "text/vnd.mermaid; charset=utf-8", "flowchart"),
        ("dot", "text/vnd.graphviz; charset=utf-8", "digraph"),
        ("json", "application/json", '"edges"'),
    ],
)
def test_a_pipeline_is_drawn(client, format_, type_, text):
    parameters = {} if format_ is None else {"format": format_}
    answer = client.get("/v1/pipelines/gated/graph", params=parameters)
    assert answer.headers["content-type"] == type_
    assert text in answer.text
    if type_ == "image/svg+xml":
        ET.fromstring(answer.text)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    if format_ == "json":
        edges = [(each["source"], each["target"]) for each in answer.json()["edges"]]
        assert edges == [("s1", "s2"), ("s2", "s3"), ("s3", "s4")]


def test_a_format_that_there_is_not_is_refused(client):
    for query in ("format=png", "format=svg&format=dot", "format="):
        answer = client.get(f"/v1/pipelines/gated/graph?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "SERVE-QUERY")


def test_the_openapi_document_has_every_route_and_the_schemas_of_each_pipeline(client, live):
    document = client.get("/openapi.json").json()
    names = [*live.service.pipelines]
    expected = {
        (rule.method.lower(), rule.path.replace("{name}/runs", f"{name}/runs"))
        for rule in RULES
        for name in names
        if not rule.path.startswith(("/openapi", "/docs")) and rule.method != "WEBSOCKET"
    }
    told = {(method, path) for path, each in document["paths"].items() for method in each}
    assert told == expected
    schemas = document["components"]["schemas"]
    body = schemas["typed.RunBody"]["allOf"][1]
    assert body["required"] == ["data", "input_text"]
    assert body["properties"]["data"]["required"] == ["city"]
    assert schemas["typed.Output.Answer"]["required"] == ["text"]
    open_ones = [
        path
        for path, each in document["paths"].items()
        if "security" not in each.get("get", each.get("post", each.get("delete")))
    ]
    assert open_ones == ["/healthz/live", "/healthz/ready"]


def test_every_reference_of_the_openapi_document_leads_somewhere(client):
    document = client.get("/openapi.json").json()
    for text in json.dumps(document).split('"$ref": "')[1:]:
        found = document
        for part in text.partition('"')[0].removeprefix("#/").split("/"):
            found = found[part]


def test_runs_are_what_the_openapi_document_says(client):
    document = client.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/typed.Run", "components": document["components"]}
    good = {"input_text": "x", "data": {"city": "Rome"}}
    run = client.post("/v1/pipelines/typed/runs", json=good).json()
    assert Draft202012Validator(schema).is_valid(run)
    run["result"]["outputs"]["reply"]["data"] = {"text": 5}
    assert not Draft202012Validator(schema).is_valid(run)


def test_the_page_of_the_document_is_served(client):
    assert "openapi.json" in client.get("/docs").text
