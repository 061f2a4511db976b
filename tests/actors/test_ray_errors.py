"""Every error that Ray has for a call says one thing of it, and says so in one plain line."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from ray import exceptions
from ray.core.generated.common_pb2 import PYTHON, ActorDiedErrorContext, ErrorType, RayException
from ray.exceptions import RayError, RayTaskError

from stageflow_actors.actors.ray_errors import KIND_BY_NAME, CallFault, FaultKind, fault_of

OBJECT = ("00ff", b"", "stage.py:7 in call")
CLASSES = {
    name: made
    for name, made in vars(exceptions).items()
    if isinstance(made, type) and issubclass(made, BaseException)
}
ARGUMENTS = {
    "ActorDiedError": (),
    "ActorUnavailableError": ("RPC error", b"\1" * 16),
    "CrossLanguageError": (RayException(language=PYTHON, formatted_exception_string="no"),),
    "LocalRayletDiedError": (),
    "ObjectFetchTimedOutError": OBJECT,
    "ObjectFreedError": OBJECT,
    "ObjectLostError": OBJECT,
    "ObjectReconstructionFailedError": ("00ff", ErrorType.OBJECT_UNRECONSTRUCTABLE_PUT),
    "OutOfDiskError": OBJECT,
    "OwnerDiedError": OBJECT,
    "RayTaskError": (
        "call",
        "Traceback (most recent call last):\nValueError: no",
        ValueError("no"),
    ),
    "ReferenceCountingAssertionError": OBJECT,
    "TaskCancelledError": (None, "cancelled"),
}


def sample(name):
    """An error as Ray makes it."""
    return CLASSES[name](*ARGUMENTS.get(name, ("it went wrong\nand why",)))


def raised_by(cause):
    """What Ray raises for a call whose method raised ``cause``."""
    return answer(cause).as_instanceof_cause()


def answer(cause):
    try:
        raise cause
    except BaseException:
        return RayTaskError("StageActor.execute", traceback.format_exc(), cause, "actor", 7, "::1")


def kind_of(error):
    return fault_of(error).kind


def is_one_plain_line(text):
    return (not text or text.isprintable()) and "Traceback" not in text and "[3" not in text


# --- the table ------------------------------------------------------------------------------------


def test_every_class_that_ray_has_is_in_the_table_and_no_other():
    assert set(KIND_BY_NAME) == set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_an_error_is_of_the_kind_that_the_table_says(name):
    fault = fault_of(sample(name))
    assert fault.kind is KIND_BY_NAME[name]
    assert name in fault.error_type
    assert is_one_plain_line(fault.text)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ActorDiedError", FaultKind.DIED),
        ("NodeDiedError", FaultKind.DIED),
        ("OutOfMemoryError", FaultKind.OUT_OF_MEMORY),
        ("ActorUnavailableError", FaultKind.UNANSWERED),
        ("GetTimeoutError", FaultKind.UNANSWERED),
        ("ObjectLostError", FaultKind.UNANSWERED),
        ("PendingCallsLimitExceeded", FaultKind.NEVER_RAN),
        ("RuntimeEnvSetupError", FaultKind.NEVER_RAN),
        ("RayTaskError", FaultKind.BROKEN),
        ("TaskCancelledError", FaultKind.BROKEN),
    ],
)
def test_the_kinds_mean_what_they_say(name, kind):
    assert kind_of(sample(name)) is kind


def test_an_actor_that_is_out_of_reach_is_not_taken_for_dead():
    assert kind_of(exceptions.RayActorError()) is FaultKind.UNANSWERED


def test_a_result_for_which_no_disk_is_left_here_was_made_nevertheless():
    assert kind_of(sample("OutOfDiskError")) is FaultKind.UNANSWERED


# --- classes that are not in the table ------------------------------------------------------------


def test_a_class_that_ray_adds_is_of_its_parents_kind():
    added = type(
        "NodeAteActorError", (exceptions.ActorDiedError,), {"__module__": "ray.exceptions"}
    )
    assert kind_of(added()) is FaultKind.DIED
    assert kind_of(type("NewError", (RayError,), {})()) is FaultKind.BROKEN


def test_a_class_of_somebody_else_does_not_count_by_its_name():
    assert kind_of(type("ActorDiedError", (Exception,), {})()) is FaultKind.BROKEN


def test_an_error_that_is_not_rays_is_broken():
    assert fault_of(ValueError("no")) == CallFault(FaultKind.BROKEN, "ValueError", "no")
    assert kind_of(TimeoutError()) is FaultKind.BROKEN


@pytest.mark.parametrize("error", [asyncio.CancelledError("stop"), KeyboardInterrupt()])
def test_what_is_no_exception_is_no_fault_and_goes_on(error):
    with pytest.raises(type(error)) as raised:
        fault_of(error)
    assert raised.value is error


# --- errors that came back from the actor ---------------------------------------------------------


@pytest.mark.parametrize(
    "name", [name for name in CLASSES if name not in ("RayError", "RayTaskError")]
)
def test_an_error_that_was_raised_in_the_actor_says_nothing_of_this_call(name):
    error = raised_by(sample(name))
    assert isinstance(error, CLASSES[name]), "Ray makes the cause a parent, too"
    fault = fault_of(error)
    assert fault.kind is FaultKind.BROKEN
    assert fault.error_type == f"RayTaskError({name})"
    assert is_one_plain_line(fault.text)


def test_an_answer_is_told_by_its_cause():
    assert fault_of(raised_by(ValueError("no\nat all"))) == CallFault(
        FaultKind.BROKEN, "RayTaskError(ValueError)", "no"
    )
    assert fault_of(answer(SystemExit(3)))[1:] == ("RayTaskError(SystemExit)", "3")


def test_an_answer_to_a_call_that_the_actor_made_is_told_by_its_cause_too():
    inner = raised_by(ValueError("no"))
    assert fault_of(raised_by(inner))[1:] == ("RayTaskError(ValueError)", "no")


def test_an_answer_without_its_cause_is_told_by_the_end_of_its_traceback():
    lost = RayTaskError("call", "".join(traceback.format_exception(ValueError("no"))), None)
    assert fault_of(lost)[1:] == ("RayTaskError", "ValueError: no")


# --- the text -------------------------------------------------------------------------------------


def test_a_death_is_told_by_the_first_line_of_all_that_ray_says():
    context = ActorDiedErrorContext(actor_id=b"\1" * 16, pid=7, error_message="SYSTEM_ERROR\nlost")
    assert fault_of(exceptions.ActorDiedError(context)) == CallFault(
        FaultKind.DIED,
        "ActorDiedError",
        "The actor died unexpectedly before finishing this task.",
    )


def test_a_failed_start_of_an_actor_is_told_without_the_colours_that_ray_gives_it():
    error = exceptions.ActorDiedError(answer(ValueError("no")))
    assert "\x1b[" in str(error)
    fault = fault_of(error)
    assert fault.text.startswith("The actor died because of an error raised in its creation task")
    assert is_one_plain_line(fault.text)


def test_a_text_that_is_a_traceback_is_told_by_its_end():
    text = "".join(traceback.format_exception(ValueError("no")))
    assert fault_of(RayError(text)).text == "ValueError: no"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\n\n  first \nsecond", "first"),
        ("\x1b[1;31mred\x1b[0m\x1b[K text", "red text"),
        ("bell\a, \x9b2J, \u202eback", "bell ,  2J,  back"),
        ("half \ud83d", "half"),
        ("", ""),
    ],
)
def test_the_text_is_one_line_that_a_terminal_can_print(text, shown):
    assert fault_of(RayError(text)).text == shown


def test_the_text_and_the_type_have_a_bound():
    assert len(fault_of(RayError("x" * 10_000)).text) == 500
    assert len(fault_of(type("x" * 10_000, (Exception,), {})()).error_type) == 500


def test_an_error_whose_text_raises_is_a_fault_like_any_other():
    class Mute(Exception):
        def __str__(self):
            raise ValueError

    assert fault_of(Mute())[::2] == (
        FaultKind.BROKEN,
        "<the text of this Mute raised ValueError>",
    )
