"""Runs the Python blocks of one document in order, in one namespace, as ``__main__``.

python -m tests.docs.run_examples DOCUMENT FORBIDDEN_MODULE...
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.docs.documents import examples


def main(document: str, *forbidden: str) -> None:
    namespace = {"__name__": "__main__"}
    for block in examples(Path(document)):
        # Leading newlines make the lines of a traceback those of the document.
        code = "\n" * (block.line - 1) + block.code
        exec(compile(code, document, "exec", dont_inherit=True), namespace)
    loaded = sorted(set(forbidden) & sys.modules.keys())
    if loaded:
        sys.exit(f"{document} loaded {', '.join(loaded)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
