"""`armorstack gaps`: when events were or may have been lost, and why.

Gaps that have ended are in the worker's file, whether or not it runs; open ones follow from the
receiver's report. What a gap says was in part chosen by a peer: nothing reaches a terminal
unescaped.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from armorstack.cli.human import human_span
from armorstack.cli.nodes import LOCAL
from armorstack.cli.options import SETTINGS, load_config, with_options
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.cli.table import table
from armorstack.cli.times import Moment, show_time
from armorstack.core.gap import OWN_LIMITS, Gap, Reason, covered_us, decode_gaps

EXAMPLES = """\b
Examples:
  armorstack gaps
  armorstack gaps --since 24h
  armorstack gaps --since 2026-11-23T08:00:00Z --until 2026-11-23T12:00:00Z
  armorstack gaps --reason throttled --json"""

HEADS = ("start", "end", "length", "reason", "source", "stream", "node", "lost", "detail")
REASONS = sorted(get_args(Reason))


@click.command("gaps", epilog=EXAMPLES)
@with_options(*SETTINGS, AS_JSON, LOCAL)
@click.option("--since", type=Moment(), metavar="WHEN", default=0,
              help="Only gaps that last until then or longer: 24h, an ISO time, seconds "
              "since 1970.")  # fmt: skip
@click.option("--until", type=Moment(), metavar="WHEN", help="Only gaps that began before.")
@click.option("--reason", type=click.Choice(REASONS), multiple=True, help="Only for this reason.")
@click.option("--source", metavar="NAME", help="Only gaps of this source.")
@click.option("--limit", type=click.IntRange(min=1), default=100, help="How many, the newest 100.")
def command(
    config_file: Path | None, as_json: bool, local: bool, limit: int, data_dir: str | None,
    since: int, until: int | None, reason: Sequence[str], source: str | None,
) -> None:  # fmt: skip
    """Spans in which events were or may have been lost; the newest last.

    An open gap goes on just now. A silent node is no gap: see `armorstack nodes`.
    """
    now_us = time.time_ns() // 1000
    until = now_us if until is None else until
    known, closed, open_ = _look(load_config(config_file, data_dir=data_dir).data_dir,
                                 since, until, now_us)  # fmt: skip
    found = [
        (gap, gap in open_)
        for gap in (*closed, *open_)
        if (not reason or gap.reason in reason) and source in (None, gap.source)
    ]
    shown = found[-limit:]
    if as_json:
        gaps = [_fields(gap, is_open) for gap, is_open in shown]
        print_json({"gaps": gaps, "total": _total([gap for gap, _ in found])})
        return
    if shown:
        click.echo(table(HEADS, [_row(gap, is_open, local) for gap, is_open in shown],
                         right=("length", "lost")))  # fmt: skip
    if not known:
        click.echo("no worker has kept gaps here yet", err=True)
    if len(shown) < len(found):
        click.echo(f"{len(found) - len(shown)} older ones are not shown: --limit", err=True)
    click.echo(_sentence(_total([gap for gap, _ in found])))


def _look(
    data_dir: str, since_us: int, until_us: int, now_us: int
) -> tuple[bool, Sequence[Gap], Sequence[Gap]]:
    """Whether gaps are kept here, those that ended within this time, and those that are open."""
    from armorstack.open_gaps import open_gaps
    from armorstack.spool.history import look
    from armorstack.state import ReceiverState, read_state, receiver_path

    history = look(Path(data_dir) / "spool", since_us, until_us)
    closed = decode_gaps(history.gaps)
    receiver = read_state(receiver_path(data_dir), ReceiverState)
    open_ = [
        gap
        for gap in open_gaps(receiver, now_us)
        if since_us <= gap.end_us and gap.start_us <= until_us
    ]
    return history.known, closed, open_


def _fields(gap: Gap, is_open: bool) -> dict[str, Any]:
    from msgspec.structs import asdict

    fields = asdict(gap) | {"open": is_open, "length_s": _length_s(gap)}
    return fields | {"end_us": None} if is_open else fields


def _row(gap: Gap, is_open: bool, local: bool) -> tuple[str, ...]:
    return (
        show_time(gap.start_us, local=local),
        "open" if is_open else show_time(gap.end_us, local=local),
        human_span(_length_s(gap)),
        gap.reason, gap.source, gap.stream or "-", gap.node or "-",
        "?" if gap.lost is None else str(gap.lost), gap.detail,
    )  # fmt: skip


def _length_s(gap: Gap) -> float:
    return max(0.0, (gap.end_us - gap.start_us) / 1e6)


def _total(gaps: Sequence[Gap]) -> dict[str, Any]:
    """How many, how long all together (times that overlap count once), and what was lost."""
    lost = [gap for gap in gaps if gap.reason not in OWN_LIMITS]
    return {
        "gaps": len(gaps),
        "covered_s": round(covered_us(gaps) / 1e6, 3),
        "lost": _sum(lost),
        "lost_is_exact": all(gap.lost is not None for gap in lost),
        "let_go": _sum(gap for gap in gaps if gap.reason in OWN_LIMITS),
    }


def _sum(gaps: Iterable[Gap]) -> int:
    return sum(gap.lost or 0 for gap in gaps)


def _sentence(total: dict[str, Any]) -> str:
    if not total["gaps"]:
        return "no gaps"
    parts = [f"{total['gaps']} gaps", human_span(total["covered_s"])]
    if total["lost_is_exact"]:
        parts.append(f"{total['lost']} events lost")
    elif total["lost"]:
        parts.append(f"at least {total['lost']} events lost")
    else:
        parts.append("nobody knows how many events were lost")
    if total["let_go"]:
        parts.append(f"{total['let_go']} let go by limits of ours")
    return ", ".join(parts)
