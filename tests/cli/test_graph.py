from xml.etree import ElementTree as ET

import pytest

PIPELINES = """
    print("printed while importing")
    async def body(ctx): ...
    p = (Pipeline("p").with_stage("a", body, "work").with_stage("b", body, "work", "a")
        .with_stage("c", body, "work", ("a", "b")).with_stage("d", body, "work", "c", after="a"))
    circle = p.with_stage("x", body, "work", "y").with_stage("y", body, "work", "x")
"""


@pytest.fixture
def graph(call, write):
    write(PIPELINES)
    return lambda target, *options, **others: call("graph", f"shop:{target}", *options, **others)


def test_text_is_what_comes_without_a_format(graph):
    assert graph("p").stdout == (
        "p: 4 stages\n"
        "\n"
        " a ─┬─▶ b ─┬─▶ c ──▶ d\n"
        "    ╰──────╯\n"
        "\n"
        "1 order edge is not drawn: a longer path says the same.\n"
    )


@pytest.mark.parametrize(
    ("format_", "begins"),
    [("text", "p: 4 stages"), ("mermaid", "---\n"), ("dot", "digraph"), ("svg", "<svg ")],
)
def test_the_format_is_what_was_asked_for(graph, format_, begins):
    result = graph("p", "--format", format_)
    assert result.exit_code == 0
    assert result.stdout.startswith(begins)


def test_what_the_module_prints_does_not_get_into_the_picture(graph):
    result = graph("p", "--format", "svg")
    assert len(list(ET.fromstring(result.stdout))) > 4
    assert "printed while importing" in result.stderr


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("p.svg", "<svg "),
        ("p.mmd", "---"),
        ("p.dot", "digraph"),
        ("p.gv", "digraph"),
        ("p.txt", "p: 4 stages"),
    ],
)
def test_the_name_of_the_file_says_the_format(graph, folder, name, begins):
    result = graph("p", "--output", name)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"Wrote {name}" in result.stderr
    assert (folder / name).read_text(encoding="utf-8").startswith(begins)


def test_the_format_asked_for_outranks_the_name_of_the_file(graph, folder):
    graph("p", "--output", "p.txt", "--format", "dot")
    assert (folder / "p.txt").read_text(encoding="utf-8").startswith("digraph")


def test_a_file_that_cannot_be_written_is_an_error(graph):
    result = graph("p", "--output", "none/p.svg")
    assert result.exit_code == 2
    assert "'none/p.svg' cannot be written" in result.stderr
    assert "CLI-OUTPUT" in result.stderr


def test_edges_and_direction_are_chosen(graph):
    assert "s0 -> s3" not in graph("p", "--format", "dot").stdout
    assert "s0 -> s3 [style=dashed];" in graph("p", "-f", "dot", "--edges", "all").stdout
    assert "s0 -> s2" not in graph("p", "-f", "dot", "--edges", "fewest").stdout
    assert "rankdir=TB" in graph("p", "-f", "dot", "--direction", "down").stdout


def test_width_and_ascii_are_chosen(graph):
    assert "▼" in graph("p", "--width", "16", "-e", "fewest").stdout
    assert graph("p", "--ascii").stdout.isascii()


def test_a_terminal_without_line_characters_gets_ascii(graph):
    from typer.testing import CliRunner

    from stageflow_actors.cli.app import make_app

    result = CliRunner(charset="ascii").invoke(make_app(), ["graph", "shop:p"])
    assert result.exit_code == 0
    assert "->" in result.stdout


@pytest.mark.parametrize("target", ["circle", "none"])
def test_a_pipeline_that_cannot_be_drawn_is_an_error(graph, target):
    result = graph(target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(" code  ")
