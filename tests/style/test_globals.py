"""No state at module level: across processes a global is a different object in each of them."""

import ast

import pytest

from tests.style.sources import LIBRARY

LOOKED_UP = "a table that is looked up and never written"
IMMUTABLE = "frozen, like a number"
OUTERMOST_EDGE = "the default of this process, for callers who name none; nothing inside reads it"
MAY_STAY = {
    "stageflow_actors.__all__": "what Python asks for",
    "stageflow_actors.errors.__all__": "what Python asks for",
    "stageflow_actors._LAZY": LOOKED_UP,
    "stageflow_actors.actors.defaults.DEFAULT_RUNTIME": OUTERMOST_EDGE,
    "stageflow_actors.actors.direct_door._CREDENTIALS": IMMUTABLE,
    "stageflow_actors.actors.direct_frames._HEAD": IMMUTABLE,
    "stageflow_actors.actors.observation.DEFAULT_SINK": OUTERMOST_EDGE,
    "stageflow_actors.actors.ray_connection._STARTING_RAY": "Ray is started once per process",
    "stageflow_actors.actors.run._PERFORM": LOOKED_UP,
    "stageflow_actors.actors.ties.NO_TIES": IMMUTABLE,
    "stageflow_actors.engine.facts.NO_HINT": IMMUTABLE,
    "stageflow_actors.engine.machine._END_EVENT": LOOKED_UP,
    "stageflow_actors.engine.machine._ORDER": LOOKED_UP,
    "stageflow_actors.engine.timers._FIRED": LOOKED_UP,
    "stageflow_actors.engine.transitions.RUN_TRANSITIONS": LOOKED_UP,
    "stageflow_actors.engine.transitions.STAGE_TRANSITIONS": LOOKED_UP,
    "stageflow_actors.engine.verdict._STATUS": LOOKED_UP,
    "stageflow_actors.model.cleanup.NO_CLEANUPS": "closed for good",
    "stageflow_actors.model.events._OWN_FIELDS": LOOKED_UP,
    "stageflow_actors.model.frozen._CONTAINERS": LOOKED_UP,
    "stageflow_actors.model.plan.DEFAULT_EXECUTION": IMMUTABLE,
    "stageflow_actors.serving.event_stream.NOTHING_YET": IMMUTABLE,
    "stageflow_actors.serving.replicas.ingress.Door": "what Serve deploys",
}
DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp, ast.GeneratorExp)
MAKES_NO_STATE = {
    "FrozenDict",
    "MappingProxyType",
    "TypeVar",
    "frozenset",
    "getLogger",
    "object",
    "tuple",
}
WRITES = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove"}
WRITES |= {"setdefault", "update", "__setitem__", "__delitem__"}


def module_level_values(tree):
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((target, node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield node.target, node.value


def may_change(value):
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).split(".")[-1] not in MAKES_NO_STATE
    return isinstance(value, DISPLAYS)


def state_of(source):
    return {
        f"{source.module}.{ast.unparse(target)}"
        for target, value in module_level_values(source.tree)
        if may_change(value)
    }


def written_in(source):
    """Names that are written into: ``NAME[...] = ``, ``del NAME[...]``, ``NAME.append(...)``."""
    for node in ast.walk(source.tree):
        is_item = isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del))
        is_method = isinstance(node, ast.Attribute) and node.attr in WRITES
        if is_item or is_method:
            yield ast.unparse(node.value)
        elif isinstance(node, ast.AugAssign):
            yield ast.unparse(node.target)


@pytest.mark.parametrize("source", LIBRARY, ids=repr)
def test_a_module_holds_no_state_without_a_reason(source):
    assert state_of(source) <= set(MAY_STAY)


def test_every_reason_given_is_still_needed():
    assert set(MAY_STAY) == {name for source in LIBRARY for name in state_of(source)}


def test_tables_are_never_written():
    tables = {name.split(".")[-1] for name, reason in MAY_STAY.items() if reason is LOOKED_UP}
    assert tables & {name for source in LIBRARY for name in written_in(source)} == set()


@pytest.mark.parametrize("source", LIBRARY, ids=repr)
def test_no_function_rebinds_a_global(source):
    assert not [node for node in ast.walk(source.tree) if isinstance(node, ast.Global)]


def test_state_is_recognised():
    made = ast.parse("a = {}\nb = [1]\nc = Cache()\nd = frozenset({1})\ne: list[int] = []\nf = 1")
    found = [
        ast.unparse(target) for target, value in module_level_values(made) if may_change(value)
    ]
    assert found == ["a", "b", "c", "e"]
