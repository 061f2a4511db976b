"""Files of pipelines, written into a folder of the test."""

from __future__ import annotations

import re
import textwrap

import pytest

from stageflow_actors import ConfigurationError, Pipeline

STAGES = "tests.configuration.stages"


@pytest.fixture
def write(tmp_path):
    """Writes a file; ``@Name`` stands for the import path of a name in ``stages.py``."""

    def write_file(text, name="flow.yaml"):
        path = tmp_path / name
        text = textwrap.dedent(text)
        path.write_text(re.sub(r"(?<!\w)@(?=\w)", f"{STAGES}:", text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def load(write):
    """The pipeline of a text; overrides come from ``environment`` alone."""

    def load_text(text, environment=None, name="flow.yaml"):
        return Pipeline.from_file(write(text, name), environment=environment or {})

    return load_text


@pytest.fixture
def problems_of(load):
    """The problems of a text that cannot be used."""

    def problems(text, environment=None, name="flow.yaml"):
        with pytest.raises(ConfigurationError) as caught:
            load(text, environment, name)
        return caught.value.problems

    return problems
