"""Ask the voice assistant of a hotel a question: a recording in, a spoken answer out."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stageflow_actors import StageflowError
from stageflow_actors.cli.interrupts import Interrupts

from .conversation import answer
from .knowledge import rooms
from .language_model import endpoint_from
from .microphone import record
from .problems import BadRecordingError, Problem
from .wav import read_recording

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE / "recordings"
FIRST = "breakfast"
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, print, write; the exit code: 2 for what the user can mend, 1 for a run that failed."""
    options = _parse(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the picture has lines that not all can show
    interrupts = Interrupts(on_late=_say_stopped)
    with interrupts.caught():
        try:
            return _answer(options, interrupts)
        except Problem as problem:
            print(problem, file=sys.stderr)
            return problem.exit_code
        except StageflowError as error:
            if not interrupts.is_set:
                print(f"The assistant could not be started.\n{error}", file=sys.stderr)
                return 1
        except KeyboardInterrupt:
            pass  # what is left to do is the same wherever it came
        _say_stopped()
        if interrupts.is_set:
            interrupts.finish()
    return INTERRUPTED


def _answer(options: argparse.Namespace, interrupts: Interrupts) -> int:
    with _question(options) as recording:
        _check_output(options.output)
        read_recording(recording)  # what is wrong with it is said before anything is started
        endpoint = endpoint_from()
        print(f"Starting the assistant ({options.runtime}) ...", flush=True)
        return asyncio.run(
            answer(
                recording,
                options.output.resolve(),  # the processes of Ray have folders of their own
                room=options.room,
                runtime=options.runtime,
                endpoint=endpoint,
                interrupts=interrupts,
            )
        )


def _say_stopped() -> None:
    print("Stopped.", file=sys.stderr)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    shipped = ", ".join(_shipped())
    parser = argparse.ArgumentParser(
        prog="voice_assistant",
        description=__doc__,
        epilog=f"Recordings that come along: {shipped}.",
    )
    parser.add_argument(
        "recording", nargs="?", help=f"a WAV file, or the name of a recording (default: {FIRST})"
    )
    parser.add_argument("--mic", action="store_true", help="ask by the microphone instead")
    parser.add_argument("--runtime", choices=["ray", "local"], default="ray")
    parser.add_argument("--room", choices=rooms(), default="312", help="which guest is asking")
    parser.add_argument("--output", type=Path, default=HERE / "answer.wav", help="the WAV to write")
    options = parser.parse_args(arguments)
    if options.mic and options.recording:
        parser.error("--mic takes the place of a recording; give one of the two.")
    return options


def _shipped() -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob("*.wav"))


@contextmanager
def _question(options: argparse.Namespace) -> Iterator[Path]:
    """The WAV file with the question. What the microphone heard is kept for this run only."""
    if not options.mic:
        yield _find(options.recording or FIRST)
        return
    with tempfile.TemporaryDirectory(prefix="voice-assistant-") as folder:
        recording = Path(folder) / "question.wav"
        recording.write_bytes(record())
        yield recording


def _find(name: str) -> Path:
    """A file of that name where there is one, else the recording that comes along."""
    for path in (Path(name), RECORDINGS / f"{name}.wav"):
        if path.exists():
            return path.resolve()
    raise BadRecordingError(
        f"There is no recording {name!r}.",
        f"Give the path of a WAV file, or one of: {', '.join(_shipped())}.",
    )


def _check_output(path: Path) -> None:
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Problem(f"{path} cannot be written.", "Give another file with --output FILE.")
