"""The example that ``make demo`` runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "word_count"


def run_example(*arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLE / "main.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("runtime", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_example_counts_what_is_there(runtime):
    texts = [path.read_text(encoding="utf-8") for path in (EXAMPLE / "texts").glob("*.txt")]
    words = Counter(re.findall(r"[a-z]+", " ".join(texts).lower()))
    done = run_example("--runtime", runtime)
    assert done.returncode == 0, done.stderr
    assert f"{words.total()} words, {len(words)} different" in done.stdout
    word, count = words.most_common(1)[0]
    assert re.search(rf"^\s+{count}\s+{word}$", done.stdout, re.MULTILINE)


def test_example_says_when_there_is_nothing_to_count(tmp_path):
    done = run_example("--runtime", "local", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert "No *.txt" in done.stderr
