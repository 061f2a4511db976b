"""The process that imports Ray and this library once, and forks a worker for each that asks.

Run as ``python server.py LISTENER``, the number of a socket that listens. It ends with the raylet
whose workers it makes, or once it has been without a worker for a minute.
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
import time
import types
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = Path(__file__).resolve().parents[3]
_WORKER = "ray._private.workers.default_worker"
_IMPORTED_ON_CONNECT = (
    "ray._common.pydantic_compat",
    "ray._common.usage.usage_lib",
    "ray._private.arrow_serialization",
    "starlette.datastructures",
)
_OURS = "stageflow_actors.actors.stage_actor", "stageflow_actors.actors.supervisor"
_SCRIPT = "<script>"
"""Stands in ``sys.path`` for the folder of the script until a request names it."""

_IDLE_S = 60.0
_PATIENCE_S = 5.0
"""Whoever asks does so at once."""
_WAIT_S = 0.1
_BACKLOG = 1024
_MOST_BYTES = 64 * 2**20
_PEER = "3i"  # pid, uid, gid


@dataclass(frozen=True, slots=True)
class Request:
    """A worker that Ray wants: its process group, arguments (the script first), environment."""

    group: int
    arguments: list[str]
    environment: dict[bytes, bytes]


def main(listener: socket.socket) -> None:
    """Returns in workers, at their end."""
    raylet = os.pidfd_open(int(os.environ["RAY_RAYLET_PID"]))
    environment = dict(os.environb)
    listener.listen(_BACKLOG)  # those that connect are told this process from now on
    listener.set_inheritable(False)
    if not sys.flags.safe_path:
        sys.path[0] = _SCRIPT
    try:
        worker = prepare()
        obstacle = _obstacle()
    except Exception as error:  # of another version of Ray, for example
        obstacle = f"{type(error).__name__}: {error}"
    if obstacle:
        _tell(f"workers are not forked: {obstacle}")
    request = serve(listener, raylet, None if obstacle else environment)
    become(request, worker)


def serve(listener: socket.socket, raylet: int, environment: dict[bytes, bytes] | None) -> Request:
    """Fork those that are to have ``environment``. Returns in each forked process, never in this.

    What is asked for differently, or, without an ``environment``, whatever is asked for, is refused
    by silence: then Python is started for it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries those that end
    poll = select.poll()
    for each in (listener.fileno(), raylet):
        poll.register(each, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _event in poll.poll(_IDLE_S * 1000)]
        if raylet in ready or not (ready or _has_children()):
            sys.exit()
        request = _answer(listener, environment) if ready else None
        if request is not None:
            listener.close()
            os.close(raylet)
            return request


def _answer(listener: socket.socket, environment: dict[bytes, bytes] | None) -> Request | None:
    """The request, in a process that is forked for it; nothing in this one."""
    try:
        line, _ = listener.accept()
    except OSError as error:  # too many open files, for example, which others may close
        _tell(str(error))
        time.sleep(_WAIT_S)
        return None
    with line:
        try:
            request = _read(line)
            if request.environment != environment or os.fork():
                return None
        except (OSError, ValueError, struct.error) as error:
            _tell(f"a worker could not be forked: {error}")
            return None
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            os.setpgid(0, request.group)
            line.sendall(b"1")
        except OSError:
            os._exit(1)  # who asked has gone, or does without
    return request


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _read(line: socket.socket) -> Request:
    peer = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_PEER))
    pid, uid, _gid = struct.unpack(_PEER, peer)
    if uid != os.getuid() or not pid:
        raise PermissionError("another user asked")
    until = time.monotonic() + _PATIENCE_S
    (size,) = struct.unpack(">I", _take(line, 4, until))
    if size > _MOST_BYTES:
        raise ValueError(f"{size} bytes were to come")
    return parse(_take(line, size, until))


def _take(line: socket.socket, size: int, until: float) -> bytes:
    taken = bytearray()
    while len(taken) < size:
        line.settimeout(max(until - time.monotonic(), 1e-6))
        piece = line.recv(size - len(taken))
        if not piece:
            raise ConnectionError("who asked has gone")
        taken += piece
    return bytes(taken)


def parse(body: bytes) -> Request:
    """Read what ``launcher`` has written.

    Raises:
        ValueError: it is not whole.
        struct.error: the same.
    """
    group, count = struct.unpack_from(">iI", body)
    words, at = [], 8
    while at < len(body):
        (size,) = struct.unpack_from(">I", body, at)
        words.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    if at != len(body) or not 0 < count <= len(words):
        raise ValueError("what came was not whole")
    names, values = words[count::2], words[count + 1 :: 2]
    arguments = [os.fsdecode(word) for word in words[:count]]
    return Request(group, arguments, dict(zip(names, values, strict=True)))


def prepare() -> types.CodeType:
    """Import all that a worker needs. Returns the code of Ray's worker."""
    script = importlib.import_module(_WORKER).__file__
    assert script is not None
    is_elsewhere = not _is_found()
    if is_elsewhere:
        sys.path.insert(0, str(_PACKAGES))  # the library that the program has, wherever that is
    for name in (*_IMPORTED_ON_CONNECT, *_OURS):
        with suppress(ModuleNotFoundError):  # of another version of Ray, or not installed
            importlib.import_module(name)
    if is_elsewhere:
        sys.path.remove(str(_PACKAGES))
    gc.collect()
    gc.freeze()  # a collection would write to, and so copy, what is shared with this process
    return compile(Path(script).read_bytes(), script, "exec", dont_inherit=True)


def _is_found() -> bool:
    """Whether this library is the one that is found anyway."""
    found = find_spec("stageflow_actors")
    return bool(found and found.origin and _PACKAGES in Path(found.origin).resolve().parents)


def _obstacle() -> str | None:
    """Why nothing may be forked from here, where Python has loaded what it was told to."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    return None if threads == 1 else f"{threads - 1} threads have begun, which no fork would have"


def become(request: Request, code: types.CodeType) -> None:
    """Run Ray's worker as if Python had been started for it."""
    script = request.arguments[0]
    sys.argv[:] = request.arguments
    sys.orig_argv[1:] = request.arguments
    if not sys.flags.safe_path:
        sys.path[sys.path.index(_SCRIPT)] = str(Path(script).parent)
    importlib.invalidate_caches()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # the others have the same state
    main = types.ModuleType("__main__")
    main.__file__ = script
    sys.modules["__main__"] = main
    os.environb.clear()  # what importing has changed
    os.environb.update(request.environment)
    exec(code, vars(main))  # noqa: S102 - Ray's own


def _tell(what: str) -> None:
    """On the standard error that Ray gives its processes: it is in ``raylet.err``."""
    sys.stderr.write(f"stageflow_actors fork server: {what}\n")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
