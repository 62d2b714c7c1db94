"""The bench from its command line, on a tiny run: every stage with its real processes."""

import json
import subprocess
import sys

import pytest

from bench.children import ROOT
from tests.unit.test_bench_figures import NAMED_BY_THE_ISSUE

TOO_MUCH = "1000000000000"


@pytest.mark.timeout(240)
def test_a_tiny_run_tells_every_figure_loses_nothing_and_fails_for_want_of_a_source() -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "bench", "--json", "--rounds", "1", "--events", "4000",
            "--seconds", "1", "--source-at-least", TOO_MUCH,
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr.decode()
    assert "the load source gave" in done.stderr.decode()
    found = json.loads(done.stdout)
    assert set(found) >= NAMED_BY_THE_ISSUE
    assert found["events_lost"] == 0
    for name in ("relay_duckdb_cpu_us_per_event", "decode_cpu_us_per_event", "peak_rss_mb"):
        assert found[name] > 0, name
