"""An append is acknowledged only after its bytes were synced: seen from outside, by strace."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import tools
from tests.support.spool_driver import ROOT, acknowledged, command
from tests.support.spool_trace import Findings, check

COUNT = 30
LOG = "/spool.db-wal"
ACKS = "/acks"
Require = Callable[[str, str], Path]


def traced(tmp_path: Path, strace: Path, **environ: str) -> Findings:
    """Run the driver under strace and judge what it did."""
    trace, acks = tmp_path / "trace", tmp_path / "acks"
    calls = "trace=fdatasync,fsync,write,pwrite64"
    done = subprocess.run(
        [str(strace), "-f", "-tt", "-y", "-s", "16", "-e", calls, "-o", str(trace),
         *command(tmp_path / "spool", acks, 0, count=COUNT)],
        cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, check=False,
        timeout=50,
    )  # fmt: skip
    if "ptrace" in done.stderr and "Operation not permitted" in done.stderr:
        tools.missing("strace may not trace here", "allow ptrace (SYS_PTRACE)")
    assert done.returncode == 0, done.stderr
    assert acknowledged(acks) == list(range(COUNT))
    findings = check(trace.read_text().splitlines(), LOG, ACKS)
    assert findings.acknowledgements == COUNT
    return findings


def test_every_acknowledgement_follows_a_sync_of_what_was_written(
    tmp_path: Path, require_tool: Require
) -> None:
    strace = require_tool("strace", "apt-get install strace")
    assert traced(tmp_path, strace).violations == []


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_the_same_check_fails_where_syncing_is_switched_off(
    tmp_path: Path, require_tool: Require, synchronous: str
) -> None:
    strace = require_tool("strace", "apt-get install strace")
    findings = traced(tmp_path, strace, SPOOL_DRIVER_SYNCHRONOUS=synchronous)
    assert len(findings.violations) >= COUNT - 1


WAL = "1 10:00:00.0 pwrite64(5</x/spool.db-wal>, ..., 24, 0) = 24"
SYNC = "1 10:00:00.0 fdatasync(5</x/spool.db-wal>) = 0"
ACK = '2 10:00:00.0 write(7</x/acks>, "1", 1) = 1'


@pytest.mark.parametrize(
    ("lines", "violations"),
    [
        ([WAL, SYNC, ACK], 0),
        ([WAL, WAL, SYNC, ACK, WAL, SYNC, ACK], 0),
        ([WAL, ACK, SYNC], 1),
        ([WAL, SYNC, WAL, ACK], 1),
        ([WAL, SYNC, ACK, ACK], 1),
        ([SYNC, ACK], 1),
        ([WAL, SYNC.replace("= 0", "= -1 EIO (Input/output error)"), ACK], 1),
        ([WAL, "1 1 fdatasync(5</x/spool.db-wal> <unfinished ...>", ACK,
          "1 1 <... fdatasync resumed>) = 0"], 1),
        ([WAL, "1 1 fdatasync(5</x/spool.db-wal> <unfinished ...>",
          "1 1 <... fdatasync resumed>) = 0", ACK], 0),
        ([WAL, "1 1 fdatasync(5</x/spool.db-wal> <unfinished ...>", WAL.replace("1 ", "3 ", 1),
          "1 1 <... fdatasync resumed>) = 0", ACK], 1),
        ([WAL, SYNC.replace("spool.db-wal", "other.db-wal"), ACK], 1),
    ],
)  # fmt: skip
def test_the_checker_tells_right_from_wrong(lines: list[str], violations: int) -> None:
    assert len(check(lines, LOG, ACKS).violations) == violations
