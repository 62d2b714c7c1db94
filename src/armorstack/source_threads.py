"""The sources of a receiver, each in a thread of its own, and how they change while it runs.

Invariant: two threads never read the same place: the one that leaves must have ended, and all that
it put be durable, before another begins there. So a file goes on where it was, and nothing is put
twice. A source whose settings stay the same is not touched. Reading must not go here.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import structlog
from msgspec.structs import replace

from armorstack import config
from armorstack.config import FileSource, RelaySource, source_name
from armorstack.core.backoff import delay_s
from armorstack.core.gap import Gap, encode_gap
from armorstack.errors import SourceError, SpoolError
from armorstack.sources.contract import Source
from armorstack.spool.intake import Intake
from armorstack.state import SourceState

RETRY_INITIAL_S = 1.0
RETRY_LONGEST_S = 60.0

log = structlog.get_logger()

Make = Callable[[config.Source], Source]


class SourceThread:
    """A source in a thread of its own."""

    def __init__(
        self, source: Source, settings: config.Source, intake: Intake, missed_since_us: int = 0
    ) -> None:
        """`missed_since_us`: since when nobody has listened where it reads; 0: nothing is owed."""
        self.settings = settings
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self.stopped_us = 0
        self._source, self._intake = source, intake
        self._missed_since_us = missed_since_us
        self._broken: SourceError | None = None
        self._thread = threading.Thread(target=self._run, name=source.name, daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the source still reads or will read again."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def leave(self) -> None:
        """Begin to stop; `stopped_us` is then since when what comes may be missed: 0 where it never
        was connected, since the time before the first connection is no gap."""
        state, missed = self._source.state(), self._missed_since_us
        self.tell_missed(ended=True)
        if missed or state.connected or state.since_us or state.reconnects:
            self.stopped_us = _now_us()
        self.stop.set()

    def tell_missed(self, *, ended: bool = False) -> None:
        """Tell the gap before our first connection, once it is over or nobody reads any more."""
        since_us = self._missed_since_us
        if not since_us:
            return
        state = self._source.state()
        if state.connected or ended:
            end_us = max(since_us, state.since_us) if state.connected else _now_us()
            gap = Gap(
                "disconnect", source_name(self.settings), since_us, end_us,
                detail="the settings of the source were changed",
            )  # fmt: skip
            self._missed_since_us = 0
            self._intake.gap(encode_gap(gap), gap.source)

    def state(self) -> SourceState:
        """The source's state; while it waits to be started again, with the reason."""
        state, broken = self._source.state(), self._broken
        if broken is None or state.connected:
            return state
        return replace(state, connected=False, error=str(broken), hint=broken.hint)

    def _run(self) -> None:
        failures = 0
        try:
            while not self.stop.is_set():
                try:
                    self._source.run(self._intake, self.stop)
                    return
                except SourceError as error:
                    failures += 1
                    self._broken = error
                    log.error("source broke down", source=self._source.name, reason=str(error))
                wait_s = delay_s(failures, RETRY_INITIAL_S, RETRY_LONGEST_S, random.random())
                self.stop.wait(wait_s)
        except BaseException as error:
            self.error = error


class SourceThreads:
    """All of them. One thread calls: the receiver's."""

    def __init__(self, wanted: Sequence[config.Source], make: Make, intake: Intake) -> None:
        self._make, self._intake = make, intake
        self._running: list[SourceThread] = []
        self._leaving: list[SourceThread] = []
        self._wanted: list[config.Source] = []
        """Those that are still to be started."""
        self._owed: dict[str, int] = {}
        """By name of such a one: since when what it sends is missed."""
        self.change(wanted)

    def change(self, wanted: Sequence[config.Source]) -> None:
        """Go over to these sources; `step` does what cannot be done at once."""
        for thread in list(self._running):
            if thread.settings not in wanted:
                log.info("source is left", source=source_name(thread.settings))
                thread.leave()
                self._running.remove(thread)
                self._leaving.append(thread)
        running = [thread.settings for thread in self._running]
        self._wanted = [settings for settings in wanted if settings not in running]
        for settings in self._wanted:
            self._note_owed(settings)
        self.step()

    def step(self) -> None:
        """Start what can be started by now, and tell gaps that are over."""
        self._leaving = [thread for thread in self._leaving if not self._has_left(thread)]
        for settings in list(self._wanted):
            if not any(_collide(settings, thread.settings) for thread in self._leaving):
                self._wanted.remove(settings)
                self._start(settings)
        for thread in self._running:
            thread.tell_missed()

    def states(self) -> tuple[SourceState, ...]:
        """How each source is doing."""
        return tuple(thread.state() for thread in self._running)

    def errors(self) -> Iterator[BaseException]:
        """Faults that have ended a thread."""
        threads = (*self._running, *self._leaving)
        return (thread.error for thread in threads if thread.error is not None)

    def are_finished(self) -> bool:
        """Whether none reads or will read, but for changes of policies, which never end."""
        threads = (*self._running, *self._leaving)
        alive = [thread.settings for thread in threads if thread.is_alive()]
        return all(source_name(each) == config.POLICIES for each in (*self._wanted, *alive))

    def end(self, wait_s: float) -> None:
        """Stop them, and give them this time to end."""
        threads = (*self._running, *self._leaving)
        for thread in threads:
            thread.stop.set()
        deadline = time.monotonic() + wait_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(SpoolError):  # one that has failed tells that by itself
                thread.tell_missed(ended=True)

    def _note_owed(self, settings: config.Source) -> None:
        """A relay under other settings owes what it sends until they are in force; a file keeps
        its lines, and a source that is only removed owes nothing."""
        for thread in self._leaving:
            relays = isinstance(settings, RelaySource) and isinstance(thread.settings, RelaySource)
            if relays and thread.stopped_us and _collide(settings, thread.settings):
                self._owed.setdefault(source_name(settings), thread.stopped_us)

    def _start(self, settings: config.Source) -> None:
        owed_us = self._owed.pop(source_name(settings), 0)
        source = self._make(settings)
        self._running.append(SourceThread(source, settings, self._intake, owed_us))

    def _has_left(self, thread: SourceThread) -> bool:
        return not thread.is_alive() and self._intake.retire(source_name(thread.settings))


def _collide(one: config.Source, other: config.Source) -> bool:
    """Whether both go by one name, where positions are kept, or read the same place."""
    return source_name(one) == source_name(other) or _place(one) == _place(other)


def _place(settings: config.Source) -> str:
    """What is read."""
    match settings:
        case RelaySource():
            return f"relay/{settings.address}"
        case FileSource():
            return f"file/{settings.path}"
        case _:
            return source_name(settings)


def _now_us() -> int:
    return time.time_ns() // 1000
