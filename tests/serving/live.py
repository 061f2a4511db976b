"""An application behind a real server, on a thread and event loop of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from uuid import UUID

import httpx

from stageflow_actors import AuthContext, AuthenticationError
from stageflow_actors.serving.server import make_server

ALL = ("runs:write", "runs:read", "pipelines:read")
ADA, BOB, EVE = UUID(int=1), UUID(int=2), UUID(int=3)
ACME, EVIL = UUID(int=11), UUID(int=12)
TOKENS = {
    "ada": AuthContext(ADA, ACME, ALL),
    "bob": AuthContext(BOB, ACME, ALL),
    "eve": AuthContext(EVE, EVIL, ALL),
    "lone": AuthContext(EVE, None, ALL),
    "insider": AuthContext(ADA, ACME, (*ALL, "runs:internal")),
    "reader": AuthContext(ADA, ACME, ("runs:read",)),
    "nobody": AuthContext(ADA, ACME, ()),
    "malformed": AuthContext("not a uuid", ACME, ALL),
}
PATIENCE_S = 30.0


class Tokens:
    """Knows the tokens above; some others make it fail."""

    async def verify(self, token: str) -> AuthContext:
        if token == "broken":
            raise RuntimeError("the key server is at 10.0.0.7")
        if token not in TOKENS:
            raise AuthenticationError("no such token")
        return TOKENS[token]


class Live:
    """Serves ``app`` from ``start`` to ``stop``."""

    def __init__(self, app) -> None:
        self.app = app
        self.service = app.state.service
        self._server = make_server(app, host="127.0.0.1", port=0)
        self._thread = threading.Thread(target=self._server.run)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.url = ""

    def start(self) -> Live:
        told = threading.Event()

        def started(url: str) -> None:
            self.url, self.loop = url, asyncio.get_running_loop()
            told.set()

        self._server.on_started = started
        self._thread.start()
        assert told.wait(PATIENCE_S)
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def desk(self, pipeline):
        """Where the runs of that pipeline are, in this process."""
        return self.service.desk(pipeline)

    def client(self, token: str | None = "ada", **options) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S, **options)

    @property
    def address(self) -> tuple[str, int]:
        url = httpx.URL(self.url)
        return url.host, url.port


def until(condition, what="what was waited for"):
    """Polls a fact of another thread that tells nobody when it changes."""
    limit = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < limit, f"{what} did not happen"
        time.sleep(0.005)
    return found


def start(client, pipeline, **body):
    """Starts a run and returns where it is."""
    asked = client.post(
        f"/v1/pipelines/{pipeline}/runs", json=body, headers={"Prefer": "respond-async"}
    )
    assert asked.status_code == 202, asked.text
    return where(client, asked)


def where(client, answer):
    """The path of a run below that of the client, which may itself be below another one."""
    return answer.headers["location"].removeprefix(client.base_url.path.rstrip("/"))


def ended(client, location):
    """The document of a run, once it has ended."""

    def look():
        document = client.get(location).json()
        return document if document["state"] != "running" else None

    return until(look, "the end of the run")


class Frames:
    """Server-sent events out of lines."""

    def __init__(self, lines) -> None:
        self._lines = lines

    def __iter__(self):
        fields = {}
        for line in self._lines:
            if line:
                name, _colon, value = line.partition(": ")
                if name:  # else it is a comment
                    fields[name] = value
            elif fields:
                yield fields
                fields = {}


def frames(client, location, after=None):
    """All frames from there on, to the end of the stream."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    with client.stream("GET", f"{location}/events", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        return list(Frames(answer.iter_lines()))
