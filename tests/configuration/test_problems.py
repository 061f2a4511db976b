"""What is wrong with a file is told with its line, its path, the value and what to do."""

from __future__ import annotations

import pytest

from stageflow_actors import ConfigurationError, Pipeline, load_pipelines
from tests.configuration.wrong import WRONG


@pytest.mark.parametrize("name", WRONG)
def test_a_problem_has_line_path_code_message_and_hint(problems_of, name):
    text, (path, code, message, hint) = WRONG[name]
    (problem,) = problems_of(text)
    assert (problem.path, problem.code, problem.line) == (path, code, 4)
    assert message in problem.message
    assert hint in problem.hint
    assert problem.file.endswith("flow.yaml")


MANY = """
execution: {mode: sometimes}
stages:
  a: {runner: @nothing, kind: work, timout: 3, after: b, retry: {max_attempts: 0}}
  b: {runner: @passes, kind: work, dependencies: [a, c]}
  d: {kind: work}
  e: {runner: @Hear, config: {uper: 1}, replicas: none, breaker: {trip_on: [Nothing]}}
  f: {runner: @Hear, config: {upper: 1}, dependencies: f}
"""


def test_all_problems_of_a_file_come_at_once_in_the_order_of_its_lines(problems_of):
    problems = problems_of(MANY)
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
    assert {(problem.line, problem.path) for problem in problems} == {
        (2, "execution.mode"),
        (4, "stages.a.runner"),
        (4, "stages.a.timout"),
        (4, "stages.a.after"),
        (4, "stages.a.retry.max_attempts"),
        (5, "stages.b.dependencies.1"),
        (6, "stages.d"),
        (7, "stages.e.config.uper"),
        (7, "stages.e.replicas"),
        (7, "stages.e.breaker.trip_on.0"),
        (8, "stages.f.dependencies"),
    }


def test_problems_of_all_pipelines_come_at_once_for_one_of_them_too(write):
    path = write("""
        pipelines:
          chat: {stages: {a: {runner: @passes, kind: wrk}}}
          other: {stages: {a: {runner: @passes, kind: wrk}}, x: 1}
    """)
    with pytest.raises(ConfigurationError) as caught:
        Pipeline.from_file(path, "chat", environment={})
    assert {each.path for each in caught.value.problems} == {
        "pipelines.chat.stages.a.kind",
        "pipelines.other.x",
        "pipelines.other.stages.a.kind",
    }


def test_two_circles_are_two_problems(problems_of):
    problems = problems_of("""
        stages:
          a: {runner: @passes, kind: work, after: b}
          b: {runner: @passes, kind: work, after: a}
          c: {runner: @passes, kind: work, after: d}
          d: {runner: @passes, kind: work, after: c}
    """)
    assert [(each.path, each.line) for each in problems] == [
        ("stages.a.after", 3),
        ("stages.c.after", 5),
    ]


def test_the_error_is_one_of_pythons_and_has_every_problem_on_a_line(load):
    with pytest.raises(ValueError, match="flow.yaml has 11 problems") as caught:
        load(MANY)
    lines = str(caught.value).splitlines()
    assert len(lines) == 12
    assert caught.value.code == "CONFIG-INVALID"
    assert "flow.yaml:6: stages.d: lacks 'runner'. Add it. [CONFIG-MISSING]" in lines[7]


def test_an_error_survives_pickling(load):
    import pickle

    with pytest.raises(ConfigurationError) as caught:
        load(MANY)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value)


# --- which pipeline -------------------------------------------------------------------------------

SEVERAL = """
pipelines:
  chat: {stages: {a: {runner: @passes, kind: work}}}
  search: {stages: {a: {runner: @passes, kind: work}}}
"""


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (None, "has 2 pipelines.", "Name one of them: chat, search."),
        ("chta", "has no pipeline 'chta'.", "Did you mean 'chat'?"),
        ("zzz", "has no pipeline 'zzz'.", "It has: chat, search."),
    ],
)
def test_one_of_several_pipelines_has_to_be_named(write, name, message, hint):
    with pytest.raises(ConfigurationError) as caught:
        Pipeline.from_file(write(SEVERAL), name, environment={})
    (problem,) = caught.value.problems
    assert (problem.message, problem.hint, problem.code) == (message, hint, "CONFIG-PIPELINE")


@pytest.mark.parametrize("text", ["pipelines: {}", "pipelines: 3", "- 1", "5", "stages: 3", "{}"])
def test_a_file_without_pipelines_is_refused(write, text):
    for read in (load_pipelines, Pipeline.from_file):
        with pytest.raises(ConfigurationError):
            read(write(text), environment={})


# --- secrets --------------------------------------------------------------------------------------

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"runtime_env: {{env_vars: {{ANY: [{SECRET}]}}}}",
        f"labels: {{zone: [{SECRET}]}}",
        f"share: {{password: {SECRET}}}",
        f"num_cpus: postgres://me:{SECRET}@db",
    ],
)
def test_a_value_that_may_be_secret_is_not_shown(problems_of, text):
    stage = f"stages: {{a: {{runner: @passes, kind: work, placement: {{{text}}}}}}}"
    problems = problems_of(stage)
    assert problems
    assert not any(SECRET in f"{each} {each.value}" for each in problems)


def test_a_value_out_of_the_environment_is_shown_as_the_file_writes_it(problems_of):
    stage = "stages: {a: {runner: @passes, kind: work, timeout: '${LIMIT}'}}"
    (problem,) = problems_of(stage, {"LIMIT": SECRET})
    assert SECRET not in str(problem)
    assert problem.message == "should be a number, got '${LIMIT}'."
