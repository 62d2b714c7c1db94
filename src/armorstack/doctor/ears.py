"""Listening to sources for a few seconds, on connections and files of our own.

Invariant: nothing that is heard is taken from anybody: a relay serves each client by itself, a
file is only read. What is kept is bounded, what comes is counted all the same. What it means must
not go here.
"""

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from armorstack.config import FileSource, RelaySource, StdinSource, source_name
from armorstack.errors import SourceError
from armorstack.sources.lines import LineCutter
from armorstack.sources.relay_errors import ended_at_once, explain
from armorstack.sources.relay_link import Link
from armorstack.sources.relay_wire import Stream
from armorstack.spool.rows import Row, row_of

KEPT_BYTES = 16 * 1024 * 1024
"""Of each stream: what comes first is looked at, the rest only counted."""
BLOCK_BYTES = 256 * 1024
POLL_S = 0.1
JOIN_S = 5.0
STDIN_FD = 0


class Ear:
    """One thread that listens to one thing. Not for use a second time."""

    encoding = "json"

    def __init__(self, name: str, stream: str, cluster: str = "") -> None:
        self.name, self.stream = name, stream
        self.count = 0
        self.error: SourceError | None = None
        self._cluster = cluster
        self._kept: list[tuple[int, bytes]] = []
        self._room = KEPT_BYTES
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name} {stream}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait for the thread."""
        self._stop.set()
        self._cut()
        if self._thread.ident:
            self._thread.join(JOIN_S)

    def rows(self) -> list[Row]:
        """What was kept, each frame with the time at which it came."""
        return [
            row_of(
                [frame], source=self.name, stream=self.stream, encoding=self.encoding,
                cluster=self._cluster, received_us=at_us, seq=number,
            )
            for number, (at_us, frame) in enumerate(self._kept, start=1)
        ]  # fmt: skip

    def _hear(self, frame: bytes) -> None:
        self.count += 1
        if self._room > 0:
            self._room -= len(frame)
            self._kept.append((time.time_ns() // 1000, frame))

    def _run(self) -> None:
        raise NotImplementedError

    def _cut(self) -> None:
        """End what the thread may wait for."""


class StreamEar(Ear):
    """A stream of a relay."""

    encoding = "protobuf"

    def __init__(self, settings: RelaySource, stream: Stream, filter_name: str) -> None:
        super().__init__(source_name(settings), stream, settings.cluster)
        self._settings, self._watched, self._filter = settings, stream, filter_name
        self._link: Link | None = None

    def _run(self) -> None:
        settings = self._settings
        try:
            self._link = Link(settings, settings.keepalive_s)
            for frame in self._link.watch(self._watched, self._filter):
                self._hear(frame)
                if self._stop.is_set():
                    return
            self._tell(self._ended())
        except grpc.RpcError as error:
            self._tell(explain(error, settings))
        except SourceError as error:
            self._tell(error)
        finally:
            if self._link is not None:
                self._link.close()

    def _ended(self) -> SourceError:
        if self.count:
            return SourceError(f"{self._settings.address} ended the {self.stream} stream")
        return ended_at_once(self._settings, self.stream, self._filter)

    def _tell(self, error: SourceError) -> None:
        if not self._stop.is_set():
            self.error = error

    def _cut(self) -> None:
        if self._link is not None:
            self._link.close()


class FileEar(Ear):
    """Lines that are added to a file."""

    def __init__(self, settings: FileSource) -> None:
        super().__init__(source_name(settings), "auto", settings.cluster)
        self._path = Path(settings.path)

    def _run(self) -> None:
        cutter = LineCutter()
        # A file that cannot be read is told by the check of the file itself.
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            while not self._stop.is_set():
                block = file.read(BLOCK_BYTES)
                for line in cutter.feed(block):
                    self._hear(line)
                if not block:
                    self._stop.wait(POLL_S)


class StdinEar(Ear):
    """Lines on standard input."""

    def __init__(self, settings: StdinSource, fd: int = STDIN_FD) -> None:
        super().__init__(source_name(settings), "auto", settings.cluster)
        self._fd = fd
        self.ended = False
        """Whether the input was over before we were."""

    def _run(self) -> None:
        cutter = LineCutter()
        while not self._stop.is_set():
            ready, _, _ = select.select([self._fd], [], [], POLL_S)
            if not ready:
                continue
            block = os.read(self._fd, BLOCK_BYTES)
            rest = [] if block else [cutter.rest()]
            for line in [*cutter.feed(block), *filter(None, rest)]:
                self._hear(line)
            if not block:
                self.ended = True
                return


def listen(ears: list[Ear], listen_s: float, tell: Callable[[str], None]) -> None:
    """Let all of them listen at the same time, and tell how it goes."""
    for ear in ears:
        ear.start()
    end = time.monotonic() + listen_s
    try:
        while (left_s := end - time.monotonic()) > 0:
            tell(f"listening, {left_s:.0f} s left, {sum(ear.count for ear in ears)} events so far")
            time.sleep(min(left_s, POLL_S))
    finally:
        for ear in ears:
            ear.close()
