"""The process that imports Ray and this library once, and forks a worker for each that asks.

Run as ``python server.py LISTENER``, the number of a socket that listens. It ends with the raylet
whose workers it makes.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import types
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PACKAGES = Path(__file__).resolve().parents[3]
_WORKER = "ray._private.workers.default_worker"
_WHEN_IT_CONNECTS = (
    "ray._common.pydantic_compat",
    "ray._common.usage.usage_lib",
    "ray._private.arrow_serialization",
    "starlette.datastructures",
)
_OURS = "stageflow_actors.actors.stage_actor", "stageflow_actors.actors.supervisor"
_SCRIPT = "<script>"
"""Where the folder of the script will be in the path, which Ray puts folders before."""

_PATIENCE_S = 5.0
_PEER = "3i"  # pid, uid, gid


@dataclass(frozen=True, slots=True)
class Request:
    """A worker that Ray wants: its process group, arguments (the script first), environment."""

    group: int
    arguments: list[str]
    environment: dict[bytes, bytes]


def serve(listener: socket.socket) -> Request:
    """Fork until the raylet is gone. Returns in each forked process, never in this one."""
    raylet = os.pidfd_open(int(os.environ["RAY_RAYLET_PID"]))
    is_alone = len(list(Path("/proc/self/task").iterdir())) == 1
    if not is_alone:
        _tell("Something has begun threads here, which no fork would have: none are made.")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries those that end
    while True:
        ready, _, _ = select.select([listener.fileno(), raylet], [], [])
        if raylet in ready:
            sys.exit()
        line, _ = listener.accept()
        with line:
            request = _fork_for(line) if is_alone else None
        if request is not None:
            listener.close()
            os.close(raylet)
            return request


def _fork_for(line: socket.socket) -> Request | None:
    """The request, in the new process; nothing in this one, or when there is none."""
    try:
        request = _read(line)
        if os.fork():
            return None
    except (OSError, struct.error) as error:
        _tell(f"A worker could not be forked: {error}")
        return None
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        os.setpgid(0, request.group)
        line.sendall(b"1")
    except OSError:
        os._exit(1)  # who asked has gone, or does without
    return request


def _read(line: socket.socket) -> Request:
    line.settimeout(_PATIENCE_S)
    peer = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_PEER))
    if struct.unpack(_PEER, peer)[1] != os.getuid():
        raise PermissionError("another user asked")
    (size,) = struct.unpack(">I", _take(line, 4))
    return parse(_take(line, size))


def _tell(what: str) -> None:
    """On what Ray has given its workers for that, which is a log of its own."""
    sys.stderr.write(f"stageflow_actors fork server: {what}\n")


def _take(line: socket.socket, size: int) -> bytes:
    taken = bytearray()
    while len(taken) < size:
        piece = line.recv(size - len(taken))
        if not piece:
            raise ConnectionError("who asked has gone")
        taken += piece
    return bytes(taken)


def parse(body: bytes) -> Request:
    """Read what ``launcher`` has written."""
    group, count = struct.unpack_from(">iI", body)
    words, at = [], 8
    while at < len(body):
        (size,) = struct.unpack_from(">I", body, at)
        words.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    names, values = words[count::2], words[count + 1 :: 2]
    arguments = [os.fsdecode(word) for word in words[:count]]
    return Request(group, arguments, dict(zip(names, values, strict=True)))


def prepare() -> types.CodeType:
    """Import all that a worker needs. Returns the code of Ray's worker."""
    script = importlib.import_module(_WORKER).__file__
    assert script is not None
    sys.path.insert(0, str(_PACKAGES))  # the library that the driver has, wherever that is
    for name in (*_WHEN_IT_CONNECTS, *_OURS):
        with suppress(ModuleNotFoundError):  # of another version of Ray, or not installed
            importlib.import_module(name)
    sys.path.remove(str(_PACKAGES))
    gc.collect()
    gc.freeze()  # a collection would write to, and so copy, what is shared with this process
    return compile(Path(script).read_bytes(), script, "exec")


def become(request: Request, code: types.CodeType) -> None:
    """Run Ray's worker as if Python had been started for it."""
    os.environb.clear()
    os.environb.update(request.environment)
    sys.argv[:] = request.arguments
    sys.path[sys.path.index(_SCRIPT)] = str(Path(request.arguments[0]).parent)
    main = types.ModuleType("__main__")
    main.__file__ = request.arguments[0]
    sys.modules["__main__"] = main
    exec(code, vars(main))  # noqa: S102 - Ray's own


if __name__ == "__main__":
    sys.path[0] = _SCRIPT
    worker = prepare()
    become(serve(socket.socket(fileno=int(sys.argv[1]))), worker)
