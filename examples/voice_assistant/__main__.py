"""``python -m examples.voice_assistant``, from the root of the checkout."""

from __future__ import annotations

import sys

from .command_line import main

if __name__ == "__main__":
    sys.exit(main())
