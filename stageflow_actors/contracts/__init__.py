"""Contracts of stage data: what a stage promises to return, and what a stage relies on reading.

Each name is loaded on first use: a check in a running stage needs few of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stageflow_actors.model.checking.checks import RUN_INPUT, Contract, read_as

if TYPE_CHECKING:
    from stageflow_actors.contracts.compatibility import SchemaChanges, compare_schemas
    from stageflow_actors.contracts.registry import (
        ContractCompatibilityReport,
        ContractMetadata,
        ContractRegistry,
    )
    from stageflow_actors.contracts.schemas import (
        edge_contracts,
        input_contracts,
        input_schema,
        output_schema,
    )
    from stageflow_actors.contracts.typed_output import TypedStageOutput, timestamp_version

_MODULES = (
    ("compatibility", ("SchemaChanges", "compare_schemas")),
    ("registry", ("ContractCompatibilityReport", "ContractMetadata", "ContractRegistry")),
    ("schemas", ("edge_contracts", "input_contracts", "input_schema", "output_schema")),
    ("typed_output", ("TypedStageOutput", "timestamp_version")),
)

__all__ = (
    "RUN_INPUT",
    "Contract",
    "ContractCompatibilityReport",
    "ContractMetadata",
    "ContractRegistry",
    "SchemaChanges",
    "TypedStageOutput",
    "compare_schemas",
    "edge_contracts",
    "input_contracts",
    "input_schema",
    "output_schema",
    "read_as",
    "timestamp_version",
)


def __getattr__(name: str) -> Any:
    for module, names in _MODULES:
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
