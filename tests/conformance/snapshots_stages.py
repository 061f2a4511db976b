"""The stages of ``test_snapshots.py``. Their processes load this, and no test."""

from __future__ import annotations

from stageflow_actors import ExtensionBundle


class Learner(ExtensionBundle):
    level: int
    skills: list[str]


async def relay(ctx):
    learner = ctx.snapshot.extension(Learner)
    learner.skills.append("speaking")  # a copy of its own
    return {"json": ctx.snapshot.to_json(), "level": learner.level}


async def look(ctx):
    return {"skills": ctx.snapshot.extension(Learner).skills, "json": ctx.snapshot.to_json()}
