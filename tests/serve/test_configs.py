"""The folder ``serve``: what it deploys exists, and Serve takes it."""

from __future__ import annotations

import re

import pytest
from ray.serve import Application
from typer.testing import CliRunner

from stageflow_actors.cli.app import make_app
from stageflow_actors.cli.serve_config import serve_config
from stageflow_actors.configuration.imports import imported
from stageflow_actors.serving.app import Door, build_app
from stageflow_actors.serving.callers import is_loopback_host
from stageflow_actors.serving.replicas.served_app import ServedApp
from tests.docs import documents
from tests.serve.configs import CONFIGS, ROOT, deployed
from tests.serve.door import ONE_PROCESS, SOON
from tests.serve.door import Door as LiveDoor

FILES = sorted(CONFIGS.iterdir())
README = ROOT / "serve" / "README.md"


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def config(request):
    return deployed(request.param.read_text(encoding="utf-8"))


@pytest.fixture
def production():
    return deployed((CONFIGS / "production.yaml").read_text(encoding="utf-8"))


def args_of(config):
    return ServedApp.model_validate(config.applications[0].args)


# --- config files ---------------------------------------------------------------------------------


def test_a_config_file_deploys_the_door(config):
    (application,) = config.applications
    assert imported(application.import_path) is build_app
    assert [each.name for each in application.deployments] == [Door.name]


def test_a_config_file_names_pipelines_and_a_verifier_that_are_there(config, monkeypatch):
    (application,) = config.applications
    for name, value in application.runtime_env.get("env_vars", {}).items():
        monkeypatch.setenv(name, value)
    app = args_of(config)
    assert all(served.graph.specs for served in app.served().values())
    assert isinstance(build_app(app), Application)


def test_who_asks_nobody_for_tokens_listens_on_loopback(config):
    is_open = args_of(config).insecure_loopback
    assert is_open == is_loopback_host(config.http_options.host)


def test_no_config_file_ends_streams_or_logs_each_request(config):
    assert config.http_options.request_timeout_s is None
    assert config.logging_config.enable_access_log is False


def test_production_has_another_replica_where_one_dies_and_room_until_more_are_up(production):
    (door,) = production.applications[0].deployments
    scaling = door.autoscaling_config
    assert 2 <= scaling.min_replicas < scaling.max_replicas
    assert door.max_ongoing_requests > scaling.target_ongoing_requests
    assert door.max_queued_requests > 0


def test_production_lets_those_who_wait_have_their_answers(production):
    (door,) = production.applications[0].deployments
    assert door.graceful_shutdown_timeout_s >= args_of(production).settings.drain_s
    assert door.max_surge_percent > 0


# --- in code --------------------------------------------------------------------------------------


def test_the_examples_are_an_application_and_the_assistant_needs_its_extra(monkeypatch):
    from serve import app

    assert isinstance(app.app, Application)
    everything = ServedApp(pipelines=app.pipelines(), insecure_loopback=True).served()
    assert set(everything) == {"enriching", "hearing", "answering", "speaking"}
    assert "hotel" in everything["answering"].openai
    assert everything["hearing"].openai.transcription and everything["speaking"].openai.speech
    monkeypatch.setattr(app, "find_spec", lambda _name: None)
    assert list(ServedApp(pipelines=app.pipelines()).served()) == ["enriching"]


# --- the README -----------------------------------------------------------------------------------


def told():
    """Every line to type, without comments."""
    lines = [line for block in documents.blocks(README) for line in block.code.splitlines()]
    return [line.partition(" #")[0].strip() for line in lines]


def test_the_readme_names_what_is_there():
    text = README.read_text(encoding="utf-8")
    paths = set(re.findall(r"\b(?:serve|examples)/[\w./]+", text))
    assert {"serve/config/laptop.yaml", "serve/config/production.yaml"} <= paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    names = set(re.findall(r"\b(?:serve|stageflow_actors)(?:\.\w+)+:\w+", text))
    assert {"serve.app:app", "stageflow_actors.serving.app:build_app"} <= names
    assert all(imported(name) is not None for name in names)
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (README.parent / link).exists(), link


def test_the_readme_lists_every_file_of_the_folder():
    linked = {
        (README.parent / link).resolve() for link in re.findall(r"\]\(([^)#]+)", README.read_text())
    }
    files = [each for each in README.parent.rglob("*") if each.suffix in (".py", ".yaml")]
    assert [each for each in files if each.name != "__init__.py" and each not in linked] == []


def test_the_readme_lists_exactly_the_options_of_the_command():
    rows = documents.table_rows(documents.prose(README).partition("## On a Ray that is up")[2])
    listed = {span for row in rows for span in re.findall(r"`(--[\w-]+)`", row[0])}
    told_by_help = CliRunner().invoke(make_app(), ["serve-config", "--help"]).stdout
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", told_by_help)) - {"--traceback", "--help"}
    assert listed == options
    assert serve_config.__doc__.splitlines()[0][:40] in told_by_help


def test_the_arguments_of_the_readme_are_those_of_the_builder():
    (line,) = [each for each in told() if "build_app" in each]
    given = dict(pair.split("=") for pair in line.partition("build_app ")[2].split())
    assert ServedApp.model_validate(given).insecure_loopback is True
    text = documents.prose(README).partition("takes the arguments")[2].partition("Several")[0]
    assert set(documents.code_spans(text)) - {"build_app"} <= set(ServedApp.model_fields)


# --- live -----------------------------------------------------------------------------------------


@pytest.mark.ray
def test_what_the_command_prints_is_deployed_and_answers(serve_session):
    """As ``serve deploy`` does it, which goes through the dashboard."""
    from ray.serve.context import _get_global_client

    arguments = ["tests.serve.flows:plain", "--verifier", "tests.serve.flows:Tokens"]
    arguments += ["--name", "printed", "--route-prefix", "/printed", "--replicas", "2"]
    printed = CliRunner().invoke(make_app(), ["serve-config", *arguments])
    assert printed.exit_code == 0, printed.stderr
    config = deployed(printed.stdout)
    args = config.applications[0].args
    args["settings"] = SOON.model_dump()
    args["runtime"] = ONE_PROCESS.model_dump()
    door = LiveDoor(serve_session, "printed")
    try:
        _get_global_client().deploy_apps(config, _blocking=True)
        assert len(door.replicas()) == 2
        with door.client() as client:
            answer = client.post("/v1/pipelines/plain/runs", json={"input_text": "a"})
            assert answer.status_code == 200
            assert answer.json()["result"]["outputs"]["echo"]["data"]["text"] == "a"
        with door.client("stranger") as client:
            assert client.get("/v1/pipelines").status_code == 401
    finally:
        door.delete()
