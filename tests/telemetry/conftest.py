"""What tests of exporters share."""

import pytest

from tests.telemetry.otlp_receiver import GRPC, HTTP, OtlpReceiver


@pytest.fixture(params=[HTTP, GRPC])
def receiver(request, monkeypatch):
    """A collector for each protocol, which the environment names."""
    with OtlpReceiver(request.param) as started:
        for name, value in started.environment().items():
            monkeypatch.setenv(name, value)
        yield started
