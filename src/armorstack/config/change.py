"""What differs between two trees of settings, and what it takes to go from one to the other.

Pure. `web.listen`, `data_dir` and the spool are held open by processes that go on, and standard
input is given to the receiver when it is started: these cannot change while armorstack runs. Going
over to other settings must not go here.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import fields

from armorstack.config.sources import StdinSource
from armorstack.config.tree import Config
from armorstack.errors import ConfigError

STDIN = "source of type stdin"
FIXED = ("data_dir", "spool", "web.listen", STDIN)
NAMES = {"source": "sources", "filter": "filters", "match": "matches", "sink": "sinks"}


class Change(Struct, frozen=True):
    """What differs; false where nothing does."""

    paths: tuple[str, ...]
    """Tables and settings, such as `filter` or `web.listen`."""

    def __bool__(self) -> bool:
        return bool(self.paths)

    def __str__(self) -> str:
        return ", ".join(NAMES.get(path, path) for path in self.paths) or "nothing changed"

    @property
    def takes_worker(self) -> bool:
        """Whether the worker has to be started again."""
        return any(path != "source" for path in self.paths)

    def check(self) -> None:
        """Raise `ConfigError` when something differs that cannot change while armorstack runs."""
        fixed = [path for path in self.paths if path.startswith(FIXED)]
        if fixed:
            raise ConfigError(
                f"{', '.join(f'$.{path}' for path in fixed)}: cannot change while armorstack runs",
                hint="put the old value back, or stop armorstack and start it again",
            )


def compare(old: Config, new: Config) -> Change:
    """What differs between the two."""
    paths = list(_differing(old, new))
    if _stdin(old) != _stdin(new):
        paths.append(STDIN)
    return Change(tuple(paths))


def _differing(old: Struct, new: Struct, above: str = "") -> Iterator[str]:
    """Lists and tables of sinks as a whole, else each setting."""
    for field in fields(old):
        before, now = getattr(old, field.name), getattr(new, field.name)
        if isinstance(before, Struct) and isinstance(now, Struct):
            yield from _differing(before, now, f"{above}{field.name}.")
        elif before != now:
            yield above + field.name


def _stdin(config: Config) -> list[StdinSource]:
    return [source for source in config.source if isinstance(source, StdinSource)]
