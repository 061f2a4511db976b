"""Pipelines of files run as those of code do, on both runtimes."""

from __future__ import annotations

import os

import pytest

from stageflow_actors import (
    ExecutionMode,
    LocalRuntime,
    Pipeline,
    RayRuntime,
    StageExecutionError,
    load_pipelines,
)
from tests.configuration import stages

CHAT = """
name: chat
stages:
  hear:
    runner: @Hear
    config: {upper: true}
    output_model: @Said
  think:
    runner: @think
    kind: agent
    dependencies: hear
    retry: {max_attempts: 2, retry_on: [TimeoutError, "@Busy"]}
  process: {runner: @process, kind: work, after: think, restart: transient}
"""


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def runtime(request):
    if request.param == "local":
        return LocalRuntime()
    request.getfixturevalue("ray_session")
    return RayRuntime()


async def test_a_pipeline_of_a_file_runs_on_every_runtime(load, runtime):
    pipeline = load(CHAT, {"STAGEFLOW_STAGES__HEAR__CONFIG__SUFFIX": "!"})
    async with runtime, runtime.deploy(pipeline) as app:
        results = await app.run(input_text="hello")
    assert results["think"].data["reply"] == "You said HELLO!."
    is_here = results["process"].data["pid"] == os.getpid()
    assert is_here is isinstance(runtime, LocalRuntime)


async def test_what_a_file_says_of_the_whole_counts_in_a_run(load):
    pipeline = load("""
        execution: {mode: continue_on_error}
        interceptors: ["@marking"]
        stages:
          a: {runner: @fails, kind: work}
          b: {runner: @passes, kind: work, dependencies: a}
          c: {runner: @passes, kind: work}
    """)
    stages.marking.seen.clear()
    async with LocalRuntime().deploy(pipeline) as app:
        result = await (await app.start()).result()
    assert (result.status, list(result.failures), list(result.skipped)) == ("ok", ["a"], ["b"])
    assert sorted(stages.marking.seen) == ["a", "c"]


async def test_what_code_says_of_the_whole_comes_before_what_the_file_says(load):
    from stageflow_actors import ExecutionConfig

    pipeline = load("""
        execution: {mode: continue_on_error}
        stages: {a: {runner: @fails, kind: work}}
    """)
    with pytest.raises(StageExecutionError):
        await pipeline.build(execution=ExecutionConfig()).run(runtime=LocalRuntime())


def test_what_a_file_says_of_the_whole_stays_with_what_is_made_of_it(load):
    pipeline = load("""
        execution: {mode: continue_on_error}
        stages: {a: {runner: @passes, kind: work}}
    """)
    more = pipeline.with_stage("b", stages.passes, "work")
    composed = more.compose(Pipeline("other").with_stage("c", stages.passes, "work"))
    for each in (pipeline, more, composed):
        assert each.execution.mode is ExecutionMode.CONTINUE_ON_ERROR
    assert Pipeline("x").with_stage("a", stages.passes, "work").execution.mode is (
        ExecutionMode.FAIL_FAST_BLOCKING
    )


def test_a_file_can_have_several_pipelines(write):
    path = write("""
        x-patient: &patient {max_attempts: 5}
        pipelines:
          chat:
            stages:
              hear: {runner: @Hear, retry: *patient}
          search:
            stages:
              hear: {runner: @Hear, retry: {<<: *patient, jitter: none}}
              look: {runner: @passes, kind: work, dependencies: hear}
    """)
    loaded = load_pipelines(path, environment={})
    assert {name: each.name for name, each in loaded.items()} == {
        "chat": "chat",
        "search": "search",
    }
    assert loaded["search"].stage_names() == ["hear", "look"]
    retry = loaded["search"].get_stage("hear").retry
    assert (retry.max_attempts, retry.jitter.value) == (5, "none")
    assert Pipeline.from_file(path, "chat", environment={}).plan == loaded["chat"].plan


def test_one_of_several_pipelines_needs_no_module_of_the_others(write):
    path = write("""
        pipelines:
          chat: {stages: {a: {runner: @passes, kind: work}}}
          other: {stages: {a: {runner: "no_such_module:a", kind: work}}}
    """)
    assert Pipeline.from_file(path, "chat", environment={}).stage_names() == ["a"]


def test_a_pipeline_has_the_name_of_its_file_unless_it_says_another(load):
    text = "stages: {a: {runner: @passes, kind: work}}"
    assert load(text, name="shop.yaml").name == "shop"
    assert load(f"name: market\n{text}", name="shop.yaml").name == "market"
    assert load('{"stages": {"a": {"runner": "@passes", "kind": "work"}}}', name="a.json").name == (
        "a"
    )


def test_a_subclass_of_pipeline_comes_from_a_file_as_itself(write):
    class Mine(Pipeline):
        pass

    path = write("stages: {a: {runner: @passes, kind: work}}")
    assert isinstance(Mine.from_file(path, environment={}), Mine)
