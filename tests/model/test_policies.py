"""Policies: their defaults, what they refuse, and their plain forms."""

import math
import pickle
from asyncio import CancelledError
from dataclasses import FrozenInstanceError

import pytest

from stageflow_actors.errors import (
    PolicyError,
    RateLimitError,
    ServiceUnavailableError,
    StageContractError,
    StageDefinitionError,
    StageFailedError,
    StageLostError,
    StageTimeoutError,
    TransientError,
)
from stageflow_actors.model.policies.breaker import BreakerPolicy, BreakerSettings
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.execution import ExecutionConfig, ExecutionMode
from stageflow_actors.model.policies.guard import GuardRetryPolicy
from stageflow_actors.model.policies.idempotency import IdempotencyPolicy
from stageflow_actors.model.policies.retry import (
    BackoffStrategy,
    JitterStrategy,
    RetryPolicy,
    RetrySchedule,
)
from stageflow_actors.model.policies.timeouts import Timeouts

YEAR = 366 * 24 * 3600.0
NEEDED = {GuardRetryPolicy: {"retry_stage": "draft"}}

COUNTS = {
    RetryPolicy: ["max_attempts"],
    BreakerPolicy: ["failure_threshold", "half_open_probes"],
    GuardRetryPolicy: ["max_attempts", "stagnation_limit"],
}
POSITIVE_SECONDS = {
    BreakerPolicy: ["reset_timeout_s"],
    GuardRetryPolicy: ["timeout_s"],
    IdempotencyPolicy: ["ttl_s"],
    Timeouts: ["attempt", "total", "idle", "heartbeat"],
}
SECONDS_OR_ZERO = {RetryPolicy: ["initial_delay_s", "max_delay_s", "max_retry_after_s"]}
CLASSES = {RetryPolicy: ["retry_on", "never_on"], BreakerPolicy: ["trip_on"]}
NAMES = {GuardRetryPolicy: ["retry_stage"], IdempotencyPolicy: ["key", "params"]}

NO_COUNT = [0, -1, 1.0, math.nan, True, "3", None, [3]]
NO_SECONDS = [-1, -0.001, math.nan, math.inf, -math.inf, YEAR + 1, True, "3", [3], 1j]
NO_CLASSES = [None, "ValueError", ValueError("an instance"), int, (ValueError, int), [None]]
NO_NAME = ["", None, 3, b"draft", ["draft"]]


def fields(*tables):
    """Every policy and field of the tables, as parameters of a test."""
    return [
        pytest.param(policy, name, id=f"{policy.__name__}.{name}")
        for table in tables
        for policy, names in table.items()
        for name in names
    ]


def make(policy, **given):
    return policy(**{**NEEDED.get(policy, {}), **given})


def assert_refused(make_it):
    """It is refused with a stable code, what was given, and what to give."""
    with pytest.raises(PolicyError) as refused:
        make_it()
    assert refused.value.code == "POLICY-INVALID"
    assert refused.value.hint
    assert refused.value.message
    assert isinstance(refused.value, StageDefinitionError)
    return refused.value


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", NO_COUNT, ids=repr)
@pytest.mark.parametrize(("policy", "name"), fields(COUNTS))
def test_a_count_below_1_or_of_another_type_is_refused(policy, name, value):
    refused = assert_refused(lambda: make(policy, **{name: value}))
    assert refused.message == f"{policy.__name__} has {name}={value!r}."


@pytest.mark.parametrize("value", NO_SECONDS, ids=repr)
@pytest.mark.parametrize(("policy", "name"), fields(POSITIVE_SECONDS, SECONDS_OR_ZERO))
def test_seconds_that_are_no_length_of_time_are_refused(policy, name, value):
    refused = assert_refused(lambda: make(policy, **{name: value}))
    assert refused.message == f"{policy.__name__} has {name}={value!r}."


@pytest.mark.parametrize("zero", [0, 0.0])
@pytest.mark.parametrize(("policy", "name"), fields(POSITIVE_SECONDS))
def test_no_time_at_all_is_refused_for_a_limit(policy, name, zero):
    assert "greater than 0" in assert_refused(lambda: make(policy, **{name: zero})).hint


@pytest.mark.parametrize(("policy", "name"), fields(SECONDS_OR_ZERO))
def test_no_time_at_all_is_a_delay(policy, name):
    assert getattr(make(policy, **{name: 0}), name) == 0


@pytest.mark.parametrize("value", [0.001, 1, YEAR])
@pytest.mark.parametrize(("policy", "name"), fields(POSITIVE_SECONDS, SECONDS_OR_ZERO))
def test_seconds_up_to_a_year_are_taken(policy, name, value):
    assert getattr(make(policy, **{name: value}), name) == value


@pytest.mark.parametrize(("policy", "name"), fields(COUNTS))
def test_a_count_of_1_is_taken(policy, name):
    assert getattr(make(policy, **{name: 1}), name) == 1


# --- classes and names ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", NO_CLASSES, ids=repr)
@pytest.mark.parametrize(("policy", "name"), fields(CLASSES))
def test_what_is_no_exception_class_is_refused(policy, name, value):
    refused = assert_refused(lambda: make(policy, **{name: value}))
    assert f"{policy.__name__} has {name}=" in refused.message


@pytest.mark.parametrize("given", [KeyError, (KeyError,), [KeyError], {KeyError}], ids=repr)
@pytest.mark.parametrize(("policy", "name"), fields(CLASSES))
def test_one_exception_class_or_several_are_taken(policy, name, given):
    assert getattr(make(policy, **{name: given}), name) == (KeyError,)


@pytest.mark.parametrize("value", NO_NAME, ids=repr)
@pytest.mark.parametrize(("policy", "name"), fields(NAMES))
def test_a_name_that_is_no_text_or_empty_is_refused(policy, name, value):
    assert_refused(lambda: make(policy, **{name: value}))


# --- retries --------------------------------------------------------------------------------------


def test_the_defaults_of_retries():
    assert RetryPolicy().schedule == RetrySchedule(
        3, 1.0, 30.0, 60.0, "exponential", "full", True, False
    )
    assert RetryPolicy().never_on == ()


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        OSError("disk"),
        TransientError(),
        RateLimitError(retry_after=1),
        ServiceUnavailableError(),
        StageTimeoutError("late"),
    ],
    ids=repr,
)
def test_what_often_passes_is_retried_by_default(error):
    assert RetryPolicy().covers(error)
    assert RetryPolicy().covers(type(error))


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        StageFailedError("no"),
        StageContractError("no", path="", expected="", got=""),
        StageLostError("dead"),
        CancelledError(),
    ],
    ids=repr,
)
def test_what_does_not_pass_is_not_retried_by_default(error):
    assert not RetryPolicy().covers(error)
    assert not RetryPolicy().covers(type(error))


def test_never_outranks_retry_and_takes_subclasses_with_it():
    policy = RetryPolicy(retry_on=OSError, never_on=ConnectionError)
    assert policy.covers(TimeoutError)
    assert not policy.covers(ConnectionResetError())
    assert not policy.covers(KeyError)
    assert not RetryPolicy(retry_on=()).covers(OSError)


@pytest.mark.parametrize("name", ["backoff", "jitter"])
@pytest.mark.parametrize("value", ["quadratic", None, 3, ["none"]], ids=repr)
def test_an_unknown_strategy_is_refused_and_the_known_ones_are_told(name, value):
    refused = assert_refused(lambda: RetryPolicy(**{name: value}))
    kind = {"backoff": BackoffStrategy, "jitter": JitterStrategy}[name]
    assert all(known in refused.hint for known in kind)


def test_a_strategy_may_be_given_as_text():
    policy = RetryPolicy(backoff="linear", jitter="none")
    assert policy.backoff is BackoffStrategy.LINEAR
    assert policy.jitter is JitterStrategy.NONE


def test_the_schedule_has_what_the_policy_says():
    policy = RetryPolicy(5, 2, 20, "linear", "equal", (StageLostError, KeyError), (), 9)
    assert policy.schedule == RetrySchedule(5, 2.0, 20.0, 9.0, "linear", "equal", False, True)
    assert not RetryPolicy(never_on=TimeoutError).schedule.covers_timeout


# --- breakers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TimeoutError, ConnectionError, RateLimitError, StageLostError])
def test_failures_of_the_provider_and_dead_processes_count_by_default(kind):
    assert BreakerPolicy().counts(kind)


@pytest.mark.parametrize("error", [ValueError(), StageFailedError("no"), CancelledError()])
def test_other_failures_are_answers_by_default(error):
    assert not BreakerPolicy().counts(error)


def test_the_settings_of_a_breaker_are_its_defaults_or_what_was_given():
    assert BreakerPolicy().settings == BreakerSettings(5, 30.0, 1, True, True)
    assert BreakerPolicy(2, 9, 3, KeyError).settings == BreakerSettings(2, 9.0, 3, False, False)
    assert BreakerPolicy(trip_on=StageLostError).settings[-2:] == (False, True)


# --- plain forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plain",
    [
        RetryPolicy(4, 1, 2, BackoffStrategy.LINEAR, JitterStrategy.NONE).schedule,
        BreakerPolicy(2, 9, 3, KeyError).settings,
    ],
    ids=lambda plain: type(plain).__name__,
)
def test_the_plain_form_is_picklable_plain_data(plain):
    assert pickle.loads(pickle.dumps(plain)) == plain
    assert {type(part) for part in plain} <= {int, float, str, bool}


@pytest.mark.parametrize(
    "policy",
    [
        RetryPolicy(),
        BreakerPolicy(),
        GuardRetryPolicy("draft", hash_fields=["reason"]),
        IdempotencyPolicy(),
        Timeouts(attempt=3),
        ExecutionConfig(error_policy={"a": "continue_on_error"}),
    ],
    ids=lambda policy: type(policy).__name__,
)
def test_a_policy_is_read_only_equal_to_its_like_and_picklable(policy):
    assert pickle.loads(pickle.dumps(policy)) == policy
    for name in type(policy).__slots__:
        with pytest.raises(FrozenInstanceError):
            setattr(policy, name, None)


# --- guards, idempotency, timeouts ----------------------------------------------------------------


def test_the_defaults_of_guards_and_idempotency():
    assert GuardRetryPolicy("draft") == GuardRetryPolicy("draft", 2, 2, None, None)
    day = 24 * 3600.0
    assert IdempotencyPolicy() == IdempotencyPolicy("idempotency_key", "idempotency_params", day)


@pytest.mark.parametrize("value", ["reason", b"ab", [1], ("reason", None)], ids=repr)
def test_fields_to_compare_that_are_no_keys_are_refused(value):
    assert_refused(lambda: GuardRetryPolicy("draft", hash_fields=value))


def test_fields_to_compare_become_a_tuple():
    assert GuardRetryPolicy("draft", hash_fields=["a", "b"]).hash_fields == ("a", "b")


def test_a_stage_has_no_limits_by_default_and_those_given_are_floats():
    assert Timeouts() == Timeouts(None, None, None, None)
    given = Timeouts(1, 2, 3, 4)
    assert {type(getattr(given, name)) for name in Timeouts.__slots__} == {float}


# --- effects and execution ------------------------------------------------------------------------


def test_only_effects_that_repeating_does_not_change_allow_repeats():
    assert [each for each in Effects if each.allow_repeats] == [Effects.NONE, Effects.KEYED]


def test_a_failure_stops_the_run_by_default():
    assert ExecutionConfig().mode_of("any") is ExecutionMode.FAIL_FAST_BLOCKING
    assert ExecutionConfig() == ExecutionConfig("fail_fast_blocking", None, {})


def test_a_stage_may_have_a_mode_of_its_own():
    config = ExecutionConfig(error_policy={"a": "continue_on_error"})
    assert config.mode_of("a") is ExecutionMode.CONTINUE_ON_ERROR
    assert config.mode_of("b") is ExecutionMode.FAIL_FAST_BLOCKING


def test_only_the_modes_that_go_on_are_tolerant():
    tolerant = [mode for mode in ExecutionMode if mode.is_tolerant]
    assert tolerant == ["continue_on_error", "continue_callback"]


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "sometimes"},
        {"mode": None},
        {"mode": ["fail_fast_blocking"]},
        {"error_policy": {"a": "sometimes"}},
        {"error_policy": [("a", "continue_on_error")]},
        {"error_policy": None},
        {"on_stage_error": "print"},
        {"mode": "continue_callback"},
        {"error_policy": {"a": "continue_callback"}},
    ],
    ids=repr,
)
def test_an_execution_that_cannot_be_is_refused(given):
    assert_refused(lambda: ExecutionConfig(**given))


def test_a_mode_with_a_callback_takes_its_callback():
    config = ExecutionConfig("continue_callback", on_stage_error=print)
    assert config.mode is ExecutionMode.CONTINUE_WITH_CALLBACK
    assert config.on_stage_error is print


def test_modes_of_stages_cannot_be_changed_by_who_gave_them():
    given = {"a": "continue_on_error"}
    config = ExecutionConfig(error_policy=given)
    given["b"] = "continue_on_error"
    assert set(config.error_policy) == {"a"}
