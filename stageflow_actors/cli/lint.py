"""``stageflow-actors lint``: what is wrong with a pipeline, for people and for CI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from stageflow_actors.cli.documents import to_json
from stageflow_actors.cli.failure import ExitCode, reporting
from stageflow_actors.cli.loading import Loaded, declared_specs, load_pipeline
from stageflow_actors.cli.options import JsonOption, TargetArgument, TracebackOption
from stageflow_actors.cli.stdout import private_stdout
from stageflow_actors.drawing.labels import shown
from stageflow_actors.lint.check import check
from stageflow_actors.lint.findings import Finding, Place, Rule


def lint(
    target: TargetArgument,
    ignored: Annotated[
        list[Rule] | None,
        typer.Option("--ignore", help="Leave out what this rule says. May be given several times."),
    ] = None,
    as_json: JsonOption = False,
    with_traceback: TracebackOption = False,
) -> None:
    """Check a pipeline without running it.

    Exit code: 0 no findings (notes may be there), 1 findings, 2 the pipeline cannot be loaded.
    """
    with private_stdout() as out:
        with reporting(with_traceback=with_traceback, json_to=out if as_json else None):
            pipeline = load_pipeline(target)
            everything = check(declared_specs(pipeline))
            kept = [finding for finding in everything if finding.rule not in (ignored or ())]
            if as_json:
                out.write(to_json(_document(pipeline, kept)))
            else:
                _print(Console(file=out, highlight=False, markup=False), pipeline, kept)
        if any(not finding.is_note for finding in kept):
            raise typer.Exit(ExitCode.FAILED)


def _document(pipeline: Loaded, findings: Sequence[Finding]) -> dict[str, Any]:
    mistakes = [finding for finding in findings if not finding.is_note]
    notes = [finding for finding in findings if finding.is_note]
    return {
        "status": "findings" if mistakes else "clean",
        "pipeline": pipeline.name,
        "findings": [_plain(finding) for finding in mistakes],
        "notes": [_plain(finding) for finding in notes],
    }


def _plain(finding: Finding) -> dict[str, Any]:
    fields = asdict(finding)
    del fields["is_note"]
    place = fields.pop("place")
    file, line = place or (None, None)
    return {**fields, "file": file, "line": line}


def _print(console: Console, pipeline: Loaded, findings: Sequence[Finding]) -> None:
    for finding in findings:
        console.print(_told(finding), soft_wrap=True)
    mistakes = sum(not finding.is_note for finding in findings)
    notes = len(findings) - mistakes
    count = len(declared_specs(pipeline))
    text = Text(f"{shown(pipeline.name)}: {_count(count, 'stage')}, ", "bold")
    text.append(_count(mistakes, "finding"), "bold red" if mistakes else "bold green")
    text.append(f", {_count(notes, 'note')}")
    console.print(text)


def _told(finding: Finding) -> Text:
    sign, style = ("note ", "cyan") if finding.is_note else ("error", "bold red")
    text = Text.assemble(
        (sign, style), f"  {shown(finding.message)}  ", (f"[{finding.rule}]", "dim")
    )
    if finding.hint:
        text.append("\n  try", "bold cyan")
        text.append(f"  {shown(finding.hint)}")
    if finding.place is not None:
        text.append(f"\n   in  {_shown_place(finding.place)}", "dim")
    return text.append("\n")


def _shown_place(place: Place) -> str:
    """Relative where the file is below the current directory, so that editors find it."""
    file = Path(place.file)
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    return f"{file}:{place.line}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
