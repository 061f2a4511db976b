"""``stageflow-actors serve``: pipelines behind HTTP, on this machine."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stageflow_actors.cli.failure import CommandError, reporting, stderr_console
from stageflow_actors.cli.loading import load
from stageflow_actors.cli.modules import import_target
from stageflow_actors.cli.options import TracebackOption
from stageflow_actors.cli.run import RuntimeName, end_exports, make_runtime
from stageflow_actors.cli.serve_options import InsecureOption, OnDisconnectOption, VerifierOption
from stageflow_actors.cli.target import parse_target
from stageflow_actors.pipeline import Pipeline, StageGraph
from stageflow_actors.telemetry.environment import configure_from_environment

if TYPE_CHECKING:
    from stageflow_actors.security import TokenVerifier
    from stageflow_actors.serving import ServedPipeline

_FLUSH_S = 0.3
_NEEDED = ("fastapi", "starlette", "uvicorn")


def serve(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...",
            help="Pipelines: shop.support:pipeline, path/to/file.py:pipeline, flows.yaml:chat.",
            show_default=False,
        ),
    ],
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0: any.", min=0, max=65535)] = 8000,
    runtime: Annotated[
        RuntimeName, typer.Option("--runtime", "-r", help="A process per stage, or this process.")
    ] = RuntimeName.RAY,
    verifier: VerifierOption = None,
    is_insecure: InsecureOption = False,
    on_disconnect: OnDisconnectOption = "cancel",
    with_traceback: TracebackOption = False,
) -> None:
    """Serve pipelines over HTTP until Ctrl-C. Live runs are given time to end.

    Exit code: 0 stopped, 1 a pipeline could not be deployed, 2 unusable pipeline or address.
    """
    with reporting(with_traceback=with_traceback):
        try:
            # What serves is loaded by this command alone: the others shall start soon.
            from stageflow_actors.serving import build_app
            from stageflow_actors.serving.server import make_server, run_server
        except ModuleNotFoundError as missing:
            raise not_installed(missing) from missing
        exports = configure_from_environment("driver")
        place = make_runtime(runtime)
        app = build_app(
            [_served(each, on_disconnect) for each in targets],
            runtime=place,
            verifier=None if verifier is None else load_verifier(verifier),
            insecure_loopback=is_insecure,
        )
        server = make_server(app, host=host, port=port)
        names = ", ".join(app.state.service.pipelines)
        console = stderr_console()
        console.print(f"Starting {names} ({runtime.value}) ...")
        run_server(server, lambda url: console.print(f"Serving {names} at {url}"))
        with suppress(KeyboardInterrupt):
            asyncio.run(place.flush_events(_FLUSH_S))
            end_exports(exports, place)
        console.print("Stopped.")


def _served(target: str, on_disconnect: str) -> ServedPipeline:
    """What is there may say itself how it is served."""
    from stageflow_actors.serving import ServedPipeline

    kinds: tuple[type[Any], ...] = (ServedPipeline, Pipeline, StageGraph)
    found = load(target, kinds)
    return found if isinstance(found, ServedPipeline) else ServedPipeline(found, on_disconnect)


def load_verifier(text: str) -> TokenVerifier:
    """The verifier that ``text`` names, or that what it names returns.

    Raises:
        CommandError: there is none.
    """
    from stageflow_actors.serving.targets import VERIFIER_HINT, verifier_from

    target = parse_target(text)
    found: Any = None if target.is_declared else import_target(target)
    for part in filter(None, target.attribute.split(".")):
        found = getattr(found, part, None)
    try:
        verifier = verifier_from(found) if target.attribute else None
    except Exception as error:
        raise CommandError(
            f"Calling {text!r} raised {type(error).__name__}.",
            hint="Correct it, or name a TokenVerifier.",
            code="CLI-VERIFIER",
        ) from error
    if verifier is None:
        raise CommandError(
            f"{text!r} is no TokenVerifier.", hint=VERIFIER_HINT, code="CLI-VERIFIER"
        )
    return verifier


def not_installed(missing: ModuleNotFoundError) -> Exception:
    """What to say where a package is missing; ``missing`` itself, if it is none of the extra's."""
    if (missing.name or "").partition(".")[0] not in _NEEDED:
        return missing
    return CommandError(
        f"Serving needs {missing.name}, which is not installed.",
        hint="Install the extra: pip install 'stageflow-actors[serve]'.",
        code="CLI-EXTRA",
    )
