"""What ``-o`` writes, and what it never writes over."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stageflow_actors.cli.source_files import files_of_events
from tests.cli.recordings import FAILS, record

PROGRAM = "from stageflow_actors.cli.app import main; main()"
PIPELINE = """
    async def body(ctx): ...
    fails = Pipeline("fails").with_stage("a", body, "work").with_stage("bad", body, "work", "a")
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    made = tmp_path_factory.mktemp("recorded")
    for name in ("events.jsonl", "events.db"):
        record(made / name, (FAILS, None))
    shutil.copy(made / "events.jsonl", made / "events.jsonl.1")
    return made


@pytest.fixture
def sources(folder, write, stored):
    """The files that commands read, in the current directory; and other names of one."""
    write(PIPELINE)
    write("from shop import fails", "package/inner.py")
    (folder / "flow.yaml").write_text(
        "pipelines:\n  flow:\n    stages:\n      a: {kind: work, runner: shop:body}\n", "utf-8"
    )
    for file in stored.iterdir():
        shutil.copy(file, folder)
    (folder / "link.svg").symlink_to("events.jsonl")
    os.link(folder / "shop.py", folder / "hard.svg")
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.suffix != ".pyc"
            and path.is_file()}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        *((["timeline", "events.jsonl"], name) for name in ("events.jsonl", "link.svg")),
        (["timeline", "events.jsonl"], "events.jsonl.1"),
        (["timeline", "link.svg"], "events.jsonl"),
        (["timeline", "events.db"], "./events.db"),
        *((["graph", "shop:fails"], name) for name in ("shop.py", "hard.svg")),
        (["graph", "shop.py:fails"], "shop.py"),
        (["graph", "package.inner:fails"], "shop.py"),
        (["graph", "shop:fails", "--run", "events.jsonl"], "events.jsonl"),
        (["graph", "shop:fails", "--run", "events.db:{id}"], "events.db"),
    ],
    ids=" ".join,
)
def test_no_source_is_written_over(call, sources, arguments, output):
    run_id = call("timeline", "events.db", "-f", "json").stdout.split('"')[3]
    before = contents(sources)
    done = call(*(each.format(id=run_id) for each in arguments), "-o", output, "-f", "svg")
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"'{output.removeprefix('./')}' would be written over, but the command reads it." in (
        done.stderr
    )
    assert done.stderr.splitlines()[-1] == " code  CLI-OUTPUT"
    assert contents(sources) == before


def test_a_file_of_pipelines_is_not_written_over(call, sources):
    before = contents(sources)
    done = call("graph", "flow.yaml", "-o", "flow.yaml", "-f", "svg")
    assert (done.exit_code, "would be written over" in done.stderr) == (2, True), done.stderr
    assert contents(sources) == before


def test_what_sqlite_keeps_beside_a_database_belongs_to_it():
    names = {f"events.db{kept}" for kept in ("", "-wal", "-shm", "-journal")}
    assert set(files_of_events("events.db")) >= {Path(name) for name in names}


def test_what_standard_input_comes_from_is_not_written_over(sources):
    before = (sources / "events.jsonl").read_bytes()
    with (sources / "events.jsonl").open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "timeline", "-", "-o", "link.svg"],
            cwd=sources,
            stdin=file,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, "would be written over" in done.stderr) == (2, True)
    assert (sources / "events.jsonl").read_bytes() == before


def test_a_file_that_is_no_source_is_written_anew(call, sources):
    (sources / "old.svg").write_text("old", "utf-8")
    assert call("timeline", "events.jsonl", "-o", "old.svg").exit_code == 0
    assert (sources / "old.svg").read_text("utf-8").startswith("<svg ")


ENDINGS = {
    "timeline": ".txt, .svg, .json, .pftrace",
    "graph": ".txt, .svg, .dot, .gv, .mmd, .mermaid",
}


@pytest.mark.parametrize("name", ["p.png", "p.svgz", "p.svg.bak", "run.v2"])
@pytest.mark.parametrize("command", ENDINGS)
def test_an_ending_that_names_no_format_is_refused(call, sources, command, name):
    source = {"timeline": "events.jsonl", "graph": "shop:fails"}[command]
    done = call(command, source, "-o", name)
    assert done.exit_code == 2
    assert f"ends in {'.' + name.rpartition('.')[2]!r}, which names no format." in done.stderr
    assert f"Possible are: {ENDINGS[command]}. Or say it with --format." in done.stderr
    assert "CLI-OUTPUT" in done.stderr
    assert not (sources / name).exists()
    assert call(command, source, "-o", name, "--format", "svg").exit_code == 0
    assert (sources / name).read_text("utf-8").startswith("<svg ")


@pytest.mark.parametrize("command", ENDINGS)
def test_a_name_without_an_ending_is_text_and_its_case_does_not_matter(call, sources, command):
    source = {"timeline": "events.jsonl", "graph": "shop:fails"}[command]
    assert call(command, source, "-o", "plain").exit_code == 0
    assert (sources / "plain").read_text("utf-8").startswith("fails: ")
    assert call(command, source, "-o", "P.SVG").exit_code == 0
    assert (sources / "P.SVG").read_text("utf-8").startswith("<svg ")
