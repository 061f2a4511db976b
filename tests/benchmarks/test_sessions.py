"""One Ray for all figures: what is broken may not stay in it, nor may another's be ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.benchmarks import __main__ as command
from tests.benchmarks.figures import Skipped
from tests.benchmarks.measure import QUICK
from tests.benchmarks.sessions import end_ray


async def test_what_breaks_down_leaves_no_ray_to_the_others(monkeypatch):
    done: list[str] = []

    async def breaks_down(effort):
        raise OSError("Ray is gone")
        yield

    async def works(effort):
        done.append("works")
        yield Skipped("swim", "no water")

    modules = {"tests.benchmarks.first": breaks_down, "tests.benchmarks.second": works}
    monkeypatch.setattr(command, "import_module", lambda name: SimpleNamespace(rows=modules[name]))
    monkeypatch.setattr(command, "end_ray", lambda: done.append("ended"))

    await command.measure(["first", "second"], QUICK)

    assert done == ["ended", "works", "ended"]


@pytest.mark.ray
def test_a_ray_that_others_have_started_is_not_ended(ray_session):
    import ray

    end_ray()

    assert ray.is_initialized()
