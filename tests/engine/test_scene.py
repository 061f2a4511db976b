"""A tick that breaks an invariant is noticed, whichever test has played it."""

import pytest

from stageflow_actors.engine.invariants import InvariantViolation
from tests.engine.scene import Scene


def test_a_tick_of_a_test_that_leaves_a_defect_is_noticed():
    scene = Scene({"a": "", "b": ""})
    scene.begin()
    scene.machine.state.live += 1
    with pytest.raises(InvariantViolation, match="live is"):
        scene.tick(scene.ok("a"))
