"""Who could reach a Ray here: its authentication, and the ports that are open."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stageflow_actors.cli.diagnosis.check import Check, Verdict
from stageflow_actors.cli.diagnosis.listeners import Listener, ray_listeners

_MOST_NAMED = 6


def check_network(environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Authentication, the running Ray's ports, and the address of a cluster, if one is set."""
    checks = [check_auth(environ, Path.home()), check_ports(ray_listeners())]
    address = environ.get("RAY_ADDRESS")
    if address is not None:
        told = f"RAY_ADDRESS={address}"
        hint = (
            "Runs start a local Ray all the same, unless the program has called ray.init() before."
        )
        checks.append(Check("cluster", Verdict.NOTE, told, hint, {"address": address}))
    return checks


def check_auth(environ: Mapping[str, str], home: Path) -> Check:
    """What ``RAY_AUTH_MODE`` says, and whether there is a token. The token itself is not shown."""
    mode = environ.get("RAY_AUTH_MODE")
    source = _token_source(environ, home)
    details = {"mode": mode, "token": source}
    where = f"token from {source}" if source else "no token yet"
    if mode is None:
        told = f"RAY_AUTH_MODE is not set ({where}): Ray uses a token, and makes one if needed"
        return Check("authentication", Verdict.OK, told, details=details)
    if mode.lower() == "token":
        return Check("authentication", Verdict.OK, f"token ({where})", details=details)
    if mode.lower() == "disabled":
        told = "disabled: whoever reaches a port of Ray can run code as you"
        hint = "Fine where nobody else reaches this machine; else unset RAY_AUTH_MODE."
        return Check("authentication", Verdict.NOTE, told, hint, details)
    told = f"RAY_AUTH_MODE={mode!r} is no mode that Ray knows: it asks for no token"
    hint = "Set it to token or disabled."
    return Check("authentication", Verdict.WARNING, told, hint, details)


def check_ports(listeners: Sequence[Listener] | None) -> Check:
    """Ports of Ray that are bound to all interfaces; a warning where no token guards them."""
    if listeners is None:
        return Check("ports", Verdict.NOTE, "cannot be told on this system (no /proc)")
    if not listeners:
        return Check("ports", Verdict.OK, "no Ray of yours is running here", details={"open": []})
    exposed = [each for each in listeners if each.is_exposed]
    outer = sum(each.is_outer for each in listeners)
    details = {"open": [each._asdict() for each in listeners]}
    if not exposed:
        told = f"{len(listeners)} of Ray, none on all interfaces"
        told += f", {outer} on one that others may reach" if outer else ""
        return Check("ports", Verdict.OK, told, details=details)
    named = ", ".join(f"{each.role} {each.port}" for each in exposed[:_MOST_NAMED])
    more = f" and {len(exposed) - _MOST_NAMED} more" if len(exposed) > _MOST_NAMED else ""
    told = f"{len(exposed)} of Ray on all interfaces: {named}{more}"
    if all(each.has_token for each in exposed):
        hint = "Ray asks for its token there."
        return Check("ports", Verdict.NOTE, told, hint, details)
    hint = "No token is asked for there: put a firewall in front, or unset RAY_AUTH_MODE."
    return Check("ports", Verdict.WARNING, told, hint, details)


def _token_source(environ: Mapping[str, str], home: Path) -> str | None:
    if environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    path = environ.get("RAY_AUTH_TOKEN_PATH")
    if path and Path(path).is_file():
        return f"RAY_AUTH_TOKEN_PATH ({path})"
    file = home / ".ray" / "auth_token"
    return str(file) if file.is_file() else None
