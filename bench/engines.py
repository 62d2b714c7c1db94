"""The way to Elasticsearch or OpenSearch: to a bulk server that keeps nothing, and to a real one.

Yardstick and stage take turns, as in `plan`. Of the real engine the CPU of its process is held
against ours, and how long an event takes until a search finds it. Invariant: documents are counted
where they arrive, so one that is lost is seen. Must not go here: what dynamic mappings cost on
disk; `tests/engines` measures that.
"""

import json
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import corpus, stages
from bench.children import Child, LoadSource, Meter, peak_rss_mb, wait_for
from bench.plan import STEADY_PER_S, Plan
from bench.stages import Run, Whole
from tests.support.engines import Server, running

ENGINE_PER_S = 1_000
"""What one node on the same two cores takes beside us without falling behind."""
WARM_EVENTS = 80_000
"""Stored before: a JVM that has just begun needs four times as long for a document."""
WARM_PACED = 30 * ENGINE_PER_S
"""Of those that come paced, so many are not judged: small segments, refreshed each second, are
another way through that JVM."""
WARM_S = 300.0
SETTLE_S = 3.0

Taken = Callable[[], int]
"""How many documents have arrived, and can be found."""


def measure(plan: Plan, note: Callable[[str], None]) -> dict[str, Any]:
    """All figures."""
    with tempfile.TemporaryDirectory(prefix="armorstack-bench-") as folder:
        path = Path(folder) / "corpus"
        note(f"making {plan.distinct:,} distinct events")
        corpus.save(corpus.build({"alert": plan.distinct}), path)
        found = _nowhere(plan, path, note)
        with running("opensearch", heap="1g") as server:
            return found | _real(server, plan, path, note)


def _nowhere(plan: Plan, path: Path, note: Callable[[str], None]) -> dict[str, Any]:
    bare, flat = [], []
    for number in range(1, plan.rounds + 1):
        note(f"round {number} of {plan.rounds}: bare receive")
        bare.append(stages.bare_receive(path, plan.events))
        note(f"round {number} of {plan.rounds}: relay to a bulk server that keeps nothing")
        flat.append(relay_nowhere(path, plan.events))
    note(f"the same at {STEADY_PER_S:,} events/s")
    steady = relay_nowhere(path, int(plan.seconds * STEADY_PER_S), STEADY_PER_S)
    bare_us, flat_us = (median(run.cpu_us for run in runs) for runs in (bare, flat))
    return {
        "source_events_per_s": median(run.per_s for run in bare),
        "bare_receive_cpu_us_per_event": bare_us,
        "relay_null_bulk_cpu_us_per_event": flat_us,
        "relay_null_bulk_ratio": flat_us / bare_us,
        "relay_null_bulk_events_per_s": median(run.per_s for run in flat),
        "null_bulk_peak_rss_mb": steady.rss_mb["receiver"] + steady.rss_mb["worker"],
        "events_lost": sum(run.lost for run in (*flat, steady)),
        "runs": {
            "bare_receive_cpu_us": [round(run.cpu_us, 2) for run in bare],
            "relay_null_bulk_cpu_us": [round(run.cpu_us, 2) for run in flat],
        },
    }


def relay_nowhere(corpus_: Path, count: int, rate: float = 0) -> Run:
    """Receiver and worker, until the last event has arrived at a server that keeps nothing."""
    with Child("bench.null_bulk") as server:
        url = json.loads(server.line())["url"]
        with _whole(corpus_, count, rate, url, setup=False) as whole:
            return _run(whole, count, lambda: int(_ask(f"{url}/_taken")["taken"]))


def _real(
    server: Server, plan: Plan, path: Path, note: Callable[[str], None]
) -> dict[str, Any]:  # fmt: skip
    count, waits = int(plan.seconds * ENGINE_PER_S), []

    def taken() -> int:
        path = "/kubearmor-alerts-*/_count?ignore_unavailable=true&allow_no_indices=true"
        try:
            return int(server.ask("GET", path)["count"])
        except urllib.error.HTTPError as error:
            if error.code != 503:  # an index that is just being made
                raise
            return 0

    note("warming OpenSearch")
    with _whole(path, WARM_EVENTS, 0, server.url, setup=True) as whole:
        whole.source.go()
        wait_for(lambda: taken() >= WARM_EVENTS, "a warm engine", 0.5, WARM_S)
    note(f"relay to OpenSearch at {ENGINE_PER_S:,} events/s")
    count += WARM_PACED
    with _whole(path, count, ENGINE_PER_S, server.url, setup=True) as whole:
        theirs, ours = Meter([server.pid]), whole.meter()
        began = whole.source.go()
        while (found := taken() - WARM_EVENTS) < count:
            if found >= WARM_PACED:
                waits.append(time.time() - (began + found / ENGINE_PER_S))
            time.sleep(stages.SAMPLE_EVERY_S)
        used = ours.used_s(), theirs.used_s()
    return {
        "relay_engine_cpu_us_per_event": used[0] / count * 1e6,
        "engine_cpu_us_per_event": used[1] / count * 1e6,
        "engine_cpu_ratio": used[0] / used[1],
        "engine_latency_median_s": median(waits),
        "engine_latency_p95_s": sorted(waits)[int(len(waits) * 0.95)],
        "engine_latency_s": max(waits),
    }


@contextmanager
def _whole(
    corpus_: Path, count: int, rate: float, url: str, *, setup: bool
) -> Iterator[Whole]:  # fmt: skip
    options = ("--hold", "--drop") if rate else ("--hold",)
    with (
        tempfile.TemporaryDirectory(prefix="armorstack-bench-") as folder,
        LoadSource(corpus_, count, rate, *options) as source,
    ):
        settings = Path(folder) / "armorstack.toml"
        settings.write_text(
            f'[sink.engine]\ntype = "elastic"\nurls = ["{url}"]\nreplicas = 0\n'
            f"setup = {str(setup).lower()}\n"
        )
        whole = Whole(Path(folder) / "data", source, "--config", str(settings))
        try:
            whole.wait_ready()
            # The first pages are asked once by themselves.
            time.sleep(SETTLE_S)
            yield whole
        finally:
            whole.process.end()


def _run(whole: Whole, count: int, taken: Taken) -> Run:
    meter, began = whole.meter(), whole.source.go()
    wait_for(lambda: taken() >= count, "the last event at the server", 0.02)
    used, wall_s = meter.used_s(), time.time() - began
    wait_for(lambda: whole.taken >= count, "the worker's count")
    return Run(
        events=count, cpu_s=used, wall_s=wall_s, lost=count - taken(),
        rss_mb={name: peak_rss_mb(pid) for name, pid in whole.pids.items()},
    )  # fmt: skip


def _ask(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
