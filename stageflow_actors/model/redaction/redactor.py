"""``Redactor``: texts and data without secrets, and without what somebody has said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Secret, SecretBytes, SecretStr

from stageflow_actors.model.redaction.contents import SHORTEST, Contents
from stageflow_actors.model.redaction.glance import may_show
from stageflow_actors.model.redaction.names import is_secret_name
from stageflow_actors.model.redaction.patterns import MASK, without_secrets
from stageflow_actors.model.redaction.plain_texts import BETWEEN, gathered
from stageflow_actors.model.redaction.secrets import SHORTEST_SECRET, Secrets, forms_of

_MOST_PASSES = 4
_DEEPEST = 200
"""Levels of data; further ones are masked as a whole."""


class Redactor:
    """Masks ``secrets`` wherever they stand, ``contents`` and long parts of them, and what shows by
    its name or its form that it is a secret. Of what it is given, names alone are kept: which are
    those of secrets. Never raises.

    ``for_spans`` is the one for what is told in spans alone: what was said may be hidden there, and
    not here, or the other way round.
    """

    __slots__ = ("_contents", "_secrets", "for_spans")

    def __init__(
        self,
        secrets: Iterable[str] | Secrets = (),
        contents: Iterable[str] | Contents = (),
        for_spans: Redactor | None = None,
    ) -> None:
        if not isinstance(secrets, Secrets):
            values = tuple(secrets)
            secrets = Secrets(lambda: forms_of(values))
        if not isinstance(contents, Contents):
            texts = tuple(contents)
            contents = Contents(lambda: texts)
        self._secrets = secrets
        self._contents = contents
        self.for_spans = self if for_spans is None else for_spans

    def text(self, text: str) -> str:
        """``text`` with ``[redacted]`` and ``[content]``; the same object, if nothing is masked."""
        if not may_show(text) and not self._may_hold(text):
            return text
        clean = text
        for _pass in range(_MOST_PASSES):  # what is masked may bring parts of a secret together
            before, clean = clean, self._once(clean)
            if clean == before:
                break
        return text if clean == text else clean

    def data(self, value: Any) -> Any:
        """The same for plain data: what has the name of a secret is masked, texts are redacted.

        What holds nothing of the kind comes back as the same object, else mappings as ``dict``,
        sets as ``tuple``. Other objects stay, unless they are a ``SecretStr`` or its like.
        """
        told = gathered(value)
        if told is not None:
            texts, names = told
            if not may_show(BETWEEN.join(texts)) and not self._may_hold_any([*texts, *names]):
                return value
        return _Walk(self).clean(value, _DEEPEST)

    def _may_hold(self, text: str) -> bool:
        """Whether something that is known may be in ``text``."""
        if len(text) < SHORTEST_SECRET:
            return False
        for secret in self._secrets.forms:
            if secret in text:
                return True
        return self._contents.may_be_in(text)

    def _may_hold_any(self, texts: list[str]) -> bool:
        longest = max(map(len, texts), default=0)
        if longest < SHORTEST_SECRET:
            return False
        joined = BETWEEN.join(texts)
        for secret in self._secrets.forms:
            if secret in joined:
                return True
        return longest >= SHORTEST and self._contents.may_be_in_any(texts, joined)

    def _once(self, text: str) -> str:
        for secret in self._secrets.forms:
            if secret in text:
                text = text.replace(secret, MASK)
        # A part may end with the name of a secret, and would hide that something is its value.
        clean = without_secrets(self._contents.without_whole(text))
        return self._contents.without_parts(clean)


class _Walk:
    """One pass over one value. ``seen`` has what became of each container, its own mask first."""

    __slots__ = ("_redactor", "_seen")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._seen: dict[int, Any] = {}

    def clean(self, value: Any, depth_left: int) -> Any:
        if isinstance(value, str):
            return self._redactor.text(value)
        if isinstance(value, (bytes, bytearray)):
            text = value.decode("utf-8", "replace")
            return value if self._redactor.text(text) is text else MASK.encode()
        if isinstance(value, (Secret, SecretStr, SecretBytes)):
            return MASK
        if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return value
        if id(value) in self._seen:
            return self._seen[id(value)]
        if not depth_left:
            return MASK
        self._seen[id(value)] = MASK  # where it contains itself
        clean = self._mapping(value, depth_left) if isinstance(value, Mapping) else None
        clean = self._items(value, depth_left) if clean is None else clean
        self._seen[id(value)] = clean
        return clean

    def _mapping(self, value: Mapping[Any, Any], depth_left: int) -> Mapping[Any, Any]:
        made, is_same = {}, True
        for key, item in value.items():
            name = self._redactor.text(key) if isinstance(key, str) else key
            is_secret = _is_named(key) or (name is not key and _is_named(name))
            is_hidden = is_secret and item is not None and not isinstance(item, bool)
            clean = MASK if is_hidden and item != "" else self.clean(item, depth_left - 1)
            is_same = is_same and name is key and clean is item
            made[name] = clean
        return value if is_same else made

    def _items(self, value: Any, depth_left: int) -> Any:
        made = [self.clean(item, depth_left - 1) for item in value]
        if all(clean is item for clean, item in zip(made, value, strict=True)):
            return value
        if isinstance(value, list):
            return made
        return tuple(made)  # as a set comes, too: what is in it now may have no hash


def _is_named(key: Any) -> bool:
    return isinstance(key, str) and is_secret_name(key)
