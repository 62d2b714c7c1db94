"""The sample source: starts the sample relay as a process of its own and reads it as any relay.

Invariant: the child's standard input is our pipe, and the child ends when that closes and not
before; so none is left behind, whatever becomes of this process. With a `count` the source is
finished when the child has told how much it sent and all of it was taken.
What the events are must not go here.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from msgspec.structs import replace

from armorstack.config import RelaySource, SampleSource, source_name
from armorstack.errors import SourceError
from armorstack.sources.contract import SourceState
from armorstack.sources.relay import Relay
from armorstack.spool.intake import Intake
from armorstack.spool.lane import LENGTH_BYTES, Lane

TICK_S = 0.1
START_S = 60.0
REST_S = 15.0
"""Time for the last events to arrive once the child has told that it sent them."""
END_S = 2.0
"""Time for the child to end by itself once its standard input is closed."""


class SampleRelaySource:
    """A source over a relay that it brings along."""

    def __init__(self, settings: SampleSource) -> None:
        self.name = source_name(settings)
        self._settings = settings
        self._relay: Relay | None = None
        self._finished = False
        self._error: SourceError | None = None

    def run(self, intake: Intake, stop: threading.Event) -> None:
        """Read until `stop` is set or all was read; raises `SourceError` if the child fails."""
        self._error = None
        with _started(self._settings) as child:
            address = child.address(stop)
            if address is None:
                return
            tap = Tap(intake)
            self._relay = Relay(self._relay_settings(address))
            ended = threading.Event()
            watch = threading.Thread(
                target=self._watch, args=(child, tap, stop, ended), name=f"{self.name} end"
            )
            watch.start()
            try:
                # A tap is all of an intake that a relay uses.
                self._relay.run(cast(Intake, tap), ended)
            finally:
                ended.set()
                watch.join()
        if self._error is not None:
            raise self._error

    def state(self) -> SourceState:
        """A snapshot: that of the relay source inside, under this source's name."""
        if self._relay is None:
            return SourceState(name=self.name, kind="sample")
        inner = replace(self._relay.state(), name=self.name, kind="sample")
        if not self._finished:
            return inner
        return replace(inner, connected=False, finished=True, error="", hint="")

    def _relay_settings(self, address: str) -> RelaySource:
        return RelaySource(
            address=address, name=self.name, cluster=self._settings.cluster,
            backoff_initial_s=0.1, backoff_max_s=1.0,
        )  # fmt: skip

    def _watch(
        self, child: "Child", tap: "Tap", stop: threading.Event, ended: threading.Event
    ) -> None:
        """The watching thread: set `ended` when there is no reason to go on."""
        try:
            self._finished = _is_exhausted(child, tap, stop, ended)
        except SourceError as error:
            self._error = error
        except Exception as error:
            self._error = SourceError(f"{self.name} broke down: {error}")
            self._error.__cause__ = error
        finally:
            ended.set()


def _is_exhausted(
    child: "Child", tap: "Tap", stop: threading.Event, ended: threading.Event
) -> bool:
    """Wait for the end: True when the child had no more to send, False when told to stop.

    Raises SourceError when the child failed, or when not all that it sent arrives.
    """
    deadline = None
    while not stop.is_set() and not ended.wait(TICK_S):
        sent_bytes = child.sent_bytes()
        if sent_bytes is None:
            continue
        deadline = deadline or time.monotonic() + REST_S
        if tap.taken_bytes >= sent_bytes:
            return True
        if time.monotonic() > deadline:
            raise SourceError(f"{tap.taken_bytes} of {sent_bytes} bytes of the sample arrived")
    return False


class Child:
    """The running sample relay and what it said."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._lines: list[dict[str, Any]] = []
        self._listener = threading.Thread(target=self._listen, name="sample relay", daemon=True)
        self._listener.start()

    def address(self, stop: threading.Event) -> str | None:
        """Where it listens; None when `stop` was set first."""
        deadline = time.monotonic() + START_S
        while not stop.is_set():
            if self._lines:
                return str(self._lines[0]["address"])
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise self._failed()
            stop.wait(TICK_S / 5)
        return None

    def sent_bytes(self) -> int | None:
        """What lanes count for all that it sent, once it has; SourceError if it ended."""
        if len(self._lines) > 1:
            told = self._lines[1]
            return int(told["bytes"] + LENGTH_BYTES * sum(told["sent"].values()))
        if self._process.poll() is not None:
            raise self._failed()
        return None

    def end(self) -> None:
        """End it, by closing its standard input and then by force."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.append(json.loads(line))

    def _failed(self) -> SourceError:
        return SourceError(
            f"the sample relay ended with code {self._process.poll()}",
            hint="run `armorstack sample-relay` by itself to see why",
        )


@contextmanager
def _started(settings: SampleSource) -> Iterator[Child]:
    options = {"--rate": settings.rate, "--count": settings.count}
    words = [word for option in options.items() for word in map(str, option)]
    process = subprocess.Popen(
        [sys.executable, "-m", "armorstack", "sample-relay", "--while-stdin", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C on the terminal is for us; we end the child when we end.
        start_new_session=True,
    )
    child = Child(process)
    try:
        yield child
    finally:
        child.end()


class Tap:
    """An intake that remembers its lanes, so that what they took can be told."""

    def __init__(self, intake: Intake) -> None:
        self._lane = intake.lane
        self.gap = intake.gap
        self._lanes: list[tuple[Lane, int]] = []

    @property
    def taken_bytes(self) -> int:
        """Bytes of the frames taken since, each with its length's."""
        return sum(lane.put_bytes - before for lane, before in self._lanes)

    def lane(self, source: str, stream: str, encoding: str, cluster: str = "") -> Lane:
        """A lane of the intake."""
        lane = self._lane(source, stream, encoding, cluster)
        self._lanes.append((lane, lane.put_bytes))
        return lane
