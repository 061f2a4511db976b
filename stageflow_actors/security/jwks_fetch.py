"""Fetching a JWK Set: from where it may be, and how much of it."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

from stageflow_actors.errors import PolicyError

MAX_BYTES = 256 * 1024
"""Of a JWK Set; real ones have a few thousand."""


class Address(NamedTuple):
    """Where a JWK Set is; ``path`` has the query, too."""

    is_secure: bool
    host: str
    port: int | None
    path: str


def read_address(url: object) -> Address:
    """The parts of ``url``, which is https, or http on this machine.

    Raises:
        PolicyError: it is something else, or has a user, a password or a fragment.
    """
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        _refuse("no URL in plain ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https"):
        _refuse("no https URL")
    if "@" in parts.netloc or parts.fragment:
        _refuse("a URL with a user or a fragment")
    if parts.scheme == "http" and not _is_here(host):
        _refuse("a plain http URL of another machine")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme == "https", host, port, path)


def fetch(address: Address, timeout_s: float) -> bytes:
    """What stands at ``address``. It follows nothing, and asks no proxy.

    Each step has ``timeout_s``; certificates are checked. Blocks.

    Raises:
        OSError, http.client.HTTPException: it cannot be had, or not from there.
    """
    connection = _connect(address, timeout_s)
    try:
        connection.request("GET", address.path)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise OSError(f"it answered with status {response.status}")
        body = response.read(MAX_BYTES + 1)
    finally:
        connection.close()
    if len(body) > MAX_BYTES:
        raise OSError(f"it is larger than {MAX_BYTES} bytes")
    return body


def _connect(address: Address, timeout_s: float) -> http.client.HTTPConnection:
    if not address.is_secure:
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    checked = ssl.create_default_context()
    return http.client.HTTPSConnection(
        address.host, address.port, timeout=timeout_s, context=checked
    )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse(what: str) -> NoReturn:
    raise PolicyError(
        f"JwksUrl was given {what}.",
        hint="Give an https URL; http is for this machine alone, such as http://127.0.0.1.",
    )
