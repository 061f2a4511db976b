"""Properties that are tried a few times in every run of the tests, and often in ``make stress``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

FEW, MANY = 100, 1_000


def few_or_many(*drawn: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """A test of what holds whatever is drawn."""

    def test_of(check: Callable[..., None]) -> Any:
        @pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.stress)])
        def test(count: int) -> None:
            settings(max_examples=count)(given(*drawn)(check))()

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return test_of
