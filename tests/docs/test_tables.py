"""The tables and diagrams of the documents say what the code says."""

from __future__ import annotations

import ast
import re

import pytest
from pydantic_core import PydanticUndefined

from stageflow_actors import (
    InMemoryEventSink,
    LocalRuntime,
    Pipeline,
    RoutingDecision,
    RunResult,
    Settings,
    StageOutput,
    stage,
)
from stageflow_actors.engine.state import RunPhase, StageState
from tests.docs import documents
from tests.docs.walks import all_walks

PACKAGE = documents.ROOT / "stageflow_actors"
GUIDES = documents.ROOT / "docs" / "guides"
README = documents.ROOT / "README.md"
ARCHITECTURE = documents.ROOT / "ARCHITECTURE.md"


@pytest.fixture(scope="module")
def walks():
    return all_walks()


# --- error codes ----------------------------------------------------------------------------------


def codes_in(source):
    """What is given as ``code=``, ``default_code =``, ``..._CODE =``, or defaults ``code``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "code":
            found.append(node.value)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if any(name == "default_code" or name.endswith("_CODE") for name in names):
                found.append(node.value)
        elif isinstance(node, ast.arguments):
            defaults = [None] * (len(node.args) - len(node.defaults)) + node.defaults
            named = [*zip(node.args, defaults), *zip(node.kwonlyargs, node.kw_defaults)]
            found += [default for argument, default in named if argument.arg == "code"]
    return {
        value.value
        for value in found
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def codes_of_the_library():
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    return set().union(*map(codes_in, sources))


def codes_listed_in(guide):
    rows = documents.table_rows(documents.prose(GUIDES / guide))
    cells = [span for row in rows for cell in row[:2] for span in documents.code_spans(cell)]
    return [cell for cell in cells if re.fullmatch(r"[A-Z0-9]+([-_][A-Z0-9]+)*", cell)]


def test_errors_guide_lists_exactly_the_codes_of_the_library():
    listed = codes_listed_in("errors.md")
    assert set(listed) == codes_of_the_library()
    assert len(listed) == len(set(listed))


def test_pipelines_guide_names_only_codes_of_the_library():
    listed = set(codes_listed_in("pipelines.md"))
    assert listed
    assert listed <= codes_of_the_library()


# --- settings -------------------------------------------------------------------------------------


def test_settings_guide_lists_exactly_the_fields_with_their_defaults():
    rows = documents.table_rows(documents.prose(GUIDES / "settings.md"))
    listed = {documents.code_spans(row[0])[0]: row[1] for row in rows}
    fields = Settings.model_fields
    assert PydanticUndefined not in [field.default for field in fields.values()]
    assert listed == {name: str(field.default) for name, field in fields.items()}


# --- results and events ---------------------------------------------------------------------------


def test_readme_lists_exactly_what_a_run_result_holds():
    _before, _heading, after = documents.prose(README).partition("## When something fails")
    rows = documents.table_rows(after.partition("\n## ")[0])
    listed = {span for row in rows for span in documents.code_spans(row[0])}
    assert listed == {*RunResult.__dataclass_fields__, "duration_ms"}


def listed_events():
    """Type and names of the data, as the README says."""
    rows = documents.table_rows(documents.section(README, "events"))
    return {documents.code_spans(row[0])[0]: set(documents.code_spans(row[2])) for row in rows}


def test_readme_lists_exactly_the_event_types_that_the_engine_and_the_cleaning_emit(walks):
    emitted = set().union(*(walk.event_types for walk in walks))
    assert set(listed_events()) == emitted | {"stage.{name}.cleanup_failed"}


async def passes(ctx):
    return StageOutput.ok()


async def skips(ctx):
    return StageOutput.skip("nothing to do")


async def fails(ctx):
    return StageOutput.fail("broken")


async def cancels(ctx):
    return StageOutput.cancel("enough")


async def decides(ctx):
    return RoutingDecision("left")


async def leaves_something_open(ctx):
    def close():
        raise OSError("it cannot be closed")

    ctx.on_cleanup(close)


def every_kind_of_end():
    """Pipelines of stages whose names are one letter, which become ``{name}`` in the types."""
    for body in (passes, skips, fails, cancels, leaves_something_open):
        yield Pipeline().with_stage("s", body, "work")
    left = stage("l", passes, "work", dependencies="d", route="left")
    right = stage("r", passes, "work", dependencies="d", route="right")
    yield Pipeline.from_stages(stage("d", decides, "route"), left, right)


async def test_readme_lists_exactly_the_data_of_each_event():
    sink = InMemoryEventSink()
    runtime = LocalRuntime(event_sink=sink)
    for pipeline in every_kind_of_end():
        async with runtime.deploy(pipeline) as app:
            await (await app.start()).result()
    await runtime.flush_events()
    created = set(sink.of_type("pipeline.created")[0].data)
    of_a_stage = {"stage", "attempt"}
    assert created <= set(documents.code_spans(documents.prose(README)))

    seen: dict[str, set[str]] = {}
    for event in sink.events:
        type_ = re.sub(r"^stage\.\w\.", "stage.{name}.", event.type)
        seen.setdefault(type_, set()).update(set(event.data) - created - of_a_stage)
    assert seen == listed_events()


# --- diagrams, paths, targets ---------------------------------------------------------------------


def drawn_steps(states):
    """The arrows of the diagram in ARCHITECTURE.md whose states are ``states``."""
    for block in documents.blocks(ARCHITECTURE):
        arrows = re.findall(r"^\s*(\w+) --> (\w+)", block.code, re.MULTILINE)
        if block.info == "mermaid" and {name for arrow in arrows for name in arrow} == set(states):
            return {(states(source), states(target)) for source, target in arrows}
    raise AssertionError(f"no diagram has exactly the states {[str(state) for state in states]}")


def test_diagram_of_a_run_shows_exactly_the_steps_of_the_engine(walks):
    assert drawn_steps(RunPhase) == set().union(*(walk.phase_steps for walk in walks))


def test_diagram_of_a_stage_shows_exactly_the_steps_of_the_engine(walks):
    assert drawn_steps(StageState) == set().union(*(walk.stage_steps for walk in walks))


def test_architecture_names_only_files_and_functions_that_exist():
    named = re.findall(r"`([\w/]+\.py)`(?: \(([^)]*)\))?", documents.prose(ARCHITECTURE))
    assert named
    for path, names in named:
        source = (PACKAGE / path).read_text(encoding="utf-8")
        for name in documents.code_spans(names):
            assert re.search(rf"(def|class) {name}\b", source), f"no {name} in {path}"


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=documents.name_of)
def test_commands_in_a_document_are_targets_of_the_makefile(document):
    makefile = (documents.ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = re.findall(r"(?:`|\$ )make ([a-z]+)", document.read_text(encoding="utf-8"))
    assert set(named) <= targets
