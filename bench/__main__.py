"""`scripts/bench`: measures, prints a table, or one JSON object with `--json`.

Fails when the load source gives fewer events than the figures need to mean anything; a figure
that misses its target is shown, and judged by people. `--pages` measures the read side instead,
`--engines` the way to Elasticsearch and OpenSearch, `--policies` a large cluster's policies.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from bench import engines, pages, past, policies, report
from bench.children import BenchError
from bench.plan import QUICK, Note, Plan, figures, measure
from bench.targets import SOURCE_EVENTS_PER_S


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures armorstack.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="one round, under a minute")
    parser.add_argument("--rounds", type=int, help="times that each flat-out stage is run")
    parser.add_argument("--events", type=int, help="events of a flat-out run")
    parser.add_argument("--seconds", type=float, help="length of the run at 10,000 events/s")
    parser.add_argument("--engines", action="store_true", help="the way to search engines")
    parser.add_argument("--policies", action="store_true", help="2,000 policies, 5,000 pods")
    parser.add_argument("--pages", action="store_true", help="pages, tail, export of 10 million")
    parser.add_argument(
        "--past", type=Path, metavar="DIR",
        help="with --pages: a store that `python -m bench.past DIR` made; it is not changed",
    )  # fmt: skip
    parser.add_argument(
        "--source-at-least", type=float, default=SOURCE_EVENTS_PER_S, metavar="N",
        help="events/s that the load source must give, %(default)s",
    )  # fmt: skip
    return parser.parse_args(arguments)


def plan_of(options: argparse.Namespace) -> Plan:
    """What the command line asks for."""
    given = {name: getattr(options, name) for name in ("rounds", "events", "seconds")}
    plan = QUICK if options.quick else Plan()
    return replace(plan, **{name: value for name, value in given.items() if value is not None})


def measure_and_show(work: Callable[[Note], dict[str, Any]]) -> dict[str, Any]:
    """The figures; while they are measured, a terminal shows what is being done."""
    progress = Console(stderr=True)
    if not progress.is_terminal:
        return work(lambda _: None)
    with progress.status("starting") as status:
        note: Note = status.update
        return work(note)


def work_of(options: argparse.Namespace) -> Callable[[Note], dict[str, Any]]:
    """What the command line asks to be measured."""
    plan = plan_of(options)
    if options.policies:
        return policies.measure
    if options.engines:
        return lambda note: engines.measure(plan, note)
    if options.pages:
        events = options.events or past.EVENTS
        return lambda note: pages.measure(events, plan.rounds, options.past, note)
    return lambda note: figures(measure(plan, note))


def judge(rate: float, at_least: float) -> str:
    """Why the figures mean nothing; empty when they do."""
    if rate >= at_least:
        return ""
    return (
        f"the load source gave {rate:,.0f} events/s and {at_least:,.0f} are needed; this machine "
        "is too slow or too busy for the other figures to mean anything"
    )


def main() -> int:
    """Measure as the command line says; the exit code."""
    options = parse()
    try:
        found = measure_and_show(work_of(options))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        report.show(found, Console())
    rate = found.get("source_events_per_s")
    fault = judge(rate, options.source_at_least) if rate is not None else ""
    if fault:
        print(f"bench: {fault}", file=sys.stderr)
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
