"""What a run has to pass before it is submitted, wherever it is started."""

from __future__ import annotations

import pickle

import pytest
from pydantic import BaseModel

from stageflow_actors import (
    ContextSnapshot,
    IdempotencyPolicy,
    InvalidRunInputError,
    Pipeline,
    StageContractError,
    TenantAccessDeniedError,
)
from stageflow_actors.actors.codec import decode, encode
from stageflow_actors.actors.doors import Door, door_of
from stageflow_actors.model.pipeline_context import PipelineContext


async def ok(ctx):
    return None


class Check:
    """Notes that it was asked; renames the input text, or refuses."""

    def __init__(self, name, asked, priority=10, refuses=False):
        self.name, self.asked, self.priority, self.refuses = name, asked, priority, refuses

    async def admit(self, context, tell):
        self.asked.append((self.name, context.snapshot.input_text))
        tell(f"{self.name}.asked", {"n": len(self.asked)})
        if self.refuses:
            raise TenantAccessDeniedError("not yours")
        text = f"{context.snapshot.input_text}+{self.name}"
        return context.with_snapshot(context.snapshot.model_copy(update={"input_text": text}))


class Question(BaseModel):
    input_text: str


def door(*admissions, **options):
    plain = door_of(Pipeline("shop").with_stage("ask", ok, "work", **options))
    return plain._replace(admissions=admissions)


def told_by(heard):
    return lambda context, type_, data: heard.append((context.snapshot.input_text, type_, data))


def ignore(context, type_, data):
    pass


async def test_a_run_without_a_topology_is_named_after_the_pipeline_and_keeps_one_it_has():
    given = PipelineContext(ContextSnapshot(input_text="x"))
    entered, keys = await door().enter(given, ignore)
    assert (entered.snapshot.topology, given.snapshot.topology, keys) == ("shop", None, {})
    named = PipelineContext(ContextSnapshot(topology="mine"))
    entered, _keys = await door().enter(named, ignore)
    assert entered.snapshot.topology == "mine"


async def test_every_check_is_asked_in_turn_and_passes_the_run_on():
    asked, heard = [], []
    checked = door(Check("a", asked), Check("b", asked))
    entered, _keys = await checked.enter(PipelineContext.create(input_text="x"), told_by(heard))
    assert asked == [("a", "x"), ("b", "x+a")]
    assert entered.snapshot.input_text == "x+a+b"
    assert heard == [("x+a", "a.asked", {"n": 1}), ("x+a+b", "b.asked", {"n": 2})]


async def test_what_a_check_that_refuses_has_told_is_told_and_no_other_is_asked():
    asked, heard = [], []
    checked = door(Check("a", asked, refuses=True), Check("b", asked))
    with pytest.raises(TenantAccessDeniedError):
        await checked.enter(PipelineContext.create(input_text="x"), told_by(heard))
    assert asked == [("a", "x")]
    assert heard == [("x", "a.asked", {"n": 1})]


async def test_checks_come_in_the_order_of_their_priority():
    class Graph:
        plan = Pipeline("shop").with_stage("ask", ok, "work").plan
        specs = Pipeline("shop").with_stage("ask", ok, "work").specs
        execution = Pipeline("shop").with_stage("ask", ok, "work").execution
        admissions = (Check("late", [], 20), Check("early", [], 1))
        interceptors = ()

    assert [check.name for check in door_of(Graph()).admissions] == ["early", "late"]


async def test_contracts_are_checked_after_the_admissions():
    asked = []
    checked = door(Check("a", asked, refuses=True), input_model=Question)
    with pytest.raises(TenantAccessDeniedError):
        await checked.enter(PipelineContext.create(), ignore)
    with pytest.raises(StageContractError) as refused:
        await door(input_model=Question).enter(PipelineContext.create(), ignore)
    assert (refused.value.code, refused.value.path) == ("CONTRACT-INPUT", "input_text")


async def test_idempotency_keys_are_made_of_the_data():
    keyed = door(idempotency=IdempotencyPolicy())
    context = PipelineContext.create(data={"idempotency_key": "k"})
    _entered, keys = await keyed.enter(context, ignore)
    assert [key.given for key in keys.values()] == ["k"]
    with pytest.raises(InvalidRunInputError):
        await keyed.enter(PipelineContext.create(data={"idempotency_key": 7}), ignore)


async def test_a_door_travels_with_what_it_checks():
    there = decode(encode(door(Check("a", []), input_model=Question)))
    assert isinstance(there, Door)
    entered, _keys = await there.enter(PipelineContext.create(input_text="x"), ignore)
    assert entered.snapshot.input_text == "x+a"
    with pytest.raises(StageContractError):
        await there._replace(admissions=()).enter(PipelineContext.create(), ignore)


def test_the_plan_in_a_door_is_plain_data():
    assert pickle.loads(pickle.dumps(door().plan)) == door().plan
