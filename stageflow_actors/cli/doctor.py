"""``stageflow-actors doctor``: whether pipelines can run here, and what they find."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Console
from rich.text import Text

from stageflow_actors.cli.diagnosis.check import Check, Verdict
from stageflow_actors.cli.diagnosis.machine import (
    check_cpus,
    check_folder,
    check_gpus,
    check_memory,
)
from stageflow_actors.cli.diagnosis.network import check_network
from stageflow_actors.cli.failure import ExitCode, reporting
from stageflow_actors.cli.options import JsonOption, TracebackOption
from stageflow_actors.cli.stdout import private_stdout
from stageflow_actors.drawing.labels import shown


def doctor(as_json: JsonOption = False, with_traceback: TracebackOption = False) -> None:
    """Look at what pipelines need and find here. Starts no Ray.

    Exit code: 0 everything needed is there, 1 something needed is broken.
    """
    with private_stdout() as out:
        with reporting(with_traceback=with_traceback, json_to=out if as_json else None):
            checks = examine()
            if as_json:
                out.write(document(checks))
            else:
                print_checks(Console(file=out, highlight=False, markup=False), checks)
        if worst(checks) is Verdict.BROKEN:
            raise typer.Exit(ExitCode.FAILED)


def examine() -> list[Check]:
    """Every check, in the order to show them in."""
    from stageflow_actors.cli.diagnosis.packages import (  # reads versions, as no other command
        check_packages,
        check_python,
        check_ray_import,
    )

    return [
        check_python(),
        *check_packages(),
        check_ray_import(),
        check_cpus(),
        check_memory(),
        check_gpus(),
        check_folder(),
        *check_network(),
    ]


def worst(checks: Sequence[Check]) -> Verdict:
    """The verdict over all."""
    order = list(Verdict)
    return max((check.verdict for check in checks), key=order.index, default=Verdict.OK)


def document(checks: Sequence[Check]) -> str:
    """The checks as JSON."""
    told = {"status": worst(checks).value, "checks": [asdict(check) for check in checks]}
    return json.dumps(told, indent=2) + "\n"


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """A line for each check, its hint below it, a verdict at the end."""
    width = max(len(check.name) for check in checks)
    styles = {Verdict.OK: "green", Verdict.NOTE: "cyan", Verdict.WARNING: "bold yellow"}
    for check in checks:
        style = styles.get(check.verdict, "bold red")
        text = Text.assemble((f"{check.verdict:<8}", style), f"{check.name:<{width}}  ")
        text.append(shown(check.told))
        if check.hint:
            text.append(f"\n{'':{width + 10}}{shown(check.hint)}", "dim")
        console.print(text, soft_wrap=True)
    if worst(checks) is Verdict.BROKEN:
        console.print("\nSomething that is needed is broken.", style="bold red")
    else:
        console.print("\nPipelines can run here.", style="bold green")
