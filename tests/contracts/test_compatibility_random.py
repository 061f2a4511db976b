"""What the comparison of two schemas promises, on random models with random data."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import create_model

from stageflow_actors.contracts import Contract, compare_schemas
from tests.contracts.random_models import MODELS, SHAPES, TAGGED, altered


def versions_of(shapes):
    """Two versions of a type, the second mostly near the first, and data of the first."""
    return shapes.flatmap(
        lambda shape: st.tuples(
            st.just(shape), altered(shape), st.lists(shape.data(), min_size=1, max_size=8)
        )
    )


def promise_is_kept(old, new, values, seen):
    """Data of the old version is right under the new one, unless the report says otherwise."""
    models = [create_model("Data", v=(each.annotation(), ...)) for each in (old, new)]
    schemas = [model.model_json_schema() for model in models]
    changes = compare_schemas(*schemas)
    seen[changes.is_compatible, bool(changes.warnings)] += 1
    for value in values:
        Contract(models[0], "maker").check({"v": value})
        if changes.is_compatible:
            Contract(models[1], "maker").check({"v": value})
    unchanged = compare_schemas(schemas[0], schemas[0])
    assert (unchanged.breaking, unchanged.warnings) == ((), ())


MANY = 5_000
"""Drawn anew each time; fewer are the same each time."""


@pytest.mark.parametrize("shapes", [MODELS, TAGGED, SHAPES], ids=["models", "tagged", "types"])
@pytest.mark.parametrize("count", [100, pytest.param(MANY, marks=pytest.mark.stress)])
def test_data_of_the_old_version_is_right_under_a_compatible_new_one(shapes, count):
    seen = Counter()

    @settings(max_examples=count, deadline=None, derandomize=count < MANY)
    @given(versions_of(shapes))
    def check(versions):
        promise_is_kept(*versions, seen)

    check()
    assert min(seen[True, False], seen[True, True], seen[False, False]) > 0
