"""Links between the documents lead somewhere."""

from __future__ import annotations

import re

import pytest

from tests.docs import documents

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(path):
    """What a forge makes of headings: lower case, no punctuation, hyphens for spaces."""
    headings = _HEADING.findall(documents.prose(path))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=documents.name_of)
def test_relative_links_of_a_document_resolve(document):
    for link in _LINK.findall(documents.prose(document)):
        if link.startswith("https://"):
            continue
        path, _hash, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{link} leads nowhere"
        assert target.is_relative_to(documents.ROOT), f"{link} leaves the project"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_readme_leads_to_every_guide():
    linked = {
        link.partition("#")[0]
        for link in _LINK.findall(documents.prose(documents.WITH_EXAMPLES[0]))
    }
    guides = {documents.name_of(path) for path in (documents.ROOT / "docs").rglob("*.md")}
    assert guides <= linked
