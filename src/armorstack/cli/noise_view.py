"""How a report on noise looks: tables with bars for people, objects for machines, TOML to paste.

Invariant: no text of an event reaches a terminal unescaped. Must not go here: what a number means.
"""

import textwrap
from collections.abc import Iterator
from typing import Any

import click
from msgspec import to_builtins

from armorstack.cli.human import human_bytes
from armorstack.core.noise import Group, Report, Suggestion
from armorstack.core.text import printable

BAR = 24
LABEL = 64
TITLES = {
    "policies": "Policies",
    "workloads": "Namespaces and pods (by their owner where there is one)",
    "processes": "Processes",
    "paths": "Paths (files that are rare by themselves: their folder)",
    "operations": "Operations",
    "makers": "Makers: namespace, process, operation",
}
OVERLAP = (
    "Suggestions overlap, so their shares do not add up: + is what one still removes after those "
    "above it."
)


def as_object(report: Report) -> dict[str, Any]:
    """The report for `--json`; shares are parts of one."""
    events = report.tables.events
    told: dict[str, Any] = to_builtins(report)
    told |= {"events": events, "bytes": report.tables.bytes}
    for suggestion in told["suggestions"]:
        suggestion["share"] = suggestion["removes"] / events if events else 0.0
        suggestion["gain_share"] = suggestion["gain"] / events if events else 0.0
    return told


def as_toml(report: Report, *, everything: bool) -> str:
    """The filters to paste, each with what it removes."""
    events = report.tables.events
    blocks = [
        f"# {_amount(each, events)}: {printable(each.title)}\n{each.toml}"
        for each in shown(report, everything=everything)
        if each.toml
    ]
    return "\n".join(blocks) or "# nothing to suggest\n"


def shown(report: Report, *, everything: bool) -> list[Suggestion]:
    """The suggestions that add something to those above them, or all."""
    return [each for each in report.suggestions if everything or each.gain]


def lines(report: Report, wide: int, bar: str, *, everything: bool) -> Iterator[str]:
    """The report for people, on so many columns, with bars made of this character."""
    for stream in report.tables.streams:
        label = f"{stream.stream or 'other':<10}{human_bytes(stream.bytes):>12}"
        yield _row(label, stream.events, report.tables.events, bar, 22)
    for name, title in TITLES.items():
        groups: tuple[Group, ...] = getattr(report.tables, name)
        if groups:
            yield f"\n{click.style(title, bold=True)}"
            yield from _table(name, groups, report.tables.events, wide, bar)
    yield from _advice(report, wide, everything=everything)


def _table(name: str, groups: tuple[Group, ...], events: int, wide: int, bar: str) -> Iterator[str]:
    room = max(20, min(LABEL, wide - BAR - 22))
    labels = [_fit(_label(name, group), room) for group in groups]
    widest = max(map(len, labels))
    for label, group in zip(labels, groups, strict=True):
        yield _row(label, group.events, events, bar, widest)


def _row(label: str, count: int, events: int, bar: str, widest: int) -> str:
    drawn = click.style(bar * max(1, round(BAR * count / events)), fg="cyan")
    return f"  {label:<{widest}} {count:>11,} {_share(count, events)}  {drawn}"


def _advice(report: Report, wide: int, *, everything: bool) -> Iterator[str]:
    told = shown(report, everything=everything)
    yield f"\n{click.style('What would remove it', bold=True)}"
    if not told:
        yield "  Nothing: no filter that is safe to suggest removes a hundredth of this."
    for number, each in enumerate(told, start=1):
        yield from _suggestion(number, each, report.tables.events, wide)
    if len(report.suggestions) > len(told):
        more = len(report.suggestions) - len(told)
        yield f"\n  {more} more are narrower than those above, or only set apart: --all tells them."
    if len(told) > 1:
        yield from _wrapped(OVERLAP, wide, "\n  ", "  ")
    if report.kept:
        yield f"\n{click.style('Not suggested, and why', bold=True)}"
    for sentence in report.kept:
        yield from _wrapped(printable(sentence), wide, "  - ", "    ")


def _suggestion(number: int, each: Suggestion, events: int, wide: int) -> Iterator[str]:
    yield ""
    title = printable(each.title, max(40, wide - 8))
    yield f"  {number:>2}. {click.style(title, bold=True)}"
    yield f"      {click.style(_amount(each, events), fg='green')}"
    if each.note:
        yield from _wrapped(printable(each.note), wide, "      ", "      ")
    for line in (each.toml or each.command).splitlines():
        yield f"        {printable(line)}".rstrip()


def _amount(each: Suggestion, events: int) -> str:
    if each.sets_apart:
        return f"sets {each.sets_apart:,} events apart, removes none"
    least = "at least " if each.at_least else ""
    then = "" if each.gain == each.removes else f"; after those above: +{each.gain:,}"
    return f"removes {least}{each.removes:,} events, {_share(each.removes, events).strip()}{then}"


def _share(count: int, events: int) -> str:
    return f"{100 * count / events:>5.1f} %"


def _label(name: str, group: Group) -> str:
    values = group.values
    if name == "workloads":
        if values["host_name"] or not (values["namespace_name"] or values["name"]):
            return f"node {values['host_name'] or '-'}"
        parts = (values["namespace_name"], values["owner_ref"], values["name"])
        return "/".join(part for part in parts if part)
    if name == "paths":
        return f"{values['operation'] or '-':<8} {values['path'] or '-'}"
    if name == "makers" and not values["namespace_name"]:
        values = values | {"namespace_name": "(node)"}
    return "  ".join(value or "-" for value in values.values())


def _fit(text: str, room: int) -> str:
    """The text in so many characters; what escapes make longer is cut again."""
    safe = printable(text)
    return safe if len(safe) <= room else f"{safe[: room - 1]}…"


def _wrapped(text: str, wide: int, first: str, rest: str) -> list[str]:
    lines_ = textwrap.wrap(text, max(40, wide - len(rest)), break_on_hyphens=False)
    return [f"{rest if n else first}{line}" for n, line in enumerate(lines_)]
