"""What the two processes tell about themselves, in `DATA/run/receiver.json` and `worker.json`.

Invariant: a file is replaced as a whole, so a reader sees one moment, never half a file. A file
that is missing or damaged reads as None: it is a report, and no event depends on it.
What the store or the spool must not lose must not go here.
"""

import os
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from armorstack.core.filter_counts import FilterCounts

Phase = Literal["starting", "running", "draining", "stopping", "stopped"]


class SourceState(Struct, frozen=True):
    """How a source is doing, for the health page and the live summary."""

    name: str
    kind: str
    connected: bool = False
    finished: bool = False
    since_us: int = 0
    """When `connected` last changed."""
    last_frame_us: int = 0
    reconnects: int = 0
    error: str = ""
    """The last error, one sentence; empty while all is well."""
    hint: str = ""


class SpoolState(Struct, frozen=True):
    """The buffer between the processes."""

    bytes: int = 0
    rows: int = 0
    max_bytes: int = 0
    oldest_us: int = 0
    """When the oldest row that waits was received; 0: nothing waits."""
    disk_bytes: int = 0
    """Size of the spool's files."""
    full: str = ""
    """Why nothing can be appended just now; empty: it can."""
    recoveries: int = 0
    """Damaged files that were replaced."""
    recovered: str = ""
    """Where the last of them lies."""


class ReceiverState(Struct, frozen=True, kw_only=True):
    """The receiver's report. Counts are since its start."""

    pid: int
    started_us: int
    updated_us: int
    resident_bytes: int = 0
    settings: str = ""
    """Which settings it works by (`control.fingerprint`)."""
    phase: Phase = "starting"
    sources: tuple[SourceState, ...] = ()
    received: int = 0
    received_bytes: int = 0
    commits: int = 0
    commit_s: float = 0.0
    blocked_s: float = 0.0
    """Seconds that sources had to wait because the spool was full or the disk too slow."""
    dropped: dict[str, int] = {}
    """Frames dropped, by reason."""
    spool: SpoolState = SpoolState()
    last_commit_us: int = 0


class SinkState(Struct, frozen=True, kw_only=True):
    """How a sink is doing. Counts are since the worker's start."""

    name: str
    required: bool = True
    is_open: bool = False
    cursor: int = 0
    stored: int = 0
    duplicates: int = 0
    durable_stored: int = 0
    """Of `stored`, what a crash of the worker does not bring again."""
    durable_duplicates: int = 0
    retried: int = 0
    writes: int = 0
    write_s: float = 0.0
    decode_s: float = 0.0
    decoded: int = 0
    """Events in the decoded batches."""
    batches: int = 0
    lag_s: float = 0.0
    """From receiving to being in the store: of what waits, else of the last batch."""
    missed: dict[str, int] = {}
    """Times that the spool had let go of rows before this sink took them, by reason."""
    missed_frames: dict[str, int] = {}
    """Frames in them, as far as that is known."""
    removed: dict[str, int] = {}
    """Events that retention removed, by reason."""
    left_out: int = 0
    """Events that the sink's own select or least severity leaves out."""
    passed_over: int = 0
    """Events that this sink never got, because it is not required and was behind."""
    waits_for: str = ""
    """Why nothing is written just now, one sentence; empty while all is well."""


class LastEvent(Struct, frozen=True):
    """One line of the live summary."""

    time_us: int
    stream: str = ""
    severity: str = ""
    host: str = ""
    namespace: str = ""
    pod: str = ""
    policy: str = ""
    action: str = ""
    operation: str = ""
    resource: str = ""


class WorkerState(Struct, frozen=True, kw_only=True):
    """The worker's report. Counts are since its start."""

    pid: int
    started_us: int
    updated_us: int
    resident_bytes: int = 0
    phase: Phase = "starting"
    http: str = ""
    """`HOST:PORT` where health and metrics are served."""
    spool_ready: bool = False
    sinks: tuple[SinkState, ...] = ()
    streams: dict[str, int] = {}
    actions: dict[str, int] = {}
    severities: dict[str, int] = {}
    dead_letters: dict[str, int] = {}
    """By error type."""
    letters_kept: int = 0
    letters_dropped: int = 0
    """Dead letters that the limit on their size has cost, ever."""
    skipped: dict[str, int] = {}
    """Lines that are no events, by what they are."""
    unknown: int = 0
    """Events with fields beyond the field table."""
    gaps: dict[str, int] = {}
    """By reason."""
    gap_seconds: dict[str, float] = {}
    """Their length, by reason."""
    filters: tuple[FilterCounts, ...] = ()
    """In their order."""
    unmatched: int = 0
    """Events that no sink takes."""
    last: tuple[LastEvent, ...] = ()
    """The newest events, newest first."""


State = TypeVar("State", ReceiverState, WorkerState)


def receiver_path(data_dir: str) -> Path:
    """Where the receiver's report lies."""
    return Path(data_dir) / "run" / "receiver.json"


def worker_path(data_dir: str) -> Path:
    """Where the worker's report lies."""
    return Path(data_dir) / "run" / "worker.json"


def write_state(path: Path, state: ReceiverState | WorkerState) -> bool:
    """Replace the file; False where that cannot be done just now, such as on a full disk.

    It is not synced: after a power cut an older report or none is fine.
    """
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(state))
        os.replace(new, path)
    except OSError:
        return False
    return True


def read_state(path: Path, type_: type[State]) -> State | None:
    """The report, or None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except (OSError, msgspec.MsgspecError):
        return None


def resident_bytes() -> int:
    """Memory that this process holds (proc_pid_statm(5)); 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
