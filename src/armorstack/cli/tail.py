"""`armorstack tail`: events as they arrive, in a terminal or for programs."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click

from armorstack.cli.interrupts import Interrupts
from armorstack.cli.options import with_options
from armorstack.cli.paint import COLOR, Paint, ready_output
from armorstack.cli.reading import (
    FILTERS,
    JSON_LINES,
    PLACE,
    QUERY,
    columns_of,
    complete_columns,
    place_of,
    question_of,
    reached,
    remark,
)
from armorstack.cli.zones import ZONE

EXAMPLES = """\b
Examples:
  armorstack tail
  armorstack tail 'severity>=7 and action:Block'
  armorstack tail --namespace shop --log-filter policy
  armorstack tail --pod 'web-*' --operation Process --columns time,pod,process,resource
  armorstack tail --since 10m --no-follow
  armorstack tail --json | jq -r 'select(.severity >= 8) | .policy'
  armorstack tail --url https://armorstack.example --token-file token

First the last ten, then whatever arrives, in the order in which it arrives. Where the connection
ends or the worker starts again, it goes on where it was. Ctrl-C ends it (exit code 130). Gaps stand
among the events; for programs, --json has them as {"gap": …}, and columns with tabs as remarks on
standard error."""

LAST = 10


@click.command("tail", epilog=EXAMPLES)
@with_options(QUERY, *FILTERS)
@click.option("-n", "--lines", "count", type=click.IntRange(0), default=None,
              help=f"How many of the last ones first; {LAST}, or all since --since.")  # fmt: skip
@click.option("--since", metavar="WHEN", help="Begin with those since then: 10m, a time.")
@click.option("--no-follow", is_flag=True, help="Only the last ones.")
@click.option("--columns", metavar="NAMES", shell_complete=complete_columns,
              help="Columns, with commas between them.")  # fmt: skip
@with_options(JSON_LINES, COLOR, *ZONE, *PLACE)
def command(
    query: Sequence[str], count: int | None, since: str | None, no_follow: bool,
    columns: str | None, as_json: bool, color: Any, zone: tzinfo, config_file: Path | None,
    data_dir: str | None, url: str | None, token_file: Path | None, ca: str | None, **flags: Any,
) -> None:  # fmt: skip
    """Events as they arrive, those that QUERY and flags mean; without any, all.

    QUERY is of the language in docs/query.md: severity>=7 and action:Block and pod:web-*
    """
    from armorstack.cli.tail_lines import Columns, Objects
    from armorstack.store.event_json import columns_of as stored_columns
    from armorstack.store.remote import Tail

    ready_output()
    place = place_of(config_file, data_dir, url, token_file, ca)
    names = columns_of(columns) if columns else ()
    question = question_of(query, zone, flags, since or "all")
    screen = Objects(names) if as_json else Columns(names, zone, Paint(color))
    wanted = (None if since else LAST) if count is None else count
    tail = Tail(question, stored_columns(screen.names), wanted, _now_us)
    with Interrupts():
        _show(_told(tail, place, follow=not no_follow), screen.show)


def _told(tail: Any, place: Any, *, follow: bool) -> Iterable[Any]:
    """What there is to show: the last ones, and what arrives."""
    known: list[bytes] = []
    if not follow or place.link() is None:
        with reached(place) as reach:
            for told in tail.last(reach.store):
                if told.row is not None:
                    known.append(told.row["id"])
                yield told
        if not follow:
            return
        remark("no worker runs here; waiting for one (`armorstack run`)")
    yield from tail.follow(place.link, time.sleep, patient=place.is_here, known=known)


def _show(told: Iterable[Any], show: Callable[[Any], None]) -> None:
    for each in told:
        show(each)
        # Whoever reads a pipe wants it now.
        sys.stdout.flush()


def _now_us() -> int:
    return time.time_ns() // 1000
