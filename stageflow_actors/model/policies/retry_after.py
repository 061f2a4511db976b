"""How long a failure asks to be left alone: the ``retry_after`` of an exception."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from stageflow_actors.errors import plain_text

_MAX_GIVEN = 100
"""Characters. A number or a date is shorter; a longer text is not looked at."""

_MAX_SHOWN = 60
_MAX_BITS = 64


class RetryAfter(NamedTuple):
    """What an exception asks for: ``seconds`` from now, ``None`` if nothing that counts.

    ``ignored`` says what was given instead, and why it does not count.
    """

    seconds: float | None = None
    ignored: str | None = None


def retry_after_of(error: BaseException, now: float, longest_s: float) -> RetryAfter:
    """The ``retry_after`` of ``error``, or else the ``Retry-After`` in its ``response.headers``.

    Seconds, as a number or as text, or an HTTP date. ``now`` is in seconds since the Unix epoch;
    what is past asks for 0 seconds. What is malformed, negative, infinite or beyond ``longest_s``
    is ignored. Never raises, whatever the attributes of ``error`` do.
    """
    try:
        given = getattr(error, "retry_after", None)
        if given is None:
            given = _header_of(error)
        return RetryAfter() if given is None else _checked(given, now, longest_s)
    except BaseException:
        return RetryAfter(ignored="retry_after was ignored: reading it raised an exception")


def _header_of(error: BaseException) -> Any:
    """As on the exceptions of httpx and requests; on others these names may mean anything."""
    try:
        return error.response.headers["Retry-After"]  # type: ignore[attr-defined]
    except BaseException:
        return None


def _checked(given: object, now: float, longest_s: float) -> RetryAfter:
    plain = _plain(given)
    seconds = _seconds(plain, now)
    if seconds is None:
        reason = "it is neither a number of seconds nor an HTTP date"
    elif not seconds >= 0:
        reason = "it is negative" if seconds < 0 else "it is not a number"
    elif not seconds <= longest_s:
        reason = f"it is more than {longest_s:g} seconds"
    else:
        return RetryAfter(max(0.0, float(seconds)))
    return RetryAfter(ignored=f"retry_after={_shown(plain)} was ignored: {reason}")


def _plain(given: object) -> object:
    """Text or a number without what a subclass makes of it."""
    kind = type(given)
    if issubclass(kind, str):
        return plain_text(given)
    if issubclass(kind, int) and kind is not bool:
        return int.__int__(given)  # type: ignore[arg-type]
    if issubclass(kind, float):
        return float.__float__(given)  # type: ignore[arg-type]
    return given


def _seconds(given: object, now: float) -> float | None:
    if type(given) in (int, float):
        return given  # type: ignore[return-value]
    if type(given) is not str or len(given) > _MAX_GIVEN:
        return None
    try:
        return float(given)
    except ValueError:
        return _seconds_until(given, now)


def _seconds_until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        # A date without a zone is in UTC: one of the three forms has none.
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now)
    except Exception:  # the parser was not written for text of strangers
        return None


def _shown(given: object) -> str:
    if type(given) is str:
        rest = "..." if len(given) > _MAX_SHOWN else ""
        text = f"{given[:_MAX_SHOWN]!r}{rest}"
    elif type(given) is int and given.bit_length() > _MAX_BITS:
        text = f"an integer of {given.bit_length()} bits"
    elif type(given) in (bool, int, float):
        text = repr(given)
    else:
        text = f"an object of class {type(given).__name__[:_MAX_SHOWN]!r}"
    return text if len(text) <= 2 * _MAX_SHOWN else f"{text[: 2 * _MAX_SHOWN]}..."
