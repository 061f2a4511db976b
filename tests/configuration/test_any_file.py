"""Whatever a file says, it is pipelines or a ``ConfigurationError``: no other end."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stageflow_actors import ConfigurationError, load_pipelines
from stageflow_actors.configuration.entries import PipelineEntry, StageEntry
from stageflow_actors.configuration.policy_entries import PlacementEntry, RetryEntry
from stageflow_actors.configuration.toml_text import read_toml

MODULE = "tests.configuration.stages"
MODELS = (PipelineEntry, StageEntry, RetryEntry, PlacementEntry)
KEYS = sorted({"pipelines", "name", "x-a", *(key for each in MODELS for key in each.model_fields)})
PATHS = [
    f"{MODULE}:{name}" for name in ("passes", "Hear", "Needs", "Said", "Busy", "marking", "no")
]
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.floats()
    | st.dates()
    | st.sampled_from([*PATHS, *KEYS, "a", "b", "work", "keyed", "none", "", " ", "${NO}", "${A}"])
    | st.text(max_size=4)
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, "a", "b"]) | st.text(max_size=3), inner)
    ),
    max_leaves=12,
)
STAGES = st.dictionaries(
    st.sampled_from(["a", "b", "c", "", "a.b", "d e"]),
    VALUES
    | st.fixed_dictionaries(
        {"runner": st.sampled_from(PATHS), "kind": st.just("work")},
        optional={key: VALUES for key in StageEntry.model_fields if key not in ("runner", "kind")},
    )
    | st.fixed_dictionaries(
        {"runner": st.sampled_from(PATHS), "kind": st.just("work")},
        optional={key: st.sampled_from(["a", "b", "c"]) for key in ("after", "dependencies")},
    ),
    max_size=4,
)
ONE = st.fixed_dictionaries(
    {"stages": STAGES},
    optional=dict.fromkeys(("execution", "interceptors", "name", "x-a"), VALUES),
)
FILES = VALUES | ONE | st.fixed_dictionaries({"pipelines": st.dictionaries(st.text(), ONE)})
VARIABLES = st.dictionaries(
    st.lists(st.sampled_from(["STAGES", "A", "B", "", "EXECUTION", "RETRY", "0"]), max_size=4).map(
        lambda steps: f"STAGEFLOW_{'__'.join(steps)}"
    ),
    st.sampled_from(["5", "{}", "[]", "x", '{"a": {"b": [1]}}', ""]),
    max_size=2,
)


def read(text, environment, suffix=".yaml"):
    """The pipelines; or problems, each of which has a place, a message and a code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"flow{suffix}"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            for pipeline in load_pipelines(path, environment={"A": "1", **environment}).values():
                assert pipeline.build().stage_names()
        except ConfigurationError as error:
            assert error.problems
            for problem in error.problems:
                assert problem.file
                assert problem.message
                assert problem.code
                assert "\n" not in str(problem)


@settings(max_examples=150, deadline=None)
@given(data=FILES, environment=VARIABLES)
def test_any_data_is_pipelines_or_a_configuration_error(data, environment):
    read(yaml.safe_dump(data, allow_unicode=True), environment)


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("ab:- \n{}[],&*!#|>'\"%@`?<~1.\t\x85"), max_size=40))
@example("? [a]\n: 1")
@example("!!float a")
@example("!!binary é")
@example("1" * 5000)
def test_any_text_is_pipelines_or_a_configuration_error(text):
    read(text, {})


PIECES = [*"=1[]{},#. \n\\", "a", "b.c", '"x"', "'y'", '"""', "'''"]


@settings(max_examples=150, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example('a = """x\\""""""\nb = 1')
@example("a = [\n[1],\n[{b = 2}]]\n[[c]]\n[[c.d]]\n[c.d.e]\nf = 1")
def test_any_toml_has_lines_for_its_keys_and_no_other(text):
    reading = read_toml(text)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert reading.problems
        return
    assert reading.data == data
    for path, line in reading.lines.items():
        assert 1 <= line <= text.count("\n") + 1
        found = data
        for step in path:
            found = found[step]
    assert {path[0] for path in reading.lines if path} == set(data)
