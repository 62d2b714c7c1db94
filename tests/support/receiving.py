"""A source that runs as in the receiver: in a thread, over a real intake and spool."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from armorstack import config
from armorstack.core.gap import Gap, decode_gap, encode_gap
from armorstack.sources.contract import Source
from armorstack.spool.intake import Intake
from armorstack.spool.rows import Row, frames_of
from armorstack.spool.store import Spool
from tests.support.spool_rows import SMALL, read_all

DEADLINE_S = 30.0
CLOSE_S = 20.0


class Receiving:
    """Starts the source; look at what it brought while it runs or after it ended."""

    def __init__(self, source: Source, folder: Path, settings: config.Spool = SMALL) -> None:
        self.source = source
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self.folder = folder
        self._ended = False
        spool = Spool.open(folder, settings, time.time_ns() // 1000)
        self.intake = Intake(spool, settings, gap_frame=_gap_frame)
        self.intake.start()
        self.thread = threading.Thread(target=self._run, name="receiving")
        self.thread.start()

    def _run(self) -> None:
        try:
            self.source.run(self.intake, self.stop)
        except BaseException as error:
            self.error = error

    def rows(self) -> list[Row]:
        """What is durable in the spool."""
        return read_all(self.folder)

    def frames(self, stream: str = "") -> list[bytes]:
        """The frames of one stream, or of all but gaps, in the spool's order."""
        return [
            frame
            for row in self.rows()
            if row.stream == stream or (not stream and row.stream != "gap")
            for frame in frames_of(row)
        ]

    def by_lane(self) -> dict[tuple[str, str, str, str], list[bytes]]:
        """The frames by source, stream, encoding and cluster; gaps left out."""
        lanes = defaultdict(list)
        for row in self.rows():
            if row.stream != "gap":
                lanes[row.source, row.stream, row.encoding, row.cluster] += frames_of(row)
        return dict(lanes)

    def gaps(self) -> list[Gap]:
        """The gaps that were told, in order."""
        return [decode_gap(frame) for frame in self.frames("gap")]

    def wait(self, true: Callable[[], object], what: str = "it") -> None:
        """Wait until it holds; fails when the deadline or the source's own end comes first."""
        deadline = time.monotonic() + DEADLINE_S
        while not true():
            state = self.source.state()
            assert time.monotonic() < deadline, f"waited in vain for {what}; {state}; {self.error}"
            time.sleep(0.02)

    def wait_connected(self) -> None:
        """Wait until the source says that it is connected."""
        self.wait(lambda: self.source.state().connected, "a connection")

    def wait_error(self, words: str) -> str:
        """Wait until the source's error holds these words; returns its hint."""
        self.wait(lambda: words in self.source.state().error, f"the error {words!r}")
        return self.source.state().hint

    def wait_frames(self, frames: list[bytes], stream: str = "") -> None:
        """Wait until so many frames are durable; then they must be just these."""
        self.wait(lambda: len(self.frames(stream)) >= len(frames), f"{len(frames)} frames")
        assert self.frames(stream) == frames

    def wait_end(self) -> None:
        """Wait until the source has ended by itself."""
        self.wait(lambda: not self.thread.is_alive(), "the source's end")

    def end(self) -> None:
        """Stop the source, make all durable and close the spool."""
        self.stop.set()
        if self._ended:
            return
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), "the source does not stop"
        self._ended = True
        assert self.intake.close(CLOSE_S)

    def __enter__(self) -> "Receiving":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            self.end()


def _gap_frame(
    reason: str, source: str, stream: str, start_us: int, end_us: int, lost: int | None
) -> bytes:
    return encode_gap(
        Gap(reason=reason, source=source, stream=stream, start_us=start_us, end_us=end_us,
            lost=lost)  # type: ignore[arg-type]
    )  # fmt: skip
