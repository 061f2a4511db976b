"""The guide of metrics lists those that there are, with their kinds, units and labels."""

from __future__ import annotations

from stageflow_actors.telemetry.cardinality import MOST_SERIES
from stageflow_actors.telemetry.instruments import all_instruments
from tests.docs import documents

GUIDE = documents.ROOT / "docs" / "guides" / "metrics.md"


def test_the_guide_lists_exactly_the_metrics_that_there_are():
    names = {each.name for each in all_instruments()}
    listed = []
    for row in documents.table_rows(documents.prose(GUIDE)):
        name = (documents.code_spans(row[0]) or [""])[0]
        if name in names or name.startswith(("stageflow.", "gen_ai.")):
            listed.append((name, row[1], tuple(documents.code_spans(row[2]))))
    assert sorted(listed) == sorted(
        (each.name, f"{each.kind.name.lower()}, {each.unit}", each.labels)
        for each in all_instruments()
    )


def test_the_guide_says_how_many_series_there_may_be():
    assert f"at most {MOST_SERIES} sets of labels" in documents.prose(GUIDE)
