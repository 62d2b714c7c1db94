"""Reads what strace saw of a spool's writer, and says whether it may acknowledge as it does.

The rule: between two acknowledgements the log was written, and when one is given nothing of the
log is unsynced: each write to it lies before the start of an fdatasync (or fsync) of the log that
has ended well.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

CALL = re.compile(r"^(\d+) +\S+ (\w+)\(\d+<([^>]*)>")
RESUMED = re.compile(r"^(\d+) +\S+ <\.\.\. (\w+) resumed>")
RESULT = re.compile(r"= \d+$")
SYNCS = ("fdatasync", "fsync")


class Findings(Struct):
    """What a trace shows."""

    acknowledgements: int = 0
    violations: list[str] = []


class Event(Struct, frozen=True):
    """A system call begins, ends, or both."""

    name: str
    path: str
    begins: bool
    ends: bool
    worked: bool


def events(lines: Iterable[str]) -> Iterator[tuple[str, Event]]:
    """The calls on files in `strace -f -tt -y` output, each with its line."""
    running: dict[str, tuple[str, str]] = {}
    for line in lines:
        worked = RESULT.search(line) is not None
        if call := CALL.match(line):
            pid, name, path = call.groups()
            ends = "<unfinished ...>" not in line
            running[pid] = (name, path)
            yield line, Event(name, path, True, ends, worked)
        elif resumed := RESUMED.match(line):
            name, path = running.get(resumed[1], ("", ""))
            yield line, Event(name, path, False, True, worked)


def check(lines: Iterable[str], log: str, acks: str) -> Findings:
    """Judge every write to the file `acks` by what was done to the file `log` before it."""
    findings = Findings()
    written = unsynced = syncing = False
    for line, event in events(lines):
        if event.path.endswith(log) and event.name == "pwrite64":
            # One that begins while a sync runs may have come too late for it.
            written, unsynced, syncing = True, True, False
        elif event.path.endswith(log) and event.name in SYNCS:
            syncing = syncing or event.begins
            if event.ends and event.worked and syncing:
                unsynced = syncing = False
        elif event.path.endswith(acks) and event.name == "write" and event.begins:
            findings.acknowledgements += 1
            if not written or unsynced:
                findings.violations.append(line.strip())
            written = False
    return findings
