"""One Serve per session, on a port of its own; its applications come and go."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from tests.serve.door import Door


@pytest.fixture(scope="session")
def serve_session(ray_session):
    from ray import serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    yield httpx.URL(f"http://127.0.0.1:{port}")
    serve.shutdown()


@pytest.fixture(scope="session")
def door(serve_session):
    """Two replicas in front of two pipelines. What a test kills has been replaced at its end."""
    served = Door(serve_session, "shared")
    served.deploy(
        replicas=2,
        pipelines={"plain": "tests.serve.flows:plain", "gated": "tests.serve.flows:gated"},
    )
    yield served
    served.delete()


@pytest.fixture
def client(door):
    with door.client() as asking:
        yield asking


@pytest.fixture
def gate(tmp_path):
    """A gate that is shut."""
    return tmp_path / "gate"


@pytest.fixture
async def world(monkeypatch):
    """Keepers and replicas without Ray."""
    from stageflow_actors.serving import ServingSettings
    from tests.serve.fake_keepers import World

    made = World(monkeypatch, ServingSettings(drain_s=30.0, keeper_lost_s=30.0))
    async with asyncio.timeout(60.0):
        yield made
        made.gate.opened.set()
        await made.close()
