"""Each fault in a run of this process; those that would take it along in another one."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from functools import partial

import pytest

from stageflow_actors import (
    LocalRuntime,
    Pipeline,
    RetryPolicy,
    RunStatus,
    Settings,
    StageKind,
    StageOutput,
    stage,
)
from stageflow_actors.model.stage import is_blocking
from stageflow_actors.testing import (
    Block,
    Exit,
    Fault,
    Hang,
    MemoryLimit,
    Raise,
    Sigkill,
    Sigstop,
    Slow,
    StopLoop,
    faulty,
)
from tests.chaos.elsewhere import call_elsewhere, start_elsewhere
from tests.chaos.suffering import FORMS, PLAIN, Declared, Working, quiet, quiet_plain
from tests.conformance.crossing import Journal


async def run(runner, *, settings=None, input_text="", **options):
    pipeline = Pipeline().with_stage("only", runner, StageKind.WORK, **options)
    async with LocalRuntime(settings=settings).deploy(pipeline) as app:
        return await (await app.start(input_text=input_text)).result()


# --- whom it happens to ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
async def test_it_strikes_a_runner_of_any_form_before_its_body(form, ledger, tmp_path):
    runner, options = FORMS[form](tmp_path)
    struck = faulty(runner, Raise(ValueError("on purpose")), ledger=ledger)
    assert is_blocking(struck) == is_blocking(runner) == (form in PLAIN)
    result = await run(struck, **options)
    assert result.failures["only"].original.args == ("on purpose",)
    assert "body" not in Journal(tmp_path).lines
    (record,) = ledger.records()
    assert (record.kind, record.stage, record.attempt) == ("Raise", "only", 1)
    assert (record.run_id, record.pid) == (str(result.pipeline_run_id), os.getpid())


@pytest.mark.parametrize("form", FORMS)
async def test_after_the_body_its_work_is_done_and_its_output_lost(form, ledger, tmp_path):
    runner, options = FORMS[form](tmp_path)
    result = await run(faulty(runner, Raise(ValueError()), ledger=ledger, after=True), **options)
    assert result.status is RunStatus.FAILED
    assert ledger.fired(Raise, "only") == 1
    assert Journal(tmp_path).lines.count("body") == 1


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_spared_is_as_it_was(form, ledger, tmp_path):
    runner, options = FORMS[form](tmp_path)
    struck = faulty(runner, Raise(ValueError()), ledger=ledger, when=lambda ctx: False)
    result = await run(struck, **options)
    assert result.outputs["only"].data["stage"] == "only"
    assert ledger.records() == []
    has_hooks = hasattr(runner, "setup")
    hooks = ["setup", "body", "teardown"] if has_hooks else ["body"]
    assert Journal(tmp_path).lines == hooks
    for name in ("name", "kind", *(["__name__", "__doc__"] if isinstance(runner, type) else [])):
        assert getattr(struck, name, None) == getattr(runner, name, None)


async def test_a_body_that_fails_by_itself_meets_nothing_after(ledger):
    async def fails(ctx):
        raise KeyError("its own")

    result = await run(faulty(fails, Raise(ValueError()), ledger=ledger, after=True))
    assert isinstance(result.failures["only"].original, KeyError)
    assert ledger.fired() == 0


@pytest.mark.parametrize("runner", [Declared, lambda folder: Declared(folder)], ids=["class", "it"])
def test_a_declaration_stays(runner, ledger, tmp_path):
    runner = runner if runner is Declared else runner(tmp_path)
    struck = faulty(runner, Hang(), ledger=ledger)
    (spec,) = Pipeline.from_stages(struck).build().specs
    assert (spec.name, spec.kind, spec.effects) == ("declared", "transform", "none")


def test_a_declaration_of_a_function_stays(ledger):
    declared = stage(kind="guard", timeout=3.0)(quiet)
    (spec,) = Pipeline.from_stages(faulty(declared, Hang(), ledger=ledger)).build().specs
    assert (spec.name, spec.kind, spec.timeout) == ("quiet", "guard", 3.0)


async def test_an_instance_stays_the_one_that_was_given(ledger):
    class Counting:
        calls = 0

        async def setup(self):
            self.calls += 1

        async def execute(self, ctx):
            self.calls += 1

    counting = Counting()
    await run(faulty(counting, Slow(0), ledger=ledger))
    assert counting.calls == 2


# --- when it happens ------------------------------------------------------------------------------


async def test_times_is_how_often_at_most_over_all_attempts(ledger):
    struck = faulty(quiet, Raise(OSError()), ledger=ledger, times=2)
    policy = RetryPolicy(max_attempts=5, initial_delay_s=0.001)
    result = await run(struck, retry=policy)
    assert (result.status, result.attempts["only"]) == (RunStatus.OK, 3)
    assert [record.attempt for record in ledger.records()] == [1, 2]


async def test_when_picks_the_inputs_that_are_poison(ledger):
    def is_poison(ctx):
        return ctx.snapshot.input_text == "poison"

    struck = faulty(quiet, Raise(ValueError()), ledger=ledger, when=is_poison, times=1)
    statuses = [(await run(struck, input_text=text)).status for text in ("bread", "poison")]
    assert statuses == [RunStatus.OK, RunStatus.FAILED]
    assert (await run(struck, input_text="poison")).status is RunStatus.OK  # was told one time
    assert ledger.fired() == 1


async def test_each_faulty_counts_for_itself(ledger):
    for _ in range(2):
        await run(faulty(quiet, Raise(ValueError()), ledger=ledger, times=1))
    assert ledger.fired(Raise) == 2


async def test_it_is_written_down_before_it_strikes(ledger):
    class Looking(Fault):
        def strike(self, ctx):
            assert ledger.fired(Looking, "only") == 1

    assert (await run(faulty(quiet, Looking(), ledger=ledger))).status is RunStatus.OK
    assert ledger.fired(Looking) == 1


# --- what happens ---------------------------------------------------------------------------------


@pytest.mark.parametrize("runner", [quiet, quiet_plain])
@pytest.mark.parametrize("fault", [Hang(), Slow(60)], ids=repr)
async def test_hanging_and_slow_bodies_stop_when_they_are_told_to(runner, fault, ledger):
    result = await run(faulty(runner, fault, ledger=ledger), timeout=0.05)
    assert (result.status, result.abandoned) == (RunStatus.TIMED_OUT, ())
    assert ledger.fired(type(fault)) == 1


@pytest.mark.parametrize("runner", [quiet, quiet_plain])
async def test_slow_bodies_get_there(runner, ledger):
    assert (await run(faulty(runner, Slow(0.01), ledger=ledger))).status is RunStatus.OK
    assert ledger.fired(Slow) == 1


@pytest.mark.parametrize(("fault", "is_blocked"), [(Block(0.02), True), (Slow(0.02), False)])
async def test_a_block_holds_up_the_whole_event_loop(fault, is_blocked, ledger):
    turns = []

    async def turning():
        while True:
            turns.append("turn")
            await asyncio.sleep(0)

    def note(ctx):
        turns.append("struck")
        return True

    async def body(ctx):
        turns.append("body")
        return StageOutput.ok()

    other = asyncio.create_task(turning())
    await run(faulty(body, fault, ledger=ledger, when=note))
    other.cancel()
    struck, reached = turns.index("struck"), turns.index("body")
    assert (reached == struck + 1) == is_blocked


async def test_a_block_of_a_plain_def_hears_nothing(ledger):
    struck = faulty(quiet_plain, Block(0.4), ledger=ledger)
    result = await run(struck, timeout=0.02, settings=Settings(grace_s=0.02))
    assert (result.status, result.abandoned) == (RunStatus.TIMED_OUT, ("only",))


@pytest.mark.parametrize("bytes_above", [0, 2**20, 2**32])
async def test_a_memory_limit_is_met_and_taken_back(bytes_above, ledger):
    before = resource.getrlimit(resource.RLIMIT_AS)
    result = await run(faulty(quiet, MemoryLimit(bytes_above), ledger=ledger))
    assert isinstance(result.failures["only"].original, MemoryError)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert ledger.fired(MemoryLimit) == 1


@pytest.mark.parametrize("fault", [Exit(), Sigkill(), Sigstop(), StopLoop()], ids=repr)
async def test_what_would_take_the_process_of_the_test_is_refused(fault, ledger):
    result = await run(faulty(quiet, fault, ledger=ledger))
    refusal = result.failures["only"].original
    assert isinstance(refusal, RuntimeError)
    assert "would take the process that made the ledger" in str(refusal)
    assert ledger.fired() == 0


def run_here(runner):
    result = asyncio.run(run(runner))
    assert result.status is RunStatus.OK


@pytest.mark.parametrize(
    ("fault", "status"), [(Exit(7), 7), (Sigkill(), -signal.SIGKILL), (StopLoop(), 1)], ids=repr
)
def test_elsewhere_it_takes_the_process(fault, status, ledger):
    ended, told = call_elsewhere(partial(run_here, faulty(quiet, fault, ledger=ledger, times=1)))
    assert ended == status, told
    assert isinstance(fault, StopLoop) == ("Event loop stopped before" in told)
    assert ledger.fired(type(fault), "only") == 1


def test_a_process_that_dies_of_it_once_works_the_second_time(ledger):
    runner = faulty(Working(ledger.path.parent), Exit(7), ledger=ledger, times=1)
    assert [call_elsewhere(partial(run_here, runner))[0] for _ in range(2)] == [7, 0]
    assert Journal(ledger.path.parent).lines == ["setup", "setup", "body", "teardown"]


def test_a_stopped_process_lives_and_goes_on_when_it_may(ledger):
    process = start_elsewhere(partial(run_here, faulty(quiet, Sigstop(), ledger=ledger)))
    _pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert [record.pid for record in ledger.records()] == [process.pid]
    process.send_signal(signal.SIGCONT)
    _out, told = process.communicate(timeout=60)
    assert process.returncode == 0, told


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-1, "1", None, True, float("nan"), float("inf")])
@pytest.mark.parametrize("fault", [Slow, Block])
def test_seconds_that_are_none_are_refused(fault, seconds):
    with pytest.raises(ValueError, match=rf"{fault.__name__}\.seconds is .*: give a number"):
        fault(seconds)


@pytest.mark.parametrize(
    "make", [lambda: Exit(-1), lambda: Exit(256), lambda: Exit(1.0), lambda: MemoryLimit(-1)]
)
def test_numbers_that_mean_nothing_are_refused(make):
    with pytest.raises(ValueError, match="give a whole number"):
        make()


@pytest.mark.parametrize("error", ["text", ValueError, None])
def test_what_cannot_be_raised_is_refused(error):
    with pytest.raises(TypeError, match="give an exception"):
        Raise(error)


@pytest.mark.parametrize(
    ("parts", "error", "said"),
    [
        ({"runner": 3}, TypeError, "no stage runner"),
        ({"runner": int}, TypeError, "no stage runner"),
        ({"fault": Sigkill}, TypeError, "no fault"),
        ({"fault": "hang"}, TypeError, "no fault"),
        ({"ledger": "faults.jsonl"}, TypeError, "no ledger"),
        ({"when": True}, TypeError, "when is True"),
        ({"times": 0}, ValueError, "times is 0"),
        ({"times": 1.5}, ValueError, "times is 1.5"),
        ({"runner": quiet_plain, "fault": StopLoop()}, ValueError, "has none"),
    ],
)
def test_what_makes_no_fault_is_refused(parts, error, said, ledger):
    given = {"runner": quiet, "fault": Hang(), "ledger": ledger, **parts}
    with pytest.raises(error, match=said):
        faulty(given.pop("runner"), given.pop("fault"), **given)
