"""`armorstack stats`: what there is, at a glance: how many, when, where, of which kind."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import IO, Any

import click

from armorstack.cli.interrupts import Interrupts
from armorstack.cli.options import with_options
from armorstack.cli.paint import COLOR, Paint, ready_output, say
from armorstack.cli.reading import (
    PLACE,
    WHICH,
    complete_field,
    fields_of,
    place_of,
    question_of,
    reached,
    terminal_width,
)
from armorstack.cli.spool import AS_JSON
from armorstack.cli.times import Span

EXAMPLES = """\b
Examples:
  armorstack stats
  armorstack stats --since 7d action:Block
  armorstack stats --namespace shop --by process --by resource
  armorstack stats --json | jq .total
  kubectl logs deploy/kubearmor-relay | armorstack stats --file - --since all"""

FIELDS = ("severity", "action", "namespace", "pod", "policy", "operation", "stream", "node")


@click.command("stats", epilog=EXAMPLES)
@with_options(*WHICH)
@click.option("--by", multiple=True, metavar="FIELD", shell_complete=complete_field,
              help="Count the values of these fields instead.")  # fmt: skip
@click.option("-n", "--lines", "count", type=click.IntRange(1, 1000), default=5,
              help="How many values of each field; 5.")  # fmt: skip
@click.option("--file", type=click.File("rb"), metavar="PATH",
              help="Event lines instead of the store; - is stdin.")  # fmt: skip
@click.option("--timeout", type=Span(), default="1m", metavar="SPAN",
              help="How long an answer may take; 1m.")  # fmt: skip
@with_options(AS_JSON, COLOR, *PLACE)
def command(
    query: Sequence[str], since: str, until: str | None, zone: tzinfo, by: Sequence[str],
    count: int, file: IO[bytes] | None, timeout: int, as_json: bool, color: Any,
    config_file: Path | None, data_dir: str | None, url: str | None, token_file: Path | None,
    ca: str | None, **flags: Any,
) -> None:  # fmt: skip
    """Totals, a time line with gaps marked, and the most frequent values.

    QUERY is of the language in docs/query.md: severity>=7 and action:Block and pod:web-*
    """
    from armorstack.cli.spool import print_json

    ready_output()
    fields = fields_of("--by", by) or FIELDS
    question = question_of(query, zone, flags, since, until)
    place = place_of(config_file, data_dir, url, token_file, ca, file)
    with Interrupts() as interrupts, reached(place) as reach:
        store, budget = reach.store, interrupts.budget(timeout / 1e6)
        found = store.histogram(question, budget, buckets=60)
        facets = store.facets(question, budget, fields=fields, size=count)
        total = store.count(question, budget)
    if as_json:
        print_json(_as_object(total, found, facets))
        return
    paint = Paint(color)
    for line in _lines(total, found, facets, zone, paint):
        say(line, paint)


def _as_object(total: int, found: Any, facets: Sequence[Any]) -> dict[str, Any]:
    from armorstack.cli.time_line import as_object

    return {
        "total": total,
        "histogram": as_object(found),
        "fields": {
            each.field: {
                "distinct": each.distinct, "rest": each.rest,
                "values": [{"value": one.value, "count": one.count} for one in each.values],
            }
            for each in facets
        },
    }  # fmt: skip


def _lines(
    total: int, found: Any, facets: Sequence[Any], zone: tzinfo, paint: Paint
) -> Iterator[str]:
    from armorstack.cli.time_line import spark

    yield paint(f"{total:,} events", bold=True)
    if not total:
        yield "look further back, such as --since 30d, or see `armorstack doctor`"
        return
    yield from spark(found, zone, paint)
    for each in facets:
        yield ""
        yield from _facet(each, total, paint)


def _facet(facet: Any, total: int, paint: Paint) -> Iterator[str]:
    from armorstack.cli.event_table import ABSENT, cut
    from armorstack.cli.groups import bar
    from armorstack.core.text import printable

    yield paint(f"{facet.field} ({facet.distinct:,})", bold=True)
    width = terminal_width()
    for each in facet.values:
        text = cut(printable(each.value) or ABSENT, max(10, width - 36))
        share = bar(each.count, total, 20)
        yield f"{each.count:>11,} {share} {paint.value(facet.field, each.value, text)}"
    if facet.rest:
        yield paint(f"{facet.rest:>11,} {' ' * 20} of other values", dim=True)
