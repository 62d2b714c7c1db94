"""The order of a run and the figures that come of it.

Yardstick and stages take turns (A B C A B C), so that a slow minute of the machine hits all of
them; a figure is the median of its runs. Must not go here: how a stage is measured, how figures
look.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from msgspec import Struct

from bench import corpus, stages
from bench.children import ROOT, BenchError
from bench.stages import Run

STEADY_PER_S = 10_000
FAST_PER_S = 20_000
STALL_S = 1.0
DISTINCT = 150_000

Note = Callable[[str], None]
"""Takes a line that says what is being done."""


class Plan(Struct, frozen=True):
    """How much is done."""

    rounds: int = 3
    events: int = 200_000
    """Events of each flat-out run."""
    seconds: float = 30.0
    """Length of the run at 10,000 events/s; memory settles only after the store's second flush.
    The other paced runs are a third as long, the stalled one half."""

    @property
    def distinct(self) -> int:
        """Events in the corpus; beyond that they come again, with other times."""
        return min(max(1_000, int(self.seconds * STEADY_PER_S)), DISTINCT)


QUICK = Plan(rounds=1, events=100_000, seconds=6.0)


class FlatOut(Struct):
    """As fast as it goes: the yardstick and what is held against it, round by round."""

    bare: list[Run] = []
    spool: list[Run] = []
    duckdb: list[Run] = []


class Paced(Struct, frozen=True):
    """At a given rate, as a cluster would send."""

    bare: Run
    steady: Run
    fast: Run
    stall: Run


class Results(Struct, frozen=True):
    """All runs of all stages."""

    flat_out: FlatOut
    paced: Paced
    inside: dict[str, float]


def measure(plan: Plan, note: Note) -> Results:
    """Do it all."""
    with tempfile.TemporaryDirectory(prefix="armorstack-bench-") as folder:
        path = Path(folder) / "corpus"
        note(f"making {plan.distinct:,} distinct events")
        corpus.save(corpus.build({"alert": plan.distinct}), path)
        flat_out = _flat_out(plan, path, note)
        paced = _paced(int(plan.seconds * STEADY_PER_S), path, note)
        note("spool read, decode, ids, store write, one by one")
        return Results(flat_out, paced, _inside(path, plan.events // 2, Path(folder)))


def _flat_out(plan: Plan, path: Path, note: Note) -> FlatOut:
    runs = FlatOut()
    for number in range(1, plan.rounds + 1):
        name = f"round {number} of {plan.rounds}"
        note(f"{name}: bare receive")
        runs.bare.append(stages.bare_receive(path, plan.events))
        note(f"{name}: receive + spool")
        runs.spool.append(stages.receive_spool(path, plan.events))
        note(f"{name}: relay to DuckDB")
        runs.duckdb.append(stages.relay_duckdb(path, plan.events))
    return runs


def _paced(events: int, path: Path, note: Note) -> Paced:
    note(f"bare receive at {STEADY_PER_S:,} events/s")
    bare = stages.bare_receive(path, events // 3, STEADY_PER_S)
    note(f"relay to DuckDB at {STEADY_PER_S:,} events/s")
    steady = stages.relay_duckdb(path, events, STEADY_PER_S, sample=True)
    note(f"relay to DuckDB at {FAST_PER_S:,} alerts/s")
    fast = stages.relay_duckdb(path, events * 2 // 3, FAST_PER_S)
    note(f"{STALL_S:.0f} s stall of the store at {STEADY_PER_S:,} events/s")
    stall = stages.relay_duckdb(path, events // 2, STEADY_PER_S, stall_s=STALL_S)
    return Paced(bare, steady, fast, stall)


def _inside(path: Path, count: int, folder: Path) -> dict[str, float]:
    data_dir = folder / "inside"
    data_dir.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bench.inside", str(path), str(count), str(data_dir)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"bench.inside failed:\n{done.stderr.decode()[-2000:]}")
    told: dict[str, float] = json.loads(done.stdout)
    return told


def figures(results: Results) -> dict[str, Any]:
    """One flat object; units are in the names."""
    found = {
        **_costs(results.flat_out),
        **_inside_figures(results),
        **_service(results.paced),
        "events_lost": sum(run.lost for run in (*results.flat_out.duckdb, *_whole(results.paced))),
    }
    rounded = {name: round(v, 3) if isinstance(v, float) else v for name, v in found.items()}
    return rounded | {"runs": _spread(results.flat_out)}


def _inside_figures(results: Results) -> dict[str, Any]:
    """The worker's stages, and the rules held against the bare receive."""
    bare_us = _median_us(results.flat_out.bare)
    found = {
        name if name.endswith("_s") else f"{name}_cpu_us_per_event": value
        for name, value in results.inside.items()
    }
    if rules_us := results.inside.get("rules"):
        found["rules_ratio"] = rules_us / bare_us
    return found


def _costs(runs: FlatOut) -> dict[str, float]:
    """CPU and throughput when nothing holds the source back."""
    bare_us, spool_us, duckdb_us = map(_median_us, (runs.bare, runs.spool, runs.duckdb))
    return {
        "source_events_per_s": median(run.per_s for run in runs.bare),
        "bare_receive_cpu_us_per_event": bare_us,
        "receive_spool_cpu_us_per_event": spool_us,
        "relay_duckdb_cpu_us_per_event": duckdb_us,
        "receive_spool_ratio": spool_us / bare_us,
        "relay_duckdb_ratio": duckdb_us / bare_us,
        "receive_spool_events_per_s": median(run.per_s for run in runs.spool),
        "relay_duckdb_events_per_s": median(run.per_s for run in runs.duckdb),
    }


def _service(runs: Paced) -> dict[str, float]:
    """Memory, disk, time and loss at a given rate."""
    steady = runs.steady
    waits_s = steady.latencies_s or [0.0]
    return {
        "bare_receive_at_10000_cpu_us_per_event": runs.bare.cpu_us,
        "relay_duckdb_at_10000_cpu_us_per_event": steady.cpu_us,
        "peak_rss_mb": steady.rss_mb["receiver"] + steady.rss_mb["worker"],
        **{f"{process}_peak_rss_mb": mb for process, mb in steady.rss_mb.items()},
        "stored_bytes_per_event": steady.stored_bytes / steady.events,
        "latency_median_s": median(waits_s),
        "latency_s": max(waits_s),
        "lost_at_20000_per_s": runs.fast.lost,
        "lost_by_stall": runs.stall.lost,
    }


def _whole(runs: Paced) -> tuple[Run, ...]:
    return (runs.steady, runs.fast, runs.stall)


def _spread(runs: FlatOut) -> dict[str, list[float]]:
    """Every run's CPU, so that a reader sees how far the medians can be trusted."""
    stages_ = {"bare_receive": runs.bare, "receive_spool": runs.spool, "relay_duckdb": runs.duckdb}
    return {f"{name}_cpu_us": [round(run.cpu_us, 2) for run in of] for name, of in stages_.items()}


def _median_us(runs: list[Run]) -> float:
    return median(run.cpu_us for run in runs)
