"""The guide lists the records and their fields as they are."""

from __future__ import annotations

from stageflow_actors import providers
from stageflow_actors.providers import ProviderResponse, semconv
from tests.docs import documents
from tests.providers.samples import RECORDS, kind_of

GUIDE = documents.ROOT / "docs" / "guides" / "providers.md"


def rows():
    return documents.table_rows(documents.prose(GUIDE))


def own_fields(kind):
    """Fields that ``kind`` adds to a call, and what it reads from them."""
    fields = set(kind.model_fields) - set(ProviderResponse.model_fields)
    return fields | {name for name, value in vars(kind).items() if isinstance(value, property)}


def test_guide_lists_the_fields_and_the_operation_of_every_record():
    listed = {documents.code_spans(row[0])[0]: row for row in rows() if len(row) == 3}
    assert set(listed) == {kind_of(record) for record in RECORDS}
    for name, (_, fields, operation) in listed.items():
        kind = getattr(providers, name)
        if kind is ProviderResponse:
            continue
        parts = {span for span in documents.code_spans(fields) if span not in providers.__all__}
        assert parts == own_fields(kind)
        assert documents.code_spans(operation) == [kind.model_fields["operation"].default]
        assert operation.strip("`") in vars(semconv).values()


def test_guide_lists_the_fields_of_every_call():
    listed = {span for row in rows() if len(row) == 2 for span in documents.code_spans(row[0])}
    assert listed == {*ProviderResponse.model_fields, "raw_response"}


def test_public_names_are_sorted_and_exist():
    assert list(providers.__all__) == sorted(set(providers.__all__))
    assert all(hasattr(providers, name) for name in providers.__all__)
