"""For each kind of source something to read: what feeds it, and what it must bring."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from armorstack import config
from armorstack.sources import make_source
from armorstack.sources.contract import Source
from armorstack.sources.stdin import Stdin
from tests.support.relay_server import RelayServer, numbered


class Rig:
    """What a contract test needs to know of one kind of source."""

    kind = ""
    settings: Any
    """The settings of the source under test."""
    feeds_itself = False
    """Whether the source brings its own events, so that `feed` has nothing to do."""
    remembers = False
    """Whether a restarted source goes on where the one before it ended."""

    def source(self) -> Source:
        """A source over what this rig feeds."""
        return make_source(self.settings)

    def feed(self, first: int, last: int) -> list[bytes]:
        """Give the running source these numbered frames; returns them as they must arrive."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything."""


class RelayRig(Rig):
    """A real relay of alerts."""

    kind = "relay"

    def __init__(self, _: Path) -> None:
        self._server = RelayServer()
        self.settings = config.RelaySource(
            address=self._server.address, name="under test", cluster="west",
            logs="off", messages="off", backoff_initial_s=0.05, backoff_max_s=0.3,
        )  # fmt: skip

    def feed(self, first: int, last: int) -> list[bytes]:
        self._server.wait_attached("alert")
        return self._server.number("alert", first, last)

    def close(self) -> None:
        self._server.stop()


class FileRig(Rig):
    """A file that lines are added to."""

    kind = "file"
    remembers = True

    def __init__(self, folder: Path) -> None:
        self._path = folder / "events.log"
        self._path.touch()
        self.settings = config.FileSource(path=str(self._path), name="under test", cluster="west")

    def feed(self, first: int, last: int) -> list[bytes]:
        lines = [numbered("line", number) for number in range(first, last)]
        with self._path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
        return lines


class StdinRig(Rig):
    """A pipe in the place of standard input."""

    kind = "stdin"

    def __init__(self, _: Path) -> None:
        self.settings = config.StdinSource(name="under test", cluster="west")
        self._end, self._begin = os.pipe()

    def source(self) -> Source:
        return Stdin(self.settings, self._end)

    def feed(self, first: int, last: int) -> list[bytes]:
        lines = [numbered("line", number) for number in range(first, last)]
        rest = memoryview(b"".join(line + b"\n" for line in lines))
        while rest:
            rest = rest[os.write(self._begin, rest) :]
        return lines

    def close(self) -> None:
        os.close(self._begin)
        os.close(self._end)


class SampleRig(Rig):
    """The sample, which needs nothing."""

    kind = "sample"
    feeds_itself = True

    def __init__(self, _: Path) -> None:
        self.settings = config.SampleSource(name="under test", cluster="west", rate=500.0)


RIGS: dict[type[Any], Callable[[Path], Rig]] = {
    config.RelaySource: RelayRig,
    config.FileSource: FileRig,
    config.StdinSource: StdinRig,
    config.SampleSource: SampleRig,
}
"""A new source needs its rig here; the contract suite fails without."""
