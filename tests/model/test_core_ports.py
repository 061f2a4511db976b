import copy
import pickle

import pytest

from stageflow_actors import CorePorts, InvalidRunInputError, PipelineContext


def test_a_port_is_read_by_its_name():
    ports = CorePorts(db="tea.sqlite", llm=len, cache=None)
    assert (ports.db, ports.llm, ports.cache) == ("tea.sqlite", len, None)
    assert CorePorts(llm=len).db is None


def test_an_unknown_port_is_an_attribute_error_that_lists_those_there_are():
    with pytest.raises(AttributeError) as refused:
        _ = CorePorts(llm=1).cache
    assert str(refused.value) == "This run has no port 'cache'; it has: db, llm."
    assert not hasattr(CorePorts(), "cache")
    assert getattr(CorePorts(), "cache", 7) == 7


def test_ports_are_read_only():
    ports = CorePorts(db=1)
    for name in ("db", "other", "_ports"):
        with pytest.raises(AttributeError, match=f"read-only; pass {name}="):
            setattr(ports, name, 2)
    assert ports.db == 1


@pytest.mark.parametrize("name", ["items", "_ports", "_mine", "__class__"])
def test_a_name_that_would_not_lead_to_its_port_is_refused(name):
    with pytest.raises(InvalidRunInputError) as refused:
        CorePorts(**{name: 1})
    assert f"'{name}'" in refused.value.message


def test_ports_are_listed_in_the_order_given():
    assert CorePorts(b=2, a=1).items() == [("db", None), ("b", 2), ("a", 1)]


def test_ports_are_shown_by_name_without_what_they_hold():
    assert repr(CorePorts(db="secret://user:password", llm=1)) == "CorePorts(db, llm)"


@pytest.mark.parametrize("again", [lambda each: pickle.loads(pickle.dumps(each)), copy.copy])
def test_ports_travel(again):
    copied = again(CorePorts(db={"path": "x"}, llm=1))
    assert type(copied) is CorePorts
    assert copied.items() == [("db", {"path": "x"}), ("llm", 1)]


def test_a_context_takes_ports_or_a_port_and_not_both():
    ports = CorePorts(llm=1)
    assert PipelineContext.create(ports=ports).ports is ports
    assert PipelineContext.create(db=5).ports.db == 5
    assert PipelineContext.create(db=0).ports.db == 0  # only None stands for no port
    assert PipelineContext.create().ports is None
    with pytest.raises(InvalidRunInputError, match="ports= and also db="):
        PipelineContext.create(ports=ports, db=5)


@pytest.mark.parametrize("ports", [{"db": 1}, 5, "db", CorePorts])
def test_ports_of_another_type_are_refused_and_the_type_is_named(ports):
    with pytest.raises(InvalidRunInputError) as refused:
        PipelineContext(ports=ports)
    assert refused.value.code == "RUN-INPUT"
    assert type(ports).__name__ in refused.value.message
