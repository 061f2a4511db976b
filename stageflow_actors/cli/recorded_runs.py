"""The runs that a source of events tells of, and the one that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

from stageflow_actors.cli.event_sources import EventSource, open_source
from stageflow_actors.cli.failure import CommandError, stderr_console
from stageflow_actors.drawing.labels import shown
from stageflow_actors.story.spans import window_of
from stageflow_actors.story.story import RunStory, stories_of

_MOST_LISTED = 5


class Recorded(NamedTuple):
    """One run, and all that were recorded with it, by their ids."""

    story: RunStory
    others: Mapping[str, RunStory]


def recorded_run(place: str, run_id: str | None = None) -> Recorded:
    """The run of ``place`` whose id begins or ends with ``run_id``; without it, the newest.

    What could not be read there is counted on stderr.

    Raises:
        CommandError: the source cannot be read (``CLI-EVENTS``), it has no such run
            (``CLI-NO-RUN``), or several of them (``CLI-RUN-AMBIGUOUS``).
    """
    with open_source(place) as source:
        stories = stories_of(chain(source.new(), source.last()))
    tell_skipped(source, place)
    if not stories:
        raise CommandError(
            f"{place!r} tells of no run.",
            hint="Give what a sink has recorded while a pipeline ran.",
            code="CLI-NO-RUN",
        )
    if run_id is None:
        return Recorded(_newest(stories), stories)
    return Recorded(stories[the_one(run_id, list(stories))], stories)


def the_one(wanted: str, run_ids: list[str]) -> str:
    """The only id that begins or ends with ``wanted``.

    Raises:
        CommandError: there is none (``CLI-NO-RUN``), or several (``CLI-RUN-AMBIGUOUS``).
    """
    if wanted in run_ids:
        return wanted
    found = [each for each in run_ids if is_meant(wanted, each)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            f"{len(found)} runs have an id that begins or ends with {wanted!r}.",
            hint=f"Give more of it. {_listed(found)}",
            code="CLI-RUN-AMBIGUOUS",
        )
    raise CommandError(
        f"There is no run whose id begins or ends with {wanted!r}.",
        hint=f"Leave it out for the newest one. {_listed(run_ids)}",
        code="CLI-NO-RUN",
    )


def is_meant(wanted: str, run_id: object) -> bool:
    """Whether ``wanted`` is how the id begins, or ends."""
    return isinstance(run_id, str) and (run_id.startswith(wanted) or run_id.endswith(wanted))


def tell_skipped(source: EventSource, place: str) -> None:
    """Say on stderr what was left out, if anything was."""
    told = []
    if source.skipped:
        is_one = source.skipped == 1
        told.append("1 line is no event" if is_one else f"{source.skipped} lines are no events")
    if source.is_cut:
        told.append("the last line has not ended")
    if told:
        stderr_console().print(f"{shown(place)}: {', and '.join(told)}; left out.", style="yellow")


def _newest(stories: Mapping[str, RunStory]) -> RunStory:
    """Of those that are nobody's children, if there are such."""
    outermost = [each for each in stories.values() if not each.labels.get("parent_run_id")]
    among = outermost or list(stories.values())
    return max(reversed(among), key=lambda story: window_of(story).began_at)


def _listed(run_ids: list[str]) -> str:
    newest = run_ids[: -_MOST_LISTED - 1 : -1]
    told = ", ".join(map(shown, newest))
    rest = len(run_ids) - len(newest)
    return f"{'The newest' if rest else 'There'}: {told}{f' and {rest} more' if rest else ''}."
