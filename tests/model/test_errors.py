import builtins
import copy
import json
import pickle
import re

import cloudpickle
import pytest

from stageflow_actors import (
    ContractErrorInfo,
    PipelineResults,
    RunResult,
    RunStatus,
    StageFailure,
    StageOutput,
    errors,
)
from stageflow_actors.model.identity import new_id

TREE_LINE = re.compile(r" {4}(?P<branch>[|`\- ]*)(?P<name>\w+) *(?:\((?P<also>\w+)\))?")


def run_result():
    original = ValueError("boom", 7)
    failure = StageFailure("s", "STAGE-RAISED", "ValueError", "boom", original, "trace", 1)
    return RunResult(
        pipeline="p",
        pipeline_run_id=new_id(),
        status=RunStatus.FAILED,
        outputs=PipelineResults(done=StageOutput.ok(n=1)),
        failures={"s": failure},
        skipped={},
        cancelled={},
        timings={},
        started_at=1.0,
        ended_at=2.0,
    )


def plain(cls):
    return cls("It broke.", hint="Mend it.")


def validation_error():
    info = ContractErrorInfo("CONTRACT-004-EMPTY", "none", "Add one.", {"stage": "s"})
    return errors.PipelineValidationError("No stages.", stages=["s"], info=info)


def execution_error():
    result = run_result()
    return errors.StageExecutionError(result.failures["s"], result)


CODES = {
    "StageflowError": "STAGEFLOW",
    "StageDefinitionError": "STAGE-DEFINITION",
    "PipelineValidationError": "CONTRACT-004-EMPTY",
    "CycleDetectedError": "CONTRACT-004-CYCLE",
    "ConfigurationError": "CONFIG-KEY",
    "InvalidRunInputError": "RUN-INPUT",
    "SnapshotError": "SNAPSHOT-INVALID",
    "UndeclaredDependencyError": "INPUT-UNDECLARED",
    "AmbiguousInputError": "INPUT-AMBIGUOUS",
    "FrozenDataError": "DATA-FROZEN",
    "CleanupClosedError": "CLEANUP-CLOSED",
    "StageCancellationRequested": "STAGE-CANCELLATION",
    "StageFailedError": "STAGE-FAILED",
    "StageReturnTypeError": "STAGE-RETURN-TYPE",
    "StageOutputError": "OUTPUT-UNPICKLABLE",
    "StageContractError": "CONTRACT-OUTPUT",
    "RoutingError": "ROUTE-UNMATCHED",
    "StageTimeoutError": "STAGE-TIMEOUT",
    "StreamError": "STREAM-PIECE",
    "StageLostError": "STAGE-OUTCOME-UNKNOWN",
    "PoisonedInputError": "STAGE-POISONED",
    "StageDownError": "STAGE-DOWN",
    "RemoteStageError": "STAGE-ERROR-UNPICKLABLE",
    "StageExecutionError": "STAGE-RAISED",
    "PipelineCancelled": "PIPELINE-CANCELLED",
    "RuntimeFault": "RUNTIME",
    "RayStartError": "RUNTIME-RAY-START",
    "DeploymentError": "DEPLOYMENT-FAILED",
    "DeploymentClosedError": "DEPLOYMENT-CLOSED",
    "SupervisorLostError": "SUPERVISOR-LOST",
    "EscalationError": "SUPERVISION-ESCALATED",
    "PlacementError": "DEPLOYMENT-PLACEMENT",
    "UnknownPipelineError": "SPAWN-UNKNOWN",
    "SpawnRefusedError": "SPAWN-REFUSED",
    "MaxDepthExceededError": "SPAWN-DEPTH",
    "PolicyError": "POLICY-INVALID",
    "MissingInputError": "INPUT-MISSING",
    "RunTimeoutError": "RUN-TIMEOUT",
    "AdmissionRefusedError": "RUN-REFUSED",
    "TransientError": "STAGE-TRANSIENT",
    "RateLimitError": "STAGE-RATE-LIMIT",
    "ServiceUnavailableError": "STAGE-UNAVAILABLE",
    "CircuitBreakerOpenError": "STAGE-CIRCUIT-OPEN",
    "StageAbandonedError": "STAGE-ABANDONED",
    "IdempotencyParamMismatch": "IDEMPOTENCY-MISMATCH",
    "AuthenticationError": "AUTH-FAILED",
    "TenantAccessDeniedError": "AUTH-TENANT-DENIED",
    "CriticalInterceptorError": "INTERCEPTOR-CRITICAL",
    "InterceptorRejectedError": "INTERCEPTOR-REJECTED",
    "InterceptorReturnTypeError": "INTERCEPTOR-RETURN-TYPE",
}
SPECIAL = {
    "ConfigurationError": lambda: errors.ConfigurationError(
        "a.yaml", [errors.ConfigurationProblem("unknown key", "a.yaml", 3, code="CONFIG-KEY")]
    ),
    "PipelineValidationError": validation_error,
    "CycleDetectedError": lambda: errors.CycleDetectedError(["a", "b", "a"]),
    "UndeclaredDependencyError": lambda: errors.UndeclaredDependencyError("a", ["b"], "c"),
    "AmbiguousInputError": lambda: errors.AmbiguousInputError("k", ["a", "b"]),
    "StageContractError": lambda: errors.StageContractError(
        "It broke.", path="n", expected="an integer", got="'x'", hint="Mend it."
    ),
    "RoutingError": lambda: errors.RoutingError("It broke.", routes=["a"], hint="Mend it."),
    "AdmissionRefusedError": lambda: errors.AdmissionRefusedError("Full.", retry_after_s=2.5),
    "StageCancellationRequested": lambda: errors.StageCancellationRequested("user left"),
    "RemoteStageError": lambda: errors.RemoteStageError("Odd", "text"),
    "MissingInputError": lambda: errors.MissingInputError("a", "boom"),
    "IdempotencyParamMismatch": lambda: errors.IdempotencyParamMismatch("k", "aa", "bb"),
    "StageExecutionError": execution_error,
    "PipelineCancelled": lambda: errors.PipelineCancelled("s", "why", run_result()),
    "PlacementError": lambda: errors.PlacementError("It broke.", stage="s", hint="Mend it."),
    "MaxDepthExceededError": lambda: errors.MaxDepthExceededError(5, 5, "run"),
    "DeploymentError": lambda: errors.DeploymentError("It broke.", stage="s", hint="Mend it."),
}


def example_of(name):
    return SPECIAL[name]() if name in SPECIAL else plain(getattr(errors, name))


def public_errors():
    return {
        name: cls
        for name, cls in vars(errors).items()
        if isinstance(cls, type)
        and issubclass(cls, errors.StageflowError)
        and not name.startswith("_")
    }


def comparable(value):
    """``value`` in a form that is equal where two exceptions say the same."""
    if isinstance(value, BaseException):
        return type(value), value.args, str(value)
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return repr(value)


def test_every_error_has_a_stable_code():
    assert set(public_errors()) == set(CODES)
    assert {name: example_of(name).code for name in CODES} == CODES


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize(
    "across",
    [lambda e: pickle.loads(pickle.dumps(e)), lambda e: pickle.loads(cloudpickle.dumps(e))],
    ids=["pickle", "cloudpickle"],
)
def test_error_survives_a_process_boundary_with_all_it_says(name, across):
    error = example_of(name)
    error.extra = "noted"
    error.add_note("seen on a Monday")
    back = across(error)
    assert type(back) is type(error)
    assert back.args == error.args
    assert str(back) == str(error)
    assert comparable(vars(back)) == comparable(vars(error))
    assert back.__notes__ == ["seen on a Monday"]


@pytest.mark.parametrize("name", CODES)
def test_error_survives_copying(name):
    error = example_of(name)
    for back in (copy.copy(error), copy.deepcopy(error)):
        assert type(back) is type(error)
        assert back.args == error.args
        assert str(back) == str(error)


@pytest.mark.parametrize("name", CODES)
def test_text_of_an_error_has_message_hint_and_code(name):
    error = example_of(name)
    text = str(error)
    assert text.startswith(error.message)
    assert error.hint in text
    assert text.endswith(f"[{error.code}]")


def test_text_without_a_hint_has_no_gap():
    assert str(errors.StageLostError("Gone.")) == "Gone. [STAGE-OUTCOME-UNKNOWN]"


def test_a_code_given_to_an_error_replaces_the_default_of_its_class():
    error = errors.StageOutputError("Deep.", code="OUTPUT-DEPTH")
    assert error.code == "OUTPUT-DEPTH"
    assert pickle.loads(pickle.dumps(error)).code == "OUTPUT-DEPTH"


def test_a_subclass_of_a_user_survives_pickling_whatever_its_constructor_takes():
    back = pickle.loads(cloudpickle.dumps(Quota("gpu", limit=3)))
    assert (type(back), back.resource, back.limit) == (Quota, "gpu", 3)


class Quota(errors.StageFailedError):
    def __init__(self, resource, *, limit):
        super().__init__(f"{resource} is used up")
        self.resource = resource
        self.limit = limit


# --- the tree -------------------------------------------------------------------------------------


def drawn_tree():
    """Name -> (parent, the builtin that it also is) as the docstring of the module draws them."""
    drawn, above = {}, []
    for line in map(TREE_LINE.match, errors.__doc__.splitlines()):
        if line is None:
            continue
        level = len(line["branch"]) // 4
        parent = next((name for name in reversed(above[:level]) if name in drawn), None)
        above = [*above[:level], line["name"]]
        if hasattr(errors, line["name"]):  # otherwise a heading, which groups those below it
            drawn[line["name"]] = (parent, line["also"])
    return drawn


def nearest_drawn_parent(cls, drawn):
    return next((above.__name__ for above in cls.__mro__[1:] if above.__name__ in drawn), None)


def test_the_tree_in_the_docstring_has_every_error_under_its_parent():
    drawn = drawn_tree()
    actual = {name: nearest_drawn_parent(cls, drawn) for name, cls in public_errors().items()}
    assert {name: parent for name, (parent, _also) in drawn.items()} == actual


def test_the_tree_in_the_docstring_names_the_builtin_that_an_error_also_is():
    def builtin_of(cls):
        own = [above for above in cls.__bases__ if above.__module__ == "builtins"]
        return own[0].__name__ if own and own[0] is not Exception else None

    actual = {name: builtin_of(cls) for name, cls in public_errors().items()}
    assert {name: also for name, (_parent, also) in drawn_tree().items()} == actual
    assert all(hasattr(builtins, also) for also in actual.values() if also)


# --- texts and details ----------------------------------------------------------------------------


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Odd(Exception):
    def __str__(self):
        return 5  # noqa: PLE0307 - the fault under test


def test_describing_an_exception_never_raises():
    assert errors.describe_exception(ValueError("boom")) == "boom"
    assert errors.describe_exception(Mute()) == "<the text of this Mute raised RuntimeError>"
    assert errors.describe_exception(Odd()) == "<the text of this Odd raised TypeError>"


def test_a_validation_error_is_ready_for_json():
    error = errors.CycleDetectedError(["a", "b", "a"])
    described = json.loads(json.dumps(error.to_dict()))
    assert described["stages"] == ["a", "b"]
    assert described["error_info"]["code"] == "CONTRACT-004-CYCLE"
    assert described["error_info"]["context"] == {"cycle_path": ["a", "b", "a"]}
    assert described["message"] == error.message


def test_with_context_adds_to_a_copy():
    info = ContractErrorInfo("C", "s", "f", {"a": 1})
    assert info.with_context(b=2).context == {"a": 1, "b": 2}
    assert info.context == {"a": 1}


def test_a_remote_traceback_is_shown_as_it_is_and_survives_pickling():
    back = pickle.loads(pickle.dumps(errors.RemoteTraceback("Traceback ...\n  line")))
    assert str(back) == "\nTraceback ...\n  line"
    assert back.text == "Traceback ...\n  line"


def test_a_deployment_error_names_the_stage_or_none():
    assert errors.DeploymentError("x", stage="s").stage == "s"
    assert errors.DeploymentError("x").stage == ""
