"""What comes out of the environment: overrides, and variables that a file refers to."""

from __future__ import annotations

import pytest

from stageflow_actors import Pipeline, load_pipelines

FLOW = """
stages:
  hear: {runner: @Hear, config: {upper: true}, timeout: 2, retry: {max_attempts: 4}}
  speak-up: {runner: @TakesAll, after: [hear], config: {a: {b: 1}, list: [1, 2]}}
"""


@pytest.fixture
def stage(load):
    """A stage of the flow above under an environment."""
    return lambda name, **environment: load(FLOW, environment).get_stage(name)


# --- overrides ------------------------------------------------------------------------------------


def test_a_variable_replaces_a_value_of_the_file_and_leaves_its_neighbours(stage):
    hear = stage("hear", STAGEFLOW_STAGES__HEAR__RETRY__MAX_ATTEMPTS="6")
    assert (hear.retry.max_attempts, hear.timeout) == (6, 2.0)
    assert stage("hear", STAGEFLOW_STAGES__HEAR__TIMEOUT="5").timeout == 5.0


def test_a_variable_adds_a_value_that_the_file_lacks(stage):
    hear = stage("hear", STAGEFLOW_STAGES__HEAR__BREAKER__FAILURE_THRESHOLD="2")
    assert hear.breaker.failure_threshold == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ('"5"', "5"),
        ('{"c": [1]}', {"c": [1]}),
        ("gpt: 4, yes", "gpt: 4, yes"),
        ("yes", "yes"),
        ("", ""),
        ("${HOME}", "${HOME}"),
    ],
)
def test_a_value_that_is_json_is_read_as_such_and_any_other_is_text(stage, text, value):
    assert stage("speak-up", STAGEFLOW_STAGES__SPEAK_UP__CONFIG__A=text).config["a"] == value


def test_names_match_in_any_case_and_with_other_signs_as_underlines(stage):
    spec = stage("speak-up", stageflow_stages__Speak_Up__config__LIST__1="7")
    assert list(spec.config["list"]) == [1, 7]
    new = stage("speak-up", STAGEFLOW_STAGES__SPEAK_UP__CONFIG__NEW="x")
    assert new.config["new"] == "x"


def test_a_part_comes_after_the_whole_that_it_is_in(stage):
    hear = stage(
        "hear",
        STAGEFLOW_STAGES__HEAR__TIMEOUT__TOTAL="9",
        STAGEFLOW_STAGES__HEAR__TIMEOUT='{"attempt": 3}',
    )
    assert (hear.timeout.attempt, hear.timeout.total) == (3.0, 9.0)


def test_pipelines_of_a_file_with_several_are_named_in_the_variable(write):
    path = write("""
        pipelines:
          chat: {stages: {a: {runner: @passes, kind: work}}}
          search: {stages: {a: {runner: @passes, kind: work}}}
    """)
    variables = {
        "STAGEFLOW_PIPELINES__CHAT__STAGES__A__TIMEOUT": "5",
        "STAGEFLOW_STAGES__A__TIMEOUT": "7",
        "STAGEFLOW_PIPELINES__SEARCH__EXECUTION__MODE": "continue_on_error",
    }
    loaded = load_pipelines(path, environment=variables)
    assert [each.get_stage("a").timeout for each in loaded.values()] == [5.0, None]
    assert loaded["search"].execution.mode == "continue_on_error"


def test_variables_of_others_are_left_alone(stage):
    spec = stage("hear", STAGEFLOW_ACTORS_CODE="x", STAGEFLOW="x", STAGEFLOW_X__Y="x", PATH="x")
    assert spec.timeout == 2.0


def test_the_environment_of_the_process_counts_where_none_is_given(write, monkeypatch):
    monkeypatch.setenv("STAGEFLOW_STAGES__HEAR__TIMEOUT", "8")
    assert Pipeline.from_file(write(FLOW)).get_stage("hear").timeout == 8.0
    assert Pipeline.from_file(write(FLOW), environment={}).get_stage("hear").timeout == 2.0


@pytest.mark.parametrize(
    ("variable", "path", "line", "said"),
    [
        ("STAGES__HERA__TIMEOUT", "stages", 2, "names 'hera', which does not exist there."),
        ("STAGES__SPEAK_UP__CONFIG__LIST__7", "stages.speak-up.config.list", 4, "names item '7'"),
        ("STAGES__HEAR__TIMOUT", "stages.hear.timout", 3, "unknown key 'timout'."),
        ("STAGES__HEAR__TIMEOUT", "stages.hear.timeout", 3, "should be a number, got 'soon'."),
    ],
)
def test_a_variable_that_fits_nothing_is_a_problem_that_names_it(
    problems_of, variable, path, line, said
):
    (problem,) = problems_of(FLOW, {f"STAGEFLOW_{variable}": "soon"})
    assert (problem.path, problem.line) == (path, line)
    assert f"STAGEFLOW_{variable}" in str(problem)
    assert said in problem.message


def test_a_variable_that_may_mean_two_stages_is_a_problem(problems_of):
    text = "stages: {a-b: {runner: @passes, kind: work}, a_b: {runner: @passes, kind: work}}"
    (problem,) = problems_of(text, {"STAGEFLOW_STAGES__A_B__TIMEOUT": "5"})
    assert "may mean any of 'a-b', 'a_b'." in problem.message


# --- references -----------------------------------------------------------------------------------


@pytest.fixture
def filled(load):
    """What a text in a file becomes."""

    def fill(text, **environment):
        flow = f"stages: {{a: {{runner: @TakesAll, config: {{x: '{text}'}}}}}}"
        return load(flow, environment).get_stage("a").config["x"]

    return fill


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"),
        ("<${A}${B}>", "<one2>"),
        ("${B}", "2"),
        ("${NO:-default text}", "default text"),
        ("${NO:-}", ""),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY}", ""),
        ("$${A}", "${A}"),
        ("$A $ {A} 5$", "$A $ {A} 5$"),
        ("${NESTED}", "${A}"),
    ],
)
def test_a_reference_is_filled_in_as_text(filled, text, value):
    assert filled(text, A="one", B="2", EMPTY="", NESTED="${A}") == value


def test_a_reference_fills_in_a_number_where_one_is_wanted(load):
    flow = "stages: {a: {runner: @passes, kind: work, timeout: '${LIMIT:-3}', replicas: '${N}'}}"
    spec = load(flow, {"N": "2"}).get_stage("a")
    assert (spec.timeout, spec.replicas) == (3.0, 2)


def test_a_variable_adds_no_structure(load):
    flow = "stages: {a: {runner: @TakesAll, config: {x: '${A}'}}}"
    assert load(flow, {"A": "1}, runner: @os.system"}).get_stage("a").config["x"] == (
        "1}, runner: @os.system"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${NO}", "needs the environment variable NO, which is not set."),
        ("${NO", "has '${' without a variable."),
        ("${1}", "has '${' without a variable."),
        ("${}", "has '${' without a variable."),
    ],
)
def test_a_reference_that_leads_nowhere_is_a_problem_with_its_line(problems_of, text, said):
    problems = problems_of(f"""
        stages:
          a: {{runner: @TakesAll, config: {{
                x: '{text}'}}}}
    """)
    assert [(each.line, each.path, each.message) for each in problems] == [
        (4, "stages.a.config.x", said)
    ]


def test_a_part_for_aliases_is_looked_at_where_it_is_used_only(load, problems_of):
    parts = "x-part: &part {x: '${NO}'}\n"
    assert load(f"{parts}stages: {{a: {{runner: @TakesAll}}}}").stage_names() == ["a"]
    (problem,) = problems_of(f"{parts}stages: {{a: {{runner: @TakesAll, config: *part}}}}")
    assert problem.path == "stages.a.config.x"


def test_a_reference_that_an_override_replaces_need_not_be_set(load):
    flow = "stages: {a: {runner: @TakesAll, config: {x: '${NO}'}}}"
    assert load(flow, {"STAGEFLOW_STAGES__A__CONFIG__X": "y"}).get_stage("a").config["x"] == "y"
