"""`armorstack run`: a receiver and a worker, started, watched and ended together.

Thin on purpose: it loads neither gRPC nor Arrow nor DuckDB, and no event passes through it, so it
can be killed without loss: the children notice and end, and the next run takes over. What it shows
comes from the state files. Invariant: whatever way it ends but by SIGKILL, no child is left.
"""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from types import FrameType

from armorstack import runlock
from armorstack.child import REFUSED, Child, describe_end
from armorstack.config import Config, StdinSource
from armorstack.control import fingerprint
from armorstack.hangup import Terminal, is_heeded
from armorstack.health import is_live, not_ready
from armorstack.leftovers import wait_for_leftovers
from armorstack.renewal import Renewal
from armorstack.state import (
    ReceiverState,
    WorkerState,
    read_state,
    receiver_path,
    worker_path,
)
from armorstack.summary import Display, Ledger, Picture
from armorstack.web.access.invitation import invitation, page_url
from armorstack.web.access.owner import owner_token
from armorstack.web.server import bind, tls_context

POLL_S = 0.1
SHOW_S = 0.5
STOP_S = 9.0
"""Children that have not ended by then are killed (contract 6: 10 s)."""
RECEIVER_STOP_S = 4.0
"""The receiver's share of that; then the worker is told, whether the receiver ended or not."""
INTERRUPTED = 128 + signal.SIGINT


def supervise(
    config: Config, ledger: Ledger, make_display: Callable[[], Display], read: Callable[[], Config]
) -> int:
    """Run until all sources are finished or a signal comes; the exit code.

    `read` gives the settings anew when SIGHUP comes; what it raises leaves the old ones in force.
    Raises `SpoolLocked`, `StoreLocked`, `AccessError`, `ConfigError` before anything is started.
    """
    with runlock.hold(config.data_dir, "run"):
        wait_for_leftovers(config.data_dir)
        tls_context(config.web.tls)
        token = owner_token(config.data_dir)
        with bind(config.web.listen) as listener:
            display = make_display()
            try:
                supervisor = Supervisor(config, ledger, display, listener, read)
                bound = listener.getsockname()[:2]
                for line in invitation(config.web, bound, token, is_seen=display.is_seen):
                    display.greet(line)
                return supervisor.run()
            finally:
                display.close()


class Supervisor:
    """One run."""

    def __init__(
        self, config: Config, ledger: Ledger, display: Display, listener: socket.socket,
        read: Callable[[], Config],
    ) -> None:  # fmt: skip
        self._data_dir = config.data_dir
        self._ledger, self._display = ledger, display
        self._url = page_url(config.web, listener.getsockname()[:2])
        self._started_us = _now_us()
        self._interrupts = 0
        self._told_to_stop = self._hung_up = False
        self._terminal = Terminal()
        self._has_finished = False
        self._notes: list[str] = []
        self._next_show = 0.0
        self._worker_before: WorkerState | None = None
        reads_stdin = any(isinstance(source, StdinSource) for source in config.source)
        stdin = None if reads_stdin else subprocess.DEVNULL
        # A display that draws in place takes over what the children write.
        tell = self._notes.append if display.in_place else None
        listening = [("--http-fd", listener.fileno())]
        self._receiver = Child("receiver", config, stdin=stdin, tell=tell)
        self._worker = Child("worker", config, inherit=listening, tell=tell)
        self._renewal = Renewal(
            read, self._receiver, self._worker, display.note, self._look_at_reports
        )

    def run(self) -> int:
        """Start both, watch, end both; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if is_heeded():
            signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            self._receiver.start()
            self._worker.start()
            return self._watch()
        finally:
            self._renewal.close()
            for child in (self._receiver, self._worker):
                child.kill()
                child.close()
            self._take_reports()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        # No lock and no event: the main thread may hold what they need (`signals.py`).
        self._told_to_stop = True
        self._interrupts += number == signal.SIGINT

    def _on_hangup(self, _: int, __: FrameType | None) -> None:
        self._hung_up = True

    def _watch(self) -> int:
        while not self._told_to_stop:
            self._show()
            self._heed_hangup()
            self._renewal.step()
            for look in (self._look_at_receiver, self._look_at_worker):
                code = look()
                if code is not None:
                    return self._stop() or code
            time.sleep(POLL_S)
        return self._stop()

    def _heed_hangup(self) -> None:
        heard = self._hung_up
        if heard:
            self._hung_up = False
        if self._terminal.is_closed(heard=heard):
            self._told_to_stop = True
        elif heard and self._has_finished:
            self._display.note("settings not reloaded: all is received, the rest is being stored")
        elif heard:
            self._renewal.begin()

    def _look_at_receiver(self) -> int | None:
        """Deal with the receiver's end; an exit code when that ends the run."""
        code = self._receiver.poll()
        if self._has_finished or (code == 0 and self._is_exhausted()):
            if not self._has_finished:
                self._worker.drain()
            self._has_finished = True
            return None
        return self._restart_if_ended(self._receiver, code)

    def _look_at_worker(self) -> int | None:
        """Deal with the worker's end; an exit code when that ends the run."""
        if self._renewal.holds_worker:
            return None
        code = self._worker.poll()
        if code == 0 and self._has_finished:
            return 0
        return self._restart_if_ended(self._worker, code)

    def _restart_if_ended(self, child: Child, code: int | None) -> int | None:
        if code is None:
            return None
        if child.is_due():
            child.start()
        elif not child.restart_at:
            self._take_reports()
            if code in REFUSED and not child.was_ready:
                return code
            pause_s = child.plan_restart()
            self._display.note(
                f"the {child.name} {describe_end(code)}; it is started again in {pause_s:.1f} s"
            )
        return None

    def _is_exhausted(self) -> bool:
        """Whether the receiver ended because there is nothing more to come: from the sources that
        it shall read, not from those before a reload that came too late for it."""
        state = self._receiver_state()
        if state is None or state.settings != fingerprint(self._receiver.config):
            return False
        return all(source.finished for source in state.sources)

    def _receiver_state(self) -> ReceiverState | None:
        """The report of our newest receiver, not one of an earlier process."""
        state = read_state(receiver_path(self._data_dir), ReceiverState)
        return state if state and state.pid == self._receiver.pid else None

    def _worker_state(self) -> WorkerState | None:
        state = read_state(worker_path(self._data_dir), WorkerState)
        return state if state and state.pid == self._worker.pid else None

    def _in_step(self, worker: WorkerState | None) -> WorkerState | None:
        """The newest report of the worker that is not newer than the receiver's, while that one
        reports: nobody shall see more stored than received."""
        receiver, before = self._receiver_state(), self._worker_before
        self._worker_before = worker
        if not worker or not before or before.pid != worker.pid or worker.phase != "running":
            return worker
        if receiver and is_live(receiver, _now_us()) and receiver.updated_us < worker.updated_us:
            return before
        return worker

    def _take_reports(self) -> tuple[ReceiverState | None, WorkerState | None]:
        receiver, worker = self._receiver_state(), self._in_step(self._worker_state())
        self._receiver.was_ready |= receiver is not None and receiver.phase != "starting"
        self._worker.was_ready |= worker is not None and not not_ready(worker)
        self._ledger.enter(receiver, worker, _now_us())
        return receiver, worker

    def _look_at_reports(self) -> bool:
        """Take in the reports; whether the running worker does its work."""
        _, worker = self._take_reports()
        return worker is not None and not not_ready(worker)

    def _show(self, *, at_once: bool = False) -> None:
        while self._notes:
            self._display.note(self._notes.pop(0))
        if time.monotonic() < self._next_show and not at_once:
            return
        self._next_show = time.monotonic() + SHOW_S
        receiver, worker = self._take_reports()
        in_per_s, stored_per_s = self._ledger.rates()
        picture = Picture(
            _now_us(), self._started_us, receiver, worker, self._ledger.totals(), in_per_s,
            stored_per_s, self._url, self._data_dir,
            self._told_to_stop or self._renewal.is_busy,
        )  # fmt: skip
        self._display.show(picture)

    def _stop(self) -> int:
        """End both children, the receiver first; an exit code."""
        begin = time.monotonic()
        self._receiver.terminate()
        worker_is_told = False
        while self._receiver.poll() is None or self._worker.poll() is None:
            waited_s = time.monotonic() - begin
            if self._interrupts > 1:
                return INTERRUPTED
            if waited_s > STOP_S:
                self._display.note("a process did not end in time; it is ended by force")
                return 1
            if self._receiver.poll() is not None or waited_s > RECEIVER_STOP_S:
                if not worker_is_told:
                    self._worker.terminate()
                worker_is_told = True
            self._show()
            time.sleep(POLL_S / 2)
        self._show(at_once=True)
        return 0


def _now_us() -> int:
    return time.time_ns() // 1000
