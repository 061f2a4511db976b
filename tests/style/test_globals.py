"""No state at module level: across processes a global is a different object in each of them."""

import ast

from tests.style.sources import LIBRARY, offenders

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
    "stageflow_actors.engine.state.NO_NOTES": IMMUTABLE,
    "stageflow_actors.engine.timers._FIRED": LOOKED_UP,
    "stageflow_actors.engine.transitions.RUN_TRANSITIONS": LOOKED_UP,
    "stageflow_actors.engine.transitions.STAGE_TRANSITIONS": LOOKED_UP,
    "stageflow_actors.engine.verdict._STATUS": LOOKED_UP,
    "stageflow_actors.model.cleanup.NO_CLEANUPS": "closed for good",
    "stageflow_actors.model.events._OWN_FIELDS": LOOKED_UP,
    "stageflow_actors.model.frozen._CONTAINERS": LOOKED_UP,
    "stageflow_actors.model.plan.DEFAULT_EXECUTION": IMMUTABLE,
    "stageflow_actors.model.trace._ACTIVE": "each task has its own value",
    "stageflow_actors.serving.event_stream.NOTHING_YET": IMMUTABLE,
    "stageflow_actors.serving.replicas.ingress.Door": "what Serve deploys",
    "stageflow_actors.telemetry.recorder.RECORDERS": "what they record to is the process's, too",
}
DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp, ast.GeneratorExp)
MAKES_NO_STATE = {
    "FrozenDict",
    "MappingProxyType",
    "TypeVar",
    "bytes",
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
    for node in source.nodes:
        is_item = isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del))
        is_method = isinstance(node, ast.Attribute) and node.attr in WRITES
        if is_item or is_method:
            yield ast.unparse(node.value)
        elif isinstance(node, ast.AugAssign):
            yield ast.unparse(node.target)


def state_without_a_reason(source):
    return sorted(state_of(source) - set(MAY_STAY))


def globals_rebound(source):
    for node in source.nodes:
        if isinstance(node, ast.Global):
            yield f"global {', '.join(node.names)} in line {node.lineno}"


def test_a_module_holds_no_state_without_a_reason():
    assert offenders(LIBRARY, state_without_a_reason) == []


def test_every_reason_given_is_still_needed():
    assert set(MAY_STAY) == {name for source in LIBRARY for name in state_of(source)}


def test_tables_are_never_written():
    tables = {name.split(".")[-1] for name, reason in MAY_STAY.items() if reason is LOOKED_UP}
    assert tables & {name for source in LIBRARY for name in written_in(source)} == set()


def test_no_function_rebinds_a_global():
    assert offenders(LIBRARY, globals_rebound) == []


def test_state_is_noticed(plant):
    made = "a = {}\nb = [1]\nc = Cache()\nd = frozenset({1})\ne: list[int] = []\nf = 1"
    found = offenders([plant("stageflow_actors/engine/one.py", made)], state_without_a_reason)
    assert [each.rpartition(".")[2] for each in found] == ["a", "b", "c", "e"]
    assert found[0] == "stageflow_actors/engine/one.py: stageflow_actors.engine.one.a"


def test_writing_is_noticed(plant):
    writes = "a[1] = 2\ndel b.c[1]\nd.append(1)\ne += [1]\nf[1].get(2)\ng = h"
    assert set(written_in(plant("one.py", writes))) == {"a", "b.c", "d", "e"}


def test_rebinding_a_global_is_noticed(plant):
    rebinds = "def one():\n    global a, b\n    a = b = 1"
    assert offenders([plant("one.py", rebinds)], globals_rebound) == [
        "one.py: global a, b in line 2"
    ]
