"""Findings as people read them: by part of the installation, a line each, the mend below.

Invariant: a mark is never without its word, so that nothing is lost without colour; every text is
made printable. Printing must not go here.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from armorstack.core.text import printable
from armorstack.doctor.finding import Finding, Status, count
from armorstack.doctor.words import number

MARKS: dict[Status, str] = {"ok": "✓", "note": "·", "warning": "!", "failure": "✗"}
STYLES: dict[Status, str] = {"ok": "green", "note": "dim", "warning": "yellow", "failure": "red"}
TITLES = {
    "settings": "Settings", "folder": "Data folder", "spool": "Spool", "store": "Store",
    "process": "Processes", "clock": "Clocks", "source": "Sources", "relay": "Relay",
    "file": "File", "stdin": "Standard input", "sample": "Sample",
}  # fmt: skip
BY_SUBJECT = frozenset({"relay", "file", "stdin", "sample"})
"""Parts of which there may be several."""
INDENT = " " * 12
LONGEST = 2000


class Line(Struct, frozen=True):
    """One line for a terminal; `style` is a colour or empty."""

    text: str
    style: str = ""


def lines(findings: Sequence[Finding]) -> Iterator[Line]:
    """The whole report."""
    for title, members in _groups(findings).items():
        yield Line(title, "bold")
        for finding in members:
            yield from _finding(finding)
        yield Line("")
    yield _verdict(findings)


def _groups(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        title = TITLES.get(finding.room, finding.room)
        if finding.room in BY_SUBJECT and finding.subject:
            title += f" {printable(finding.subject, LONGEST)}"
        groups.setdefault(title, []).append(finding)
    return groups


def _finding(finding: Finding) -> Iterator[Line]:
    mark = f"{MARKS[finding.status]} {finding.status}"
    yield Line(f"  {mark:<9} {printable(finding.sentence, LONGEST)}", STYLES[finding.status])
    for command in finding.mend:
        yield Line(f"{INDENT}  {printable(command, LONGEST)}")


def _verdict(findings: Sequence[Finding]) -> Line:
    failures, warnings = count(findings, "failure"), count(findings, "warning")
    told = f"{number(failures, 'failure')}, {number(warnings, 'warning')}"
    if failures:
        return Line(told, STYLES["failure"])
    return Line(told, STYLES["warning"] if warnings else STYLES["ok"])
