"""Which names are those of secrets: ``apiKey``, ``db-password``; not ``token_count``."""

from __future__ import annotations

import functools
import re

_WORD = r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+"
_LONGEST = 256
"""Characters of a name that are looked at."""
_LONGEST_KEPT = 64
"""Characters of a name that is kept with what was found: most names come again."""

_ALONE = frozenset(
    [
        "accesskey",
        "accesstoken",
        "apikey",
        "apikeys",
        "apitoken",
        "authorization",
        "authtoken",
        "bearer",
        "clientsecret",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "idtoken",
        "jwt",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "privatekey",
        "pwd",
        "refreshtoken",
        "secret",
        "secretkey",
        "secrets",
        "sessionkey",
        "sessiontoken",
    ]
)
"""Words that say it by themselves. ``token`` is one, too, but it needs a closer look."""

STEMS = (
    "key", "token", "secret", "passw", "passphrase", "passcode", "pwd", "credential",
    "authorization", "cookie", "bearer", "jwt",
)  # fmt: skip
"""One of them is in each name of a secret, in lower case: most names are told by that."""

_ENDINGS = ("password", "passwd", "passphrase", "apikey")
"""How words end that stand for several: ``pgpassword``."""

_KINDS_OF_KEYS = frozenset(
    {"access", "account", "api", "encryption", "master", "private", "session", "signing", "ssh"}
)
_KINDS_OF_TOKENS = frozenset({"access", "api", "auth", "bearer", "csrf", "refresh", "session"})
"""Before the plural, which is a count without them."""

_OTHER_TOKENS = frozenset(
    [
        "bos",
        "cancel",
        "cancellation",
        "continuation",
        "end",
        "eos",
        "first",
        "last",
        "mask",
        "next",
        "pad",
        "page",
        "per",
        "prev",
        "previous",
        "sep",
        "special",
        "start",
        "stop",
        "to",
        "unk",
    ]
)
"""What tokens are of a text, of a page or of a run."""

_NO_VALUES = frozenset({"has", "is", "needs", "no", "requires", "uses", "with", "without"})
"""What a name begins with that says yes or no."""

_ABOUT = frozenset(
    [
        "age",
        "algorithm",
        "allowed",
        "at",
        "audience",
        "budget",
        "class",
        "cost",
        "count",
        "counts",
        "created",
        "date",
        "enabled",
        "endpoint",
        "error",
        "errors",
        "exists",
        "expired",
        "expires",
        "expiration",
        "expiry",
        "field",
        "file",
        "format",
        "found",
        "id",
        "ids",
        "index",
        "invalid",
        "issuer",
        "kind",
        "label",
        "len",
        "length",
        "limit",
        "limits",
        "max",
        "min",
        "missing",
        "ms",
        "name",
        "names",
        "path",
        "policy",
        "position",
        "present",
        "price",
        "provider",
        "rate",
        "required",
        "reset",
        "rotated",
        "s",
        "scheme",
        "scope",
        "scopes",
        "seconds",
        "size",
        "source",
        "state",
        "status",
        "strength",
        "total",
        "ttl",
        "type",
        "types",
        "updated",
        "uri",
        "url",
        "usage",
        "used",
        "valid",
        "version",
        "window",
    ]
)
"""What comes behind in the name of something that is only about a secret."""


def is_secret_name(name: str) -> bool:
    """Whether what is called ``name`` is a secret, whatever joins the words of the name."""
    if type(name) is str and len(name) <= _LONGEST_KEPT:
        return _is_known(name)
    return _is_named(name)


@functools.lru_cache(maxsize=4096)
def _is_known(name: str) -> bool:
    return _is_named(name)


def _is_named(name: str) -> bool:
    lower = name.lower()
    if not any(stem in lower for stem in STEMS):
        return False
    words = [word.lower() for word in re.findall(_WORD, name[:_LONGEST])]
    if not words or (words[0] in _NO_VALUES and len(words) > 1):
        return False
    return any(
        _is_secret(words, at) and not any(word in _ABOUT for word in words[at + 1 :])
        for at in range(len(words))
    )


def _is_secret(words: list[str], at: int) -> bool:
    word = words[at]
    before = words[at - 1] if at else ""
    if word == "token":
        return before not in _OTHER_TOKENS
    if word == "tokens":
        return before in _KINDS_OF_TOKENS
    if word in {"key", "keys"}:
        return before in _KINDS_OF_KEYS
    return word in _ALONE or word.endswith(_ENDINGS)
