"""Whether settings could be run, found out in a process of its own.

Compiling filters takes Arrow, and a supervisor or a receiver must not load that. Invariant: exactly
the tree that would be run is checked, not the file, which may change meanwhile. The checks
themselves are `app.vet`.
"""

import time

from armorstack.child import Child, describe_end
from armorstack.config import Config
from armorstack.errors import ConfigError

LONGEST_S = 30.0
POLL_S = 0.05
LAST_LINES_S = 2.0


class Vetting:
    """`armorstack vet` on these settings, started at once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._lines: list[str] = []
        self._child = Child("vet", config, tell=self._lines.append)
        self._child.start()
        self._deadline = time.monotonic() + LONGEST_S

    def is_passed(self) -> bool:
        """Whether the check has ended well; raises `ConfigError` with what is wrong, or that it
        takes too long."""
        code = self._child.poll()
        if code is None and time.monotonic() > self._deadline:
            self.close()
            hint = "is the machine that busy? Try again"
            raise ConfigError(f"they could not be checked within {LONGEST_S:.0f} s", hint=hint)
        if code:
            self._child.close(LAST_LINES_S)
            raise self._refusal(code)
        return code == 0

    def close(self) -> None:
        """End the check, if it still runs."""
        self._child.kill()
        self._child.close()

    def _refusal(self, code: int) -> ConfigError:
        """What the process said (see `cli/main.py`: a sentence and a hint), as an error."""
        told = {name: rest for name, _, rest in (line.partition(": ") for line in self._lines)}
        sentence = told.get("armorstack") or f"the process that checks them {describe_end(code)}"
        return ConfigError(sentence, hint=told.get("hint", ""))


def vet(config: Config) -> None:
    """Check the settings and wait for the result; raises `ConfigError`."""
    vetting = Vetting(config)
    try:
        while not vetting.is_passed():
            time.sleep(POLL_S)
    finally:
        vetting.close()
