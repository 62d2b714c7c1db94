"""What is examined: the settings, and how the commands of a mend must name them.

Invariant: a command told to a person names the same data folder that was looked at. Looking at
anything must not go here.
"""

import shlex
from pathlib import Path

from msgspec import Struct

from armorstack.config import Config
from armorstack.errors import ConfigError


class Case(Struct, frozen=True, kw_only=True):
    """One examination."""

    config: Config
    config_file: Path | None = None
    data_dir_flag: str = ""
    fault: ConfigError | None = None
    """Why the settings could not be read; `config` is then what could be."""
    listen_s: float = 5.0

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.config.data_dir)

    @property
    def spool(self) -> Path:
        """The spool's folder."""
        return self.folder / "spool"

    def command(self, words: str) -> str:
        """`armorstack WORDS` with the options that name what was examined."""
        options: list[str] = []
        if self.config_file and not self.fault:
            options += ["--config", str(self.config_file)]
        if self.data_dir_flag or self.fault:
            options += ["--data-dir", str(self.folder)]
        return " ".join(["armorstack", words, *map(shlex.quote, options)])


def shown(path: Path) -> str:
    """The path as a shell takes it."""
    return shlex.quote(str(path))
