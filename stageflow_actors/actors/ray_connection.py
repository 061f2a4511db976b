"""``RayConnection``: which Ray a runtime is on, how it gets there, and what it takes along."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import ray

from stageflow_actors.actors.forkserver.interpreter import forked_workers
from stageflow_actors.actors.ray_workers import check_workers
from stageflow_actors.errors import DeploymentError, RayStartError, describe_exception

logger = logging.getLogger("stageflow_actors")

LOCAL = "local"
AUTO = "auto"
_CONNECT_S = 10.0
_CARRIED = "STAGEFLOW_ACTORS_CODE"
"""Tells every process of a job what code it carries, so that it can be asked for again."""
_HOST_AND_PORT = r"(?P<host>[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})"
_SECRETS = r"(?P<scheme>^[A-Za-z][\w+.-]*://)?(?P<user>.*@)|(?P<query>[?#].*)"

_FRAME_HEAD, _FRAME_KIND, _SETTINGS = 9, 3, 4
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0])

_STARTING_RAY = threading.Lock()


class RayConnection:
    """Connects this process to Ray, once, and finds it connected after that.

    ``address`` is HOST:PORT of a running Ray, ``"local"`` for one of its own, or ``"auto"`` for
    that of ``RAY_ADDRESS``, else the one that ``ray start`` has started on this machine. Without an
    address it is the Ray that this process is connected to, else that of ``RAY_ADDRESS``, else a
    new local one. ``code`` are packages, modules or wheels that the processes of stages import,
    though no machine of the cluster has them installed. ``forks``: a Ray that is started here forks
    its processes.

    Raises:
        RayStartError: ``address`` is none.
        DeploymentError: something of ``code`` is not there, or cannot be imported from.
    """

    def __init__(
        self,
        address: str | None,
        code: Path | str | Sequence[Path | str] | None,
        *,
        forks: bool = True,
    ) -> None:
        self._address = address
        self._forks = forks
        self._code = _paths_of(code)
        self._checked: str | None = None
        if address is not None:
            _check_address(address)

    def open(self) -> None:
        """Connect, if this process is not connected yet. Blocks for seconds, once per process.

        Raises:
            RayStartError: Ray cannot be started or reached, or this process is on another one.
            DeploymentError: its machines lack this library, or have another version of it.
        """
        with _STARTING_RAY:
            if ray.is_initialized():
                self._check_connected()
            else:
                self._connect()
            if self._checked != this_node() and not (_is_own() or _is_worker()):
                check_workers()
            self._checked = this_node()

    def _connect(self) -> None:
        elsewhere = os.environ.get("RAY_ADDRESS")
        address = self._address or elsewhere or LOCAL
        if address == AUTO and elsewhere:
            address = elsewhere  # as everywhere in Ray
        if address == LOCAL:
            logger.info("No Ray in this process: starting a local one.")
        else:
            _check_address(address)
            _check_reachable(address)
            logger.info("Joining the Ray at %s.", masked(address))
        try:
            is_plain = (
                address == LOCAL and not self._code
            )  # Ray sets up what has code in another way
            with forked_workers() if self._forks and is_plain else nullcontext():
                ray.init(address=address, **self._options(), **_own_options(address))
        except Exception as error:
            ray.shutdown()  # what of it has been started
            raise _start_error(address, error) from error

    def _options(self) -> dict[str, Any]:
        if not self._code:
            return {}
        modules = [str(path) for path in self._code]
        return {"runtime_env": {"py_modules": modules, "env_vars": {_CARRIED: self._carried}}}

    @property
    def _carried(self) -> str:
        return os.pathsep.join(map(str, self._code))

    def _check_connected(self) -> None:
        """Whether the Ray that this process is connected to is the one that is asked for."""
        here = ray.get_runtime_context().gcs_address
        asked = self._address
        is_other = asked not in (None, AUTO, LOCAL) and not _is_same(str(asked), here)
        if is_other or (asked == LOCAL and not _is_own()):
            raise RayStartError(
                f"This process is connected to the Ray at {here}, "
                f"and RayRuntime(address={masked(str(asked))!r}) asks for another one.",
                hint="Leave address= out to use that one, or call ray.shutdown() before.",
            )
        environment = ray.get_runtime_context().runtime_env.get("env_vars") or {}
        if self._code and environment.get(_CARRIED) != self._carried:
            raise RayStartError(
                "This process is connected to Ray already, without the code that RayRuntime(code=) "
                "wants to take there.",
                hint="Have the first RayRuntime of the process connect with all code, or connect "
                "with ray.init(runtime_env={'py_modules': [...]}) and leave code= out.",
            )


def this_node() -> str | None:
    """The Ray node that this process is on; another one after every start of Ray."""
    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else None


def masked(address: str) -> str:
    """``address`` without user names, passwords and queries."""
    return re.sub(
        _SECRETS,
        lambda found: "?***" if found["query"] else f"{found['scheme'] or ''}***@",
        address,
    )


def _own_options(address: str) -> dict[str, Any]:
    """Of a Ray that is started here: its dashboard would take as much memory as all the rest, and
    processes of stages would have to wait behind the program that gives them work.
    """
    if address != LOCAL:
        return {}
    return {"include_dashboard": False, "_system_config": {"worker_niceness": 0}}


def _is_own() -> bool:
    """Whether this process has started the Ray that it is on."""
    node = ray._private.worker._global_node
    return node is not None and node.is_head()


def _is_worker() -> bool:
    """Whether Ray has started this process, with this library in it."""
    return bool(ray._private.worker.global_worker.mode == ray.WORKER_MODE)


def _check_address(address: str) -> None:
    if not isinstance(address, str) or not (
        address in (LOCAL, AUTO) or re.fullmatch(_HOST_AND_PORT, address)
    ):
        raise RayStartError(
            f"RayRuntime cannot join {masked(str(address))!r}: it is no HOST:PORT.",
            hint="Give the address that `ray start --head` prints, as in '10.0.0.5:6379', with a "
            "Ray node on this machine, or submit the program with `ray job submit`. Ray Client "
            "(ray://) is not supported.",
        )


def _check_reachable(address: str) -> None:
    """Find out within seconds: Ray itself tries for minutes."""
    if address == AUTO:
        return
    host, port = _split(address)
    # Ray is there at the address by which other machines know this one.
    host = _own_address() if _is_this_machine(host) else host
    try:
        _greet(host, port)
    except OSError as error:
        raise _start_error(address, error) from error


def _greet(host: str, port: int) -> None:
    """Exchange the first frames of HTTP/2, which gRPC, and so Ray, speaks."""
    with socket.create_connection((host, port), timeout=_CONNECT_S) as line:
        if os.environ.get("RAY_USE_TLS", "0") not in ("0", "false", ""):
            return  # somebody listens; what else is said is Ray's business
        line.sendall(_HTTP2_GREETING)
        answer = line.makefile("rb").read(_FRAME_HEAD)
    if len(answer) < _FRAME_HEAD or answer[_FRAME_KIND] != _SETTINGS:
        raise ConnectionError("what listens there is no Ray")


def _start_error(address: str, error: Exception) -> RayStartError:
    told = _story_of(error).replace(address, masked(address))
    if address == LOCAL:
        return RayStartError(
            f"Ray could not be started: {told}.",
            hint="Read Ray's log above, or run on LocalRuntime() meanwhile.",
        )
    return RayStartError(
        f"The Ray at {masked(address)} could not be joined: {told}.",
        hint="See that it is up (`ray status`), that this machine reaches its port and has a node "
        "of it (`ray start --address=...`), and that token (RAY_AUTH_MODE, RAY_AUTH_TOKEN), "
        "version of Ray and version of Python are the same.",
    )


def _story_of(error: BaseException) -> str:
    """What has happened, one line of each error: Ray tells in a cause what it knows."""
    told = f"{type(error).__name__}: {_telling_line(error)}"
    cause = error.__cause__
    return told if cause is None else f"{told}, because of {_story_of(cause)}"


def _telling_line(error: BaseException) -> str:
    """The first, unless the text has a traceback, which tells at its end."""
    lines = describe_exception(error).strip().splitlines() or [""]
    return lines[-1 if "Traceback" in lines[0] else 0].strip().rstrip(".")


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_same(asked: str, here: str) -> bool:
    (asked_host, asked_port), (host, port) = _split(asked), _split(here)
    return asked_port == port and bool(_known_as(asked_host) & _known_as(host))


def _known_as(host: str) -> set[str]:
    """All addresses of a machine that can be found."""
    found = {host}
    try:
        found |= {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return found
    if any(_is_this_machine(address) for address in found):
        found.add(_own_address())
    return found


def _own_address() -> str:
    """The address of this machine that Ray tells others."""
    own: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return own


def _is_this_machine(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _paths_of(code: Path | str | Sequence[Path | str] | None) -> tuple[Path, ...]:
    if code is None:
        return ()
    given = [code] if isinstance(code, (str, Path)) else code
    paths = tuple(Path(path).resolve() for path in given)
    for path in paths:
        if not path.is_dir() and not (path.is_file() and path.suffix in (".py", ".whl")):
            raise DeploymentError(
                f"RayRuntime(code=) names {str(path)!r}, which cannot be imported from.",
                hint="Give folders of packages, single .py modules, or wheels.",
            )
    return paths
