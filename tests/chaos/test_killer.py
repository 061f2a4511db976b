"""The killer of processes: whom it kills, whom it spares, and what it says about it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from random import Random

import pytest

from stageflow_actors import LocalRuntime, Pipeline, RayRuntime, RunStatus, StageKind
from stageflow_actors.testing import FaultRecord, Sigkill, StageKiller
from tests.chaos.suffering import quiet

AT_ONCE = (0.0, 0.001)


class Processes:
    """Sleeping processes, described as the stages of a deployment on Ray; the dead are replaced."""

    def __init__(self, *names, title="ray::Stage"):
        self.title = title
        self.stages = {name: self.start() for name in names}
        self.all = list(self.stages.values())
        self.extra = []
        self.killed = []
        self.error = None

    def start(self):
        process = subprocess.Popen([self.title, "60"], executable="/bin/sleep")
        while not Path(f"/proc/{process.pid}/cmdline").read_bytes():
            continue  # its title comes a moment after it
        return process

    async def describe(self):
        if self.error is not None:
            raise self.error
        killed = {kill.pid for kill in self.killed}
        for name, process in self.stages.items():
            if process.pid in killed:
                process.wait()  # a killed process may take a moment to be dead
            if process.poll() is not None:
                self.stages[name] = self.start()
                self.all.append(self.stages[name])
        stages = [{"name": name, "pid": process.pid} for name, process in self.stages.items()]
        return {"supervisor_pid": os.getpid(), "stages": [*stages, *self.extra]}

    @property
    def alive(self):
        return [process.pid for process in self.all if process.poll() is None]


@pytest.fixture
def processes():
    started = []

    def start(*names, **options):
        started.append(Processes(*names, **options))
        return started[-1]

    yield start
    for process in [process for each in started for process in each.all]:
        process.kill()
        process.wait()


async def kills(killer, count):
    while len(killer.kills) < count:
        await asyncio.sleep(0.001)


async def test_whom_it_says_it_killed_is_dead_and_written_down(processes, ledger):
    app = processes("a", "b")
    async with StageKiller(app, every_s=AT_ONCE, ledger=ledger) as killer:
        await kills(killer, 5)
    for kill in killer.kills:
        assert kill.pid not in app.alive
        (process,) = [process for process in app.all if process.pid == kill.pid]
        assert process.wait() == -9
    assert len({kill.pid for kill in killer.kills}) == len(killer.kills) >= 5
    assert {kill.stage for kill in killer.kills} == {"a", "b"}
    assert [kill.at for kill in killer.kills] == sorted(kill.at for kill in killer.kills)
    assert ledger.records() == killer.kills
    assert ledger.fired(Sigkill) == len(killer.kills)


async def test_it_kills_nobody_after_it_has_left(processes):
    app = processes("a")
    async with StageKiller(app, every_s=AT_ONCE) as killer:
        await kills(killer, 1)
    before = len(killer.kills)
    await app.describe()  # there is somebody to kill
    alive = app.alive
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert (len(killer.kills), app.alive) == (before, alive)


async def test_it_spares_itself_those_without_a_process_and_strangers(processes):
    app, strangers = processes("a"), processes("not of Ray", title="sleep")
    app.extra = [
        {"name": "this", "pid": os.getpid()},
        {"name": "none", "pid": None},
        {"name": "stranger", "pid": strangers.alive[0]},
        {"name": "nobody", "pid": 2**22 + 1},
    ]
    async with StageKiller(app, every_s=AT_ONCE) as killer:
        await kills(killer, 5)
    assert {kill.stage for kill in killer.kills} == {"a"}
    assert len(strangers.alive) == 1


async def test_its_choices_among_the_living_are_those_of_its_seed(processes):
    chosen = []
    for _ in range(2):
        app = processes("a", "b", "c")
        killer = StageKiller(app, every_s=AT_ONCE, seed=7)
        app.killed = killer.kills
        async with killer:
            await kills(killer, 4)
        chosen.append([kill.stage for kill in killer.kills[:4]])
    random = Random(7)
    expected = []
    for _ in range(4):
        random.uniform(*AT_ONCE)
        expected.append(random.choice("abc"))
    assert chosen == [expected, expected]


async def test_a_deployment_that_is_lost_is_told_on_leaving(processes):
    app = processes("a")
    with pytest.raises(ConnectionError, match="lost"):
        async with StageKiller(app, every_s=AT_ONCE) as killer:
            app.error = ConnectionError("the deployment is lost")
            await asyncio.wait([killer._killing])


async def test_what_the_test_itself_raises_is_what_is_raised(processes):
    app = processes("a")
    with pytest.raises(KeyError, match="of the test") as raised:
        async with StageKiller(app, every_s=AT_ONCE) as killer:
            app.error = ConnectionError("the deployment is lost")
            await asyncio.wait([killer._killing])
            raise KeyError("of the test")
    assert "the deployment is lost" in raised.value.__notes__[0]


async def test_a_deployment_without_processes_of_its_own_is_refused():
    async with LocalRuntime().deploy(Pipeline().with_stage("a", quiet, StageKind.WORK)) as app:
        with pytest.raises(ValueError, match="deploy it with RayRuntime"):
            await StageKiller(app).__aenter__()


async def test_processes_that_are_not_of_ray_are_refused(processes):
    with pytest.raises(ValueError, match="No stage of this deployment"):
        await StageKiller(processes("a", title="sleep")).__aenter__()


async def test_whom_it_has_killed_it_kills_no_second_time(processes):
    app = processes("a", "b")
    killer = StageKiller(app, every_s=AT_ONCE)
    dying = FaultRecord("Sigkill", "b", None, None, app.stages["b"].pid, 0.0, "")
    killer.kills.append(dying)  # a process may be there for a while after it was killed
    async with killer:
        await kills(killer, 5)
    assert {kill.stage for kill in killer.kills[1:]} == {"a"}


@pytest.mark.parametrize("every_s", [0.1, (0.1,), (0.5, 0.1), (-1, 1), ("a", "b"), (0, None)])
def test_an_interval_that_is_none_is_refused(every_s):
    with pytest.raises(ValueError, match="every_s"):
        StageKiller(Processes(), every_s=every_s)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
async def test_a_pipeline_works_after_its_processes_were_killed(ledger):
    pipeline = (
        Pipeline()
        .with_stage("a", quiet, StageKind.WORK, effects="none")
        .with_stage("b", quiet, StageKind.WORK, effects="none", dependencies="a")
    )
    async with RayRuntime().deploy(pipeline) as app:
        supervisor = (await app.describe())["supervisor_pid"]
        async with StageKiller(app, every_s=AT_ONCE, ledger=ledger) as killer:
            await kills(killer, 1)
        result = await (await app.start()).result()
        assert (await app.describe())["supervisor_pid"] == supervisor
    assert result.status is RunStatus.OK
    assert ledger.fired(Sigkill) == len(killer.kills) >= 1
