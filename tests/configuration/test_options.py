"""Every option of a stage, in a file, is what it is in code; nothing is left out."""

from __future__ import annotations

import dataclasses

import pytest

from stageflow_actors import (
    Autoscaling,
    BackoffStrategy,
    Batching,
    BreakerPolicy,
    Effects,
    ExecutionConfig,
    GuardRetryPolicy,
    IdempotencyPolicy,
    JitterStrategy,
    Pipeline,
    Placement,
    RetryPolicy,
    StageOptions,
    Timeouts,
)
from stageflow_actors.configuration import policy_entries
from stageflow_actors.configuration.entries import ExecutionEntry, StageEntry
from stageflow_actors.model.policies.restart import Restart
from tests.configuration import stages

EVERYTHING = """
name: all
execution:
  mode: continue_callback
  on_stage_error: @notes
  error_policy: {hear: fail_fast_blocking}
stages:
  hear:
    runner: @Hear
    kind: transform
    config: {upper: true, suffix: "."}
    timeout: 3
    retry:
      max_attempts: 4
      initial_delay_s: 0.5
      max_delay_s: 8
      backoff: linear
      jitter: equal
      retry_on: ["@Busy", TimeoutError]
      never_on: KeyError
      max_retry_after_s: 9
    effects: keyed
    breaker: {failure_threshold: 2, reset_timeout_s: 4, half_open_probes: 2, trip_on: ["@Busy"]}
    restart: temporary
    placement:
      num_cpus: 0.5
      num_gpus: 1
      memory: 1024
      resources: {scanner: 1}
      labels: {zone: a}
      fallbacks:
        - {num_cpus: 0.5, num_gpus: 1, memory: 1024, resources: {scanner: 1}, labels: {zone: b}}
      cpu_fallback: true
      runtime_env: {env_vars: {A: "1"}}
      share: front
    output_model: @Said
  router: {runner: @decides, kind: route, dependencies: hear}
  think:
    runner: @think
    kind: agent
    dependencies: [hear, router]
    router: router
    route: [left, straight]
    timeout: {attempt: 1, total: 5, idle: 2, heartbeat: 1}
    fallback: {reply: nothing, words: [1, 2]}
    optional: hear
    input_model: {hear: @Said}
    idempotency: {key: k, params: p, ttl_s: 60}
    concurrency: 3
    replicas: 2
  check:
    runner: @passes
    kind: guard
    dependencies: think
    conditional: true
    guard_retry:
      retry_stage: hear
      max_attempts: 3
      stagnation_limit: 1
      hash_fields: [reply]
      timeout_s: 30
  many:
    runner: @Batched
    after: hear
    after_any: [think]
    batching: {max_batch_size: 8, batch_wait_ms: 5, batch_size_fn: @weighs, max_batch_weight: 4}
    autoscaling:
      min_replicas: 2
      max_replicas: 6
      initial_replicas: 3
      target_ongoing_requests: 1.5
      upscale_delay_s: 0
      downscale_delay_s: 10
"""


def placement_in_code():
    amounts = {"num_cpus": 0.5, "num_gpus": 1, "memory": 1024, "resources": {"scanner": 1}}
    return Placement(
        **amounts,
        labels={"zone": "a"},
        fallbacks=[Placement(**amounts, labels={"zone": "b"})],
        cpu_fallback=True,
        runtime_env={"env_vars": {"A": "1"}},
        share="front",
    )


OPTIONS_IN_CODE = {
    "hear": {
        "config": {"upper": True, "suffix": "."},
        "timeout": 3.0,
        "retry": RetryPolicy(
            max_attempts=4,
            initial_delay_s=0.5,
            max_delay_s=8,
            backoff=BackoffStrategy.LINEAR,
            jitter=JitterStrategy.EQUAL,
            retry_on=(stages.Busy, TimeoutError),
            never_on=(KeyError,),
            max_retry_after_s=9,
        ),
        "effects": Effects.KEYED,
        "breaker": BreakerPolicy(2, 4, 2, (stages.Busy,)),
        "restart": Restart.TEMPORARY,
        "placement": placement_in_code(),
        "output_model": stages.Said,
    },
    "think": {
        "dependencies": ["hear", "router"],
        "router": "router",
        "route": ["left", "straight"],
        "timeout": Timeouts(1, 5, 2, 1),
        "fallback": {"reply": "nothing", "words": [1, 2]},
        "optional": "hear",
        "input_model": {"hear": stages.Said},
        "concurrency": 3,
        "replicas": 2,
    },
    "check": {
        "dependencies": "think",
        "conditional": True,
        "guard_retry": GuardRetryPolicy("hear", 3, 1, ("reply",), 30),
    },
    "many": {
        "after": "hear",
        "after_any": "think",
        "batching": Batching(8, 5, stages.weighs, 4),
        "autoscaling": Autoscaling(2, 6, 3, 1.5, 0, 10),
    },
}


def in_code():
    """The pipeline of the text above; its idempotency alone is in a test of its own."""
    return (
        Pipeline("all")
        .with_stage("hear", stages.Hear, "transform", **OPTIONS_IN_CODE["hear"])
        .with_stage("router", stages.decides, "route", "hear")
        .with_stage("think", stages.think, "agent", **OPTIONS_IN_CODE["think"])
        .with_stage("check", stages.passes, "guard", **OPTIONS_IN_CODE["check"])
        .with_stage("many", stages.Batched, **OPTIONS_IN_CODE["many"])
    )


@pytest.fixture
def everything(load):
    """Guards may not repeat what is idempotent, so the two are looked at one by one."""
    return load(EVERYTHING.replace("    idempotency: {key: k, params: p, ttl_s: 60}\n", ""))


def test_every_option_of_a_file_is_what_it_is_in_code(everything):
    of_code = {spec.name: spec for spec in in_code().declared()}
    for spec in everything.declared():
        for field in dataclasses.fields(spec):
            expected = getattr(of_code[spec.name], field.name)
            assert getattr(spec, field.name) == expected, f"{spec.name}.{field.name}"


def test_idempotency_of_a_file_is_what_it_is_in_code(load):
    pipeline = load("""
        stages: {a: {runner: @passes, kind: work, idempotency: {key: k, params: p, ttl_s: 60}}}
    """)
    assert pipeline.get_stage("a").idempotency == IdempotencyPolicy("k", "p", 60)


def test_execution_of_a_file_is_what_it_is_in_code(everything):
    assert everything.execution == ExecutionConfig(
        "continue_callback", stages.notes, {"hear": "fail_fast_blocking"}
    )


def test_the_text_above_gives_every_option_of_a_stage():
    for option in StageEntry.model_fields:
        assert f"{option}:" in EVERYTHING, option


def test_a_stage_of_a_file_has_exactly_the_options_of_a_stage_of_code():
    assert set(StageEntry.model_fields) == {"runner", "kind", *StageOptions.__annotations__}


def entries():
    found = vars(policy_entries).values()
    kinds = [each for each in found if isinstance(each, type)]
    root = policy_entries.PolicyEntry
    return [each for each in kinds if issubclass(each, root) and each is not root]


def test_there_is_an_entry_for_every_policy():
    policies = {Timeouts, RetryPolicy, BreakerPolicy, GuardRetryPolicy, IdempotencyPolicy}
    policies |= {Placement, Autoscaling, Batching}
    assert {each.makes for each in entries()} == policies


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.__name__)
def test_an_entry_has_the_fields_of_its_policy_with_the_same_defaults(entry):
    fields = {each.name: each for each in dataclasses.fields(entry.makes)}
    assert set(entry.model_fields) == set(fields)
    required = [name for name, each in entry.model_fields.items() if each.is_required()]
    usual = dict.fromkeys(required, "x")
    policy, read = entry.makes(**usual), entry.model_validate(usual)
    for name in fields:
        expected, given = getattr(policy, name), getattr(read, name)
        if name in ("retry_on", "never_on", "trip_on"):
            given = tuple(each.rpartition(":")[2] for each in given)
            expected = tuple(each.__name__ for each in expected)
        assert given == expected, name


def test_the_execution_of_a_file_has_the_fields_of_that_of_code():
    names = {each.name for each in dataclasses.fields(ExecutionConfig)}
    assert set(ExecutionEntry.model_fields) == names


def test_what_a_file_does_not_say_is_as_the_decorator_says(load):
    text = """
        stages:
          hear: {runner: @Hear}
          talk: {runner: @declared}
          soon: {runner: @declared, timeout: 2}
          late: {runner: @declared, timeout: null, dependencies: []}
    """
    pipeline = load(text)
    told = [pipeline.get_stage(name) for name in ("talk", "soon", "late")]
    assert [spec.timeout for spec in told] == [7.0, 2.0, None]
    assert [spec.dependencies for spec in told] == [("hear",), ("hear",), ()]
    assert {spec.kind.value for spec in told} == {"agent"}


def test_a_class_inside_a_class_can_be_named(load):
    pipeline = load("stages: {a: {runner: @Outer.Inner}}")
    assert pipeline.get_stage("a").runner is stages.Outer.Inner
