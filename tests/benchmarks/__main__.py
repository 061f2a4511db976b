"""Measure every figure and print the table. A missed bar is printed, and is no failure."""

from __future__ import annotations

import argparse
import asyncio
import compileall
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import stageflow_actors
from tests.benchmarks import baseline, plots, report
from tests.benchmarks.figures import Figure, Row, Skipped
from tests.benchmarks.measure import FULL, QUICK, Effort
from tests.benchmarks.sessions import end_ray

# Each has ``rows(effort)``, and is imported when its turn has come. Those that need Ray come last:
# local runs should not be measured with it in memory. ``deploys`` starts the one that others share.
MODULES = (
    "local_runs",
    "local_throughput",
    "data_costs",
    "contract_costs",
    "import_cost",
    "telemetry",
    "other_ways",
    "deploys",
    "lone_run",
    "hosts",
    "throughput",
    "pools",
    "payloads",
    "waiting",
    "deaths",
    "door",
)

# A local Ray for this run only, where the Makefile has not said so: Ray would otherwise write a
# token into the home directory. Set before anything imports Ray.
_RAY_DEFAULTS = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


def main() -> int:
    """Read the options, measure, report. A module that breaks down fails the rest of nothing."""
    options = _options()
    for name, value in _RAY_DEFAULTS.items():
        os.environ.setdefault(name, value)
    # As installed: processes of stages would compile it anew each time where nothing else has.
    compileall.compile_dir(stageflow_actors.__path__[0], quiet=2)
    facts = report.machine()
    print(", ".join(f"{name}: {value}" for name, value in facts.items()), flush=True)
    before = _kept(options.baseline)  # before minutes have gone into what cannot be compared
    names = [name for name in MODULES if name in (options.only or MODULES)]
    rows, broken = asyncio.run(measure(names, QUICK if options.quick else FULL))
    if options.json:
        options.json.write_text(report.to_json(rows, facts), encoding="utf-8")
    print(f"\n{report.to_markdown(rows)}\n\n{report.summary(rows)}")
    if options.quick:
        print("Of few pairs: a ratio close to its bar may fall on either side of it.")
    if options.baseline:
        now = report.measured(rows)
        if before is not None:
            print(f"\n{_comparison(before, now, facts)}")
        if options.save_baseline:
            kept = baseline.merged(before.figures if before else [], now)
            options.baseline.write_text(report.to_json(kept, facts), encoding="utf-8")
            print(f"Kept in {options.baseline}: {len(kept)} figures.")
    if options.plots:
        for path in plots.draw(report.measured(rows), options.plots):
            print(f"Drawn: {path}")
    if broken:
        print(f"Broke down: {', '.join(broken)}.", file=sys.stderr)
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pairs, in under 3 minutes")
    parser.add_argument(
        "--only", action="append", choices=MODULES, metavar="NAME",
        help=f"one module, may be repeated: {', '.join(MODULES)}",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the ratios as SVG there")
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="say what is worse than the figures there"
    )
    parser.add_argument(
        "--save-baseline", action="store_true", help="then keep the figures there instead"
    )
    options = parser.parse_args()
    if options.save_baseline and not options.baseline:
        parser.error("--save-baseline needs --baseline FILE")
    if options.baseline and not options.save_baseline and not options.baseline.exists():
        parser.error(f"there is no {options.baseline}; make it with --save-baseline")
    if options.plots and not plots.is_available():
        parser.error("--plots needs matplotlib")
    return options


async def measure(names: Sequence[str], effort: Effort) -> tuple[list[Row], list[str]]:
    """What the modules yield, in the order of the table, and the names of those that broke."""
    rows: list[Row] = []
    broken: list[str] = []
    for name in names:
        began = time.monotonic()
        try:
            async for row in import_module(f"tests.benchmarks.{name}").rows(effort):
                rows.append(row)
                print(f"{name}: {row.name}", file=sys.stderr, flush=True)
        except Exception as error:
            traceback.print_exc()
            rows.append(Skipped(name, f"broke down: {type(error).__name__}"))
            broken.append(name)
            end_ray()  # the others share it, and it may be what is broken
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    end_ray()
    return rows, broken


def _kept(file: Path | None) -> baseline.Baseline | None:
    if file is None or not file.exists():
        return None
    return baseline.read(file.read_text(encoding="utf-8"))


def _comparison(before: baseline.Baseline, now: Sequence[Figure], facts: Mapping[str, str]) -> str:
    worse = baseline.worse_than(before.figures, now)
    known = len(now) - len(baseline.without_baseline(before.figures, now))
    others = baseline.other_facts(before.machine, facts)
    title = f"{len(worse)} of {known} figures worse by over {baseline.TOLERANCE:.0%}."
    return "\n".join([title, *(f"- {each}" for each in [*worse, *others])])


if __name__ == "__main__":
    sys.exit(main())
