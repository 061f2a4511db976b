"""What is wrong with a file that declares pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stageflow_actors.errors.root import StageflowError


@dataclass(frozen=True, slots=True)
class ConfigurationProblem:
    """One thing that is wrong in a file: where, what, and what to do.

    ``line`` counts from 1; it is ``None`` where the file as a whole is meant. ``path`` leads to the
    value inside the file, as in ``stages.answer.retry.max_attempts``. ``value`` shows what stands
    there, unless that may be secret. ``variable`` is the environment variable that put it there.
    """

    message: str
    file: str = ""
    line: int | None = None
    path: str = ""
    hint: str = ""
    code: str = "CONFIG-VALUE"
    value: str = ""
    variable: str = ""

    @property
    def place(self) -> str:
        """``file:line``, as editors and CI read it."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    @property
    def told(self) -> str:
        """Place, path and message on one line."""
        path = f"{self.path} (from {self.variable})" if self.variable else self.path
        before = "".join(f"{part}: " for part in (self.place, path) if part)
        return f"{before}{self.message}"

    def __str__(self) -> str:
        """The same with hint and code."""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.told}{hint} [{self.code}]"


class ConfigurationError(StageflowError, ValueError):
    """A file does not declare usable pipelines, or a pipeline cannot be written to one.

    ``problems`` has all that was found, in the order of the file. Where there is only one, its hint
    and code are those of the error.
    """

    default_code = "CONFIG-INVALID"

    def __init__(
        self, what: str, problems: Sequence[ConfigurationProblem], *, code: str | None = None
    ) -> None:
        found = tuple(problems)
        if len(found) == 1:
            super().__init__(found[0].told, hint=found[0].hint, code=code or found[0].code)
        else:
            lines = "".join(f"\n  {problem}" for problem in found)
            super().__init__(f"{what} has {len(found)} problems:{lines}", code=code)
        self.problems = found
