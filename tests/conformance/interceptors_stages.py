"""The interceptors of ``test_interceptors.py``. Processes of stages load this, and no test."""

from __future__ import annotations

import asyncio
import os

from stageflow_actors import BaseInterceptor, StageOutput
from tests.conformance.crossing import Journal


class Around(BaseInterceptor):
    """Writes down what it is asked."""

    def __init__(self, folder, label, priority=100):
        self.journal = Journal(folder)
        self.label = label
        self.priority = priority

    def before(self, stage_name, ctx):
        self.journal.write(f"{self.label} before {stage_name}")

    async def after(self, stage_name, output, ctx):
        self.journal.write(f"{self.label} after {stage_name}")

    def on_error(self, stage_name, error, ctx):
        self.journal.write(f"{self.label} on_error {stage_name}: {error}")

    def ended(self, stage_name, end, ctx):
        self.journal.write(f"{self.label} ended {stage_name}: {end.outcome}")


class Answer(BaseInterceptor):
    """Does for one stage what it is told to; anything that can be raised is raised."""

    def __init__(self, stage, before=None, after=None, on_error=None):
        self.stage = stage
        self.answers = {"before": before, "after": after, "on_error": on_error}

    async def before(self, stage_name, ctx):
        return self.answer("before", stage_name)

    async def after(self, stage_name, output, ctx):
        return self.answer("after", stage_name)

    async def on_error(self, stage_name, error, ctx):
        return self.answer("on_error", stage_name)

    def answer(self, method, stage_name):
        answer = self.answers[method] if stage_name == self.stage else None
        if isinstance(answer, BaseException):
            raise answer
        return answer


ERRORS = (LookupError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)


class RaiseOnce(BaseInterceptor):
    """Raises at stage ``first`` the error that the run is about, in one of its methods."""

    def __init__(self, method):
        self.method = method

    def before(self, stage_name, ctx):
        self.rise("before", stage_name, ctx)

    def after(self, stage_name, output, ctx):
        self.rise("after", stage_name, ctx)

    def rise(self, method, stage_name, ctx):
        if (method, stage_name) == (self.method, "first"):
            raise ERRORS[ctx.data["error"]]("said by the interceptor")


class Where(BaseInterceptor):
    """Says in which process it works."""

    def after(self, stage_name, output, ctx):
        return StageOutput.ok({**output.data, "around": os.getpid()})


class Telling(BaseInterceptor):
    """Publishes an event of its own."""

    def before(self, stage_name, ctx):
        ctx.try_emit_event("asked", {"about": stage_name})
