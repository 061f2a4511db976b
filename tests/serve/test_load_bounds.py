"""Answers with events stay bounded behind Serve, whatever else is set."""

from __future__ import annotations

import pytest

from stageflow_actors.serving.replicas.served_app import ServedApp

MIB = 2**20


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({}, MIB),
        ({"settings": {}}, MIB),
        ({"settings": {"drain_s": 5}}, MIB),
        ({"settings": {"max_stream_bytes": 7}}, 7),
        ({"settings": {"max_stream_bytes": None}}, None),
    ],
)
def test_a_stream_has_a_bound_unless_there_shall_be_none(settings, most):
    app = ServedApp(pipeline="a:b", insecure_loopback=True, **settings)
    assert app.settings.max_stream_bytes == most
    assert ServedApp.model_validate(app.model_dump()).settings.max_stream_bytes == most
