"""The program as a whole."""

import importlib.metadata
import subprocess
import sys

import pytest

from stageflow_actors.cli.app import make_app
from tests.cli.sessions import typed
from tests.style.sources import LIBRARY

COMMANDS = ["run", "graph", "timeline", "events", "lint", "doctor"]


def test_the_version_is_that_of_the_distribution(call):
    version = importlib.metadata.version("stageflow-actors")
    result = call("--version")
    assert (result.exit_code, result.stdout) == (0, f"stageflow-actors {version}\n")


def test_help_lists_the_commands(call):
    for option in ("-h", "--help"):
        out = call(option).stdout
        assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_says_its_exit_codes(call, name):
    result = call(name, "--help")
    assert result.exit_code == 0
    assert "Exit code: 0" in " ".join(result.stdout.split())


def test_completion_for_the_shell_is_there(call):
    assert "--install-completion" in call("--help").stdout


def test_an_unknown_command_is_bad_usage_with_a_near_name(call):
    result = call("graf", "x:y")
    assert result.exit_code == 2
    assert "graph" in result.stderr


def test_a_terminal_that_lacks_characters_gets_what_it_has(write, folder):
    write(
        """
        async def zähle(ctx): return {"größe": ctx.inputs.has_output("längst nicht mehr")}
        p = Pipeline("zähler").with_stage("zähle", zähle, "work")
        p = p.with_stage("x" * 60, zähle, "work")
        """
    )
    ends_with = {"run shop:p --runtime local": 0, "graph shop:p": 0, "lint shop:p": 1}
    answers = typed(list(ends_with), folder, columns=80, encoding="ascii")
    for answer, (command, code) in zip(answers, ends_with.items(), strict=True):
        assert answer.code == code, answer.output
        assert "z?hle" in answer.output, command
        assert "Traceback" not in answer.output


def test_each_program_is_made_anew():
    assert make_app() is not make_app()


def test_the_library_does_not_load_the_command_line():
    code = "import stageflow_actors, sys; print([m for m in ('typer', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_command_line_loads_neither_ray_nor_what_one_command_alone_needs():
    code = "import stageflow_actors.cli.app, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"ray", "packaging", "urllib.request"} & {*done.stdout.split()}


@pytest.mark.parametrize(
    "source",
    [source for source in LIBRARY if source.module.split(".")[1:2] in (["drawing"], ["lint"])],
    ids=repr,
)
def test_drawing_and_checking_have_no_effects(source):
    forbidden = {"os", "subprocess", "asyncio", "typer", "rich", "ray", "sys"}
    assert {name.split(".")[0] for name in source.imports()} & forbidden == set()
