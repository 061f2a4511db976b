"""``load_pipelines``: files with several pipelines."""

from __future__ import annotations

import os
from collections.abc import Mapping

from stageflow_actors.configuration.reading import read_pipelines
from stageflow_actors.pipeline import Pipeline


def load_pipelines(
    path: str | os.PathLike[str], *, environment: Mapping[str, str] | None = None
) -> dict[str, Pipeline]:
    """The pipelines that a YAML or TOML file declares, by name; see ``Pipeline.from_file``.

    Raises:
        ConfigurationError: the file cannot be used; ``problems`` has all that is wrong.
    """
    declared = read_pipelines(path, environment)
    return {each.name: Pipeline.from_declared(each) for each in declared}
