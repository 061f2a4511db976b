"""``python examples/voice_assistant/main.py``, from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python put this folder on the path; the package is imported from the folder above it.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

    try:
        from voice_assistant.command_line import main
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(main())
