"""Ports on which a Ray of this machine listens, and which of them other machines can reach."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_LISTENS = "0A"
_ANY = frozenset({"00000000", "0" * 32})
_LOOPBACK = frozenset({"0100007F", "0" * 24 + "01000000", "0" * 16 + "FFFF00000100007F"})
_ROLES = (
    ("gcs_server", "GCS"),
    ("dashboard/dashboard.py", "dashboard"),
    ("raylet/raylet", "raylet"),
    ("ray.util.client.server", "client server"),
    ("ray::Proxy", "Serve proxy"),
    ("ray::DashboardAgent", "dashboard agent"),
    ("ray::RuntimeEnvAgent", "runtime environment agent"),
    ("ray::", "worker"),
    ("/ray/", "Ray process"),
)


class Listener(NamedTuple):
    """A port. ``is_exposed``: bound to all interfaces; else to loopback, or (``is_outer``) one.

    ``has_token``: the process was started to ask for a token.
    """

    role: str
    pid: int
    port: int
    is_exposed: bool
    is_outer: bool
    has_token: bool


def ray_listeners(proc: Path = Path("/proc")) -> list[Listener] | None:
    """Every listening port of every Ray process that may be looked into; ``None`` without /proc."""
    if not (proc / "net" / "tcp").exists():
        return None
    sockets = dict(_listening(proc))
    found = []
    for pid, role in _ray_processes(proc):
        has_token = _has_token(proc / str(pid))
        for inode in _sockets_of(proc / str(pid)):
            if inode in sockets:
                address, port = sockets[inode]
                is_exposed = address in _ANY
                is_outer = not is_exposed and address not in _LOOPBACK
                found.append(Listener(role, pid, port, is_exposed, is_outer, has_token))
    return sorted(found, key=lambda each: (each.role, each.port))


def parse_listening(table: Iterable[str]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Inode, and local address and port, of the listening sockets in a table of the kernel."""
    for line in table:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENS:
            address, _colon, port = fields[1].partition(":")
            yield fields[9], (address, int(port, 16))


def role_of(command: str) -> str | None:
    """What a process with this command line is in Ray; ``None`` for any other process."""
    for sign, role in _ROLES:
        if sign in command and ("ray" in command or sign == "gcs_server"):
            return role
    return None


def _listening(proc: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    for name in ("tcp", "tcp6"):
        try:
            table = (proc / "net" / name).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        yield from parse_listening(table[1:])


def _ray_processes(proc: Path) -> Iterator[tuple[int, str]]:
    for folder in proc.iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            role = role_of(command.decode("utf-8", errors="replace"))
            if role is not None:
                yield int(folder.name), role


def _sockets_of(folder: Path) -> Iterator[str]:
    try:
        for entry in (folder / "fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                yield target.removeprefix("socket:[").removesuffix("]")
    except OSError:  # it has ended, or belongs to somebody else
        return


def _has_token(folder: Path) -> bool:
    """Ray hands the mode down to its processes by their environment."""
    try:
        variables = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(variable.lower() == b"ray_auth_mode=token" for variable in variables)
