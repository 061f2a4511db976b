"""The checker has teeth: for each of its rules there is a defect of the engine that it finds."""

import pytest

from stageflow_actors.testing import Rule, simulate, violations
from tests.simulation import mutants, mutants_ahead, mutants_of_deaths

MUTANTS = [*mutants.MUTANTS, *mutants_of_deaths.MUTANTS, *mutants_ahead.MUTANTS]
MOST_SEEDS = 1_000


@pytest.fixture(autouse=True)
def checked_engine():
    """Without the invariants of the engine: the checker has to find it from outside."""


def first_seed_that_breaks(rule):
    for seed in range(MOST_SEEDS):
        if any(found.startswith(f"{rule}: ") for found in violations(simulate(seed))):
            return seed
    return None


@pytest.mark.parametrize(
    ("rule", "mutate"), MUTANTS, ids=[mutate.__name__ for _rule, mutate in MUTANTS]
)
def test_the_checker_finds_a_defect(rule, mutate, monkeypatch):
    mutate(monkeypatch)
    assert first_seed_that_breaks(rule) is not None, f"nobody noticed: {rule}"


def test_every_rule_has_a_defect_to_find():
    assert {rule for rule, _mutate in MUTANTS} == set(Rule)
