"""The one error tree. Every error has a stable ``code``, says what happened and what to do next.

::

    StageflowError
    |-- StageDefinitionError       (ValueError)  a stage cannot be declared like this
    |   `-- PolicyError                          ... or its policy makes no sense
    |-- PipelineValidationError    (ValueError)  the stages do not form a pipeline
    |   `-- CycleDetectedError                   ... because they depend on each other in a circle
    |-- ConfigurationError         (ValueError)  a file does not declare pipelines; has ``problems``
    |-- InvalidRunInputError       (ValueError)  a run was asked for with inputs it cannot use
    |-- SnapshotError              (ValueError)  a snapshot cannot be read from, or written as, JSON
    |-- UndeclaredDependencyError  (KeyError)    a stage read an output that it did not declare
    |-- MissingInputError          (KeyError)    an optional dependency failed, and was read
    |-- AmbiguousInputError        (KeyError)    several dependencies offer the key that was read
    |-- FrozenDataError            (TypeError)   data that belongs to another stage was written to
    |-- CleanupClosedError         (RuntimeError) a cleanup came after the end of what it cleans up
    |-- StageCancellationRequested               raised in a stage by the cancellation checks
    |-- UnknownPipelineError       (KeyError)    a child was asked for that nobody knows
    |-- SpawnRefusedError          (RuntimeError) a child was asked for when it was too late
    |-- MaxDepthExceededError      (RuntimeError) a child was asked for too many levels below
    |-- AuthenticationError        a run was not started: nobody vouches for who asks
    |-- TenantAccessDeniedError    a run was not started: it asks for what belongs to others
    |-- AdmissionRefusedError      (RuntimeError) a run was not started: too much is waiting
    |-- StageExecutionError                      a run failed; has ``results`` and ``failures``
    |-- PipelineCancelled                        a run was cancelled; has the same
    |-- RunTimeoutError            (TimeoutError) a run exceeded its ``timeout``
    |-- stage outcomes, found as ``StageExecutionError.original``
    |   |-- StageFailedError          (RuntimeError) the stage returned ``StageOutput.fail``
    |   |-- StageReturnTypeError      (TypeError)    the stage returned something that is no output
    |   |-- StageOutputError          (ValueError)   the output cannot leave the stage
    |   |-- StreamError               (ValueError)   a piece of a stream could not be sent or read
    |   |-- StageContractError        (ValueError)   the output breaks a contract
    |   |-- RoutingError              (LookupError)  the stage chose a route that no branch is on
    |   |-- StageTimeoutError         (TimeoutError) the stage exceeded its ``timeout``
    |   |-- StageLostError            (RuntimeError) the stage's process died under it
    |   |   `-- PoisonedInputError                   ... whenever it worked on this input
    |   |-- StageDownError            (RuntimeError) its process has ended, and is not replaced
    |   |-- CriticalInterceptorError   (RuntimeError) an interceptor says that the stage must fail
    |   |-- InterceptorRejectedError   (RuntimeError) an interceptor refused the stage
    |   |-- InterceptorReturnTypeError (TypeError) an interceptor returned what means nothing
    |   |-- CircuitBreakerOpenError   (RuntimeError) the stage was left alone: it fails too often
    |   |-- IdempotencyParamMismatch  (ValueError)   a key came back with other parameters
    |   |-- TransientError            (RuntimeError) for stages to raise: it may pass
    |   |   |-- RateLimitError                       ... once there are fewer requests
    |   |   `-- ServiceUnavailableError              ... once the provider is back
    |   |-- StageAbandonedError       (RuntimeError) raised in a stage that was given up
    |   `-- RemoteStageError          (RuntimeError) stands for an exception that cannot be pickled
    `-- RuntimeFault                  (RuntimeError)
        |-- RayStartError                           Ray could not be started or joined
        |-- DeploymentError                         a stage could not be shipped or set up
        |   `-- PlacementError                      ... because no node has room for it
        |-- DeploymentClosedError                   the deployment was closed
        |-- SupervisorLostError                     the supervisor's process died under the run
        `-- EscalationError                         stages died too often under the run
"""

from stageflow_actors.errors.access import (
    AmbiguousInputError,
    CleanupClosedError,
    FrozenDataError,
    InvalidRunInputError,
    MissingInputError,
    SnapshotError,
    UndeclaredDependencyError,
)
from stageflow_actors.errors.configuration import ConfigurationError, ConfigurationProblem
from stageflow_actors.errors.definition import (
    ContractErrorInfo,
    CycleDetectedError,
    PipelineValidationError,
    PolicyError,
    StageDefinitionError,
)
from stageflow_actors.errors.root import StageflowError, describe_exception, plain_text
from stageflow_actors.errors.runs import (
    AdmissionRefusedError,
    PipelineCancelled,
    RunTimeoutError,
    StageExecutionError,
)
from stageflow_actors.errors.runtime import (
    DeploymentClosedError,
    DeploymentError,
    EscalationError,
    PlacementError,
    RayStartError,
    RuntimeFault,
    SupervisorLostError,
)
from stageflow_actors.errors.security import (
    AuthenticationError,
    CriticalInterceptorError,
    InterceptorRejectedError,
    InterceptorReturnTypeError,
    TenantAccessDeniedError,
)
from stageflow_actors.errors.spawning import (
    MaxDepthExceededError,
    SpawnRefusedError,
    UnknownPipelineError,
)
from stageflow_actors.errors.stages import (
    CircuitBreakerOpenError,
    IdempotencyParamMismatch,
    PoisonedInputError,
    RateLimitError,
    RemoteStageError,
    RemoteTraceback,
    RoutingError,
    ServiceUnavailableError,
    StageAbandonedError,
    StageCancellationRequested,
    StageContractError,
    StageDownError,
    StageFailedError,
    StageLostError,
    StageOutputError,
    StageReturnTypeError,
    StageTimeoutError,
    StreamError,
    TransientError,
)

__all__ = [
    "AdmissionRefusedError",
    "AmbiguousInputError",
    "AuthenticationError",
    "CircuitBreakerOpenError",
    "CleanupClosedError",
    "ConfigurationError",
    "ConfigurationProblem",
    "ContractErrorInfo",
    "CriticalInterceptorError",
    "CycleDetectedError",
    "DeploymentClosedError",
    "DeploymentError",
    "EscalationError",
    "FrozenDataError",
    "IdempotencyParamMismatch",
    "InterceptorRejectedError",
    "InterceptorReturnTypeError",
    "InvalidRunInputError",
    "MaxDepthExceededError",
    "MissingInputError",
    "PipelineCancelled",
    "PipelineValidationError",
    "PlacementError",
    "PoisonedInputError",
    "PolicyError",
    "RateLimitError",
    "RayStartError",
    "RemoteStageError",
    "RemoteTraceback",
    "RoutingError",
    "RunTimeoutError",
    "RuntimeFault",
    "ServiceUnavailableError",
    "SnapshotError",
    "SpawnRefusedError",
    "StageAbandonedError",
    "StageCancellationRequested",
    "StageContractError",
    "StageDefinitionError",
    "StageDownError",
    "StageExecutionError",
    "StageFailedError",
    "StageLostError",
    "StageOutputError",
    "StageReturnTypeError",
    "StageTimeoutError",
    "StreamError",
    "StageflowError",
    "SupervisorLostError",
    "TenantAccessDeniedError",
    "TransientError",
    "UndeclaredDependencyError",
    "UnknownPipelineError",
    "describe_exception",
    "plain_text",
]
