"""What Ray starts in place of Python: it has the fork server make a worker, or becomes Python.

Run as ``python -IS launcher.py PYTHON ARGUMENT...``. It runs once per process, and its own time is
part of each start: only what is built into Python is imported.
"""

from __future__ import annotations

import _socket
import os
import struct
import sys
import time

_WORKER = "default_worker.py"
_NO_JOB = "ffffffff"
_OF_THE_PROCESS = ("LD_PRELOAD",)
"""What a process reads when it is started, so that a forked one would not have it."""

_PATIENCE_S = 20.0
_BIND_TRIES, _BIND_WAIT_S = 100, 0.002
_BACKLOG = 1024
_PEER = "3i"  # pid, uid, gid


def main(python: str, arguments: list[str]) -> None:
    """Never returns: this process ends, or is ``python`` from here on."""
    if _is_worker(arguments) and _is_forked(python, arguments):
        os._exit(0)  # the worker has registered itself as the one that Ray waits for
    os.execv(python, [python, *arguments])  # noqa: S606 - as Ray would have


def _is_worker(arguments: list[str]) -> bool:
    """Whether a job's own worker is wanted: one of the spare ones that Ray starts before there is
    a job may serve any, and what is fixed when Ray is imported is the number of the job.
    """
    return (
        bool(arguments)
        and arguments[0].rpartition("/")[2] == _WORKER
        and os.environ.get("RAY_JOB_ID", _NO_JOB) != _NO_JOB
        and "RAY_RAYLET_PID" in os.environ
        and not any(os.environ.get(name) for name in _OF_THE_PROCESS)
    )


def _is_forked(python: str, arguments: list[str]) -> bool:
    try:
        line = _line_to_server(python)
        line.settimeout(_PATIENCE_S)
        line.sendall(_request(arguments))
        return line.recv(1) != b""
    except OSError:
        return False


def _request(arguments: list[str]) -> bytes:
    """Length, process group, arguments, environment; each list with its own length before it."""
    words = [os.fsencode(argument) for argument in arguments]
    for name, value in os.environb.items():
        words += (name, value)
    head = struct.pack(">iI", os.getpgrp(), len(arguments))
    body = head + b"".join(struct.pack(">I", len(word)) + word for word in words)
    return struct.pack(">I", len(body)) + body


def _line_to_server(python: str) -> _socket.socket:
    """A connection to the fork server of this job, which is started when there is none.

    The name is one of the kernel's, not of a file: it goes with the process that holds it.
    """
    job, raylet = os.environ["RAY_JOB_ID"], os.environ["RAY_RAYLET_PID"]
    name = f"\0stageflow-actors/{os.getuid()}/{raylet}/{job}"
    for _try in range(_BIND_TRIES):
        line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            line.connect(name)
        except ConnectionRefusedError:
            line.close()
            if not _started_server(python, name):
                time.sleep(_BIND_WAIT_S)  # another one has the name, and listens in a moment
        else:
            _check_peer(line)
            return line
    raise ConnectionRefusedError(name)


def _check_peer(line: _socket.socket) -> None:
    """Nobody else's server is told the environment."""
    peer = line.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, struct.calcsize(_PEER))
    if struct.unpack(_PEER, peer)[1] != os.getuid():
        raise PermissionError("the fork server is another user's")


def _started_server(python: str, name: str) -> bool:
    """Bind the name here, so that one of many that start at once wins, and those that come while
    the server still imports are kept in its queue.
    """
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        listener.bind(name)
        listener.listen(_BACKLOG)
    except OSError:
        return False
    if os.fork() == 0:
        os.setpgid(0, 0)  # Ray ends the group of this launcher with its worker
        os.set_inheritable(listener.fileno(), True)
        server = __file__.replace("launcher.py", "server.py")
        os.execv(python, [python, server, str(listener.fileno())])  # noqa: S606 - our own file
    listener.close()
    return True


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
