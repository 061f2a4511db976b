"""Secrets that texts show by their form: keys of providers, tokens, headers, ``password=...``.

Each pattern takes time that grows with the length of the text and no faster: where one begins is
told by a few characters, and what repeats cannot be divided in two ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from stageflow_actors.model.redaction.names import STEMS, is_secret_name

MASK = "[redacted]"
"""What stands in the place of a secret."""
CONTENT = "[content]"
"""What stands in the place of what somebody has said."""
MASKS = frozenset({MASK, CONTENT})


class _Form(NamedTuple):
    """A pattern, and what a text needs one of, in lower case, for it to be worth a look.

    The named groups say what is checked and kept: ``name`` has to be that of a secret, ``random``
    must not be a word, ``before`` and ``after`` stay. Without a group all of it goes.
    """

    needs: tuple[str, ...]
    pattern: str


_KEY_BLOCK = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEY_BLOCK_END = r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
_QUOTED = r""""(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?"""
_NAME = r"(?P<name>(?:(?:api|access|secret|private|session)[ ])?[a-z_][\w.\-]{0,100}+)"
_IS = r"(?:\\{0,3}[\"']?\s{0,3}(?:=>|:=|==|=|:)\s{0,3}(?:\\{1,3}[\"'])?|[\"'],\s{0,3}(?=b?[\"']))"
_BARE = r"[^\s\"'<>,;&)}\]\[({][^\s\"'<>,;&]*+"
_PAIR = rf"(?i)(?<![\w.\-]){_NAME}{_IS}"
_VALUE = rf"(?!//)(?:\[(?:redacted|content)\]|b?(?:{_QUOTED})|{_BARE})"
_LETTERS = r"[A-Za-z0-9_\-]"
_PROVIDERS = (
    "sk", "pk", "rk", "whsec", "xai", "gsk", "hf", "r8", "npm", "nvapi", "tvly", "pplx", "glpat",
    "pypi", "dop_v1",
)  # fmt: skip
"""How keys of providers begin."""

_FORMS = (
    _Form(("private key",), rf"{_KEY_BLOCK}[\s\S]*?{_KEY_BLOCK_END}"),
    _Form(("eyj",), rf"(?<!{_LETTERS})eyJ{_LETTERS}{{8,}}+\.{_LETTERS}{{8,}}+(?:\.{_LETTERS}*+)?"),
    _Form(("://",), r"(?P<before>://[^\s/?#:@\"'<>]*+:)[^\s/?#\"'<>]+(?P<after>@)"),
    _Form(
        ("authorization", "cookie"),
        rf"(?i)(?P<before>(?<!\w)(?:(?:proxy-)?authorization|(?:set-)?cookie){_IS}(?>(?:b(?=[\"']))?[\"']?))"
        r"(?!\[redacted\])[^\s\"'][^\r\n\"']*+",
    ),
    _Form(
        ("bearer", "basic", "digest"),
        r"(?i)(?P<before>(?<!\w)(?:bearer|basic|digest)[ \t]{1,3})(?P<random>[\w\-.~+/=]{8,}+)",
    ),
    _Form(("--",), rf"(?i)(?P<before>(?<!\S)--{_NAME}[ ])(?P<value>{_QUOTED}|(?!-)\S++)"),
    _Form(
        tuple(f"{start}{dash}" for start in _PROVIDERS for dash in "-_"),
        rf"(?<!{_LETTERS})(?P<random>(?:{'|'.join(_PROVIDERS)})[_\-]{_LETTERS}{{16,}}+)",
    ),
    _Form(
        ("akia", "asia", "abia", "acca", "aroa", "aida"),
        r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}(?![A-Z0-9])",
    ),
    _Form(
        ("gh", "github_pat_"),
        r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+)",
    ),
    _Form(("xox", "xapp"), r"(?<![A-Za-z0-9])(?:xox[a-z]|xapp)-[A-Za-z0-9\-]{10,}+"),
    _Form(("hooks.slack.com",), r"(?P<before>hooks\.slack\.com/services/)[A-Za-z0-9/]{8,}+"),
    _Form(("aiza",), rf"(?<!{_LETTERS})AIza{_LETTERS}{{30,}}+"),
    _Form(("ya29.",), rf"(?<!{_LETTERS})ya29\.{_LETTERS}{{20,}}+"),
)


def without_secrets(text: str) -> str:
    """``text`` with ``[redacted]`` for each secret that shows; itself, if there is none."""
    clean, lower = text, text.lower()
    for form in _FORMS:
        if any(each in lower for each in form.needs):
            clean = re.sub(form.pattern, _masked, clean)
    if any(stem in lower for stem in STEMS):
        clean = "".join(_without_values(clean))
    return text if clean == text else clean


def passwords_in_urls(text: str) -> Iterator[str]:
    """The passwords in the addresses that stand in ``text``."""
    if "://" in text and "@" in text:
        for match in re.finditer(r"://[^\s/?#:@]*+:([^\s/?#]+)@", text):
            yield match[1]


def _without_values(text: str) -> Iterator[str]:
    """The text in pieces; of pairs whose name is that of a secret, the mask stands for the value.

    What belongs to another name is searched for more: ``failed: password=...``.
    """
    kept = 0
    for pair in re.finditer(_PAIR, text):
        if pair.start() < kept or not is_secret_name(pair["name"]):
            continue
        value = re.compile(_VALUE).match(text, pair.end())
        if value is not None:
            yield text[kept : pair.end()]
            yield _in_form_of(value[0])
            kept = value.end()
    yield text[kept:]


def _masked(match: re.Match[str]) -> str:
    groups = match.groupdict("")
    name, random, value = groups.get("name"), groups.get("random"), groups.get("value")
    if name and not is_secret_name(name):
        return match[0]
    if random and _is_word(random):
        return match[0]
    return groups.get("before", "") + _in_form_of(value or "") + groups.get("after", "")


def _in_form_of(value: str) -> str:
    """The mask, between the quotes of ``value``, or before the brackets that it ends with."""
    prefix = value[:1] if value[:2] in {"b'", 'b"'} else ""
    quote = value[len(prefix) : len(prefix) + 1]
    if quote not in {'"', "'"}:
        has_brackets = any(bracket in value for bracket in "([{")
        return MASK if has_brackets else MASK + value[len(value.rstrip(")]}")) :]
    is_closed = len(value) > len(prefix) + 1 and value.endswith(quote)
    return f"{prefix}{quote}{MASK}{quote if is_closed else ''}"


def _is_word(text: str) -> bool:
    """Whether it may be a word, or several: no key is without a digit and all in one case."""
    letters = "".join(part for part in re.split(r"[\W_]+", text) if part)
    return letters.isalpha() and (letters.islower() or letters.istitle() or letters.isupper())
