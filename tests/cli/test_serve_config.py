"""Config files for Ray Serve; neither Ray nor Serve is started."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from ray.serve import Application

from stageflow_actors.serving import app as serving
from stageflow_actors.serving.replicas.served_app import ServedApp
from tests.serve.configs import deployed

SHOP = """
from uuid import UUID
from stageflow_actors.serving import ServedPipeline


async def answer(ctx):
    return {"text": ctx.snapshot.input_text}


def chat():
    return Pipeline("chat").with_stage("answer", answer, "work")


def lasting():
    return ServedPipeline(chat(), on_disconnect="continue")


def needs(this):
    return chat()


class Keys:
    async def verify(self, token):
        return AuthContext(UUID(int=1), None, ("runs:write",))


def no_keys():
    raise KeyError("TOKEN_ISSUER")


registry = PipelineRegistry([chat()])
circle = Pipeline("circle").with_stage("a", answer, "work", "b")
circle = circle.with_stage("b", answer, "work", "a")
"""
FILE = "stages: {answer: {runner: 'shop:answer', kind: work}}"
LOOPBACK = "--insecure-loopback"


@pytest.fixture
def serve_config(call, write, folder):
    write(SHOP)
    (folder / "bakery.yaml").write_text(FILE, encoding="utf-8")
    return lambda *arguments: call("serve-config", *arguments)


def printed(result):
    """The document, as Serve reads it, and its one application."""
    assert result.exit_code == 0, result.stderr
    deployed(result.stdout)
    document = yaml.safe_load(result.stdout)
    (application,) = document["applications"]
    return document, application


def test_what_is_printed_is_what_serve_deploys(serve_config):
    _document, application = printed(serve_config("shop:chat", LOOPBACK))
    module, name = application["import_path"].split(":")
    build = getattr(sys.modules[module], name)
    assert build is serving.build_app
    built = build(ServedApp.model_validate(application["args"]))
    assert isinstance(built, Application)
    (deployment,) = application["deployments"]
    assert deployment["name"] == serving.Door.name
    assert deployment["max_ongoing_requests"] == serving.Door.max_ongoing_requests


def test_without_options_it_is_for_this_machine(serve_config):
    document, application = printed(serve_config("shop:chat", LOOPBACK))
    assert document["http_options"] == {
        "host": "127.0.0.1",
        "port": 8000,
        "request_timeout_s": None,
    }
    assert document["proxy_location"] == "HeadOnly"
    assert document["logging_config"] == {"enable_access_log": False}
    assert (application["name"], application["route_prefix"]) == ("stageflow", "/")
    assert application["args"] == {
        "pipelines": ["shop:chat"],
        "insecure_loopback": True,
        "on_disconnect": "cancel",
    }
    assert application["deployments"][0]["num_replicas"] == 1
    assert application["deployments"][0]["ray_actor_options"] == {"num_cpus": 0}


def test_every_option_is_in_the_file(serve_config, folder):
    options = ["--name", "the-shop", "--route-prefix", "/shop", "--verifier", "shop:Keys"]
    options += ["--on-disconnect", "continue", "--replicas", "3", "--host", "0.0.0.0"]
    options += ["--port", "9001", "--version", "2026-1", "--registry", "shop:registry"]
    document, application = printed(serve_config("shop:chat", "bakery.yaml", *options))
    assert document["proxy_location"] == "EveryNode"
    assert document["http_options"]["host"] == "0.0.0.0"
    assert document["http_options"]["port"] == 9001
    assert (application["name"], application["route_prefix"]) == ("the-shop", "/shop")
    assert application["deployments"][0]["num_replicas"] == 3
    assert application["deployments"][0]["ray_actor_options"] == {"num_cpus": 1}
    assert application["args"] == {
        "pipelines": ["shop:chat", str(folder / "bakery.yaml")],
        "verifier": "shop:Keys",
        "on_disconnect": "continue",
        "registry": "shop:registry",
        "version": "2026-1",
    }


@pytest.mark.parametrize("text", ["2026", "1.10", "1e3", "on", "null", "0x10"])
def test_text_that_yaml_would_take_for_something_else_stays_text(serve_config, text):
    options = [LOOPBACK, "--name", text, "--version", text]
    _document, application = printed(serve_config("shop:chat", *options))
    assert (application["name"], application["args"]["version"]) == (text, text)


@pytest.mark.parametrize("name", ["", ":bakery"])
def test_a_file_is_named_so_that_every_process_finds_it(serve_config, folder, monkeypatch, name):
    (folder / "two words").mkdir()
    file = (folder / "bakery.yaml").rename(folder / "two words" / "bakery.yaml")
    _document, application = printed(serve_config(f"two words/bakery.yaml{name}", LOOPBACK))
    assert application["args"]["pipelines"] == [f"{file}{name}"]
    monkeypatch.chdir("/")
    assert list(ServedApp.model_validate(application["args"]).served()) == ["bakery"]


def test_a_served_pipeline_is_taken_as_it_is(serve_config):
    _document, application = printed(serve_config("shop:lasting", LOOPBACK))
    (served,) = ServedApp.model_validate(application["args"]).served().values()
    assert served.on_disconnect == "continue"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["shop:chat"], "SERVE-VERIFIER-MISSING", "no verifier"),
        (["shop:chat", LOOPBACK, "--verifier", "shop:Keys"], "SERVE-VERIFIER-MISSING", "also"),
        (["shop:chat", LOOPBACK, "--host", "0.0.0.0"], "SERVE-EXPOSED", "0.0.0.0"),
        (["shop.py:chat", LOOPBACK], "CLI-TARGET", "Name the module"),
        (["./shop.py:chat", LOOPBACK], "CLI-TARGET", "PYTHONPATH"),
        (["shop:chat", "--verifier", "./shop.py:Keys"], "CLI-TARGET", "Name the module"),
        (["shop:chat", LOOPBACK, "--registry", "shop.py:registry"], "CLI-TARGET", "Name the"),
        (["shop:chart", LOOPBACK], "CLI-ATTRIBUTE", "Did you mean chat?"),
        (["shop", LOOPBACK], "CLI-ATTRIBUTE", "names a module"),
        (["shap:chat", LOOPBACK], "CLI-MODULE", "Did you mean shop?"),
        (["shop:needs", LOOPBACK], "CLI-NOT-A-PIPELINE", "without arguments"),
        (["shop:Keys", LOOPBACK], "CLI-NOT-A-PIPELINE", "no pipeline"),
        (["shop:circle", LOOPBACK], "CONTRACT-004-CYCLE", "circle"),
        (["none.yaml", LOOPBACK], "CONFIG-FILE", "none.yaml"),
        (["shop:chat", "shop:lasting", LOOPBACK], "SERVE-NAME", "Two pipelines"),
        (["shop:chat", "--verifier", "shop:chat"], "CLI-VERIFIER", "no TokenVerifier"),
        (["shop:chat", "--verifier", "shop:no_keys"], "CLI-VERIFIER", "raised KeyError"),
        (["shop:chat", LOOPBACK, "--registry", "shop:nothing"], "SERVE-TARGET", "nothing"),
        (["shop:chat", LOOPBACK, "--on-disconnect", "stay"], "CLI-INPUT", "--on-disconnect"),
        (["shop:chat", LOOPBACK, "--version", "a b"], "CLI-INPUT", "--version"),
        (["shop:chat", LOOPBACK, "--name", "a#b"], "CLI-INPUT", "--name"),
        (["shop:chat", LOOPBACK, "--route-prefix", "shop"], "CLI-INPUT", "--route-prefix"),
        (["shop:chat", LOOPBACK, "--route-prefix", "/shop/"], "CLI-INPUT", "--route-prefix"),
        (["shop:chat", LOOPBACK, "--route-prefix", "/{shop}"], "CLI-INPUT", "--route-prefix"),
    ],
)
def test_what_cannot_be_served_is_told_and_nothing_is_printed(serve_config, arguments, code, said):
    result = serve_config(*arguments)
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert code in result.stderr
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize("options", [["--replicas", "0"], ["--port", "0"], ["--port", "70000"]])
def test_numbers_out_of_bounds_are_bad_usage(serve_config, options):
    assert serve_config("shop:chat", LOOPBACK, *options).exit_code == 2


def test_what_a_module_prints_is_not_in_the_file(serve_config, folder):
    (folder / "loud.py").write_text("print('loud')\nfrom shop import chat\n", encoding="utf-8")
    program = "from stageflow_actors.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "serve-config", "loud:chat", LOOPBACK],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "loud\n" in done.stderr
    assert yaml.safe_load(done.stdout)["applications"][0]["args"]["pipelines"] == ["loud:chat"]
