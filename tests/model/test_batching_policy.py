"""``Batching``, and which stages may have it."""

import math

import pytest

from stageflow_actors import PolicyError, StageDefinitionError, stage
from stageflow_actors.model.policies.batching import Batching
from stageflow_actors.model.stage import body_of, is_blocking, takes_batches


class Embed:
    kind = "work"

    async def execute_batch(self, ctxs):
        return [None] * len(ctxs)


class EmbedInThread:
    kind = "work"

    def execute_batch(self, ctxs):
        return [None] * len(ctxs)


class Both(Embed):
    async def execute(self, ctx):
        return None


class Single:
    kind = "work"

    async def execute(self, ctx):
        return None


def weigh(ctx):
    return 1.0


@pytest.mark.parametrize(
    "given",
    [
        {"max_batch_size": 0},
        {"max_batch_size": 1.5},
        {"max_batch_size": True},
        {"batch_wait_ms": -1},
        {"batch_wait_ms": math.nan},
        {"batch_wait_ms": math.inf},
        {"batch_wait_ms": "5"},
        {"batch_size_fn": 5, "max_batch_weight": 1},
        {"batch_size_fn": weigh},
        {"max_batch_weight": 5},
        {"batch_size_fn": weigh, "max_batch_weight": 0},
        {"batch_size_fn": weigh, "max_batch_weight": math.inf},
        {"batch_size_fn": weigh, "max_batch_weight": math.nan},
    ],
    ids=repr,
)
def test_what_cannot_be_meant_is_refused_with_a_hint(given):
    with pytest.raises(PolicyError, match="^Batching has") as refused:
        Batching(**given)
    assert refused.value.hint


def test_times_and_weights_are_floats_whatever_they_are_given_as():
    batching = Batching(batch_wait_ms=5, batch_size_fn=weigh, max_batch_weight=100)
    assert repr((batching.batch_wait_ms, batching.max_batch_weight)) == "(5.0, 100.0)"


@pytest.mark.parametrize("runner", [Embed, Embed()], ids=["class", "instance"])
def test_a_stage_may_have_execute_batch_alone(runner):
    spec = stage("embed", runner, batching=Batching(max_batch_size=4))
    assert spec.batching.max_batch_size == 4
    assert takes_batches(spec.runner)
    assert not is_blocking(spec.runner)


def test_a_plain_def_that_takes_batches_blocks():
    instance = EmbedInThread()
    assert is_blocking(instance)
    assert body_of(instance) == instance.execute_batch


def test_a_stage_with_both_methods_is_refused():
    with pytest.raises(StageDefinitionError, match="'embed' cannot run .*both execute and"):
        stage("embed", Both, "work")


def test_batching_is_for_stages_that_take_batches():
    assert not takes_batches(Single)
    with pytest.raises(StageDefinitionError, match="'one' has batching= but no execute_batch"):
        stage("one", Single, batching=Batching())
    with pytest.raises(StageDefinitionError, match="'embed' has batching=5"):
        stage("embed", Embed, batching=5)
