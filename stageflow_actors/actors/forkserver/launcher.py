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
_SERVER = "server.py"
_NODE = "--node-id="
_NO_JOB = "ffffffff"
_REAPS = "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper"
"""With it Ray kills whatever is below it and was not started by it, a fork server, too."""

_PATIENCE_S = 15
"""Then Python is started, which leaves it most of the minute that Ray gives a worker."""

_BIND_TRIES, _BIND_WAIT_S = 100, 0.002
_BACKLOG = 1024
_PEER = "3i"  # pid, uid, gid


def main(python: str, arguments: list[str]) -> None:
    """Never returns: this process ends, or is ``python`` from here on."""
    if _is_worker(arguments) and _have_forked(python, arguments):
        os._exit(0)  # the worker registers itself as the one that Ray waits for
    os.execv(python, [python, *arguments])  # noqa: S606 - as Ray would have


def _is_worker(arguments: list[str]) -> bool:
    """Whether a job's own worker is wanted, and may be forked.

    A spare one, started before there is a job, may serve any job; but Ray reads the job's number
    when it is imported, so the server's would be wrong.
    """
    return (
        bool(arguments)
        and arguments[0].rpartition("/")[2] == _WORKER
        and any(each.startswith(_NODE) for each in arguments)
        and os.environ.get("RAY_JOB_ID", _NO_JOB) != _NO_JOB
        and os.environ.get(_REAPS, "0").lower() not in ("1", "true")
    )


def _have_forked(python: str, arguments: list[str]) -> bool:
    """Whether there is a worker now: never when this answers no, not even later."""
    try:
        line = _line_to_server(python, _name(arguments))
        try:
            line.settimeout(_PATIENCE_S)
            line.sendall(_request(arguments))
            return _is_answered(line)
        finally:
            line.close()
    except OSError:
        return False


def _is_answered(line: _socket.socket) -> bool:
    try:
        return line.recv(1) != b""
    except TimeoutError:
        line.shutdown(_socket.SHUT_RD)  # a worker that comes to be later finds it closed, and ends
        if line.recv(1):
            return True  # it has answered just before
        _end_server(line)
        return False


def _end_server(line: _socket.socket) -> None:
    """One that does not answer would keep all others waiting, too; its workers need it no more."""
    pid, _uid, _gid = _peer_of(line)
    with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - pathlib takes long to import
        if os.fsencode(_server()) in file.read():
            os.kill(pid, 9)


def _request(arguments: list[str]) -> bytes:
    """Length, process group, arguments, environment; each word with its own length before it."""
    words = [os.fsencode(argument) for argument in arguments]
    for name, value in os.environb.items():
        words += (name, value)
    head = struct.pack(">iI", os.getpgrp(), len(arguments))
    body = head + b"".join(struct.pack(">I", len(word)) + word for word in words)
    return struct.pack(">I", len(body)) + body


def _name(arguments: list[str]) -> str:
    """That of the server of this job and node, as this version of the library understands it.

    It is one of the kernel's, not of a file: it goes with the process that holds it.
    """
    [node, *_] = [each[len(_NODE) :] for each in arguments if each.startswith(_NODE)]
    changed = int(os.stat(__file__).st_mtime)  # noqa: PTH116 - pathlib takes long to import
    return f"\0stageflow-actors/{node}/{os.environ['RAY_JOB_ID']}/{changed:x}"


def _line_to_server(python: str, name: str) -> _socket.socket:
    """A connection to the server, which is started when there is none."""
    for _try in range(_BIND_TRIES):
        line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        patience = struct.pack("ll", _PATIENCE_S, 0)
        line.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, patience)
        try:
            line.connect(name)
        except ConnectionRefusedError:
            line.close()
            if not _start_server(python, name):
                time.sleep(_BIND_WAIT_S)  # another one has the name, and listens in a moment
        else:
            _check_peer(line)
            return line
    raise ConnectionRefusedError(name)


def _check_peer(line: _socket.socket) -> None:
    """Nobody else's server is told the environment, nor one of another container."""
    pid, uid, _gid = _peer_of(line)
    if uid != os.getuid() or not pid:
        raise PermissionError("the fork server is another user's")


def _server() -> str:
    return f"{__file__.rpartition('/')[0]}/{_SERVER}"


def _peer_of(line: _socket.socket) -> tuple[int, ...]:
    """Process, user and group."""
    peer = line.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, struct.calcsize(_PEER))
    return struct.unpack(_PEER, peer)


def _start_server(python: str, name: str) -> bool:
    """Whether this is the one that did. The name is bound here, so that one of many wins, and those
    that come while the server still imports are kept in its queue.
    """
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        listener.bind(name)
        listener.listen(_BACKLOG)
    except OSError:
        return False
    if os.fork() == 0:
        try:
            os.setpgid(0, 0)  # Ray ends the group of this launcher with its worker
            os.set_inheritable(listener.fileno(), True)
            os.execv(python, [python, _server(), str(listener.fileno())])  # noqa: S606 - our own
        finally:
            os._exit(1)
    listener.close()
    return True


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
