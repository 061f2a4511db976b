"""What the parameters of a function stand for in one call."""

from __future__ import annotations

from types import FunctionType

from stageflow_actors.lint.frame import Names
from stageflow_actors.lint.records import Arguments
from stageflow_actors.lint.source import Node
from stageflow_actors.lint.values import UNKNOWN, Many, Named, value_of


def bound_names(node: Node, arguments: Arguments, function: FunctionType | None = None) -> Names:
    """Every parameter of ``node``; ``function`` knows the defaults, where it exists already."""
    declared = node.args
    positional = [each.arg for each in (*declared.posonlyargs, *declared.args)]
    keyword_only = [each.arg for each in declared.kwonlyargs]
    names = dict.fromkeys((*positional, *keyword_only), UNKNOWN)
    names.update(_defaults(positional, function))
    names.update(zip(positional, arguments.positional, strict=False))
    given = {key: values for key, values in arguments.keywords.items() if key in names}
    names.update(given)
    if declared.vararg is not None:
        rest = arguments.positional[len(positional) :]
        names[declared.vararg.arg] = (Many(tuple(rest)),) if arguments.is_complete else UNKNOWN
    if declared.kwarg is not None:
        others = {key: v for key, v in arguments.keywords.items() if key not in given}
        names[declared.kwarg.arg] = (Named(others),) if arguments.is_complete else UNKNOWN
    return names


def _defaults(positional: list[str], function: FunctionType | None) -> Names:
    if function is None:
        return {}
    values = function.__defaults__ or ()
    defaults = dict(zip(positional[len(positional) - len(values) :], values, strict=True))
    defaults.update(function.__kwdefaults__ or {})
    return {name: (value_of(value),) for name, value in defaults.items()}
