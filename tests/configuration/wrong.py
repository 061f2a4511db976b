"""Files that cannot be used, each for one reason, and what is told of it."""

from __future__ import annotations

# Each text has the problem in line 4. Then: path, code, and a part of the message and the hint.
WRONG = {
    "unknown key": (
        """
        stages:
          a: {runner: @passes, kind: work,
              timout: 3}
        """,
        ("stages.a.timout", "CONFIG-KEY", "unknown key 'timout'.", "Did you mean 'timeout'?"),
    ),
    "unknown key of a policy": (
        """
        stages:
          a: {runner: @passes, kind: work, retry: {
              attempts: 3}}
        """,
        ("stages.a.retry.attempts", "CONFIG-KEY", "unknown key", "Did you mean 'max_attempts'?"),
    ),
    "unknown key of a placement in a list": (
        """
        stages:
          a: {runner: @passes, kind: work, placement: {labels: {zone: a}, fallbacks: [{
              lables: {zone: b}}]}}
        """,
        ("stages.a.placement.fallbacks.0.lables", "CONFIG-KEY", "unknown", "mean 'labels'?"),
    ),
    "unknown key at the top": (
        """
        name: a
        stages: {a: {runner: @passes, kind: work}}
        stage: {}
        """,
        ("stage", "CONFIG-KEY", "unknown key 'stage'.", "Did you mean 'stages'?"),
    ),
    "key without a near one": (
        """
        stages: {a: {runner: @passes, kind: work}}
        execution:
          zzz: 1
        """,
        ("execution.zzz", "CONFIG-KEY", "", "Known: error_policy, mode, on_stage_error."),
    ),
    "number too small": (
        """
        stages:
          a: {runner: @passes, kind: work, retry: {
              max_attempts: 0}}
        """,
        ("stages.a.retry.max_attempts", "CONFIG-VALUE", "got 0.", "then it is 3."),
    ),
    "fraction for a count": (
        """
        stages:
          a: {runner: @passes, kind: work,
              replicas: 1.5}
        """,
        ("stages.a.replicas", "CONFIG-VALUE", "should be a whole number, got 1.5.", "it is 1."),
    ),
    "truth for a number": (
        """
        stages:
          a: {runner: @passes, kind: work,
              timeout: yes}
        """,
        ("stages.a.timeout", "CONFIG-VALUE", "should be a number, got True.", "leave it out"),
    ),
    "limit inside a timeout": (
        """
        stages:
          a: {runner: @passes, kind: work, timeout: {
              attempt: -1}}
        """,
        ("stages.a.timeout.attempt", "CONFIG-VALUE", "greater than 0, got -1.", ""),
    ),
    "unknown choice": (
        """
        stages:
          a: {runner: @passes,
              kind: transfrom}
        """,
        ("stages.a.kind", "CONFIG-VALUE", "got 'transfrom'.", "Did you mean 'transform'?"),
    ),
    "number for a name": (
        """
        stages:
          a: {runner: @passes, kind: work,
              after: 3}
        """,
        ("stages.a.after", "CONFIG-VALUE", "should be a name or a list of names, got 3.", ""),
    ),
    "truth in a list of names": (
        """
        stages:
          a: {runner: @passes, kind: work,
              after: [no]}
        """,
        ("stages.a.after.0", "CONFIG-VALUE", "should be a text, got False.", "Put quotes"),
    ),
    "no stage": (
        """
        stages:

          a: 5
        """,
        ("stages.a", "CONFIG-VALUE", "should be a mapping, got 5.", ""),
    ),
    "no runner": (
        """
        stages:

          a: {kind: work}
        """,
        ("stages.a", "CONFIG-MISSING", "lacks 'runner'.", "Add it."),
    ),
    "no import path": (
        """
        stages:
          a: {kind: work,
              runner: tests.configuration.stages.passes}
        """,
        ("stages.a.runner", "CONFIG-VALUE", "should be an import path", "package.module:Name"),
    ),
    "no such module": (
        """
        stages:
          a: {kind: work,
              runner: "tests.configuration.stagse:passes"}
        """,
        (
            "stages.a.runner",
            "CONFIG-IMPORT",
            "there is no module 'tests.configuration.stagse'.",
            "Did you mean 'tests.configuration.stages'?",
        ),
    ),
    "no such name": (
        """
        stages:
          a: {kind: work,
              runner: @passess}
        """,
        ("stages.a.runner", "CONFIG-IMPORT", "has no 'passess'.", "Did you mean 'passes'?"),
    ),
    "a module that raises": (
        """
        stages:
          a: {kind: work,
              runner: "tests.configuration.broken:passes"}
        """,
        ("stages.a.runner", "CONFIG-IMPORT", "raised ZeroDivisionError", "Correct it"),
    ),
    "no exception": (
        """
        stages:
          a: {runner: @passes, kind: work, retry: {retry_on: [OSError,
              TimeotError]}}
        """,
        ("stages.a.retry.retry_on.1", "CONFIG-IMPORT", "no exception", "mean 'TimeoutError'?"),
    ),
    "no exception class": (
        """
        stages:
          a: {runner: @passes, kind: work, breaker: {
              trip_on: "@passes"}}
        """,
        ("stages.a.breaker.trip_on.0", "CONFIG-IMPORT", "is no exception class.", ""),
    ),
    "no runner that runs": (
        """
        stages:

          a: {runner: @Said, kind: work}
        """,
        ("stages.a", "STAGE-DEFINITION", "cannot run", "execute(ctx)"),
    ),
    "no kind": (
        """
        stages:

          a: {runner: @passes}
        """,
        ("stages.a", "STAGE-DEFINITION", "Stage 'a' has no kind.", ""),
    ),
    "config for a function": (
        """
        stages:
          a: {runner: @passes, kind: work,
              config: {size: 3}}
        """,
        ("stages.a.config", "STAGE-DEFINITION", "has config= but is no class", ""),
    ),
    "argument that the class does not take": (
        """
        stages:
          a: {runner: @Hear, config: {
              uper: true}}
        """,
        ("stages.a.config.uper", "CONFIG-ARGUMENT", "takes no argument 'uper'", "mean 'upper'?"),
    ),
    "argument that the class needs": (
        """
        stages:
          a: {runner: @Needs,
              config: {color: blue}}
        """,
        ("stages.a.config", "CONFIG-ARGUMENT", "needs the argument 'size'.", "Add it"),
    ),
    "numbers that contradict each other": (
        """
        stages:
          a: {runner: @passes, kind: work,
              autoscaling: {min_replicas: 5}}
        """,
        ("stages.a.autoscaling", "POLICY-INVALID", "max_replicas=4", "which is 5"),
    ),
    "options that contradict each other": (
        """
        stages:
          a: {runner: @passes, kind: work, autoscaling: {},
              replicas: 2}
        """,
        ("stages.a.replicas", "STAGE-DEFINITION", "replicas=2 and autoscaling=", ""),
    ),
    "dependency that does not exist": (
        """
        stages:
          hear: {runner: @Hear}
          a: {runner: @passes, kind: work, dependencies: [hear, haer]}
        """,
        (
            "stages.a.dependencies.1",
            "CONTRACT-004-MISSING_DEP",
            "Stage 'a' depends on 'haer', which does not exist.",
            "Did you mean 'hear'?",
        ),
    ),
    "circle": (
        """
        stages:
          a: {runner: @passes, kind: work,
              after: b}
          b: {runner: @passes, kind: work, dependencies: a}
        """,
        ("stages.a.after", "CONTRACT-004-CYCLE", "a -> b -> a.", "Remove one"),
    ),
    "policy for a stage that does not exist": (
        """
        stages: {a: {runner: @passes, kind: work}}
        execution: {error_policy: {
          b: continue_on_error}}
        """,
        ("execution.error_policy.b", "POLICY-STAGE", "names 'b'", ""),
    ),
    "callback mode without a callback": (
        """
        stages: {a: {runner: @passes, kind: work}}

        execution: {mode: continue_callback}
        """,
        ("execution", "POLICY-INVALID", "no callback", "on_stage_error="),
    ),
    "interceptor class": (
        """
        stages: {a: {runner: @passes, kind: work}}
        interceptors:
          - "@Marking"
        """,
        ("interceptors.0", "CONFIG-IMPORT", "is a class itself.", "object of a module"),
    ),
    "no interceptor": (
        """
        stages: {a: {runner: @passes, kind: work}}
        interceptors:
          - "@passes"
        """,
        ("interceptors.0", "CONFIG-IMPORT", "is no interceptor.", "BaseInterceptor"),
    ),
    "no such interceptor": (
        """
        stages: {a: {runner: @passes, kind: work}}
        interceptors:
          - "@markings"
        """,
        ("interceptors.0", "CONFIG-IMPORT", "has no 'markings'.", "Did you mean 'marking'?"),
    ),
    "no such callback": (
        """
        stages: {a: {runner: @passes, kind: work}}
        execution:
          on_stage_error: "@note"
        """,
        ("execution.on_stage_error", "CONFIG-IMPORT", "has no 'note'.", "mean 'notes'?"),
    ),
    "guard of what is not upstream": (
        """
        stages:
          a: {runner: @passes, kind: work}
          b: {runner: @passes, kind: guard, guard_retry: {retry_stage: a}}
        """,
        ("stages.b", "POLICY-GUARD", "which is not upstream of it", ""),
    ),
    "no stages": (
        """


        stages: {}
        """,
        ("stages", "CONTRACT-004-EMPTY", "has no stages", ""),
    ),
}
