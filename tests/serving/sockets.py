"""The client's end of a WebSocket."""

from __future__ import annotations

import json

from websockets.sync.client import connect

from stageflow_actors.serving.socket_frames import Frame, pack, unpack
from tests.serving.live import PATIENCE_S

PLENTY = 10_000_000
PROTOCOL = "stageflow.v1"


class Socket:
    """Says messages and hears them, in order. Pings are answered, unless it ``is_silent``."""

    def __init__(self, connection, is_silent=False) -> None:
        self.connection = connection
        self.is_silent = is_silent
        self.heard_bytes = 0

    def __enter__(self):
        self.connection.__enter__()
        return self

    def __exit__(self, *error):
        self.connection.__exit__(*error)

    def say(self, type_, **parts):
        self.connection.send(json.dumps({"type": type_, **parts}))

    def say_bytes(self, ref, key, payload):
        header = {"type": "input", "ref": ref, "key": key}
        self.connection.send(pack(Frame(json.dumps(header).encode(), payload)))

    def hear(self, timeout=PATIENCE_S):
        """The next message; of a binary one, with its bytes under ``bytes``."""
        while True:
            message = self.connection.recv(timeout=timeout)
            if isinstance(message, bytes):
                header, payload = unpack(message)
                said = {**json.loads(header), "bytes": payload}
            else:
                said = json.loads(message)
            if said["type"] == "ping":
                if not self.is_silent:
                    self.say("pong")
                continue
            if said["type"] in ("event", "piece"):
                self.heard_bytes += len(message)
            return said

    def hear_until(self, type_, ref=None):
        """All up to the first of that type, and for that run."""
        heard = []
        while True:
            heard.append(self.hear())
            said = heard[-1]
            if said["type"] == type_ and ref in (None, said.get("ref")):
                return heard

    def turn(self, times=1):
        """So many round trips: each takes the server's event loop through at least one turn.

        What else was heard meanwhile is returned.
        """
        heard = []
        for _ in range(times):
            self.say("ping")
            heard += self.hear_until("pong")[:-1]
        return heard

    def start(self, pipeline, ref="a", credit=PLENTY, **parts):
        self.say("start", ref=ref, pipeline=pipeline, credit=credit, **parts)

    def run(self, pipeline, **parts):
        """Starts a run and returns all that is heard of it."""
        self.start(pipeline, **parts)
        return self.hear_until("ended")

    def refusal(self):
        """The code of the next message, which is an error."""
        said = self.hear()
        assert said["type"] == "error", said
        return said["problem"]["code"]

    def close_code(self):
        """How the server closes it; what comes before is skipped."""
        while True:
            try:
                self.hear()
            except Exception as closed:
                return closed.rcvd.code


def open_socket(live, token="ada", is_silent=False, **options):
    headers = [] if token is None else [("Authorization", f"Bearer {token}")]
    headers += options.pop("headers", [])
    url = live.url.replace("http", "ws", 1) + options.pop("path", "/v1/ws")
    made = connect(url, additional_headers=headers, max_size=None, ping_interval=None, **options)
    return Socket(made, is_silent)


def tasks_of(live):
    """How many tasks there are on the event loop of the server."""
    import asyncio

    async def count():
        return len(asyncio.all_tasks())

    return asyncio.run_coroutine_threadsafe(count(), live.loop).result(PATIENCE_S)
