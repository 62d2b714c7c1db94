"""The thread-safe front of the spool: lanes in, one writer thread behind them.

A frame that was put is in memory; it is received once it is durable, within about
`flush_interval_s`. Nobody is told frame by frame: who has to know (a source that must acknowledge
to its peer, a test) calls `Lane.flush`.

Invariant: after `close` or a failure of the writer every lane raises, so that no source goes on
into nothing. How commits are made must not go here (`writer.py`, `room.py`).
"""

import threading

from armorstack import config
from armorstack.spool.counters import Stats
from armorstack.spool.lane import Gate, Lane
from armorstack.spool.room import GapFrame, Room
from armorstack.spool.store import Spool
from armorstack.spool.writer import Writer

__all__ = ["GapFrame", "Intake", "Lane", "Stats"]


class Intake:
    """What sources see of the spool. `start` it, hand it to sources, `close` it.

    It takes the spool over: after `start` nothing else may use that, and `close` closes it.
    """

    def __init__(self, spool: Spool, settings: config.Spool, *, gap_frame: GapFrame) -> None:
        self._spool = spool
        self._gate = Gate(settings)
        self._room = Room(spool, settings, gap_frame)
        self._writer = Writer(spool, settings, self._gate, self._room)
        self._thread = threading.Thread(target=self._writer.run, name="spool-writer", daemon=True)
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, str, str, str, int], Lane] = {}

    def start(self) -> None:
        """Start the writer thread."""
        self._thread.start()

    def lane(self, source: str, stream: str, encoding: str, cluster: str = "") -> Lane:
        """A lane for one producer thread. The thread that calls gets the same lane for the same
        names again, so a source may ask anew each time it connects."""
        key = (source, stream, encoding, cluster, threading.get_ident())
        with self._lock:
            return self._lane(key)

    def position(self, key: str) -> bytes | None:
        """The last durable position that was put under this key."""
        return self._writer.positions.get(key)

    def gap(self, frame: bytes, source: str) -> None:
        """Take a gap, encoded as JSON; any thread may call."""
        with self._lock:
            self._lane((source, "gap", "json", "", 0)).put(frame)

    def retire(self, source: str) -> bool:
        """Forget the lanes of a source whose threads have ended; False while something that they
        put is not durable yet. Its gaps go on: anybody may tell one."""
        with self._lock:
            own = {key: lane for key, lane in self._lanes.items() if key[0] == source and key[4]}
            if not all(lane.flush(0.0) for lane in own.values()):
                return False
            for key in own:
                del self._lanes[key]
            # A new list: the writer may be going through the old one.
            self._gate.lanes = [lane for lane in self._gate.lanes if lane not in own.values()]
        return True

    def failed(self) -> BaseException | None:
        """What ended the writer thread, or None while it is well."""
        return self._gate.failure

    def stats(self) -> Stats:
        """Counters; any thread may call."""
        gate, room, writer = self._gate, self._room, self._writer
        waiting = self._spool.waiting()
        recovered = self._spool.recovered
        return Stats(
            durable=tuple(writer.durable.values()),
            commits=writer.commits,
            commit_s=writer.commit_s,
            commit_last_s=writer.commit_last_s,
            commit_max_s=writer.commit_max_s,
            last_commit_us=writer.last_commit_us,
            checkpoints=room.checkpoints,
            checkpoint_max_s=room.checkpoint_max_s,
            memory_frames=sum(lane.waiting_frames() for lane in list(gate.lanes)),
            memory_bytes=max(0, gate.memory_bytes()),
            blocked_s=gate.blocked_s,
            blocked_lanes=gate.blocked_lanes,
            dropped_frames=self._spool.dropped_frames,
            trimmed_rows=room.trimmed_rows,
            waiting_rows=waiting.rows,
            waiting_frames=waiting.frames,
            waiting_bytes=waiting.bytes,
            oldest_us=waiting.oldest_us,
            disk_bytes=room.disk_bytes,
            last_seq=self._spool.last,
            full=writer.full or room.disk_full,
            recoveries=self._spool.recoveries,
            recovered=str(recovered or ""),
        )

    def close(self, timeout_s: float) -> bool:
        """Take no more, commit what was put, close the spool. False when that did not end in time
        or not all could be stored; `failed` tells why. What is then left in memory was never
        acknowledged."""
        self._gate.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and self._gate.failure is None

    def _lane(self, key: tuple[str, str, str, str, int]) -> Lane:
        if key not in self._lanes:
            self._lanes[key] = Lane(self._gate, *key[:4])
            self._gate.lanes.append(self._lanes[key])
        return self._lanes[key]
