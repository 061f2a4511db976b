"""A pipeline of code can be written as a file, and reads back as an equal one."""

from __future__ import annotations

import functools
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stageflow_actors import (
    Autoscaling,
    BackoffStrategy,
    Batching,
    BreakerPolicy,
    ConfigurationError,
    Effects,
    GuardRetryPolicy,
    IdempotencyPolicy,
    JitterStrategy,
    Pipeline,
    Placement,
    RetryPolicy,
    StageKind,
    Timeouts,
)
from stageflow_actors.model.policies.restart import Restart
from tests.configuration import stages
from tests.configuration.test_options import in_code

SECONDS = st.floats(0.001, 1e6)
COUNTS = st.integers(1, 1000)
TEXTS = st.text(max_size=12) | st.text("a :#-'\"|\n${\x85\ud800\u2028", max_size=12)
NAMES = st.text(min_size=1, max_size=8).filter(lambda name: bool(name.strip()))
WORDS = st.text(string.ascii_letters, min_size=1, max_size=6)
ERRORS = st.lists(
    st.sampled_from([OSError, KeyError, stages.Busy, TimeoutError]), min_size=1, max_size=3
).map(tuple)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
RETRY = st.builds(
    RetryPolicy,
    COUNTS,
    SECONDS,
    SECONDS,
    st.sampled_from(BackoffStrategy),
    st.sampled_from(JitterStrategy),
    ERRORS,
    ERRORS | st.just(()),
    SECONDS,
)
PLACEMENT = st.builds(
    Placement,
    st.floats(0, 8),
    st.integers(0, 4),
    st.integers(0, 2**40),
    st.dictionaries(WORDS, st.floats(0, 4), max_size=2),
    st.dictionaries(WORDS, WORDS, max_size=2),
    runtime_env=st.none() | st.dictionaries(WORDS, JSON, max_size=2),
)
OPTIONS = {
    "timeout": SECONDS | st.builds(Timeouts, SECONDS, SECONDS, st.none() | SECONDS),
    "retry": RETRY,
    "effects": st.sampled_from(Effects),
    "fallback": st.dictionaries(TEXTS, JSON, max_size=3),
    "breaker": st.builds(BreakerPolicy, COUNTS, SECONDS, COUNTS, ERRORS),
    "idempotency": st.builds(IdempotencyPolicy, NAMES, NAMES, SECONDS),
    "restart": st.sampled_from(Restart),
    "placement": PLACEMENT,
    "concurrency": COUNTS,
    "conditional": st.booleans(),
    "output_model": st.just(stages.Said),
}


@st.composite
def pipelines(draw):
    """Stages that depend on earlier ones, with any options."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    pipeline = Pipeline(draw(NAMES))
    for index, name in enumerate(names):
        chosen = draw(st.sets(st.sampled_from(sorted(OPTIONS)), max_size=4))
        options = {option: draw(OPTIONS[option]) for option in sorted(chosen)}
        others = names[:index]
        if others:
            for option in ("dependencies", "after", "after_any"):
                options[option] = draw(st.lists(st.sampled_from(others), unique=True, max_size=2))
            options["optional"] = options["dependencies"][:1]
        runner = draw(st.sampled_from([stages.TakesAll, stages.passes, stages.Batched]))
        if runner is stages.TakesAll:
            options["config"] = draw(st.dictionaries(TEXTS, JSON, max_size=3))
        if runner is stages.Batched:
            options["batching"] = draw(st.builds(Batching, COUNTS, SECONDS))
            options["autoscaling"] = draw(st.builds(Autoscaling, st.integers(1, 4), COUNTS.map(
                lambda count: count + 4)))  # fmt: skip
        kind = draw(st.sampled_from(StageKind))
        pipeline = pipeline.with_stage(name, runner, kind, **options)
    return pipeline


def read_back(pipeline, folder):
    path = folder / "written.yaml"
    path.write_text(pipeline.to_yaml(), encoding="utf-8")
    return Pipeline.from_file(path, environment={})


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pipeline=pipelines())
def test_a_pipeline_that_was_written_reads_back_as_an_equal_one(pipeline, tmp_path):
    again = read_back(pipeline, tmp_path)
    assert again.plan == pipeline.plan
    assert again.declared() == pipeline.declared()


def test_every_option_of_a_stage_is_written(tmp_path):
    pipeline = in_code().with_stage("plain", stages.passes, "work")
    again = read_back(pipeline, tmp_path)
    assert again.plan == pipeline.plan
    assert again.declared() == pipeline.declared()


def test_any_text_is_written(tmp_path):
    texts = [
        "\ud800",
        "\x00",
        "\x85",
        "\u2028",
        "no",
        "1e3",
        "<<",
        "~",
        "${A}",
        "$${A}",
        " a ",
        "é\n",
    ]
    pipeline = Pipeline("p").with_stage(
        "a", stages.TakesAll, config={text: [text] for text in texts}
    )
    assert read_back(pipeline, tmp_path).declared() == pipeline.declared()


def test_what_is_usual_is_not_written():
    pipeline = Pipeline("p").with_stage(
        "a", stages.passes, "work", retry=RetryPolicy(max_attempts=5)
    )
    assert pipeline.to_yaml() == (
        "name: p\n"
        "stages:\n"
        "  a:\n"
        "    runner: tests.configuration.stages:passes\n"
        "    kind: work\n"
        "    retry:\n"
        "      max_attempts: 5\n"
    )


def test_a_branch_is_written_with_its_router(tmp_path):
    pipeline = Pipeline("p").with_stage("r", stages.decides, "route")
    pipeline = pipeline.with_stage("a", stages.passes, "work", "r", route="left")
    assert read_back(pipeline, tmp_path).plan == pipeline.plan


def test_a_guard_is_written_with_what_it_repeats(tmp_path):
    pipeline = Pipeline("p").with_stage("r", stages.passes, "work")
    policy = GuardRetryPolicy("r", hash_fields=("a", "b"))
    pipeline = pipeline.with_stage("g", stages.passes, "guard", "r", guard_retry=policy)
    assert read_back(pipeline, tmp_path).declared() == pipeline.declared()


def test_what_the_decorator_says_and_the_pipeline_takes_back_is_written(tmp_path):
    pipeline = Pipeline("p").with_stage("hear", stages.Hear)
    pipeline = pipeline.with_stage("a", stages.declared, "work", timeout=None, after="hear")
    again = read_back(pipeline, tmp_path)
    assert again.get_stage("a").timeout is None
    assert again.declared() == pipeline.declared()


def test_what_a_file_says_of_the_whole_is_written(load, tmp_path):
    pipeline = load("""
        execution: {mode: continue_callback, on_stage_error: @notes, error_policy: {a:
            fail_fast_blocking}}
        interceptors: ["@marking"]
        stages: {a: {runner: @passes, kind: work}}
    """)
    again = read_back(pipeline, tmp_path)
    assert again.execution == pipeline.execution
    assert again.interceptors == pipeline.interceptors == (stages.marking,)
    assert again.plan == pipeline.plan


# --- what cannot be written -----------------------------------------------------------------------


def unwritable(**options):
    runner = options.pop("runner", stages.TakesAll)
    pipeline = Pipeline("p").with_stage("fine", stages.passes, "work")
    with pytest.raises(ConfigurationError) as caught:
        pipeline.with_stage("odd", runner, "work", **options).to_yaml()
    assert caught.value.code == "CONFIG-UNWRITABLE"
    (problem,) = caught.value.problems
    assert problem.code == "CONFIG-UNWRITABLE"
    return problem


@pytest.mark.parametrize(
    ("runner", "said"),
    [
        (lambda ctx: None, "a lambda has no import path."),
        (stages.unnamed, "a lambda has no import path."),
        (stages.made(), "is made inside a function"),
        (stages.ready, "stage 'odd' is an instance of Hear."),
        (functools.partial(stages.weighs), "stage 'odd' is an instance of partial."),
    ],
)
def test_a_runner_without_an_import_path_is_refused_with_its_stage(runner, said):
    problem = unwritable(runner=runner)
    assert problem.path == "stages.odd.runner"
    assert said in problem.message
    assert problem.hint


def test_a_function_that_another_one_hides_is_refused(monkeypatch):
    hidden = stages.passes

    async def passes(ctx): ...

    monkeypatch.setattr(stages, "passes", passes)
    with pytest.raises(ConfigurationError, match="leads to something else"):
        Pipeline("p").with_stage("odd", hidden, "work").to_yaml()


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"a": object()}, "a"),
        ({"a": {"b": [1, (2,)]}}, "a.b.1"),
        ({"a": {1, 2}}, "a"),
        ({"a": stages.passes}, "a"),
        ({"a": b"x"}, "a"),
        ({"a": {1: 2}}, "a"),
    ],
)
def test_config_that_yaml_cannot_have_is_refused_with_its_path(config, path):
    assert unwritable(config=config).path == f"stages.odd.config.{path}"


def test_a_policy_with_a_class_of_a_function_is_refused():
    class Local(Exception):
        pass

    problem = unwritable(retry=RetryPolicy(retry_on=(OSError, Local)))
    assert problem.path == "stages.odd.retry.retry_on.1"


def test_all_that_cannot_be_written_is_told_at_once():
    pipeline = Pipeline("p").with_stage("a", lambda ctx: None, "work")
    pipeline = pipeline.with_stage("b", stages.TakesAll, config={"x": object()})
    with pytest.raises(ConfigurationError, match="Writing pipeline 'p' has 2 problems"):
        pipeline.to_yaml()
