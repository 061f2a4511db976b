"""A big array that a body gives away is not copied, and one that it keeps anything of is."""

from __future__ import annotations

import asyncio
import weakref

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, field_validator

from stageflow_actors import LocalRuntime, Pipeline, StageKind, StageOutput

COUNT = 2**18
"""Of eight bytes each: two MiB."""


class Maker:
    """Makes arrays, remembers where the last one lies, and keeps what it is told to keep."""

    def __init__(self):
        self.address = 0
        self.kept = []

    def array(self):
        array = np.arange(COUNT, dtype=np.float64)
        self.address = address_of(array)
        return array

    def keep(self, value):
        self.kept.append(value)
        return value


def address_of(array):
    return array.__array_interface__["data"][0]


async def returned_by(body, maker, **options):
    """The array that readers get of what ``body(maker)`` has returned."""

    async def make(ctx):
        return body(maker)

    pipeline = Pipeline().with_stage("make", make, StageKind.WORK, **options)
    async with LocalRuntime().deploy(pipeline) as app:
        return (await app.run())["make"].data["array"]


def first_named(maker):
    array = maker.array()
    data = {"array": array}
    return data


GIVEN_AWAY = {
    "in a dict": lambda maker: {"array": maker.array()},
    "in an output": lambda maker: StageOutput.ok(array=maker.array(), more=1),
    "in the data of an output": lambda maker: StageOutput.ok({"array": maker.array()}),
    "in another shape": lambda maker: {"array": maker.array().reshape(2, -1)},
    "after it had names": first_named,
}


@pytest.mark.parametrize("body", GIVEN_AWAY.values(), ids=GIVEN_AWAY.keys())
async def test_an_array_that_is_given_away_is_not_copied_and_nobody_can_write_it(body):
    maker = Maker()
    array = await returned_by(body, maker)
    assert address_of(array) == maker.address
    assert np.array_equal(array.ravel(), np.arange(COUNT))
    assert not array.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.setflags(write=True)


def in_two_places(maker):
    array = maker.array()
    return {"array": array, "again": [array]}


def with_its_owner_kept(maker):
    return {"array": maker.keep(maker.array()).reshape(2, -1)}


def with_a_view_kept(maker):
    array = maker.array()
    maker.keep(array[1:])
    return {"array": array}


def with_its_memory_kept(maker):
    array = maker.array()
    maker.keep(memoryview(array))
    return {"array": array}


def with_a_weak_reference_kept(maker):
    array = maker.array()
    maker.keep(weakref.ref(array))
    return {"array": array}


def with_its_name_kept(maker):
    array = maker.array()
    maker.keep(lambda: array)
    return {"array": array}


KEPT = {
    "the array": lambda maker: {"array": maker.keep(maker.array())},
    "the array of an output": lambda maker: StageOutput.ok(array=maker.keep(maker.array())),
    "the dict": lambda maker: maker.keep({"array": maker.array()}),
    "the output": lambda maker: maker.keep(StageOutput.ok(array=maker.array())),
    "the data of an output": lambda maker: StageOutput.ok(maker.keep({"array": maker.array()})),
    "the array in its first shape": with_its_owner_kept,
    "the array in its last shape": lambda maker: {
        "array": maker.keep(maker.array().reshape(2, -1))
    },
    "a view": with_a_view_kept,
    "the memory": with_its_memory_kept,
    "a weak reference": with_a_weak_reference_kept,
    "the name": with_its_name_kept,
    "another place in the output": in_two_places,
    "the rest of the memory": lambda maker: {"array": maker.array()[: COUNT // 2]},
}


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT.keys())
async def test_an_array_of_which_anything_is_kept_is_copied(body):
    maker = Maker()
    array = await returned_by(body, maker)
    assert address_of(array) != maker.address
    assert np.array_equal(array.ravel(), np.arange(array.size))
    assert not array.flags.writeable


async def test_an_array_out_of_order_is_read_only_and_as_it_was():
    array = await returned_by(lambda maker: {"array": maker.array()[::-1]}, Maker())
    assert np.array_equal(array, np.arange(COUNT)[::-1])
    assert not array.flags.writeable


async def test_what_a_thread_returns_or_a_future_brings_is_as_it_was_returned():
    maker = Maker()

    def in_thread(ctx):
        return maker.keep({"array": maker.array()})

    async def of_future(ctx):
        future = asyncio.get_running_loop().create_future()
        future.set_result({"array": maker.array()})
        return await maker.keep(future)

    for body in (in_thread, of_future):
        pipeline = Pipeline().with_stage("make", body, StageKind.WORK)
        async with LocalRuntime().deploy(pipeline) as app:
            array = (await app.run())["make"].data["array"]
        kept = maker.kept.pop()
        (kept if isinstance(kept, dict) else kept.result())["array"].fill(-1)
        assert np.array_equal(array, np.arange(COUNT))


class Emptied(BaseModel):
    """A model that writes into what it checks."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    array: np.ndarray

    @field_validator("array")
    @classmethod
    def empty(cls, array):
        array.fill(-1)
        return array


async def test_a_contract_that_writes_into_what_it_checks_changes_nothing_that_is_read():
    array = await returned_by(GIVEN_AWAY["in a dict"], Maker(), output_model=Emptied)
    assert np.array_equal(array, np.arange(COUNT))
