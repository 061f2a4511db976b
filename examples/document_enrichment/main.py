"""Enrich a folder of texts: the heavy stage is fanned out, and keeps a core busy for each of them.

python examples/document_enrichment/main.py [--runtime ray|local] [--folder FOLDER] [--workers N]

Run it with both runtimes. Locally the heavy stages share one Python process, so they take turns,
and everything else in the process waits with them. On Ray each has a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from enrichment import enrich, similarity

from stageflow_actors import (
    LocalRuntime,
    Pipeline,
    RunResult,
    Runtime,
    StageContext,
    StageKind,
    StageOutput,
    stage,
)

TEXTS = Path(__file__).parents[2] / "docs"
ALIKE = 0.6
PULSE_S = 0.005


@stage(kind=StageKind.ENRICH)
def read(ctx: StageContext) -> StageOutput:
    """Read the texts, and give each worker its share: the longest text to the least burdened."""
    folder, workers = Path(ctx.data["folder"]), ctx.data["workers"]
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in {".md", ".txt"}]
    texts = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in paths}
    if not texts:
        return StageOutput.fail(f"No *.txt or *.md in {folder}")
    shares: list[dict[str, str]] = [{} for _ in range(workers)]
    for name in sorted(texts, key=lambda name: -len(texts[name])):
        lightest = min(shares, key=lambda share: sum(map(len, share.values())))
        lightest[name] = texts[name]
    return StageOutput.ok({f"enrich_{number + 1}": share for number, share in enumerate(shares)})


class Enrich:
    """Enriches one share. A plain ``def``: it may block, and it does."""

    kind = StageKind.WORK

    def execute(self, ctx: StageContext) -> StageOutput:
        share = ctx.inputs.require_from("read", ctx.stage_name)
        enriched = {}
        for name, text in share.items():
            ctx.raise_if_cancelled()
            enriched[name] = enrich(text)
        return StageOutput.ok(enriched=enriched)


class Collect:
    """Puts the shares together, and says which texts are nearly the same."""

    kind = StageKind.TRANSFORM

    def execute(self, ctx: StageContext) -> StageOutput:
        shares = [output.data["enriched"] for output in ctx.inputs.outputs.values()]
        documents = {name: found for share in shares for name, found in share.items()}
        pairs = [
            (left, right, alike)
            for left, right in itertools.combinations(sorted(documents), 2)
            if (alike := _alike(documents[left], documents[right])) >= ALIKE
        ]
        return StageOutput.ok(documents=documents, alike=pairs)


def _alike(left: dict[str, Any], right: dict[str, Any]) -> float:
    return similarity(left["fingerprint"], right["fingerprint"])


def build_pipeline(workers: int) -> Pipeline:
    """read -> enrich_1 .. enrich_N -> collect."""
    names = [f"enrich_{number + 1}" for number in range(workers)]
    pipeline = Pipeline("document_enrichment").with_stages(read)
    for name in names:
        pipeline = pipeline.with_stage(name, Enrich, dependencies="read")
    return pipeline.with_stage("collect", Collect, dependencies=names)


async def longest_pause() -> float:
    """Beat on this event loop until cancelled; the longest wait between two beats, in seconds."""
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(PULSE_S)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest


def report(result: RunResult, pause_s: float) -> str:
    """What was found, and how fast."""
    found = result.raise_for_status().outputs["collect"].data
    documents = found["documents"]
    width = max(map(len, documents))
    lines = [f"{'text':<{width}}{'words':>8}{'ease':>7}  topics"]
    for name, each in sorted(documents.items()):
        about = ", ".join(each["topics"])
        lines.append(f"{name:<{width}}{each['words']:>8}{each['reading_ease']:>7}  {about}")
    for left, right, alike in found["alike"]:
        lines.append(f"{left} and {right} are nearly the same ({alike:.0%}).")
    words = sum(each["words"] for each in documents.values())
    busy = [t.duration_ms for name, t in result.timings.items() if name.startswith("enrich_")]
    seconds = result.duration_ms / 1000
    lines += [
        "",
        f"{len(documents)} texts in {seconds:.2f} s, {words / seconds:,.0f} words/s.",
        f"{len(busy)} heavy stages worked {sum(busy) / 1000:.2f} s together.",
        f"The event loop of the caller paused for {pause_s * 1000:.0f} ms at most.",
    ]
    return "\n".join(lines)


def runtime_called(name: str) -> Runtime:
    if name == "local":
        return LocalRuntime()
    from stageflow_actors import RayRuntime  # imports Ray: a second that is not spent without it

    return RayRuntime()


async def main() -> int:
    """Deploy, run once, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runtime", choices=["ray", "local"], default="ray")
    parser.add_argument("--folder", type=Path, default=TEXTS, help="with *.txt and *.md in it")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2, metavar="N")
    parser.add_argument("--output", type=Path, help="write a line of JSON per text there")
    options = parser.parse_args()
    if options.workers < 1:
        parser.error("--workers is at least 1")
    runtime = runtime_called(options.runtime)
    print(
        f"Enriching {options.folder} ({options.runtime}, {options.workers} workers) ...", flush=True
    )
    async with runtime.deploy(build_pipeline(options.workers)) as app:
        pulse = asyncio.create_task(longest_pause())
        data = {"folder": str(options.folder.resolve()), "workers": options.workers}
        result = await (await app.start(data=data)).result()
        pulse.cancel()
    if not result.ok:
        print(f"The run ended as {result.status}: {result.reason}", file=sys.stderr)
        return 1
    print(report(result, await pulse))
    if options.output:
        documents = result.outputs["collect"].data["documents"]
        lines = [json.dumps({"text": name, **found}) for name, found in sorted(documents.items())]
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
