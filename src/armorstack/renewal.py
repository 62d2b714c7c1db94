"""New settings for an `armorstack run` that goes on.

Read, compared and vetted before anything is touched; then the worker is started anew with them,
and when it does its work the receiver is told, which changes its sources while it runs. A worker
that cannot start with them is replaced by one with the old ones. Invariant: no step waits, so the
supervisor goes on watching its children; whatever is wrong leaves the old settings in force.
"""

import time
from collections.abc import Callable

from armorstack import log
from armorstack.child import REFUSED, Child, describe_end
from armorstack.config import Config
from armorstack.config.change import Change, compare
from armorstack.core.text import printable
from armorstack.errors import ArmorstackError
from armorstack.vetting import Vetting

WORKER_STOP_S = 10.0
"""A worker that was told to end and has not by then is killed; the spool has what it had not."""
READY_S = 30.0
"""A worker that runs for so long may wait for a sink, but it did start."""
STARTS = 2
"""Once may be chance: the machine's killer of processes, or a person."""
FAULTS = (ArmorstackError, OSError, RecursionError)
"""What reading a broken file can raise; the last one where tables are nested without end."""


class Renewal:
    """Goes over to new settings each time it is asked to."""

    def __init__(
        self, read: Callable[[], Config], receiver: Child, worker: Child,
        tell: Callable[[str], None], look: Callable[[], bool],
    ) -> None:  # fmt: skip
        """`look` takes in the children's reports: whether the running worker does its work."""
        self._read, self._receiver, self._worker = read, receiver, worker
        self._tell, self._look = tell, look
        self._config = worker.config
        self._step: Callable[[], None] | None = None
        self._vetting: Vetting | None = None
        self._change = Change(())
        self._asked_again = False
        self._since = 0.0
        self._starts = 0

    @property
    def is_busy(self) -> bool:
        """Whether it is on its way to new settings."""
        return self._step is not None

    @property
    def holds_worker(self) -> bool:
        """Whether it alone deals with the worker's end and start just now."""
        return self._step in (self._await_end, self._await_work)

    def begin(self) -> None:
        """Read the settings anew; while busy with earlier ones, afterwards, once."""
        if self.is_busy:
            self._asked_again = True
            return
        try:
            new = self._read()
            self._change = compare(self._config, new)
            self._change.check()
        except FAULTS as error:
            self._refuse(str(error), getattr(error, "hint", ""))
            return
        if not self._change:
            self._tell(f"settings reloaded: {self._change}")
            return
        self._vetting = Vetting(new)
        self._step = self._await_verdict

    def step(self) -> None:
        """Go on; called a few times a second."""
        if self._step is not None:
            self._step()
        elif self._asked_again:
            self._asked_again = False
            self.begin()

    def close(self) -> None:
        """Leave it: the run ends."""
        if self._vetting is not None:
            self._vetting.close()

    def _await_verdict(self) -> None:
        assert self._vetting is not None
        try:
            if not self._vetting.is_passed():
                return
        except ArmorstackError as error:
            self._refuse(str(error), error.hint)
            return
        if not self._change.takes_worker:
            self._finish()
            return
        self._worker.config = self._vetting.config
        self._worker.terminate()
        self._go_on(self._await_end)

    def _await_end(self) -> None:
        """The old worker stores what it has, and ends."""
        if self._worker.poll() is None:
            if self._waited_s() > WORKER_STOP_S:
                self._worker.kill()
            return
        self._look()  # at its last report, before the next one takes the place
        self._worker.start()
        self._starts = 1
        self._go_on(self._await_work)

    def _await_work(self) -> None:
        """The new worker opens its sinks, or says that it cannot."""
        code = self._worker.poll()
        if code == 0 or (code is None and (self._look() or self._waited_s() > READY_S)):
            self._finish()
        elif code in REFUSED or (code is not None and self._starts >= STARTS):
            self._go_back(code)
        elif code is not None:
            self._starts += 1
            self._worker.start()

    def _go_back(self, code: int) -> None:
        self._worker.config = self._config
        self._worker.start()
        self._refuse(f"the worker {describe_end(code)} before it could work by them")

    def _finish(self) -> None:
        assert self._vetting is not None
        self._config = self._vetting.config
        # Also when no source has changed: a receiver that is started again later needs them.
        self._receiver.change(self._config)
        self._worker.config = self._config
        log.configure("supervisor", self._config.log)
        self._end(f"settings reloaded: {self._change}")

    def _refuse(self, reason: str, hint: str = "") -> None:
        why = printable(f"{reason} (hint: {hint})" if hint else reason)
        self._end(f"settings not reloaded: {why}; the old ones go on")

    def _end(self, line: str) -> None:
        if self._vetting is not None:
            self._vetting.close()
        self._vetting = self._step = None
        self._tell(line)

    def _go_on(self, step: Callable[[], None]) -> None:
        self._step, self._since = step, time.monotonic()

    def _waited_s(self) -> float:
        return time.monotonic() - self._since
