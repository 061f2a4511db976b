"""``stageflow-actors validate``: what is wrong with files that declare pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from stageflow_actors.cli.documents import to_json
from stageflow_actors.cli.failure import CommandError, ExitCode, reporting
from stageflow_actors.cli.modules import make_importable
from stageflow_actors.cli.options import JsonOption, TracebackOption
from stageflow_actors.cli.stdout import private_stdout
from stageflow_actors.drawing.labels import shown
from stageflow_actors.errors import ConfigurationError, ConfigurationProblem

if TYPE_CHECKING:
    from stageflow_actors.configuration.whole import FilePipeline


class _Checked(NamedTuple):
    """One file."""

    file: str
    pipelines: Sequence[FilePipeline]
    problems: Sequence[ConfigurationProblem]

    @property
    def is_unreadable(self) -> bool:
        return any(problem.code == "CONFIG-FILE" for problem in self.problems)


def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Files that declare pipelines.", show_default=False),
    ] = None,
    with_schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of such files, and end.")
    ] = False,
    as_json: JsonOption = False,
    with_traceback: TracebackOption = False,
) -> None:
    """Check files that declare pipelines. The modules that they name are imported, nothing is run.

    Exit code: 0 all are valid, 1 something is wrong, 2 a file cannot be read.
    """
    with private_stdout() as out:
        with reporting(with_traceback=with_traceback, json_to=out if as_json else None):
            if with_schema:
                # Reading files is loaded by this command alone: the others shall start soon.
                from stageflow_actors.configuration.schema import file_schema

                out.write(to_json(file_schema()))
                return
            if not files:
                raise CommandError("No file was given.", hint="Write validate flows.yaml.")
            make_importable(Path.cwd())
            checked = [_check(file) for file in files]
            out.write(to_json(_document(checked)) if as_json else _told(checked))
        if any(each.is_unreadable for each in checked):
            raise typer.Exit(ExitCode.UNUSABLE)
        if any(each.problems for each in checked):
            raise typer.Exit(ExitCode.FAILED)


def _check(file: str) -> _Checked:
    from stageflow_actors.configuration.reading import read_pipelines

    make_importable(Path(file).resolve().parent)
    try:
        return _Checked(file, read_pipelines(file), ())
    except ConfigurationError as error:
        return _Checked(file, (), error.problems)


def _told(checked: Sequence[_Checked]) -> str:
    """A line for each problem, and one for each file without any."""
    lines = []
    for each in checked:
        lines += [shown(str(problem)) for problem in each.problems]
        if not each.problems:
            parts = (f"{one.name} ({_count(len(one.specs))})" for one in each.pipelines)
            lines.append(shown(f"{each.file}: valid: {', '.join(parts)}"))
    return "".join(f"{line}\n" for line in lines)


def _count(stages: int) -> str:
    return "1 stage" if stages == 1 else f"{stages} stages"


def _document(checked: Sequence[_Checked]) -> dict[str, Any]:
    return {
        "status": "invalid" if any(each.problems for each in checked) else "valid",
        "files": [
            {
                "file": each.file,
                "pipelines": [
                    {"name": pipeline.name, "stages": [spec.name for spec in pipeline.specs]}
                    for pipeline in each.pipelines
                ],
                "problems": [asdict(problem) for problem in each.problems],
            }
            for each in checked
        ],
    }
