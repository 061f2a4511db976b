"""What stages stream out, as clients see it."""

from __future__ import annotations

from typing import Any

from stageflow_actors.model.identity import rfc3339
from stageflow_actors.model.streaming import StreamPiece
from stageflow_actors.serving.plain import plain

PIECE = "stream.token"
"""The type of an entry that is a piece."""


def piece_parts(piece: StreamPiece) -> tuple[dict[str, Any], bytes | None]:
    """The document of a piece, and its bytes where it is bytes or an array.

    Of bytes the document has no ``data``; of an array it has its ``dtype`` and ``shape``, whose
    elements stand in C order.
    """
    document: dict[str, Any] = {
        "type": PIECE,
        "piece": piece.seq,
        "at": rfc3339(piece.at),
        "stage": piece.stage,
        "attempt": piece.attempt,
        "audience": piece.audience.value,
    }
    data = piece.data
    if isinstance(data, bytes | bytearray | memoryview):
        return document, bytes(data)
    if _is_array(data):
        document["array"] = {"dtype": data.dtype.str, "shape": [*data.shape]}
        return document, data.tobytes()
    document["data"] = plain(data)
    return document, None


def _is_array(data: Any) -> bool:
    """An array of NumPy whose elements are numbers; nobody needs NumPy to ask."""
    return (
        type(data).__module__ == "numpy"
        and getattr(data, "dtype", None) is not None
        and (data.dtype.kind in "biufc")
    )
