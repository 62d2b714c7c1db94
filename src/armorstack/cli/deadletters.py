"""`armorstack deadletters`: frames that a sink refused for good: list, show, replay, purge.

What is in them was chosen by whoever sent it: nothing of it reaches a terminal unescaped.
"""

import base64
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from armorstack.cli.human import human_bytes, human_time
from armorstack.cli.options import SETTINGS, load_config, with_options
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.core.text import printable

WHICH = (
    click.option("--stream", metavar="NAME", default="", help="Only those of this stream."),
    click.option("--error-type", metavar="TYPE", default="", help="Only those of this class."),
    click.option("--sink", metavar="NAME", default="", help="Only those that this sink refused."),
)
ALL = click.option("--all", "everything", is_flag=True, help="All of them.")
IDS = click.argument("ids", type=click.IntRange(min=1), nargs=-1, metavar="[ID]...")


@click.group("deadletters")
def command() -> None:
    """Events the store refused: list, show, replay, purge."""


@command.command("list")
@with_options(*SETTINGS, *WHICH, AS_JSON)
@click.option("--limit", type=click.IntRange(min=1), default=100, help="How many, 100.")
def list_letters(config_file: Path | None, as_json: bool, limit: int, **flags: Any) -> None:
    """Tell what is kept, oldest first."""
    with _work(config_file, **flags) as work:
        which = _which((), **flags)
        found = work.list(which, limit=limit) if work else ()
        total = work.count(which) if work else 0
    if as_json:
        print_json({"total": total, "letters": [_fields(letter) for letter in found]})
        return
    for letter in found:
        click.echo(_line(letter))
    click.echo(f"{len(found)} of {total} dead letters", err=True)


@command.command("show")
@with_options(*SETTINGS, AS_JSON)
@click.argument("letter_id", type=click.IntRange(min=1), metavar="ID")
def show(config_file: Path | None, as_json: bool, letter_id: int, **flags: Any) -> None:
    """Tell all of one letter, its frame as well."""
    with _work(config_file, **flags) as work:
        letter = work.show(letter_id) if work else None
    if letter is None:
        _fail(f"there is no dead letter {letter_id}")
    fields = _fields(letter) | {"frame": _text(letter.frame)}
    if as_json:
        print_json(fields | {"frame_base64": base64.b64encode(letter.frame).decode()})
        return
    fields["first_seen_us"] = human_time(letter.first_seen_us)
    for name, value in fields.items():
        click.echo(f"{name.removesuffix('_us'):<12} {printable(str(value))}")


@command.command("replay")
@with_options(*SETTINGS, *WHICH, ALL, AS_JSON)
@IDS
def replay(config_file: Path | None, as_json: bool, ids: tuple[int, ...], **flags: Any) -> None:
    """Let the running or the next worker try them again."""
    which = _required(ids, **flags)
    with _work(config_file, **flags) as work:
        count = work.mark_replay(which) if work else 0
    _tell("marked", count, "will be tried again", as_json, bool(ids))


@command.command("purge")
@with_options(*SETTINGS, *WHICH, ALL, AS_JSON)
@click.option("--yes", is_flag=True, help="Do not ask.")
@IDS
def purge(
    config_file: Path | None, as_json: bool, yes: bool, ids: tuple[int, ...], **flags: Any
) -> None:
    """Delete them for good."""
    which = _required(ids, **flags)
    with _work(config_file, **flags) as work:
        count = work.count(which) if work else 0
        if work and count:
            _confirm(count, yes)
            count = work.purge(which)
    _tell("purged", count, "deleted", as_json, bool(ids))


@contextmanager
def _work(config_file: Path | None, **flags: Any) -> Iterator[Any]:
    """The worker's file, or None where there is none yet: looking must not make one."""
    from armorstack.spool.place import WORK_FILE
    from armorstack.spool.work import Work

    settings = {name: flags.get(name) for name in ("data_dir",)}
    folder = Path(load_config(config_file, **settings).data_dir) / "spool"
    if not (folder / WORK_FILE).exists():
        yield None
        return
    work = Work.open(folder, mend=False)
    try:
        yield work
    finally:
        work.close()


def _which(ids: tuple[int, ...], **flags: Any) -> Any:
    from armorstack.spool.work import Filter

    names = ("stream", "error_type", "sink")
    return Filter(**{name: flags[name] for name in names}, ids=ids)


def _required(ids: tuple[int, ...], everything: bool, **flags: Any) -> Any:
    """What is meant; one of ids, a filter or --all must say so."""
    if not (ids or everything or flags["stream"] or flags["error_type"] or flags["sink"]):
        raise click.UsageError("say which: ids, --stream, --error-type, --sink or --all")
    if ids and everything:
        raise click.UsageError("give ids or --all, not both")
    return _which(ids, **flags)


def _confirm(count: int, yes: bool) -> None:
    if yes:
        return
    if not _can_be_asked():
        raise click.UsageError("this deletes for good; say --yes where nobody can be asked")
    click.confirm(f"delete {count} dead letters for good?", abort=True, err=True)


def _can_be_asked() -> bool:
    return sys.stdin.isatty()


def _tell(word: str, count: int, sentence: str, as_json: bool, by_id: bool) -> None:
    if as_json:
        print_json({word: count})
    else:
        click.echo(f"{count} dead letters {sentence}")
    if by_id and not count:
        _fail("no dead letter has such an id")


def _fields(letter: Any) -> dict[str, Any]:
    names = ("id", "sink", "source", "stream", "encoding", "cluster", "error_type", "reason",
             "attempts", "first_seen_us", "seq", "replay")  # fmt: skip
    return {name: getattr(letter, name) for name in names} | {"bytes": len(letter.frame)}


def _line(letter: Any) -> str:
    mark = "replay" if letter.replay else ""
    size = human_bytes(len(letter.frame))
    parts = (
        f"{letter.id:>6}", human_time(letter.first_seen_us), f"{letter.stream:<7}",
        f"{letter.sink:<10}", f"{letter.error_type:<20}", f"x{letter.attempts:<3}", f"{size:>9}",
        f"{mark:<6}", letter.reason,
    )  # fmt: skip
    return "  ".join(printable(part, 80) for part in parts)


def _text(frame: bytes) -> str:
    return frame.decode(errors="backslashreplace")


def _fail(sentence: str) -> NoReturn:
    click.echo(f"armorstack: {sentence}", err=True)
    sys.exit(1)
