"""``CorePorts``: what the application hands to all stages of a run beside data."""

from __future__ import annotations

from typing import Any

from stageflow_actors.errors import InvalidRunInputError


class CorePorts:
    """Things that stages call, by name: ``CorePorts(db=pool, llm=client).db``.

    They travel to each stage by pickle, on every runtime: pass what opens a connection, or a handle
    (an actor's, for example), and not the connection. Read-only; ``db`` is ``None`` unless given.

    Raises:
        InvalidRunInputError: a name that would not lead to its port: ``items``, or ``_`` in front.
    """

    __slots__ = ("_ports",)

    def __init__(self, *, db: Any = None, **ports: Any) -> None:
        for name in ports:
            if name.startswith("_") or hasattr(type(self), name):
                raise InvalidRunInputError(f"No port can be named '{name}'.", hint="Rename it.")
        object.__setattr__(self, "_ports", {"db": db, **ports})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._ports[name]
        except KeyError:
            known = ", ".join(self._ports)
            raise AttributeError(f"This run has no port '{name}'; it has: {known}.") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Ports are read-only; pass {name}= when the run starts.")

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self._ports,)

    def __repr__(self) -> str:
        return f"CorePorts({', '.join(self._ports)})"

    def items(self) -> list[tuple[str, Any]]:
        """Names and ports."""
        return list(self._ports.items())


def _remake(ports: dict[str, Any]) -> CorePorts:
    return CorePorts(**ports)
