"""The stages of ``test_waiting_runs.py``. Their processes load this, and no test."""

from __future__ import annotations

from tests.conformance.crossing import Gate, Journal


class Hold:
    """Writes its text when it begins, waits for ``go``, and says how many were here at once."""

    kind = "work"

    def __init__(self, folder):
        self.folder = folder
        self.here = 0

    async def execute(self, ctx):
        Journal(self.folder).write(ctx.snapshot.input_text)
        self.here += 1
        at_once = self.here
        try:
            await Gate(self.folder, "go").opened()
        finally:
            self.here -= 1
        return {"at_once": at_once}
