"""The example that fans a folder of texts out over heavy stages."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "document_enrichment"
FOX = "The quick brown fox jumps over the lazy dog near the old river bank every morning. " * 8


def run_example(*arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLE / "main.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "texts"
    (folder / "deeper").mkdir(parents=True)
    (folder / "fox.txt").write_text(FOX, encoding="utf-8")
    (folder / "deeper" / "fox.md").write_text(FOX + "It is a fine fox.", encoding="utf-8")
    (folder / "rain.txt").write_text(
        "Rain fell on tin roofs. " * 9 + "All slept.", encoding="utf-8"
    )
    (folder / "ignored.bin").write_bytes(b"\xff\xfe")
    return folder


@pytest.fixture(scope="module")
def enrichment():
    spec = importlib.util.spec_from_file_location("enrichment", EXAMPLE / "enrichment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("runtime", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_example_enriches_every_text_of_the_folder(runtime, folder, tmp_path, request):
    if runtime == "ray":
        request.getfixturevalue("joined_ray")
    output = tmp_path / "enriched.jsonl"
    options = ("--runtime", runtime, "--folder", folder, "--workers", 2, "--output", output)
    done = run_example(*options)
    assert done.returncode == 0, done.stderr
    found = {line["text"]: line for line in map(json.loads, output.read_text().splitlines())}
    assert sorted(found) == ["deeper/fox.md", "fox.txt", "rain.txt"]
    assert found["fox.txt"]["words"] == len(re.findall(r"\w+", FOX))
    assert found["rain.txt"]["topics"][0] == "rain"
    assert re.search(r"deeper/fox\.md and fox\.txt are nearly the same \(\d+%\)", done.stdout)
    assert "rain.txt and" not in done.stdout
    assert re.search(r"^3 texts in .* s, .* words/s\.$", done.stdout, re.MULTILINE)
    assert "2 heavy stages worked" in done.stdout


def test_example_says_when_there_is_nothing_to_enrich(tmp_path):
    done = run_example("--runtime", "local", "--folder", tmp_path)
    assert done.returncode == 1
    assert "No *.txt or *.md in" in done.stderr


def test_example_refuses_fewer_workers_than_one():
    assert run_example("--runtime", "local", "--workers", 0).returncode == 2


def test_fingerprints_of_the_same_words_agree_and_of_other_words_do_not(enrichment):
    words = FOX.lower().split()
    same = enrichment.fingerprint(words)
    other = enrichment.fingerprint([f"{word}x" for word in words])
    assert enrichment.similarity(same, enrichment.fingerprint(list(words))) == 1.0
    assert enrichment.similarity(same, other) < 0.1


def test_short_sentences_of_short_words_read_more_easily(enrichment):
    easy = enrichment.enrich("The cat sat. The dog ran. We all had fun.")
    hard = enrichment.enrich("Institutional considerations necessitate comprehensive evaluations.")
    assert easy["reading_ease"] > 90 > 10 > hard["reading_ease"]
    assert enrichment.enrich("")["words"] == 0
