"""Following a file: whatever is written and rotated between reads, each line comes once, in order.

Between two reads the source is down, so each read is also a restart. A copy by truncation is known
by its first bytes; what was never read before it was copied away cannot be, so a file that is to
be copied has been read from once.
"""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from armorstack.config import FileSource
from armorstack.sources.file import File
from tests.support.receiving import Receiving

BASE_NS = 1_700_000_000_000_000_000
acts = st.lists(
    st.sampled_from(["write", "write", "write", "begin", "rename", "copy", "read"]), max_size=25
)


class World:
    """A log that is written and rotated, and all that was ever written to it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "app.log"
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.written: list[bytes] = []
        self._begun = b""
        self._rotations = 0
        self._was_read = False
        self._write()
        self.read()

    def act(self, what: str) -> None:
        {
            "write": self._write, "begin": self._begin, "rename": self._rename,
            "copy": self._copy, "read": self.read,
        }[what]()  # fmt: skip

    def read(self) -> None:
        """Restart the source and let it read to the end."""
        self._end_line()
        source = File(FileSource(path=str(self.log), follow=False))
        with Receiving(source, self.data) as receiving:
            receiving.wait_end()
        assert receiving.error is None
        assert receiving.frames() == self.written
        assert receiving.gaps() == []
        self._was_read = self.log.exists() and self.log.stat().st_size > 0

    def _write(self) -> None:
        self._end_line()
        line = b"line %08d " % len(self.written) + b"." * 60
        self._append(line + b"\n")
        self.written.append(line)

    def _begin(self) -> None:
        self._end_line()
        self._begun = b"begun %08d " % len(self.written) + b"." * 60
        self._append(self._begun)

    def _end_line(self) -> None:
        if self._begun:
            self._append(b" and ended\n")
            self.written.append(self._begun + b" and ended")
            self._begun = b""

    def _rename(self) -> None:
        """The writer closes the file, so a line that was begun is over."""
        if self._begun:
            self.written.append(self._begun)
            self._begun = b""
        if self.log.exists():
            self.log.rename(self._next_name())
        self._was_read = False

    def _copy(self) -> None:
        if not self._was_read:
            return
        self._end_line()
        shutil.copy2(self.log, self._next_name())
        os.truncate(self.log, 0)
        self._was_read = False

    def _append(self, data: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(data)

    def _next_name(self) -> Path:
        """A name for the old file, whose time is told apart from that of the one before it."""
        self._rotations += 1
        stamp = BASE_NS + self._rotations * 1_000_000_000
        if self.log.exists():
            os.utime(self.log, ns=(stamp, stamp))
        return self.log.with_name(f"app.log.{self._rotations}")


@settings(max_examples=30)
@given(acts)
def test_every_line_comes_once_and_in_order(what: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for one in what:
            world.act(one)
        world.read()
