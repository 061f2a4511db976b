"""``stageflow-actors serve-config``: pipelines as a config file for Ray Serve."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from stageflow_actors.cli.failure import CommandError, reporting
from stageflow_actors.cli.loading import Loaded, load
from stageflow_actors.cli.modules import import_target, make_importable
from stageflow_actors.cli.options import TracebackOption
from stageflow_actors.cli.serve import load_verifier, not_installed
from stageflow_actors.cli.serve_file import ServeFile
from stageflow_actors.cli.serve_options import InsecureOption, OnDisconnectOption, VerifierOption
from stageflow_actors.cli.stdout import private_stdout
from stageflow_actors.cli.target import parse_target
from stageflow_actors.pipeline import Pipeline, StageGraph

if TYPE_CHECKING:
    from stageflow_actors.serving.replicas.served_app import ServedApp

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_ROUTE_PREFIX = r"/|(/[A-Za-z0-9._~-]+)+"

TargetsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET...",
        help="Pipelines: shop.support:pipeline, flows.yaml, flows.yaml:chat.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str, typer.Option(metavar="NAME", help="The name of the application in Serve.")
]
RoutePrefixOption = Annotated[
    str, typer.Option(metavar="PATH", help="Where its routes begin: /, or /shop.")
]
ReplicasOption = Annotated[
    int, typer.Option(metavar="N", help="How many processes answer requests.", min=1)
]
HostOption = Annotated[str, typer.Option(help="The address that Serve listens at.")]
PortOption = Annotated[int, typer.Option(help="The port.", min=1, max=65535)]
VersionOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Replicas of one version share their runs; else it follows from code and arguments.",
        show_default=False,
    ),
]
RegistryOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:ATTRIBUTE",
        help="The PipelineRegistry of what stages may start as child runs.",
        show_default=False,
    ),
]


def serve_config(
    targets: TargetsArgument,
    name: NameOption = "stageflow",
    route_prefix: RoutePrefixOption = "/",
    verifier: VerifierOption = None,
    is_insecure: InsecureOption = False,
    on_disconnect: OnDisconnectOption = "cancel",
    replicas: ReplicasOption = 1,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    version: VersionOption = None,
    registry: RegistryOption = None,
    with_traceback: TracebackOption = False,
) -> None:
    """Print a config file for Ray Serve, once all that it names is known to load.

    Exit code: 0 printed, 2 unusable pipeline, verifier or option.
    """
    with private_stdout() as out, reporting(with_traceback=with_traceback):
        try:
            # What serves is loaded by this command alone: the others shall start soon.
            from stageflow_actors.serving.callers import is_loopback_host
            from stageflow_actors.serving.replicas.ingress import MOST_REQUESTS
        except ModuleNotFoundError as missing:
            raise not_installed(missing) from missing
        _check_form("--name", name, _NAME, "Give letters, digits, '.', '_' and '-'.")
        _check_form("--route-prefix", route_prefix, _ROUTE_PREFIX, "Give a path: /, or /shop.")
        for each in filter(None, (verifier, registry)):
            _check_import_path(each)
        given = {
            "pipelines": [_for_every_process(each) for each in targets],
            "verifier": verifier,
            "insecure_loopback": is_insecure or None,
            "on_disconnect": on_disconnect,
            "registry": registry,
            "version": version,
        }
        args = {key: value for key, value in given.items() if value is not None}
        _check(_served_app(args), host)
        file = ServeFile(
            name=name,
            route_prefix=route_prefix,
            host=host,
            port=port,
            replicas=replicas,
            most_requests=MOST_REQUESTS,
            is_for_this_machine=is_loopback_host(host),
            args=args,
        )
        out.write(file.text())


def _for_every_process(text: str) -> str:
    """The target in words that mean the same wherever Serve starts a process."""
    target = parse_target(text)
    if target.file is not None and target.is_declared:
        file = str(target.file.resolve())
        return f"{file}:{target.attribute}" if target.attribute else file
    _check_import_path(text)
    return text


def _check_import_path(text: str) -> None:
    target = parse_target(text)
    if target.file is None:
        return
    raise CommandError(
        f"{text!r} is a file, which the processes of Serve do not import.",
        hint="Name the module, as in shop.support:pipeline; its folder has to be on their "
        "PYTHONPATH, or its package installed.",
        code="CLI-TARGET",
    )


def _check_form(option: str, value: str, form: str, hint: str) -> None:
    if not re.fullmatch(form, value):
        raise CommandError(f"{option} is {value!r:.80}.", hint=hint)


def _served_app(args: dict[str, Any]) -> ServedApp:
    from stageflow_actors.serving.replicas.served_app import ServedApp

    try:
        return ServedApp.model_validate(args)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise CommandError(f"{option}: {first['msg']}.", hint="Correct it.") from None


def _check(app: ServedApp, host: str) -> None:
    """Everything that is named is there, as the processes of Serve will look for it.

    Raises:
        StageflowError: it is not, or others than may ask would reach ``host``.
    """
    make_importable(Path.cwd())
    _check_modules(app.targets())
    if app.verifier is not None:
        load_verifier(app.verifier)
    if app.registry is not None:
        import_target(parse_target(app.registry))
    gate = app.gate()
    app.children()
    for served in app.served().values():
        served.graph  # noqa: B018 - builds it
    gate.check_host(host)


def _check_modules(targets: Sequence[str]) -> None:
    """For what the errors of this program say of modules and their pipelines."""
    from stageflow_actors.serving.served import ServedPipeline

    kinds: tuple[type[Loaded | ServedPipeline], ...] = (Pipeline, StageGraph, ServedPipeline)
    for target in targets:
        if not parse_target(target).is_declared:
            load(target, kinds)
