"""The stages of ``test_admission.py``. Their processes load this, and no test."""

from __future__ import annotations

from tests.conformance.crossing import Journal


class WhoAsks:
    """Returns for whom it runs, and what it was given."""

    kind = "work"

    def __init__(self, folder):
        self.journal = Journal(folder)

    async def execute(self, ctx):
        self.journal.write(ctx.stage_name)
        return {"user": str(ctx.user_id), "org": str(ctx.org_id), "data": dict(ctx.data)}
