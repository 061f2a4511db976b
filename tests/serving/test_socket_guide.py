"""The tables of the guide say what the code says."""

from __future__ import annotations

import ast
import inspect
import re

from stageflow_actors.serving import socket_messages, socket_replies, socket_session
from stageflow_actors.serving.socket_messages import Message
from tests.docs import documents

GUIDE = documents.ROOT / "docs" / "guides" / "websocket.md"


def listed(name):
    """The first cell of each row, and the code in the second."""
    rows = documents.table_rows(documents.section(GUIDE, name))
    return {documents.code_spans(row[0])[0]: set(documents.code_spans(row[1])) for row in rows}


def test_the_guide_lists_exactly_the_messages_of_clients_with_their_parts():
    parts: dict[str, set[str]] = {}
    for model in Message.__args__:
        if model is not socket_messages.InputBytes:
            (type_,) = model.model_fields["type"].annotation.__args__
            parts[type_] = set(model.model_fields) - {"type"}
    assert listed("client") == parts


def test_the_guide_lists_exactly_the_messages_of_the_server():
    source = inspect.getsource(socket_replies)
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    told = {
        each.value
        for call in calls
        for keyword in call.keywords
        if keyword.arg == "type"
        for each in ast.walk(keyword.value)
        if isinstance(each, ast.Constant)
    }
    told |= {"event", "piece", "ping", "pong"}
    assert set(listed("server")) == told


def test_the_guide_lists_the_close_codes():
    rows = documents.table_rows(documents.section(GUIDE, "codes"))
    ours = {
        int(each) for each in re.findall(r"Parting\((\d{4})", inspect.getsource(socket_session))
    }
    assert {int(row[0]) for row in rows} == ours | {socket_session._RESTARTING}
