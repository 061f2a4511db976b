"""Attempts of a stage to be intercepted, and interceptors that note their calls."""

from __future__ import annotations

from stageflow_actors import ContextSnapshot, PipelineTimer, StageContext, StageInputs, StageOutput
from stageflow_actors.interceptors import BaseInterceptor, InterceptorChain
from stageflow_actors.model.cancellation import Cancellation


def stage_context(**parts):
    snapshot = ContextSnapshot(topology="shop")
    inputs = StageInputs(snapshot)
    return StageContext(
        snapshot, inputs, "price", PipelineTimer(), cancellation=Cancellation(), **parts
    )


def returns(**data):
    async def body():
        return StageOutput.ok(data)

    return body


def raises(error):
    async def body():
        raise error

    return body


async def unreachable():
    raise AssertionError("the stage was executed")


async def run(interceptors, body, ctx=None):
    return await InterceptorChain(interceptors).run(ctx or stage_context(), body)


class Noting(BaseInterceptor):
    """Notes every call in ``calls``; answers, or raises, what ``answers`` has for its method."""

    def __init__(self, name, calls, priority=100, **answers):
        self.name, self.priority = name, priority
        self.calls, self.answers = calls, answers
        self.ends = []

    def _note(self, method):
        self.calls.append(f"{method} {self.name}")
        answer = self.answers.get(method)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def before(self, stage_name, ctx):
        return self._note("before")

    def after(self, stage_name, output, ctx):
        return self._note("after")

    def on_error(self, stage_name, error, ctx):
        return self._note("on_error")

    def ended(self, stage_name, end, ctx):
        self.ends.append(end)
        return self._note("ended")


class AsyncNoting(Noting):
    async def before(self, stage_name, ctx):
        return self._note("before")

    async def after(self, stage_name, output, ctx):
        return self._note("after")

    async def on_error(self, stage_name, error, ctx):
        return self._note("on_error")
