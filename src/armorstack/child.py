"""One process of ours that is started, watched, and started again when it crashes.

Invariant: the child learns of our end by the pipe that carries its settings, so no child outlives
a supervisor that was killed; writing to that pipe never waits for the child. SIGINT and SIGHUP are
blocked in children: Ctrl-C and a closed terminal reach the whole group, and only the supervisor
decides what they mean. Why a child is started must not go here.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from armorstack.config import Config
from armorstack.control import DRAIN, encode_change, encode_config
from armorstack.core.backoff import delay_s

RESTART_INITIAL_S = 0.5
RESTART_LONGEST_S = 5.0
"""Short, because a relay drops what it has while no receiver runs."""
STEADY_S = 10.0
"""A child that lived so long is started again without a growing wait."""
CHILD_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "GRPC_VERBOSITY": "NONE"}
"""glibc's arenas per thread cost a tenth of the worker's memory and gain nothing; what gRPC's core
would print on stderr our own log says better. The user's environment goes before."""
REFUSED = (1, 2)
"""Exit codes of a process that said itself what is wrong."""

FOR_THE_SUPERVISOR = {signal.SIGINT, signal.SIGHUP}

Telling = Callable[[str], None]


class Child:
    """`python -m armorstack NAME`, under our eyes."""

    def __init__(
        self, name: str, config: Config, *, inherit: Sequence[tuple[str, int]] = (),
        stdin: int | None = subprocess.DEVNULL, tell: Telling | None = None,
    ) -> None:  # fmt: skip
        """`inherit`: options and the descriptors they carry; `tell` takes the child's stderr."""
        self.name = name
        self.was_ready = False
        """Whether any process of this child ever did its work; set by the supervisor."""
        self.restart_at = 0.0
        self.config = config
        """What the next process works by; the present one may have been told something else."""
        self._inherit, self._stdin, self._tell = inherit, stdin, tell
        self._process: subprocess.Popen[bytes] | None = None
        self._telling: threading.Thread | None = None
        self._pipe: int | None = None
        self._unsaid = b""
        self._started_at = 0.0
        self._failures = 0
        self._drain = False

    @property
    def pid(self) -> int:
        """Process id of the running or last process; 0: none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start a process and give it its settings."""
        reading, writing = os.pipe()
        options = [("--control-fd", reading), *self._inherit]
        command = [sys.executable, "-P", "-m", "armorstack", self.name]
        command += [word for option, fd in options for word in (option, str(fd))]
        signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_SUPERVISOR)
        try:
            self._process = subprocess.Popen(
                command, stdin=self._stdin, pass_fds=[fd for _, fd in options],
                stderr=subprocess.PIPE if self._tell else None,
                env=CHILD_ENVIRONMENT | os.environ,
            )  # fmt: skip
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_THE_SUPERVISOR)
            os.close(reading)
        self._started_at = time.monotonic()
        self.restart_at = 0.0
        self._close_pipe()
        os.set_blocking(writing, False)
        self._pipe = writing
        self._say(encode_config(self.config))
        if self._drain:
            self._say(DRAIN)
        if self._tell:
            self._telling = threading.Thread(
                target=self._pass_on, args=(self._process,), daemon=True
            )
            self._telling.start()

    def poll(self) -> int | None:
        """The exit code of a process that ended since it was started; None while it runs. Call it
        a few times a second: what did not fit into the pipe goes on its way then."""
        self._flush()
        return self._process.poll() if self._process else None

    def change(self, config: Config) -> None:
        """Give this process and those that follow other settings."""
        self.config = config
        self._say(encode_change(config))

    def drain(self) -> None:
        """Tell this process and those that follow: nothing more is received."""
        self._drain = True
        self._say(DRAIN)

    def plan_restart(self) -> float:
        """Seconds until it shall be started again."""
        steady = time.monotonic() - self._started_at > STEADY_S
        self._failures = 1 if steady else self._failures + 1
        pause_s = delay_s(self._failures, RESTART_INITIAL_S, RESTART_LONGEST_S, random.random())
        self.restart_at = time.monotonic() + pause_s
        return pause_s

    def is_due(self) -> bool:
        """Whether the planned restart is due."""
        return 0.0 < self.restart_at <= time.monotonic()

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None and self._process:
            self._process.terminate()

    def kill(self) -> None:
        """End it by force, and wait until it is gone."""
        if self.poll() is None and self._process:
            self._process.kill()
            self._process.wait()

    def close(self, wait_s: float = 0.0) -> None:
        """Let go of the pipe; wait so long for the last lines of a process that has ended."""
        self._close_pipe()
        if self._telling:
            self._telling.join(wait_s)

    def _say(self, line: bytes) -> None:
        self._unsaid += line
        self._flush()

    def _flush(self) -> None:
        """Write what the pipe has room for: a child that hangs must not make us wait."""
        try:
            while self._unsaid and self._pipe is not None:
                self._unsaid = self._unsaid[os.write(self._pipe, self._unsaid) :]
        except BlockingIOError:
            return
        except OSError:
            # A child that is gone already is told by `poll`.
            self._unsaid = b""

    def _close_pipe(self) -> None:
        self._unsaid = b""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _pass_on(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        assert self._tell is not None
        with process.stderr as lines:
            for line in lines:
                self._tell(line.decode(errors="replace").rstrip())


def describe_end(code: int) -> str:
    """What an exit code of `subprocess` means."""
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
