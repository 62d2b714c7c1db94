"""An `armorstack` process whose settings file changes while it runs."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.frames import protobuf
from tests.support.relay_server import RelayServer
from tests.support.running import Running, alert, running, until

SPOOL = "[spool]\nreserve_bytes = 0\n"
DONE = ("settings reloaded", "settings not reloaded")


class Reloadable:
    """A running process, its settings file, and what it says about each reload."""

    def __init__(self, run: Running, file: Path) -> None:
        self.run, self._file = run, file
        self._seen = 0

    def hang_up(self) -> None:
        """Send SIGHUP."""
        self.run.process.send_signal(signal.SIGHUP)

    def answers(self) -> list[str]:
        """What was said about reloads so far."""
        lines = self.run.output().splitlines()
        return [line for line in lines if any(words in line for words in DONE)]

    def answer(self) -> str:
        """What is said about the next reload that nobody has asked about yet."""
        found = until(lambda: self.answers()[self._seen :], f"an answer: {self.run.output()}")
        self._seen += 1
        return found[0]

    def reload(self, text: str) -> str:
        """Put these settings in the file and send SIGHUP; what is said about it."""
        self._file.write_text(SPOOL + text)
        self.hang_up()
        return self.answer()


@contextmanager
def reloadable(
    text: str, data_dir: Path, *words: str, command: str = "run", own_group: bool = False
) -> Iterator[Reloadable]:
    """The command with these settings in a file; SIGHUP is not ignored in it."""
    file = data_dir.parent / "armorstack.toml"
    file.write_text(SPOOL + text)
    # Under nohup, tests and what they start ignore it.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        options = (command, "--config", str(file), *words)
        with running(*options, data_dir=data_dir, own_group=own_group) as run:
            # Before it listens the signal would end it.
            until(run.receiver if command == "receiver" else run.worker, "its report")
            yield Reloadable(run, file)
    finally:
        signal.signal(signal.SIGHUP, before)


class Load:
    """Sends numbered alerts to whoever is attached to a relay, about a thousand a second."""

    EACH, PAUSE_S = 50, 0.05

    def __init__(self, relay: RelayServer, first: int = 0) -> None:
        self.numbers: list[int] = []
        """Those that were sent."""
        self._relay, self._next = relay, first
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def _send(self) -> None:
        while not self._stop.wait(self.PAUSE_S):
            numbers = range(self._next, self._next + self.EACH)
            self._next += self.EACH
            self._relay.send("alert", *(protobuf(alert(number), "alert") for number in numbers))
            self.numbers += numbers

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def relay_source(relay: RelayServer, more: str = "") -> str:
    """The table of a relay source that reads alerts alone."""
    return (
        f'[[source]]\ntype = "relay"\naddress = "{relay.address}"\n'
        f'logs = "off"\nmessages = "off"\nbackoff_initial_s = 0.1\n{more}\n'
    )


def file_source(path: Path, more: str = "") -> str:
    """The table of a file source."""
    return f'[[source]]\ntype = "file"\npath = "{path}"\n{more}\n'


def drop(*namespaces: str) -> str:
    """The table of a filter that drops these namespaces."""
    return f'[[filter]]\ntype = "drop"\nselect = {{ namespaces = {list(namespaces)} }}\n'


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
