"""The tables of the guide say what the code says."""

from __future__ import annotations

from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.faults import Fault
from stageflow_actors.serving.scopes import RULES
from tests.docs import documents

GUIDES = documents.ROOT / "docs" / "guides"
GUIDE = GUIDES / "serving.md"


def test_the_guide_lists_exactly_the_routes_with_their_scopes():
    rows = documents.table_rows(documents.section(GUIDE, "routes"))
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows}
    assert listed == {f"{rule.method} {rule.path}": str(rule.scope or "") for rule in RULES}


def test_the_guide_lists_exactly_the_settings_with_their_defaults():
    rows = documents.table_rows(documents.section(GUIDE, "settings"))
    listed = {documents.code_spans(row[0])[0]: row[1] for row in rows}
    fields = ServingSettings.model_fields
    assert listed == {name: str(field.default) for name, field in fields.items()}


def test_the_guide_names_every_part_of_a_body():
    _before, _heading, after = documents.prose(GUIDE).partition("**The body of a run**")
    named = set(documents.code_spans(after.partition("\n\n")[0]))
    assert set(RunBody.model_fields) <= named


def test_the_errors_guide_lists_exactly_the_faults_with_their_status():
    _before, _heading, after = documents.prose(GUIDES / "errors.md").partition("## Over HTTP")
    rows = documents.table_rows(after.partition("\n## ")[0])
    listed = {documents.code_spans(row[0])[0]: row[1] for row in rows}
    assert listed == {
        fault.code: str(fault.status) for fault in Fault if fault is not Fault.REFUSED
    }
