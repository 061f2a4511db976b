"""The interceptors that come along: which, in which order, and which of them are policies."""

from __future__ import annotations

import pickle

import pytest

from stageflow_actors import StageDefinitionError
from stageflow_actors.errors import PolicyError
from stageflow_actors.interceptors import (
    CircuitBreakerInterceptor,
    IdempotencyInterceptor,
    InterceptorChain,
    PolicyDefaults,
    TimeoutInterceptor,
    get_default_interceptors,
    split,
)
from stageflow_actors.model.policies.breaker import BreakerPolicy
from stageflow_actors.model.policies.idempotency import IdempotencyPolicy
from stageflow_actors.model.policies.timeouts import Timeouts
from tests.interceptors.attempts import Noting


def names(interceptors):
    return [each.name for each in interceptors]


def test_the_defaults_and_their_priorities():
    assert [(each.name, each.priority) for each in get_default_interceptors()] == [
        ("idempotency", 4),
        ("timeout", 5),
        ("circuit_breaker", 10),
        ("tracing", 20),
        ("metrics", 40),
        ("child_tracker_metrics", 45),
        ("logging", 50),
    ]


def test_the_list_of_defaults_is_the_callers_own():
    get_default_interceptors().clear()
    assert len(get_default_interceptors()) == 7


def test_the_defaults_split_into_policies_and_observers():
    policies, running = split(get_default_interceptors())
    assert policies == PolicyDefaults(IdempotencyPolicy(), Timeouts(attempt=30.0), BreakerPolicy())
    assert names(running) == ["tracing", "metrics", "child_tracker_metrics", "logging"]


def test_no_interceptors_name_no_policies():
    assert split([]) == (PolicyDefaults(None, None, None), ())


def test_policies_that_were_given_are_those_that_are_named():
    idempotency, breaker = IdempotencyPolicy(ttl_s=60), BreakerPolicy(failure_threshold=2)
    given = [
        CircuitBreakerInterceptor(breaker),
        TimeoutInterceptor(timeout_s=3),
        IdempotencyInterceptor(idempotency),
    ]
    assert split(given)[0] == PolicyDefaults(idempotency, Timeouts(attempt=3.0), breaker)


def test_the_last_policy_of_a_kind_counts():
    policies, _ = split([*get_default_interceptors(), TimeoutInterceptor(3)])
    assert policies.timeouts == Timeouts(attempt=3.0)


def test_those_that_run_are_in_their_order():
    _, running = split([Noting("late", [], 60), *get_default_interceptors(), Noting("0", [], 0)])
    observers = ["tracing", "metrics", "child_tracker_metrics", "logging"]
    assert names(running) == ["0", *observers, "late"]


def test_names_of_policies_never_run():
    named = [IdempotencyInterceptor(), TimeoutInterceptor(), CircuitBreakerInterceptor()]
    assert InterceptorChain(named).is_idle


@pytest.mark.parametrize(
    "make",
    [
        lambda: TimeoutInterceptor(0),
        lambda: TimeoutInterceptor("3"),
        lambda: TimeoutInterceptor(None),
        lambda: IdempotencyInterceptor(BreakerPolicy()),
        lambda: CircuitBreakerInterceptor(IdempotencyPolicy()),
        lambda: CircuitBreakerInterceptor(5),
    ],
)
def test_a_policy_that_cannot_be_is_refused(make):
    with pytest.raises(PolicyError):
        make()


def test_what_is_no_interceptor_is_refused_before_anything_is_split():
    with pytest.raises(StageDefinitionError):
        split([TimeoutInterceptor(), "logging"])


def test_the_defaults_can_be_shipped():
    policies, running = split(pickle.loads(pickle.dumps(get_default_interceptors())))
    assert policies == split(get_default_interceptors())[0]
    assert names(running) == ["tracing", "metrics", "child_tracker_metrics", "logging"]
