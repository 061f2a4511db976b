"""Stages that are given the contexts of several runs at once."""

import asyncio

import pytest

from stageflow_actors import Batching, Pipeline, RoutingDecision, StageOutput
from tests.lint.checking import mistakes, noted, other, pipeline_with, undeclared


def batched(body, **own):
    """A stage class with this ``execute_batch``."""
    return type("Batched", (), {"kind": "work", "execute_batch": body, **own})


def text_of(ctx, source="b"):
    return ctx.inputs.get_from(source, "k")


def texts_of(contexts, source):
    return [text_of(ctx, source) for ctx in contexts]


# --- ways to a context of a batch -----------------------------------------------------------------


async def in_a_loop(self, ctxs):
    for ctx in ctxs:
        ctx.inputs.get_from("b", "k")


async def in_a_comprehension(self, ctxs):
    return [StageOutput.ok(text=ctx.inputs.require_from("b", "k")) for ctx in ctxs]


async def in_a_generator(self, ctxs):
    return tuple(StageOutput.ok(text=ctx.inputs.require_from("b", "k")) for ctx in ctxs)


async def counted(self, ctxs):
    for _index, ctx in enumerate(ctxs):
        ctx.inputs.get_from("b", "k")


async def beside_others(self, ctxs):
    for text, ctx in zip(self.ask(len(ctxs)), ctxs, strict=True):
        ctx.inputs.get_from("b", text)


async def counted_beside_others(self, ctxs):
    for _index, (ctx, text) in enumerate(zip(ctxs, self.ask(1), strict=True)):
        ctx.inputs.get_from("b", text)


async def in_pairs(self, ctxs):
    for ctx, _vector in [(ctx, self.ask(ctx.run_id)) for ctx in ctxs]:
        ctx.inputs.get_from("b", "k")


async def by_index(self, ctxs):
    return ctxs[0].inputs.get_from("b", "k")


async def by_a_computed_index(self, ctxs):
    return [ctxs[index].inputs.get_from("b", "k") for index in range(len(ctxs))]


async def in_a_slice(self, ctxs):
    return [ctx.inputs.get_from("b", "k") for ctx in ctxs[1:]]


async def unpacked(self, ctxs):
    first, *rest = ctxs
    return first.inputs.get_from("a", "k"), [ctx.inputs.get_from("b", "k") for ctx in rest]


async def sorted_and_filtered(self, ctxs):
    chosen = [ctx for ctx in sorted(ctxs, key=lambda ctx: ctx.run_id) if not ctx.is_cancelled]
    return [ctx.inputs.get_from("b", "k") for ctx in reversed(chosen)]


async def by_a_key(self, ctxs):
    return max(ctxs, key=lambda ctx: len(ctx.inputs.get_from("b", "k")))


async def in_a_map(self, ctxs):
    return list(map(text_of, ctxs))


async def in_a_map_of_sources(self, ctxs):
    return list(map(text_of, ctxs, ["a", "b"]))


async def one_after_another(self, ctxs):
    waiting = list(ctxs)
    while waiting:
        waiting.pop().inputs.get_from("b", "k")


async def the_next_one(self, ctxs):
    return next(iter(ctxs)).inputs.get_from("b", "k")


async def through_their_inputs(self, ctxs):
    for inputs in [ctx.inputs for ctx in ctxs]:
        inputs.get_from("b", "k")


async def in_a_method(self, ctxs):
    return await asyncio.gather(*(self.one(ctx) for ctx in ctxs))


async def in_a_function(self, ctxs):
    return texts_of(ctxs, "b")


async def in_a_thread(self, ctxs):
    return await asyncio.to_thread(texts_of, ctxs, "b")


async def in_several_threads(self, ctxs):
    return list(self.pool.map(text_of, ctxs))


async def one(self, ctx):
    return ctx.inputs.get_from("b", "k")


WAYS = [
    in_a_loop,
    in_a_comprehension,
    in_a_generator,
    counted,
    beside_others,
    counted_beside_others,
    in_pairs,
    by_index,
    by_a_computed_index,
    in_a_slice,
    unpacked,
    sorted_and_filtered,
    by_a_key,
    in_a_map,
    in_a_map_of_sources,
    one_after_another,
    the_next_one,
    through_their_inputs,
    in_a_method,
    in_a_function,
    in_a_thread,
    in_several_threads,
]


@pytest.mark.parametrize("body", WAYS, ids=lambda body: body.__name__)
def test_undeclared_read_is_found(body):
    assert set(undeclared(batched(body, one=one))) == {"b"}


@pytest.mark.parametrize("body", WAYS, ids=lambda body: body.__name__)
def test_nothing_is_said_of_a_declared_read(body):
    runner = batched(body, one=one)
    assert mistakes(pipeline_with(runner, dependencies=("a", "b"))) == []
    assert noted(runner, dependencies=("a", "b")) == []


def test_an_instance_is_read_as_its_class_is():
    assert undeclared(batched(in_a_loop)()) == ["b"]


def test_a_plain_method_is_read_too():
    def read(self, ctxs):
        return [ctx.inputs.get_from("b", "k") for ctx in ctxs]

    assert undeclared(batched(read)) == ["b"]


def said(body, **options):
    (finding,) = mistakes(pipeline_with(batched(body), **options))
    return finding.message


async def reads_a_stage_that_is_not_there(self, ctxs):
    return [ctx.inputs.get_from("bb", "k") for ctx in ctxs]


async def reads_itself(self, ctxs):
    return [ctx.inputs.get_from(ctx.stage_name, "k") for ctx in ctxs]


def test_the_same_is_said_as_of_a_stage_for_one_run():
    assert said(in_a_loop) == "'read' reads 'b' (get_from), which it does not depend on."
    assert "for order, not for data" in said(in_a_loop, after="b")
    assert "there is no such stage" in said(reads_a_stage_that_is_not_there)
    assert "which is itself" in said(reads_itself)


# --- what cannot be followed ----------------------------------------------------------------------


async def by_id(self, ctxs):
    by_id = {ctx.run_id: ctx for ctx in ctxs}
    return by_id["1"].inputs.get_from("b", "k")


async def picked(self, ctxs):
    chosen = []
    for ctx in ctxs:
        chosen.append(ctx)  # noqa: PERF402 - as it may be written
    return [ctx.inputs.get_from("b", "k") for ctx in chosen]


async def picked_for_a_list_of_others(self, ctxs):
    chosen = [None for _ctx in ctxs]
    chosen.append(ctxs[0])
    return chosen[-1].inputs.get_from("b", "k")


async def spread(self, ctxs):
    return text_of(*ctxs)


async def handed_on(self, ctxs):
    return await self.client.ask(ctxs)


@pytest.mark.parametrize(
    "body",
    [by_id, picked, picked_for_a_list_of_others, spread, handed_on],
    ids=lambda body: body.__name__,
)
def test_what_is_not_followed_is_a_note(body):
    assert set(noted(batched(body))) == {"not-followed"}


# --- weights and routes ---------------------------------------------------------------------------


def test_a_read_for_the_weight_of_an_item_is_found():
    def weight(ctx):
        return len(ctx.inputs.get_from("b", "k"))

    batching = Batching(batch_size_fn=weight, max_batch_weight=10)

    async def read(self, ctxs): ...

    assert undeclared(batched(read), batching=batching) == ["b"]


async def decides(self, ctxs):
    return [StageOutput.ok(route=RoutingDecision("fats")) for _ctx in ctxs]


def test_routes_of_a_batch_are_checked():
    pipeline = (
        Pipeline("p")
        .with_stage("router", batched(decides), "route")
        .with_stage("fast", other, "work", "router", route="fast")
    )
    assert "selects route 'fats'" in mistakes(pipeline)[0].message


# --- collections in any stage ---------------------------------------------------------------------


async def reads_all_in_turn(ctx):
    for _index, name in enumerate(sorted(["a", "b"])):
        ctx.inputs.get_from(name, "k")


async def reads_in_a_map(ctx):
    return list(map(lambda key: ctx.inputs.get_from("b", key), ctx.data))  # noqa: C417


@pytest.mark.parametrize("runner", [reads_all_in_turn, reads_in_a_map])
def test_collections_are_followed_in_a_stage_for_one_run(runner):
    assert undeclared(runner) == ["b"]
    assert noted(runner) == []
