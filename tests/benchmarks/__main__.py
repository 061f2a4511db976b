"""Measure every figure and print the table. A missed bar is printed, and is no failure."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from tests.benchmarks import (
    contract_costs,
    data_costs,
    import_cost,
    local_runs,
    other_ways,
    report,
)
from tests.benchmarks.figures import Figure
from tests.benchmarks.measure import Rounds

# A local Ray for this run only, where the Makefile has not said so: Ray would otherwise write a
# token into the home directory. Set before anything imports Ray.
_RAY_DEFAULTS = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


async def measure_all(pairs: int) -> list[Figure]:
    """Every figure, in the order of the table."""
    figures: list[Figure] = []

    def note(*measured: Figure) -> None:
        figures.extend(measured)
        for figure in measured:
            print(f"measured: {figure.name}", file=sys.stderr, flush=True)

    note(*await local_runs.chain_of_100(Rounds(pairs, turns=20)))
    note(await local_runs.chain_of_5000(Rounds(pairs, turns=3)))
    note(*await local_runs.fan_out_of_1000(Rounds(pairs, turns=5)))
    note(await data_costs.snapshot_build(Rounds(pairs, turns=20)))
    note(await data_costs.conversation_build(Rounds(pairs, turns=10)))
    note(await contract_costs.contract_checks(Rounds(pairs, turns=5)))
    note(*await import_cost.import_cost(Rounds(pairs, turns=1)))
    note(await other_ways.blocking_stages(Rounds(pairs, turns=2)))
    note(await other_ways.chain_in_langgraph(Rounds(pairs, turns=5)))

    # Imported last: local runs do not need Ray, and should not be measured with it in memory.
    from tests.benchmarks.deaths import deaths
    from tests.benchmarks.lone_run import lone_run

    note(*await lone_run(Rounds(pairs, turns=20, warm_up=20)))
    note(*await deaths(pairs))
    return figures


def main() -> None:
    """Read the options, measure, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 pairs each instead of 15")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    for name, value in _RAY_DEFAULTS.items():
        os.environ.setdefault(name, value)
    facts = report.machine()
    print(", ".join(f"{name}: {value}" for name, value in facts.items()), flush=True)
    figures = asyncio.run(measure_all(pairs=5 if options.quick else 15))
    if options.json:
        options.json.write_text(report.to_json(figures, facts), encoding="utf-8")
    print(f"\n{report.to_markdown(figures)}\n\n{report.summary(figures)}")


if __name__ == "__main__":
    main()
