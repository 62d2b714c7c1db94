"""Where sources put frames, and what makes them wait.

A lane is a list that one thread appends to and the writer cuts from the front. Both are single
operations of the list, atomic under the interpreter lock, so `put` needs no lock of its own; the
list object is never replaced. Bytes are counted by the producer alone (`put_bytes`) and by the
writer alone (`durable_bytes`); each frame counts four bytes more, for its length, so that also
an empty frame moves the count.

Invariant: `flush` is true only when `durable_bytes` has reached what had been put. Disk and
transactions must not go here.
"""

import threading
import time
from itertools import accumulate, takewhile

from armorstack import config
from armorstack.errors import SpoolError

LENGTH_BYTES = 4
WAIT_S = 0.5
"""How often a waiting source counts the time that it has waited."""


class Lane:
    """Takes the frames of one producer thread."""

    __slots__ = (
        "_frames",
        "_gate",
        "_positions",
        "_positions_put",
        "cluster",
        "durable_bytes",
        "durable_positions",
        "encoding",
        "press_at",
        "put_bytes",
        "source",
        "stream",
        "taken_bytes",
    )

    def __init__(self, gate: "Gate", source: str, stream: str, encoding: str, cluster: str) -> None:
        self.source, self.stream = source, stream
        self.encoding, self.cluster = encoding, cluster
        self.put_bytes = self.taken_bytes = self.durable_bytes = 0
        self.durable_positions = self._positions_put = 0
        self.press_at = gate.step_bytes
        self._gate = gate
        self._frames: list[bytes] = []
        self._positions: list[tuple[int, str, bytes]] = []

    def put(self, frame: bytes) -> None:
        """Take one frame; never waits for the disk, only while memory is full (see `Gate`).

        Raises SpoolError once the intake is closed or its writer has failed.
        """
        self._frames.append(frame)
        self.put_bytes += len(frame) + LENGTH_BYTES
        if self.put_bytes >= self.press_at:
            self._gate.press(self)

    def put_many(self, frames: list[bytes], position: tuple[str, bytes] | None = None) -> None:
        """Take frames; the position (key, value) becomes durable in the same transaction as the
        last of them. Waits and raises as `put` does."""
        end = self.put_bytes + sum(map(len, frames)) + LENGTH_BYTES * len(frames)
        if position is not None:
            # Before its frames: the writer must never take them without it.
            self._positions_put += 1
            self._positions.append((end, *position))
        self._frames.extend(frames)
        self.put_bytes = end
        if end >= self.press_at:
            self._gate.press(self)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was put is durable; False when it took longer than that."""
        return self._gate.wait_durable(self, self.put_bytes, self._positions_put, timeout_s)

    def waiting_frames(self) -> int:
        """Frames that the writer has not taken yet."""
        return len(self._frames)

    def take(self, most: int, most_bytes: int) -> tuple[list[bytes], dict[str, bytes], int]:
        """For the writer: the oldest frames (not more, and the last is the one that makes them so
        many bytes), the positions that belong to them, and how many positions that was."""
        frames = self._frames[:most]
        size = sum(map(len, frames))
        if size > most_bytes:
            ends = accumulate(map(len, frames))
            frames = frames[: 1 + sum(1 for _ in takewhile(lambda end: end < most_bytes, ends))]
            size = sum(map(len, frames))
        del self._frames[: len(frames)]
        self.taken_bytes += size + LENGTH_BYTES * len(frames)
        return frames, *self._take_positions()

    def _take_positions(self) -> tuple[dict[str, bytes], int]:
        count = 0
        for end, _, _ in self._positions:
            if end > self.taken_bytes:
                break
            count += 1
        positions = {key: value for _, key, value in self._positions[:count]}
        del self._positions[:count]
        return positions, count


class Gate:
    """What all lanes share: the limit on memory, and the word from the writer."""

    def __init__(self, settings: config.Spool) -> None:
        self.max_bytes = settings.max_memory_bytes
        self.step_bytes = max(1, min(settings.flush_bytes, settings.max_memory_bytes // 4))
        """Bytes after which a lane wakes the writer and looks at the limit."""
        self.lanes: list[Lane] = []
        self.wake = threading.Event()
        self.closing = threading.Event()
        self.failure: BaseException | None = None
        self.blocked_s = 0.0
        self.blocked_lanes = 0
        self._ended = False
        self._changed = threading.Condition()

    def memory_bytes(self) -> int:
        """Bytes that were put and are not durable."""
        return sum(lane.put_bytes - lane.durable_bytes for lane in self.lanes)

    def press(self, lane: Lane) -> None:
        """A lane has taken another `step_bytes`: wake the writer; wait where memory is full."""
        self.wake.set()
        self.check()
        lane.press_at = lane.put_bytes + self.step_bytes
        if self.memory_bytes() >= self.max_bytes:
            self._wait_for_memory()
            self.check()

    def wait_durable(self, lane: Lane, end: int, positions: int, timeout_s: float) -> bool:
        """Wait until the lane's bytes and positions are durable."""

        def is_durable() -> bool:
            return lane.durable_bytes >= end and lane.durable_positions >= positions

        self.wake.set()
        with self._changed:
            self._changed.wait_for(lambda: is_durable() or self._ended, timeout_s)
        if not is_durable() and self._ended:
            self.check()
        return is_durable()

    def check(self) -> None:
        """Raise where nothing is taken any more."""
        if self.failure is not None:
            raise SpoolError(f"the spool's writer has failed: {self.failure}") from self.failure
        if self.closing.is_set():
            raise SpoolError("the spool is closed")

    def announce(self) -> None:
        """The writer has made something durable."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Take no more."""
        self.closing.set()
        self.wake.set()
        self._release_lanes()

    def end(self, failure: BaseException | None) -> None:
        """The writer is gone; what waits for it must not wait any longer."""
        self.failure = failure
        self._ended = True
        self._release_lanes()

    def _release_lanes(self) -> None:
        for lane in list(self.lanes):
            lane.press_at = 0
        self.announce()

    def _wait_for_memory(self) -> None:
        with self._changed:
            self.blocked_lanes += 1
            while not self._may_go_on():
                start = time.monotonic()
                self._changed.wait_for(self._may_go_on, WAIT_S)
                self.blocked_s += time.monotonic() - start
            self.blocked_lanes -= 1

    def _may_go_on(self) -> bool:
        stopped = self._ended or self.closing.is_set()
        return stopped or self.memory_bytes() < self.max_bytes
