"""What a child run starts with: what it was given, and what it has from its parent."""

from __future__ import annotations

import asyncio
import threading
import uuid

import pytest

from stageflow_actors import (
    AuthContext,
    AuthenticationError,
    AuthInterceptor,
    CorePorts,
    IdempotencyPolicy,
    InvalidRunInputError,
    Pipeline,
    StageContractError,
    get_default_interceptors,
)
from tests.conformance.children_inputs_stages import Question, look
from tests.conformance.crossing import Gate, Journal
from tests.conformance.parents import (
    alone,
    answer_of,
    asking,
    child_of,
    knowing,
    refusal_of,
    result_of,
    tells,
)

TOKEN = "tok-5f1d9c"


async def seen_by_child(runtime, inputs=None, *, run=None, **options):
    """What the only stage of a child sees."""
    body = asking("look", inputs, **options)
    child = await child_of(knowing(runtime, alone("look", look)), body, **(run or {}))
    return child.data["look"]


# --- inputs ---------------------------------------------------------------------------------------


async def test_a_text_is_the_input_text_of_the_child(runtime):
    seen = await seen_by_child(runtime, "hello", run={"input_text": "other", "data": {"a": 1}})
    assert (seen["text"], seen["data"]) == ("hello", {})


async def test_a_mapping_is_the_data_of_the_child_but_for_its_text(runtime):
    given = {"input_text": "hello", "n": 1, "deep": {"list": [1, {"two": None}]}}
    seen = await seen_by_child(runtime, given)
    assert seen["text"] == "hello"
    assert seen["data"] == {"n": 1, "deep": {"list": [1, {"two": None}]}}


async def test_without_inputs_the_child_reads_the_text_of_its_parent(runtime):
    seen = await seen_by_child(runtime, run={"input_text": "as it was", "data": {"a": 1}})
    assert (seen["text"], seen["data"]) == ("as it was", {})


async def test_a_mapping_that_is_given_stays_as_it_is(runtime):
    async def parent(ctx):
        given = {"input_text": "hello", "n": 1}
        await ctx.spawn("look", given)
        return {"given": given}

    answer = await answer_of(knowing(runtime, alone("look", look)), parent)
    assert answer["given"] == {"input_text": "hello", "n": 1}


async def test_a_child_reads_its_inputs_as_they_were_when_it_was_asked_for(runtime, tmp_path):
    class Slow:
        kind = "work"

        async def setup(self):
            Gate(tmp_path, "setting-up").open()
            await Gate(tmp_path, "go-on").opened()

        async def execute(self, ctx):
            return {"items": ctx.data["items"]}

    async def parent(ctx):
        given = {"items": ["first"]}
        child = asyncio.ensure_future(ctx.spawn("slow", given))
        await Gate(tmp_path, "setting-up").opened()
        given["items"].append("late")
        Gate(tmp_path, "go-on").open()
        return {"child": await child}

    child = await child_of(knowing(runtime, Pipeline("slow").with_stage("slow", Slow)), parent)
    assert list(child.data["slow"]["items"]) == ["first"]


async def test_what_cannot_travel_is_no_input(runtime):
    async def parent(ctx):
        with pytest.raises(InvalidRunInputError, match="lock"):
            await ctx.spawn("look", {"lock": threading.Lock()})
        return {"child": await ctx.spawn("look", "still here")}

    child = await child_of(knowing(runtime, alone("look", look)), parent)
    assert child.data["look"]["text"] == "still here"


@pytest.mark.parametrize("given", [17, ["a"], b"bytes"])
async def test_anything_else_is_no_input(runtime, given):
    error = await refusal_of(knowing(runtime, alone("look", look)), asking("look", given))
    assert isinstance(error, InvalidRunInputError)
    assert type(given).__name__ in str(error)


@pytest.mark.parametrize(
    ("inherit", "expected"),
    [
        (False, {"b": 3}),
        (True, {"a": 1, "b": 3}),
        (["b", "nothing"], {"b": 3}),
        ({"a"}, {"a": 1, "b": 3}),
        ((), {"b": 3}),
    ],
)
async def test_a_child_gets_so_much_of_the_data_of_its_parent_and_its_own_comes_first(
    runtime, inherit, expected
):
    run = {"data": {"a": 1, "b": 2}}
    seen = await seen_by_child(runtime, {"b": 3}, run=run, inherit_data=inherit)
    assert seen["data"] == expected


async def test_the_keys_to_inherit_are_no_string(runtime):
    runtime = knowing(runtime, alone("look", look))
    error = await refusal_of(runtime, asking("look", inherit_data="ab"), data={"a": 1, "b": 2})
    assert isinstance(error, TypeError)
    assert "inherit_data" in str(error)


async def test_data_of_a_child_is_read_only_there(runtime):
    async def write(ctx):
        with pytest.raises(TypeError):
            ctx.data["a"] = 2
        return {"a": ctx.data["a"]}

    child = await child_of(knowing(runtime, alone("write", write)), asking("write", {"a": 1}))
    assert child.data == {"write": {"a": 1}}


# --- who it is for, and where it comes from -------------------------------------------------------


async def test_a_child_is_a_run_of_its_own_for_the_same_people(runtime):
    async def parent(ctx):
        child = await ctx.spawn("look", "x", execution_mode="practice")
        return {"mine": tells(ctx), "its": child.data["look"], "id": str(child.child_run_id)}

    ids = {name: uuid.uuid4() for name in ("user_id", "org_id", "session_id", "request_id")}
    answer = await answer_of(
        knowing(runtime, alone("look", look)), parent, execution_mode="live", **ids
    )
    mine, its = answer["mine"], answer["its"]
    assert its["ids"]["pipeline_run_id"] == answer["id"] != mine["ids"]["pipeline_run_id"]
    assert {**its["ids"], "pipeline_run_id": ""} == {**mine["ids"], "pipeline_run_id": ""}
    assert {name: its["ids"][name] for name in ids} == {n: str(i) for n, i in ids.items()}
    assert (mine["topology"], its["topology"]) == ("parent", "look")
    assert (mine["mode"], its["mode"]) == ("live", "practice")
    assert mine["correlation"] == its["correlation"]


async def test_the_label_of_the_parent_counts_unless_another_is_given(runtime):
    assert (await seen_by_child(runtime, run={"execution_mode": "live"}))["mode"] == "live"


async def test_a_correlation_id_may_be_given(runtime):
    own = uuid.uuid4()
    assert (await seen_by_child(runtime, correlation_id=own))["correlation"] == str(own)


async def test_a_child_knows_the_line_that_it_comes_from(runtime):
    async def pass_on(ctx, name):
        child = await ctx.spawn(name)
        return {"mine": tells(ctx), "its": child.data[name]}

    async def middle(ctx):
        return await pass_on(ctx, "look")

    async def parent(ctx):
        return await pass_on(ctx, "middle")

    answer = await answer_of(knowing(runtime, alone("look", look), alone("middle", middle)), parent)
    top, child, grandchild = answer["mine"], answer["its"]["mine"], answer["its"]["its"]
    top_id, child_id = (seen["ids"]["pipeline_run_id"] for seen in (top, child))
    assert child["ancestry"] == [top_id, top_id, "parent", "1"]
    assert grandchild["ancestry"] == [top_id, child_id, "middle", "2"]
    assert (top["depth"], child["depth"], grandchild["depth"]) == (0, 1, 2)


async def test_a_run_that_nobody_spawned_is_below_none(runtime):
    async def parent(ctx):
        return tells(ctx)

    seen = await answer_of(knowing(runtime, alone("look", look)), parent)
    assert (seen["ancestry"], seen["depth"]) == (None, 0)


async def test_ports_reach_the_children(runtime):
    assert (await seen_by_child(runtime, run={"ports": CorePorts(db="dsn")}))["db"] == "dsn"


# --- what a child checks before it starts ---------------------------------------------------------


async def test_input_that_breaks_the_contract_of_the_child_is_refused_where_it_is_asked_for(
    runtime, tmp_path
):
    async def answer(ctx):
        Journal(tmp_path).write("answered")
        return {"top": ctx.data.get("top")}

    runtime = knowing(runtime, alone("answer", answer, input_model=Question))
    body = asking("answer", {"input_text": "why?", "top": "two"})
    error = await refusal_of(runtime, body)
    assert isinstance(error, StageContractError)
    assert (error.code, error.path) == ("CONTRACT-INPUT", "top")
    assert Journal(tmp_path).lines == []
    child = await child_of(runtime, asking("answer", {"input_text": "why?", "top": 2}))
    assert child.data == {"answer": {"top": 2}}


class Verifier:
    """Knows one token."""

    def __init__(self, user):
        self.user = user

    async def verify(self, token):
        if token != TOKEN:
            raise AuthenticationError(f"{token} is unknown")
        return AuthContext(user_id=self.user, org_id=self.user)


def secure(folder, user):
    """A child that knows who may start it."""

    async def secret(ctx):
        Journal(folder).write("started")
        return tells(ctx)

    checks = [*get_default_interceptors(), AuthInterceptor(Verifier(user))]
    return alone("secret", secret).build(interceptors=checks)


async def test_a_child_that_may_not_be_started_is_not(runtime, sink, tmp_path):
    runtime = knowing(runtime, secure(tmp_path, uuid.uuid4()), event_sink=sink)
    for given, code in (({}, "AUTH-TOKEN-MISSING"), ({"_auth_token": "x"}, "AUTH-TOKEN-REFUSED")):
        error = await refusal_of(runtime, asking("secret", given))
        assert isinstance(error, AuthenticationError)
        assert error.code == code
    assert Journal(tmp_path).lines == []
    assert await runtime.flush_events()
    assert [event.data["code"] for event in sink.of_type("auth.failure")] == [
        "AUTH-TOKEN-MISSING",
        "AUTH-TOKEN-REFUSED",
    ]
    assert sink.of_type("pipeline.spawned_child") == []


async def test_an_admitted_child_is_for_whom_it_was_admitted_and_sees_no_token(
    runtime, sink, tmp_path
):
    user = uuid.uuid4()
    runtime = knowing(runtime, secure(tmp_path, user), event_sink=sink)
    given = {"_auth_token": TOKEN, "topic": "tea"}
    result = await result_of(runtime, asking("secret", given))
    seen = result.outputs["parent"].data["child"].data["secret"]
    assert (seen["ids"]["user_id"], seen["data"]) == (str(user), {"topic": "tea"})
    assert await runtime.flush_events()
    assert TOKEN not in repr([result, sink.events])


async def test_an_idempotent_stage_of_a_child_is_executed_once_per_key(runtime, tmp_path):
    async def pay(ctx):
        Journal(tmp_path).write("paid")
        return {"receipt": str(uuid.uuid4())}

    async def parent(ctx):
        keyed = {"idempotency_key": "k"}
        twice = [await ctx.spawn("pay", keyed) for _ in range(2)]
        other = await ctx.spawn("pay", {"idempotency_key": "other"})
        return {"receipts": [child.data["pay"]["receipt"] for child in (*twice, other)]}

    runtime = knowing(runtime, alone("pay", pay, idempotency=IdempotencyPolicy()))
    first, again, other = (await answer_of(runtime, parent))["receipts"]
    assert first == again != other
    assert Journal(tmp_path).lines == ["paid", "paid"]
