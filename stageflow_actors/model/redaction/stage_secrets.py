"""``StageSecrets``: what the environment and a stage's configuration say is secret."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from stageflow_actors.model.redaction.capture import MessageCapture
from stageflow_actors.model.redaction.names import is_secret_name
from stageflow_actors.model.redaction.patterns import passwords_in_urls
from stageflow_actors.model.redaction.secrets import Forms, forms_of
from stageflow_actors.model.redaction.walk import secrets_in

if TYPE_CHECKING:
    from stageflow_actors.model.stage import StageSpec

_WORKING_FOLDER = "PWD"

Environ = Mapping[str, str]


class _Seen(NamedTuple):
    """An environment as it was, and what it says."""

    raw: Mapping[Any, Any]
    secrets: tuple[str, ...]
    capture: MessageCapture


class OfStage(NamedTuple):
    """What is known now. ``find`` has the secrets as they stand in texts."""

    known: StageSecrets
    seen: _Seen

    @property
    def capture(self) -> MessageCapture:
        """What the environment asks for."""
        return self.seen.capture

    def find(self) -> Forms:
        """Those of the environment, and of what the stage is configured with."""
        return self.known.forms_with(self.seen.secrets)


class StageSecrets:
    """Keeps what it has found, as long as that is still so: both are compared each time.

    For any thread: what belongs together is replaced together.
    """

    __slots__ = ("_forms", "_seen", "_spec")

    def __init__(self, spec: StageSpec | None) -> None:
        self._spec = spec
        self._seen: _Seen | None = None
        self._forms: tuple[tuple[str, ...], Forms] = (), ()

    def look(self, environ: Environ) -> OfStage:
        """What is known in this ``environ``."""
        raw: Mapping[Any, Any] = getattr(environ, "_data", environ)  # reading it decodes each value
        seen = self._seen
        if seen is None or seen.raw != raw:
            copy = dict(raw)
            now = {os.fsdecode(name): os.fsdecode(value) for name, value in copy.items()}
            seen = _Seen(copy, tuple(secrets_of_environ(now)), MessageCapture.asked_for(now))
            self._seen = seen
        return OfStage(self, seen)

    def forms_with(self, secrets: tuple[str, ...]) -> Forms:
        """Those of the stage, and these. What it is configured with may change: objects in it."""
        spec = self._spec
        of_spec = () if spec is None else tuple(secrets_in([spec.config, spec.runner]))
        found = (*secrets, *of_spec)
        known, forms = self._forms
        if known != found:
            forms = forms_of(found)
            self._forms = found, forms
        return forms


def secrets_of_environ(environ: Environ) -> Iterator[str]:
    """The values of variables with the name of a secret, and passwords in addresses."""
    for name, value in environ.items():
        if is_secret_name(name) and name != _WORKING_FOLDER:
            yield value
        else:
            yield from passwords_in_urls(value)
