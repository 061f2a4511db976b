"""Whole programs, each in an interpreter of its own: scripts, first runs, exits."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tests.actors.watching import gone

pytestmark = pytest.mark.ray


def run_script(tmp_path, source, **environment):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(source), encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=tmp_path,
        env={**os.environ, **environment},
    )


def test_script_runs_on_a_ray_of_its_own_with_its_own_classes(tmp_path):
    done = run_script(
        tmp_path,
        """
        import dataclasses, logging
        from pathlib import Path
        from stageflow_actors import *

        @dataclasses.dataclass
        class Cup:
            of: str

        class OwnError(Exception):
            def __init__(self, cup, *, why):
                super().__init__(f"{cup.of}: {why}")
                self.cup = cup

        class Brew:
            name, kind = "brew", StageKind.WORK
            async def execute(self, ctx):
                return StageOutput.ok(cup=Cup(ctx.snapshot.input_text))
            async def teardown(self):
                Path("teardown").touch()

        class Spill:
            name, kind = "spill", StageKind.WORK
            def execute(self, ctx):
                raise OwnError(ctx.inputs.get("cup"), why="spilt")

        logging.basicConfig(level=logging.INFO, format="LOG %(name)s %(message)s")
        logging.getLogger("stageflow_actors.events").setLevel(logging.WARNING)
        tea = Pipeline("tea").with_stage("brew", Brew)
        assert tea.run_sync(input_text="green")["brew"].data["cup"] == Cup("green")
        assert tea.run_sync(input_text="black")["brew"].data["cup"] == Cup("black")
        try:
            tea.with_stage("spill", Spill, dependencies="brew").run_sync(input_text="mint")
        except StageExecutionError as error:
            assert type(error.original) is OwnError, type(error.original)
            assert error.original.cup == Cup("mint")
            assert error.results["brew"].data["cup"] == Cup("mint")
            print("in execute" in str(error.original.__cause__), "done")
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "done"]
    starts = [line for line in done.stderr.splitlines() if "starting a local one" in line]
    assert len(starts) == 1
    assert (tmp_path / "teardown").exists()  # at exit


def test_ray_that_cannot_start_is_a_clear_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    done = run_script(
        tmp_path,
        """
        from stageflow_actors import *

        async def brew(ctx): ...

        try:
            Pipeline().with_stage("brew", brew, StageKind.WORK).run_sync()
        except RayStartError as error:
            print(error.code, "LocalRuntime" in str(error))
        """,
        RAY_TMPDIR=str(blocked / "below-a-file"),
    )
    assert done.stdout.split() == ["RUNTIME-RAY-START", "True"], done.stderr


@pytest.mark.usefixtures("joined_ray")
async def test_interrupted_script_leaves_no_process(tmp_path):
    """Ended by the script itself: its Ray, which would end them, too, goes on."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, signal
            from stageflow_actors import *

            # A shell that starts the tests in the background has its children ignore the signal.
            signal.signal(signal.SIGINT, signal.default_int_handler)

            async def wait(ctx):
                await asyncio.Event().wait()

            async def main():
                pipeline = Pipeline().with_stage("wait", wait, StageKind.WORK)
                async with RayRuntime().deploy(pipeline) as app:
                    described = await app.describe()
                    print(described["supervisor_pid"], described["stages"][0]["pid"], flush=True)
                    run = await app.start()
                    async for event in run.events():
                        if event.type == "stage.wait.started":
                            signal.raise_signal(signal.SIGINT)

            asyncio.run(main())
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False
    )
    pids = done.stdout.split()
    assert len(pids) == 2, done.stderr
    assert "KeyboardInterrupt" in done.stderr, done.stderr
    for pid in pids:
        await gone(int(pid))


def test_sink_gets_its_events_though_the_script_ends_at_once(tmp_path):
    done = run_script(
        tmp_path,
        """
        import asyncio
        from stageflow_actors import *

        class SlowSink:
            async def emit(self, *, type, data):
                await asyncio.sleep(0.02)
                print(type)
            def try_emit(self, *, type, data): ...

        async def brew(ctx): ...

        tea = Pipeline().with_stage("brew", brew, StageKind.WORK)
        tea.run_sync(runtime=LocalRuntime(event_sink=SlowSink()))
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "pipeline.completed"
    assert len(done.stdout.split()) == 5
