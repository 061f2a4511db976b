"""Answers one question with the pipeline of help_desk.yaml.

.venv/bin/python -m examples.configured.main "How do I reset my password?"
"""

from __future__ import annotations

import sys
from pathlib import Path

from stageflow_actors import LocalRuntime, Pipeline

FILE = Path(__file__).with_name("help_desk.yaml")


def answer(question: str) -> str:
    pipeline = Pipeline.from_file(FILE)
    results = pipeline.run_sync(input_text=question, runtime=LocalRuntime())
    return str(results["reply"].data["sent"])


if __name__ == "__main__":
    print(answer(" ".join(sys.argv[1:]) or "How do I reset my password?"))
