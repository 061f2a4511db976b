import pickle

import pytest

from stageflow_actors.model.ancestry import Ancestry, below, depth_of
from stageflow_actors.model.identity import new_id


def test_a_child_of_a_run_that_nobody_spawned_is_at_depth_one_below_that_run():
    run = new_id()
    assert below(None, run, "plan") == Ancestry(
        root_run_id=run, parent_run_id=run, parent_stage="plan", depth=1
    )


def test_a_child_of_a_child_keeps_the_root_and_is_one_deeper():
    root, child, grandchild = new_id(), new_id(), new_id()
    of_child = below(None, root, "plan")
    of_grandchild = below(of_child, child, "split")
    assert of_grandchild == Ancestry(root, child, "split", 2)
    assert below(of_grandchild, grandchild, "count") == Ancestry(root, grandchild, "count", 3)
    assert of_child == Ancestry(root, root, "plan", 1), "that of the parent is left as it was"


@pytest.mark.parametrize("levels", range(4))
def test_the_depth_is_the_number_of_runs_above(levels):
    ancestry = None
    for _ in range(levels):
        ancestry = below(ancestry, new_id(), "s")
    assert depth_of(ancestry) == levels


def test_an_ancestry_travels():
    ancestry = below(None, new_id(), "plan")
    copy = pickle.loads(pickle.dumps(ancestry))
    assert copy == ancestry
    assert type(copy) is Ancestry
