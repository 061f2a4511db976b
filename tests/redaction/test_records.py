"""Log records of the library."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

import stageflow_actors
from stageflow_actors.actors import failures
from stageflow_actors.model.redaction.records import LOGGERS, log_raised, redact_record
from stageflow_actors.model.redaction.redactor import Redactor

assert failures  # every process that runs anything imports it


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "a-key-that-is-known")


def raised():
    try:
        raise ValueError("refused: a-key-that-is-known")
    except ValueError as error:
        return error


def test_every_logger_of_the_library_is_guarded():
    sources = Path(stageflow_actors.__file__).parent.rglob("*.py")
    named = {
        name for each in sources for name in re.findall(r'getLogger\("(.+?)"\)', each.read_text())
    }
    assert {name for name in named if name.startswith("stageflow_actors")} <= set(LOGGERS)
    for name in LOGGERS:
        assert logging.getLogger(name).filters.count(redact_record) == 1


@pytest.mark.parametrize("name", LOGGERS)
def test_a_warning_is_clean_before_a_handler_sees_it(name, caplog):
    logger = logging.getLogger(name)
    logger.warning("%s failed: %s", "it", "password=abc")
    logger.error("failed", exc_info=raised())
    [warning, error] = caplog.records
    assert warning.getMessage() == "it failed: password=[redacted]"
    assert error.exc_info is None
    assert "ValueError: refused: [redacted]" in error.exc_text
    assert "a-key-that-is-known" not in caplog.text


def test_a_record_without_a_secret_stays_as_it_is(caplog):
    error = ValueError("it is full")
    logging.getLogger("stageflow_actors").warning("%s failed", "it", exc_info=error)
    [record] = caplog.records
    assert (record.msg, record.args, record.exc_info[1]) == ("%s failed", ("it",), error)


def test_a_record_that_cannot_be_formatted_is_no_error_here(caplog):
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "%d", ("x",), None)
    assert redact_record(record)


def test_details_cost_nothing(monkeypatch):
    monkeypatch.setattr("stageflow_actors.model.redaction.sources.redactor_of_process", None)
    record = logging.LogRecord("x", logging.INFO, "x", 1, "password=%s", ("x",), None)
    assert redact_record(record)
    assert record.getMessage() == "password=x"


def test_an_exception_is_logged_as_text_only_where_it_is_redacted(caplog):
    logger = logging.getLogger("elsewhere")
    log_raised(logger, Redactor(["that-is-known"]), raised(), "'%s' raised", "it")
    log_raised(logger, Redactor(), raised(), "'%s' raised", "it")
    clean, whole = caplog.records
    assert clean.exc_info is None
    assert clean.getMessage().startswith("'it' raised\nTraceback")
    assert "a-key-[redacted]" in clean.getMessage()
    assert isinstance(whole.exc_info[1], ValueError)
    assert clean.filename == whole.filename == "test_records.py"
