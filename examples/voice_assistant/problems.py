"""What can be wrong with what the user gave, said in a way that helps."""

from __future__ import annotations


class Problem(Exception):
    """A problem that the user can solve: what happened, and what to do about it."""

    exit_code = 2

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}"


class BadRecordingError(Problem):
    """The recording cannot be used as a question."""
