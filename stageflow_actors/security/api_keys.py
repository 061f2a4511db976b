"""API keys: who one belongs to, known without the key itself."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from stageflow_actors.errors import PolicyError
from stageflow_actors.errors.security import AuthenticationError
from stageflow_actors.security.strict_json import read_object
from stageflow_actors.security.tokens import AuthContext

logger = logging.getLogger("stageflow_actors.security")

_PREFIX = "sfa"
"""What all keys begin with, so that one that lies around is found."""

_ID = r"[0-9a-f]{16}"
_SECRET_BYTES = 32
_OF_NO_KEY = "0" * 64
_FORM = rf"{_PREFIX}_({_ID})_[A-Za-z0-9_-]{{43}}"


class ApiKeyRecord(BaseModel):
    """What is stored of an API key: whose it is, and the SHA-256 of its text in hex.

    The text cannot be found from it: it has 256 bits of chance. ``scopes`` become the roles of the
    ``AuthContext``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", repr=False)]
    user_id: UUID
    org_id: UUID | None = None
    scopes: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    expires_at: AwareDatetime | None = None
    is_disabled: bool = False


class NewApiKey(NamedTuple):
    """A key as it was made. Its ``text`` is nowhere else: show it once, to whoever will use it."""

    text: str
    key_id: str
    record: ApiKeyRecord


def new_api_key(
    *,
    user_id: UUID,
    org_id: UUID | None = None,
    scopes: Collection[str] = (),
    expires_at: datetime | None = None,
) -> NewApiKey:
    """A new key of that user. Store its ``record`` under its ``key_id``, which is no secret.

    Raises:
        pydantic.ValidationError: a part is of another type, or ``expires_at`` has no zone.
    """
    key_id = secrets.token_hex(8)
    text = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    record = ApiKeyRecord(
        digest=_digest(text),
        user_id=user_id,
        org_id=org_id,
        scopes=tuple(scopes),
        expires_at=expires_at,
    )
    return NewApiKey(text, key_id, record)


class ApiKeyVerifier:
    """A ``TokenVerifier`` for API keys that ``new_api_key`` has made.

    ``records`` has what is stored of each, by its ``key_id``. It is copied.

    Raises:
        PolicyError: an id or a record is none.
    """

    def __init__(
        self, records: Mapping[str, ApiKeyRecord], *, clock: Callable[[], float] = time.time
    ) -> None:
        for key_id, record in records.items():
            if not isinstance(key_id, str) or re.fullmatch(_ID, key_id) is None:
                raise PolicyError("An API key has an id that new_api_key did not make.")
            if not isinstance(record, ApiKeyRecord):
                raise PolicyError(f"The API key {key_id} has no ApiKeyRecord.")
        self._records = dict(records)
        self._clock = clock

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Those of a JSON file, ``{key_id: record, ...}``: read once, now.

        Raises:
            PolicyError: it cannot be read, or something in it is no record.
        """
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise PolicyError(f"The file of API keys cannot be read: {error}.") from error
        stored = read_object(raw)
        if stored is None:
            raise PolicyError("The file of API keys is no JSON object, or has a key twice.")
        try:
            records = TypeAdapter(
                dict[str, ApiKeyRecord], config=ConfigDict(hide_input_in_errors=True)
            ).validate_json(json.dumps(stored))
        except ValidationError as error:
            reason = f"The file of API keys has what is no record: {error}."
        else:
            return cls(records)
        raise PolicyError(reason, hint="A record is ApiKeyRecord.model_dump(mode='json').")

    def recognises(self, token: str) -> bool:
        """Whether ``token`` begins as API keys do."""
        return token.startswith(f"{_PREFIX}_")

    async def verify(self, token: str) -> AuthContext:
        """Who the key ``token`` belongs to.

        Raises:
            AuthenticationError: ``AUTH-KEY-UNKNOWN``, ``AUTH-KEY-DISABLED`` or
                ``AUTH-KEY-EXPIRED``; the last two only to who has the key.
        """
        try:
            return self._read(token)
        except AuthenticationError as error:
            logger.info("An API key was refused: %s.", error)
            raise

    def _read(self, token: str) -> AuthContext:
        form = re.fullmatch(_FORM, token)
        record = self._records.get(form[1]) if form else None
        # Compared in any case, so that the time it takes does not tell which ids there are.
        stored = record.digest if record else _OF_NO_KEY
        is_good = form is not None and hmac.compare_digest(_digest(token), stored)
        if record is None or not is_good:
            raise AuthenticationError("The API key is not known.", code="AUTH-KEY-UNKNOWN")
        if record.is_disabled:
            raise AuthenticationError("The API key is disabled.", code="AUTH-KEY-DISABLED")
        if record.expires_at is not None and record.expires_at.timestamp() <= self._clock():
            raise AuthenticationError("The API key has expired.", code="AUTH-KEY-EXPIRED")
        return AuthContext(user_id=record.user_id, org_id=record.org_id, roles=record.scopes)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
