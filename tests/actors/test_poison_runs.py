"""An input that kills whatever works on it, and those who happen to be there."""

from __future__ import annotations

import pytest

from stageflow_actors import Pipeline, RayRuntime, RunStatus, Settings
from stageflow_actors.errors import PoisonedInputError
from stageflow_actors.testing import FaultLedger, Sigkill, faulty
from tests.actors.poison_stages import INNOCENTS, Cell
from tests.actors.watching import pid_of, pids_in
from tests.chaos.suffering import quiet
from tests.conformance.crossing import Gate, Journal

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


async def test_poison_is_tried_alone_and_given_up_and_the_innocent_pass(tmp_path):
    runtime = RayRuntime(settings=Settings(max_retries_per_run=1))
    pipeline = Pipeline().with_stage("only", Cell, effects="none", config={"folder": tmp_path})
    async with runtime.deploy(pipeline) as app:
        handles = {name: await app.start(input_text=name) for name in ["poison", *INNOCENTS]}
        await Gate(tmp_path, "poison-4").opened()
        bystander = await (await app.start(input_text="bystander")).result()
        own = await pid_of(app, "only")  # that of the stage, which is none of the suspects'
        Gate(tmp_path, "bystander-done").open()
        results = {name: await handle.result() for name, handle in handles.items()}
        after = await app.describe()
    poisoned = results.pop("poison")
    assert (poisoned.status, poisoned.attempts) == (RunStatus.FAILED, {"only": 4})
    failure = poisoned.failures["only"]
    assert (failure.code, type(failure.original)) == ("STAGE-POISONED", PoisonedInputError)
    for result in results.values():  # without a retry to spare
        assert (result.status, result.attempts) == (RunStatus.OK, {"only": 4})
        assert result.outputs["only"].data["pid"] != own
    assert bystander.outputs["only"].data["pid"] == own == pids_in(after)["only"]
    places = {}
    for line in Journal(tmp_path).lines:
        who, attempt, pid = line.split()
        places.setdefault(attempt, {})[who] = int(pid)
    assert set(places) == {"1", "2", "3", "4"}
    for attempt in "23":
        assert len({places[attempt][who] for who in ["poison", *INNOCENTS]}) == 1
    assert own not in places["4"].values()


async def test_poison_executes_once_more_than_the_deaths_that_are_forgiven(tmp_path):
    most, ledger = 1, FaultLedger(tmp_path / "faults.jsonl")

    def is_poison(ctx):
        return ctx.snapshot.input_text == "poison"

    runner = faulty(quiet, Sigkill(), ledger=ledger, when=is_poison)
    pipeline = Pipeline().with_stage("only", runner, "work", effects="keyed")
    async with RayRuntime(settings=Settings(max_losses_per_stage=most)).deploy(pipeline) as app:
        for number in (1, 2):  # nobody remembers the poison of another run
            result = await (await app.start(input_text="poison")).result()
            assert result.failures["only"].code == "STAGE-POISONED"
            assert ledger.fired(Sigkill) == number * (most + 1)
            assert (await (await app.start()).result()).status is RunStatus.OK
    pids = [record.pid for record in ledger.records()]
    assert len(set(pids)) == len(pids)
