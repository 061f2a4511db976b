"""The tables and diagrams of the documents say what the code says."""

from __future__ import annotations

import ast
import fnmatch
import itertools
import re

import pytest
from pydantic_core import PydanticUndefined

from stageflow_actors import RunResult, Settings, StageOptions
from stageflow_actors.engine.breaker import BreakerState
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.security import admission
from tests.docs import documents
from tests.docs.telling import (
    told_by_admissions,
    told_by_refusals,
    told_by_runs,
    told_by_spans,
    told_by_streams,
    told_to_a_sink,
)
from tests.docs.walks import all_walks
from tests.style.sources import LIBRARY

PACKAGE = documents.ROOT / "stageflow_actors"
GUIDES = documents.ROOT / "docs" / "guides"
README = documents.ROOT / "README.md"
ARCHITECTURE = documents.ROOT / "ARCHITECTURE.md"

TELLING = ("engine", "actors", "security")
"""The packages that emit events."""
OF_CHILDREN = ("spawned_child", "child_completed", "child_failed", "child_cancelled")
TOLD_BY_THE_RUNTIME = {
    "stage.{name}.cleanup_failed",
    "stage.answered",
    "stage.event.unreadable",
    "stage.traced",
    "stage.wide",
    "provider.call",
    "pipeline.refused",
    "pipeline.wide",
    *(f"circuit_breaker.{state.value}" for state in BreakerState),
    *(f"pipeline.{what}" for what in OF_CHILDREN),
    *(f"stream.{what}" for what in ("token", "chunk_dropped", "disconnect")),
    admission.LOGIN,
    admission.FAILURE,
    admission.ACCESS_DENIED,
}
BESIDES_OPTIONS = ("name", "runner", "kind")
"""What a stage is declared with beside its options."""
OF_A_STAGE = {"stage", "attempt"}
CODE = r"[A-Z][A-Z0-9]+([-_][A-Z0-9]+)*"


@pytest.fixture(scope="module")
def walks():
    return all_walks()


# --- error codes ----------------------------------------------------------------------------------


def codes_in(nodes):
    """What is given as ``code=``, ``default_code =``, ``..._CODE =``, or defaults ``code``."""
    found = []
    for node in nodes:
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


def texts_like_codes_in(nodes):
    """Texts in the form of a code, wherever they stand: capitals, with a hyphen between them."""
    for node in nodes:
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and "-" in text and re.fullmatch(CODE, text):
            yield text


@pytest.fixture(scope="module")
def codes_of_the_library():
    nodes = [node for source in LIBRARY for node in source.nodes]
    return {*codes_in(nodes), *texts_like_codes_in(nodes)}


def codes_listed_in(guide):
    rows = documents.table_rows(documents.prose(GUIDES / guide))
    cells = [span for row in rows for cell in row[:2] for span in documents.code_spans(cell)]
    return [cell for cell in cells if re.fullmatch(CODE, cell)]


def test_errors_guide_lists_exactly_the_codes_of_the_library(codes_of_the_library):
    listed = codes_listed_in("errors.md")
    assert set(listed) == codes_of_the_library
    assert len(listed) == len(set(listed))


def test_pipelines_guide_names_only_codes_of_the_library(codes_of_the_library):
    listed = set(codes_listed_in("pipelines.md"))
    assert listed
    assert listed <= codes_of_the_library


# --- settings -------------------------------------------------------------------------------------


def test_settings_guide_lists_exactly_the_fields_with_their_defaults():
    rows = documents.table_rows(documents.prose(GUIDES / "settings.md"))
    listed = {documents.code_spans(row[0])[0]: row[1] for row in rows}
    fields = Settings.model_fields
    assert PydanticUndefined not in [field.default for field in fields.values()]
    assert listed == {name: str(field.default) for name, field in fields.items()}


def test_pipelines_guide_lists_exactly_the_options_of_a_stage():
    rows = documents.table_rows(documents.section(GUIDES / "pipelines.md", "options"))
    listed = [span for row in rows for span in documents.code_spans(row[0])]
    assert sorted(listed) == sorted([*BESIDES_OPTIONS, *StageOptions.__annotations__])


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


def test_readme_lists_exactly_the_event_types_that_the_engine_and_the_runtime_emit(walks):
    emitted = set().union(*(walk.event_types for walk in walks))
    assert set(listed_events()) == emitted | TOLD_BY_THE_RUNTIME


async def test_readme_lists_exactly_the_data_of_each_event():
    of_every_event = await told_to_a_sink()
    assert of_every_event <= set(documents.code_spans(documents.prose(README)))

    seen: dict[str, set[str]] = {}
    async for type_, own in told_by_runs():
        seen.setdefault(type_, set()).update(own - OF_A_STAGE)
    for told in (told_by_streams(), told_by_refusals()):
        async for type_, own in told:
            seen.setdefault(type_, set()).update(own)
    async for type_, own in told_by_spans():
        seen.setdefault(type_, set()).update(own - OF_A_STAGE)
    async for type_, data in told_by_admissions():
        seen.setdefault(type_, set()).update(data - of_every_event)
    assert seen == listed_events()


def event_types_in(source):
    """What looks like the type of an event, with a pattern for each part that is filled in."""
    words = "|".join(sorted({type_.partition(".")[0] for type_ in listed_events()}))
    for node in source.nodes:
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "*" for part in node.values]
            text = "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if re.fullmatch(rf"({words})(\.[a-z_*]+)+", text) and not text.endswith("."):
            yield text


def test_no_event_type_of_the_engine_or_the_runtime_is_missing_from_the_readme():
    """For those that no run here may happen to tell."""
    telling = [PACKAGE / part for part in TELLING]
    sources = [source for source in LIBRARY if source.path.parent in telling]
    named = {type_ for source in sources for type_ in event_types_in(source)}
    assert "stage.*.started" in named
    assert "auth.login" in named
    for pattern in named:
        assert fnmatch.filter(listed_events(), pattern), f"{pattern} is not in the table"


# --- diagrams, paths, targets ---------------------------------------------------------------------


def arrows_in(code):
    """The steps of a diagram; ``a & b --> c & d`` are four."""
    arrows = re.findall(r"^ *([\w &]+?) -->(?:\|[^|]+\|)? ([\w &]+?)(?::.*)?$", code, re.MULTILINE)
    for sources, targets in arrows:
        yield from itertools.product(sources.split(" & "), targets.split(" & "))


def drawn_steps(states):
    """The arrows of the diagram in ARCHITECTURE.md whose states are ``states``."""
    for block in documents.blocks(ARCHITECTURE):
        arrows = list(arrows_in(block.code))
        if block.info == "mermaid" and {name for arrow in arrows for name in arrow} == set(states):
            assert len(arrows) == len(set(arrows)), "a step is drawn twice"
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
