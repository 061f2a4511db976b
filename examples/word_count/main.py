"""Count the words of a folder of texts: a stage per step, the counting fanned out over four stages.

python examples/word_count/main.py [--runtime ray|local] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from stageflow_actors import (
    LocalRuntime,
    Pipeline,
    RayRuntime,
    RunResult,
    StageContext,
    StageKind,
    StageOutput,
    stage,
)

TEXTS = Path(__file__).parent / "texts"
COUNTERS = [f"count_{number}" for number in (1, 2, 3, 4)]


@stage(kind=StageKind.ENRICH)
def read(ctx: StageContext) -> StageOutput:
    """Read the texts. A plain ``def`` may block: it runs in a thread of its process."""
    folder = Path(ctx.snapshot.input_text or TEXTS)
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))}
    return StageOutput.ok(texts=texts) if texts else StageOutput.fail(f"No *.txt in {folder}")


@stage(kind=StageKind.TRANSFORM, dependencies="read")
async def share_out(ctx: StageContext) -> StageOutput:
    """Give each counter its share of the texts."""
    texts = ctx.inputs.require_from("read", "texts")
    names = sorted(texts)
    return StageOutput.ok(
        {
            counter: [texts[name] for name in names[index :: len(COUNTERS)]]
            for index, counter in enumerate(COUNTERS)
        }
    )


class CountWords:
    """Counts the words of one share. Four of these work at the same time, each in its process."""

    kind = StageKind.WORK

    def execute(self, ctx: StageContext) -> StageOutput:
        share = ctx.inputs.require_from("share_out", ctx.stage_name)
        words = Counter(word for text in share for word in re.findall(r"[a-z]+", text.lower()))
        return StageOutput.ok(counts=dict(words))


@stage(kind=StageKind.TRANSFORM, dependencies=COUNTERS)
async def merge(ctx: StageContext) -> StageOutput:
    """Add the counts up."""
    total: Counter[str] = Counter()
    for counter in COUNTERS:
        total.update(ctx.inputs.require_from(counter, "counts"))
    return StageOutput.ok(words=total.total(), different=len(total), top=total.most_common(8))


def build_pipeline() -> Pipeline:
    """read -> share_out -> count_1 .. count_4 -> merge."""
    pipeline = Pipeline("word_count").with_stages(read, share_out)
    for counter in COUNTERS:
        pipeline = pipeline.with_stage(counter, CountWords, dependencies="share_out")
    return pipeline.with_stages(merge)


def report(result: RunResult, processes: list[dict[str, Any]]) -> str:
    """What the run found, and where and for how long each stage worked."""
    found = result.raise_for_status().outputs.data("merge")
    lines = [f"{found['words']} words, {found['different']} different. The most frequent:"]
    lines += [f"  {count:4d}  {word}" for word, count in found["top"]]
    lines += ["", f"{'stage':<12}{'process':>9}{'started':>12}{'worked':>11}"]
    for process in processes:
        timing = result.timings[process["name"]]
        since = (timing.started_at - result.started_at) * 1000
        lines.append(
            f"{process['name']:<12}{process['pid']:>9}{since:>9.1f} ms{timing.duration_ms:>8.1f} ms"
        )
    return "\n".join([*lines, "", f"The run took {result.duration_ms:.1f} ms."])


async def main() -> int:
    """Deploy, run once, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", choices=["ray", "local"], default="ray")
    parser.add_argument("--folder", type=Path, default=TEXTS, help="a folder of *.txt files")
    options = parser.parse_args()
    runtime = RayRuntime() if options.runtime == "ray" else LocalRuntime()
    print(f"Counting the words in {options.folder} ({options.runtime}) ...", flush=True)
    async with runtime.deploy(build_pipeline()) as app:
        run = await app.start(input_text=str(options.folder))
        result = await run.result()
        processes = (await app.describe())["stages"]
    if not result.ok:
        print(f"The run ended as {result.status}: {result.reason}", file=sys.stderr)
        return 1
    print(report(result, processes))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
