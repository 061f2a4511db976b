"""The stage that looks at everything before anything is answered from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from stageflow_actors import StageContext, StageKind, StageOutput, stage

from .words import words_of

SOURCES = ("profile", "memory", "documents")


class Rule(NamedTuple):
    """A question is blocked for ``reason`` if every one of ``patterns`` is somewhere in it."""

    reason: str
    patterns: tuple[str, ...]


_SOMEBODY_ELSE = (
    r"\b(an?other|other|different) (guest|person|visitor|customer|couple|family)s?\b"
    r"|\b(guest|person|man|woman|lady|couple|family|people)s? (next|in|from|of|above|below)\b"
    r"|\b(some(body|one) else|next door|neighbors?|strangers?)\b"
)
_PRIVATE = (
    r"\b(names?|numbers?|rooms?|keys?|cards?|address(es)?|passports?|passwords?|codes?|bills?"
    r"|phones?|who)\b"
)
_WEAPON = r"\b(bombs?|guns?|explosives?|poisons?|weapons?|grenades?)\b"
_GET = r"\b(make|made|build|built|buy|get|find|mix|hide)\b"
_HARM = (
    r"\b(kill|murder|stab|shoot|strangle|poison|attack|kidnap)"
    r" (some(body|one)|people|him|her|them|(a|an|the|my|your|his|this|that|another) \w+)\b"
)
_BREAK_IN = r"\b(steal|rob|break into|broke into|hack|pick (the|a) lock)\b"
_OVERRULE = r"\b(ignored?|forget|disregard|override)\b.*\b(instructions?|rules?|orders?|prompts?)\b"

RULES = (
    Rule("it asks for what is private to another guest", (_SOMEBODY_ELSE, _PRIVATE)),
    Rule("it asks for a weapon", (_GET, _WEAPON)),
    Rule("it asks how to hurt somebody", (_HARM,)),
    Rule("it asks how to steal or to break in", (_BREAK_IN,)),
    Rule("it tells the assistant to overrule its instructions", (_OVERRULE,)),
)


def why_blocked(text: str) -> str | None:
    """The reason not to answer ``text``, or ``None``."""
    plain = " ".join(words_of(text))
    for rule in RULES:
        if all(re.search(pattern, plain) for pattern in rule.patterns):
            return rule.reason
    return None


def is_safe_to_quote(passage: Mapping[str, Any]) -> bool:
    """Whether a passage is one: text that gives orders to a language model is none."""
    plain = " ".join(words_of(f"{passage['title']} {passage['snippet']}"))
    return re.search(_OVERRULE, plain) is None


@stage(kind=StageKind.GUARD)
async def input_guard(ctx: StageContext) -> StageOutput:
    """Pass the question and the passages on, or say why there will be no answer."""
    reason = why_blocked(ctx.inputs.require_from("hear", "question"))
    if reason is not None:
        return StageOutput.ok(reason=reason, passages={})
    return StageOutput.ok(
        reason=None,
        passages={
            source: [
                passage
                for passage in ctx.inputs.require_from(source, "found")["results"]
                if is_safe_to_quote(passage)
            ]
            for source in SOURCES
        },
    )
