"""Reads a file: its size, its encoding, and the format that its name says."""

from __future__ import annotations

import os
from pathlib import Path as FilePath

from stageflow_actors.configuration.places import SUFFIXES, TOML_SUFFIXES, Document
from stageflow_actors.configuration.report import Report
from stageflow_actors.configuration.toml_text import read_toml
from stageflow_actors.configuration.yaml_text import read_yaml

MAX_BYTES = 2**20
"""A longer file is refused unread."""


def read_document(path: str | os.PathLike[str]) -> Report:
    """The file at ``path``, with what is wrong about it as a text: keys that it has twice.

    Raises:
        ConfigurationError: it cannot be read (``CONFIG-FILE``), or is no YAML or TOML
            (``CONFIG-SYNTAX``).
    """
    file = FilePath(path)
    text = _text_of(file)
    reading = read_toml(text) if file.suffix.lower() in TOML_SUFFIXES else read_yaml(text)
    report = Report(Document(str(path), reading.data, reading.lines))
    for message, line, hint, code in reading.problems:
        report.add((), message, hint=hint, code=code, line=line)
    if reading.data is None and not reading.problems:
        report.add((), "is empty.", hint="Give it stages: or pipelines:.", code="CONFIG-SYNTAX")
    if reading.data is None:
        report.check()
    return report


def _text_of(file: FilePath) -> str:
    report = Report(Document(str(file), None, {}))
    content = b""
    if file.suffix.lower() not in SUFFIXES:
        hint = f"Its name ends in one of {', '.join(SUFFIXES)}."
        report.add((), "is no file of pipelines.", hint=hint, code="CONFIG-FILE")
        report.check()
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        hint = "Give the path of a file that this process may read."
        report.add((), f"cannot be read: {reason}.", hint=hint, code="CONFIG-FILE")
    if len(content) > MAX_BYTES:
        message = f"is longer than {MAX_BYTES:,} bytes."
        report.add((), message, hint="Split it.", code="CONFIG-FILE")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        hint = "Save it in this encoding."
        report.add((), "is not encoded in UTF-8.", hint=hint, code="CONFIG-SYNTAX", line=line)
    report.check()
    return text
