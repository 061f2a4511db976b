"""Logs of the processes that the library starts, as the environment asks for."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

FORMAT, LEVEL = "STAGEFLOW_LOG_FORMAT", "STAGEFLOW_LOG_LEVEL"

logger = logging.getLogger("stageflow_actors.telemetry")


def begin_logs(environ: Mapping[str, str] | None = None) -> bool:
    """Call ``configure_logging`` with ``STAGEFLOW_LOG_FORMAT`` and ``STAGEFLOW_LOG_LEVEL``.

    Does nothing, and imports nothing, where neither is set; whether one was. A value that means
    nothing is told in a warning, and the default counts: ``text``, ``INFO``.
    """
    given = os.environ if environ is None else environ
    format_, level = (given.get(name, "").strip() for name in (FORMAT, LEVEL))
    if not format_ and not level:
        return False
    from stageflow_actors.telemetry.logs import FORMATS, LEVELS, configure_logging, level_of

    wrong = []
    format_ = format_.lower() or "text"
    if format_ not in FORMATS:
        wrong.append((f"{FORMAT}={format_!r}", f"say {' or '.join(FORMATS)}; 'text' counts"))
        format_ = "text"
    try:
        number = level_of(level or "INFO")
    except ValueError:
        wrong.append((f"{LEVEL}={level!r}", f"say {LEVELS}; 'INFO' counts"))
        number = logging.INFO
    configure_logging(number, format_)
    for each in wrong:
        logger.warning("%s means nothing: %s.", *each)
    return True
