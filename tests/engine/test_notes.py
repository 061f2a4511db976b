"""What runs note is their own, though those that have nothing to note share one set of notes."""

import pytest

from stageflow_actors import Settings
from stageflow_actors.engine.state import Notes, RunState
from stageflow_actors.errors import FrozenDataError
from tests.engine.graphs import plan_of


@pytest.mark.parametrize("name", Notes._fields)
def test_what_one_run_notes_is_in_no_other(name):
    plan = plan_of({"a": ""})
    one, other = RunState(plan, Settings()), RunState(plan, Settings())
    noted = getattr(one.noting(), name)
    noted.update({0}) if isinstance(noted, set) else noted.update({0: ""})
    assert not getattr(other.notes, name)
    with pytest.raises((FrozenDataError, AttributeError)):
        getattr(other.notes, name).update({0: ""})
