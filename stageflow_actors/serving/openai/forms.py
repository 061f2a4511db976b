"""The form of a transcription: read within bounds, part by part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from stageflow_actors.serving.bodies import RunBody, arriving
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.headers import BodyKind
from stageflow_actors.serving.settings import ServingSettings

MAX_FIELDS = 100
MAX_FIELD_BYTES = 64 * 2**10
_MEDIA_TYPE = r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}"
_ANY_BYTES = "application/octet-stream"


class TranscriptionForm(NamedTuple):
    """A recording, the media type that its sender says it has, and the other fields."""

    audio: bytes
    media_type: str
    fields: Mapping[str, Any]

    def field(self, name: str) -> str | None:
        """A field that may be there once.

        Raises:
            ProblemError: it is there more often.
        """
        found = self.fields.get(name)
        if isinstance(found, list):
            raise wrong_field(name, "It is there more than once.")
        return None if found is None else str(found)

    def run_body(self) -> RunBody:
        """The run for it: the recording is ``data["audio"]``. The name of the file is dropped."""
        return RunBody(
            data={
                "audio": self.audio,
                "audio_type": self.media_type,
                "openai": dict(self.fields),
            }
        )

    def digest(self) -> bytes:
        """The same for the same form, whatever stands between its parts."""
        fields = repr(sorted(self.fields.items())).encode()
        audio = hashlib.sha256(self.audio).digest()
        return hashlib.sha256(audio + self.media_type.encode() + b"\0" + fields).digest()


def wrong_field(name: str, message: str) -> ProblemError:
    """The answer for a field that cannot be used."""
    told = [{"path": name, "message": message}]
    return ProblemError(Fault.INPUT, "The body has another form.", errors=told)


async def read_form(request: Request, settings: ServingSettings) -> TranscriptionForm:
    """The form of the request; one file, a bounded number of fields, no more bytes than a body.

    Raises:
        ProblemError: it is too long, too slow, or none of this kind.
    """
    parser = MultiPartParser(
        request.headers,
        arriving(request, settings, BodyKind.FORM),
        max_files=1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise ProblemError(Fault.INPUT, f"The form cannot be read. {error.message}") from None
    try:
        return await _form(form)
    finally:
        await form.close()


async def _form(form: FormData) -> TranscriptionForm:
    fields: dict[str, Any] = {}
    file: UploadFile | None = None
    for name in form:
        found = form.getlist(name)
        uploads = [each for each in found if isinstance(each, UploadFile)]
        if name == "file" and len(found) == 1 and uploads:
            file = uploads[0]
        elif name == "file" or uploads:
            raise wrong_field(name[:100], "The recording is the one file, and is named file.")
        else:
            fields[name] = found[0] if len(found) == 1 else found
    if file is None:
        raise wrong_field("file", "Field required")
    media_type = (file.content_type or "").partition(";")[0].strip()
    is_one = re.fullmatch(_MEDIA_TYPE, media_type)
    return TranscriptionForm(await file.read(), media_type if is_one else _ANY_BYTES, fields)
