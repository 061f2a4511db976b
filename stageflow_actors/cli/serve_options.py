"""Options that the commands have which serve."""

from __future__ import annotations

from typing import Annotated

import typer

VerifierOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:ATTRIBUTE",
        help="What verifies bearer tokens: a TokenVerifier, or a function that returns one.",
        show_default=False,
    ),
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure-loopback", help="Without tokens, for this machine alone.")
]
OnDisconnectOption = Annotated[
    str, typer.Option(help="What becomes of a run whose client goes: cancel or continue.")
]
