"""What headers ask for. Pure; whatever cannot be used is refused, never guessed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from stageflow_actors.serving.faults import Fault, ProblemError

TIMEOUT_HEADER = "Stageflow-Timeout"
KEY_HEADER = "Idempotency-Key"
MAX_TOKEN_BYTES = 16 * 2**10

_BEARER = r"(?i:bearer) +([A-Za-z0-9\-._~+/]+=*) *"
_KEY = r'"[!#-~]{1,255}"|[!#-~]{1,255}'
_SECONDS = r"[0-9]{1,9}(\.[0-9]{1,9})?"
_LENGTH = r"[0-9]{1,15}"
_PREFERENCE = r"(?i:(respond-async|wait *= *([0-9]{1,6})))"


class BodyKind(Enum):
    """What a body may be: the form of its ``Content-Type``, and what is told where it is another.

    Without such a text the fault says enough.
    """

    JSON = (r'(?i:application/json *(; *charset *= *"?utf-8"? *)?)', "")
    FORM = (r"(?is:multipart/form-data *;.*)", "The body has to be multipart/form-data.")


class Preference(NamedTuple):
    """How long the answer may wait for the end of the run; ``None``: as long as it takes."""

    wait_s: float | None
    applied: str


def bearer_token(given: Sequence[str]) -> str:
    """The token of the ``Authorization`` headers.

    Raises:
        ProblemError: there is none, or it has no form of a token.
    """
    if not given:
        raise ProblemError(Fault.NO_TOKEN, headers={"WWW-Authenticate": "Bearer"})
    match = re.fullmatch(_BEARER, given[0]) if len(given) == 1 else None
    if match is None or len(match[1]) > MAX_TOKEN_BYTES:
        raise token_refused()
    return match[1]


def token_refused() -> ProblemError:
    """The answer for any token that is no good, the same for all."""
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return ProblemError(Fault.TOKEN_REFUSED, headers=challenge)


def deadline_s(given: Sequence[str], default_s: float | None, longest_s: float) -> float | None:
    """How many seconds the run may take.

    Raises:
        ProblemError: the header is no number of seconds above 0, or more than ``longest_s``.
    """
    if not given:
        return default_s
    seconds = (
        float(given[0]) if len(given) == 1 and re.fullmatch(_SECONDS, given[0].strip()) else 0.0
    )
    if not 0 < seconds <= longest_s:
        raise ProblemError(
            Fault.HEADER, f"{TIMEOUT_HEADER} has to be seconds, above 0 and at most {longest_s:g}."
        )
    return seconds


def idempotency_key(given: Sequence[str]) -> str | None:
    """The key of the request, with or without its quotes.

    Raises:
        ProblemError: it is not one of 1 to 255 visible ASCII characters.
    """
    if not given:
        return None
    if len(given) != 1 or not re.fullmatch(_KEY, given[0].strip()):
        raise ProblemError(
            Fault.HEADER, f"{KEY_HEADER} has to be 1 to 255 visible ASCII characters."
        )
    return given[0].strip().strip('"')


def fingerprint_of(pipeline: str, content: bytes) -> bytes:
    """What has to be the same each time that a key is given."""
    return hashlib.sha256(pipeline.encode() + b"\0" + content).digest()


def preference(given: Sequence[str]) -> Preference:
    """What ``Prefer`` says: ``respond-async``, perhaps with ``wait=SECONDS``; the rest is ignored.

    ``wait`` alone means nothing here: without ``respond-async`` the answer has the result.
    """
    wait_s, is_async = 0.0, False
    for part in ",".join(given).split(","):
        match = re.fullmatch(_PREFERENCE, part.partition(";")[0].strip())
        if match is None:
            continue
        if match[2] is None:
            is_async = True
        else:
            wait_s = float(match[2])
    return Preference(wait_s, "respond-async") if is_async else Preference(None, "")


def wants_events(accept: Sequence[str]) -> bool:
    """Whether the answer is wanted as server-sent events."""
    listed = (part.partition(";")[0].strip().lower() for part in ",".join(accept).split(","))
    return "text/event-stream" in listed


def check_media_type(
    content_type: Sequence[str], content_encoding: Sequence[str], kind: BodyKind = BodyKind.JSON
) -> None:
    """Pass, if the body is of that kind as it stands.

    Raises:
        ProblemError: it is something else, or compressed.
    """
    form, detail = kind.value
    if len(content_type) != 1 or not re.fullmatch(form, content_type[0].strip()):
        raise ProblemError(Fault.MEDIA_TYPE, detail)
    if any(each.strip().lower() not in ("", "identity") for each in content_encoding):
        raise ProblemError(Fault.MEDIA_TYPE, "The body must not be compressed.")


def check_length(content_length: Sequence[str], limit: int) -> None:
    """Pass, if the body says nothing of its length, or that it is short enough.

    Raises:
        ProblemError: it is too long, or the header is no length.
    """
    if not content_length:
        return
    if len(content_length) != 1 or not re.fullmatch(_LENGTH, content_length[0]):
        raise ProblemError(Fault.HEADER, "Content-Length is no length.")
    if int(content_length[0]) > limit:
        raise ProblemError(Fault.BODY_SIZE, f"A body may have {limit} bytes.")
