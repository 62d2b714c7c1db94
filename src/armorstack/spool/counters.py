"""What the intake counts, as others may see it.

Invariant: every frame that a source put is in one of them: waiting in memory, durable, or refused
by an exception. How they are written into a state file must not go here.
"""

from msgspec import Struct


class Durable(Struct, frozen=True):
    """What has become durable of one source and stream since the start."""

    source: str
    stream: str
    frames: int = 0
    bytes: int = 0
    last_us: int = 0
    """When the last of them did."""


class Stats(Struct, frozen=True, kw_only=True):
    """The intake at one moment; counts are since its start unless they say otherwise."""

    durable: tuple[Durable, ...] = ()
    commits: int = 0
    commit_s: float = 0.0
    """Seconds in commits, in all."""
    commit_last_s: float = 0.0
    commit_max_s: float = 0.0
    last_commit_us: int = 0
    checkpoints: int = 0
    checkpoint_max_s: float = 0.0
    memory_frames: int = 0
    """Frames put and not yet taken for a commit."""
    memory_bytes: int = 0
    """Bytes put and not yet durable, with four per frame."""
    blocked_s: float = 0.0
    """Seconds that sources had to wait, all together."""
    blocked_lanes: int = 0
    """Sources that wait just now."""
    dropped_frames: int = 0
    """Frames deleted unread because the spool was full, before this start as well."""
    trimmed_rows: int = 0
    waiting_rows: int = 0
    waiting_frames: int = 0
    waiting_bytes: int = 0
    oldest_us: int = 0
    """When the oldest waiting row was received; 0: nothing waits."""
    disk_bytes: int = 0
    """Size of the spool's file and log."""
    last_seq: int = 0
    full: str = ""
    """Why nothing can be appended just now; empty: it can."""
    recoveries: int = 0
    """Damaged files replaced."""
    recovered: str = ""
    """Where the last of them lies."""
