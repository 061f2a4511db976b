"""What a stage receives is its own: it can be read, and changing it reaches nobody."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import threading
import zoneinfo

import numpy as np
import pytest

from stageflow_actors import Pipeline, StageKind
from tests.conformance.isolation_stages import Box, Keep, KeepArray


def producer_and_consumer(produce, consume):
    return (
        Pipeline()
        .with_stage("make", produce, StageKind.WORK)
        .with_stage("use", consume, StageKind.WORK, dependencies="make")
    )


async def test_plain_data_arrives_deeply_read_only(run):
    async def make(ctx):
        return {"nested": {"list": [1, {"x": 2}]}}

    async def use(ctx):
        nested = ctx.inputs.get_from("make", "nested")
        refused = []
        for change in (
            lambda: nested.update(y=1),
            lambda: nested["list"].append(3),
            lambda: nested["list"][1].pop("x"),
            lambda: ctx.inputs.get_output("make").data.clear(),
        ):
            try:
                change()
            except TypeError as error:
                refused.append(error.code)
        return {"refused": refused}

    outputs = (await run(producer_and_consumer(make, use))).outputs
    assert outputs["use"].data["refused"] == ["DATA-FROZEN"] * 4
    assert outputs["make"].data == {"nested": {"list": [1, {"x": 2}]}}


async def test_stage_that_writes_into_its_input_fails(run):
    async def make(ctx):
        return {"list": [1]}

    async def use(ctx):
        ctx.inputs.get("list").append(2)

    result = await run(producer_and_consumer(make, use))
    assert result.failures["use"].code == "DATA-FROZEN"
    assert result.outputs["make"].data == {"list": [1]}


async def test_data_changed_by_its_maker_afterwards_stays_as_returned(runtime):
    async with runtime.deploy(Pipeline().with_stage("keep", Keep)) as app:
        first, second = await app.run(), await app.run()
    assert first["keep"].data["plain"] == {"n": [0, 1]}
    assert first["keep"].data["box"].items == [0, 1]
    assert second["keep"].data["plain"] == {"n": [0, 1, 1]}
    assert second["keep"].data["box"].items == [0, 1, 1]


async def test_array_written_by_its_maker_afterwards_stays_as_returned(runtime):
    async with runtime.deploy(Pipeline().with_stage("keep", KeepArray)) as app:
        results = [await app.run() for _turn in range(3)]
    arrays = [each["keep"].data["array"] for each in results]
    assert [(each.min(), each.max()) for each in arrays] == [(1, 1), (2, 2), (3, 3)]


async def test_context_variable_that_a_stage_sets_is_not_there_for_the_next(run):
    async def make(ctx):
        decimal.setcontext(decimal.Context(prec=7))
        return {"digits": decimal.getcontext().prec}

    async def use(ctx):
        return {"digits": decimal.getcontext().prec}

    outputs = (await run(producer_and_consumer(make, use))).outputs
    assert [outputs[name].data["digits"] for name in ("make", "use")] == [7, 28]


async def test_objects_arrive_as_a_copy_for_each_reader(run):
    async def make(ctx):
        box = Box([1])
        return {"box": box, "same": box}

    async def change(ctx):
        box, same = ctx.inputs.get("box"), ctx.inputs.get("same")
        box.items.append(2)
        return {"mine": box.items, "shared_inside": box is same}

    pipeline = (
        Pipeline()
        .with_stage("make", make, StageKind.WORK)
        .with_stage("left", change, StageKind.WORK, dependencies="make")
        .with_stage("right", change, StageKind.WORK, dependencies="make")
    )
    outputs = (await run(pipeline)).outputs
    for name in ("left", "right"):
        assert outputs[name].data == {"mine": [1, 2], "shared_inside": True}
    assert outputs["make"].data["box"].items == [1]


@pytest.mark.parametrize("slices", [slice(None), slice(None, None, 2)], ids=["whole", "strided"])
async def test_arrays_arrive_read_only_with_shape_type_and_values(run, slices):
    async def make(ctx):
        return {"array": np.arange(24, dtype="float32").reshape(4, 6)[slices], "n": [1]}

    async def use(ctx):
        array = ctx.inputs.get("array")
        try:
            array[0, 0] = 99
        except ValueError:
            return {"writeable": array.flags.writeable, "sum": float(array.sum())}

    outputs = (await run(producer_and_consumer(make, use))).outputs
    expected = np.arange(24, dtype="float32").reshape(4, 6)[slices]
    assert outputs["use"].data == {"writeable": False, "sum": float(expected.sum())}
    np.testing.assert_array_equal(outputs["make"].data["array"], expected)
    assert outputs["make"].data["array"].dtype == expected.dtype
    assert not outputs["make"].data["array"].flags.writeable


async def test_metadata_of_the_run_is_read_only_and_the_same_for_every_stage(run):
    async def change(ctx):
        ctx.snapshot.metadata["tags"].append("mine")

    async def read(ctx):
        return {"tags": ctx.snapshot.metadata["tags"]}

    pipeline = (
        Pipeline()
        .with_stage("read", read, StageKind.WORK)
        .with_stage("change", change, StageKind.WORK, dependencies="read")
    )
    result = await run(pipeline, metadata={"tags": ["a"]})
    assert result.failures["change"].code == "DATA-FROZEN"
    assert result.outputs["read"].data == {"tags": ["a"]}


async def test_object_in_the_metadata_is_a_copy_for_each_stage(run):
    async def change(ctx):
        ctx.snapshot.metadata["box"].items.append(2)
        return {"mine": ctx.snapshot.metadata["box"].items}

    pipeline = (
        Pipeline()
        .with_stage("a", change, StageKind.WORK)
        .with_stage("b", change, StageKind.WORK, dependencies="a")
    )
    box = Box([1])
    outputs = (await run(pipeline, metadata={"box": box})).outputs
    assert outputs["a"].data == outputs["b"].data == {"mine": [1, 2]}
    assert box.items == [1]


async def test_odd_but_legal_values_arrive_unchanged(run):
    huge = 10**5000
    legal = {
        "nan": math.nan,
        "infinity": -math.inf,
        "huge": huge,
        "text": "\ud800 lone surrogate, \x00, ünïcödé",
        "bytes": b"\x00\xff",
        "tuple": (1, [2, {3}]),
        "key": {1: "a", None: "b", (2, 3): "c"},
    }

    async def make(ctx):
        return dict(legal)

    async def use(ctx):
        data = ctx.inputs.get_output("make").data
        return {"nan": math.isnan(data["nan"]), "huge": data["huge"] == huge, "all": dict(data)}

    outputs = (await run(producer_and_consumer(make, use))).outputs
    assert outputs["use"].data["nan"]
    assert outputs["use"].data["huge"]
    for key, value in legal.items():
        if key != "nan":
            assert outputs["use"].data["all"][key] == value


class OddZone(dt.tzinfo):
    def utcoffset(self, moment):
        return dt.timedelta(hours=1)

    def dst(self, moment):
        return dt.timedelta(0)


async def test_times_arrive_with_their_zones_of_any_class(run):
    moments = [
        dt.datetime(2026, 1, 2, tzinfo=zone)
        for zone in (None, dt.UTC, zoneinfo.ZoneInfo("UTC"), OddZone())
    ]

    async def make(ctx):
        return {"moments": moments}

    async def use(ctx):
        return {"hours": [str(moment.utcoffset()) for moment in ctx.inputs.get("moments")]}

    outputs = (await run(producer_and_consumer(make, use))).outputs
    assert outputs["use"].data["hours"] == ["None", "0:00:00", "0:00:00", "1:00:00"]


def cyclic():
    data = {"a": [1]}
    data["a"].append(data)
    return data


def deep(levels):
    data: dict = {}
    for _ in range(levels):
        data = {"x": data}
    return data


@pytest.mark.parametrize(
    ("make_data", "code"),
    [
        (cyclic, "OUTPUT-CYCLE"),
        (lambda: deep(5000), "OUTPUT-DEPTH"),
        (lambda: {"lock": threading.Lock()}, "OUTPUT-UNPICKLABLE"),
        (lambda: {"generator": (n for n in range(3))}, "OUTPUT-UNPICKLABLE"),
    ],
    ids=["cycle", "too-deep", "lock", "generator"],
)
async def test_output_that_cannot_leave_fails_its_stage_and_loses_nothing_else(
    run, make_data, code
):
    async def make(ctx):
        return make_data()

    async def first(ctx):
        return {"n": 1}

    pipeline = (
        Pipeline()
        .with_stage("first", first, StageKind.WORK)
        .with_stage("make", make, StageKind.WORK, dependencies="first")
    )
    result = await run(pipeline)
    assert result.failures["make"].code == code
    assert result.outputs["first"].data == {"n": 1}
    if code == "OUTPUT-UNPICKLABLE":
        assert "make" in result.failures["make"].message


async def test_data_as_deep_as_the_limit_passes(run):
    async def make(ctx):
        return deep(99)

    async def use(ctx):
        data, levels = ctx.inputs.get_output("make").data, 0
        while data:
            data, levels = data["x"], levels + 1
        return {"levels": levels}

    assert (await run(producer_and_consumer(make, use))).outputs["use"].data == {"levels": 99}


async def test_stage_sees_only_its_direct_dependencies(run):
    async def make(ctx):
        return {"n": 1}

    async def peek(ctx):
        return {
            "names": sorted(ctx.inputs.outputs),
            "has": ctx.inputs.has_output("a"),
            "any": ctx.inputs.get("n", "nothing"),
        }

    async def steal(ctx):
        return {"n": ctx.inputs.get_from("a", "n", default=0)}

    async def empty(ctx):
        return None

    pipeline = (
        Pipeline()
        .with_stage("a", make, StageKind.WORK)
        .with_stage("b", empty, StageKind.WORK, dependencies="a")
        .with_stage("peek", peek, StageKind.WORK, dependencies="b")
        .with_stage("steal", steal, StageKind.WORK, dependencies="peek")
    )
    result = await run(pipeline)
    assert result.outputs["peek"].data == {"names": ["b"], "has": False, "any": "nothing"}
    failure = result.failures["steal"]
    assert failure.code == "INPUT-UNDECLARED"
    assert failure.original.stage_name == "a"
    assert failure.original.declared_deps == ("peek",)
    assert failure.original.accessing_stage == "steal"


async def test_root_stage_reading_another_stage_fails(run):
    async def steal(ctx):
        return {"n": ctx.inputs.get_from("a", "n", default=0)}

    assert (await run(Pipeline().with_stage("root", steal, StageKind.WORK))).failures[
        "root"
    ].code == "INPUT-UNDECLARED"
