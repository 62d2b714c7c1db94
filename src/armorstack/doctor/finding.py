"""What a check found: one sentence, how grave it is, and what mends it.

Invariant: a finding that is a warning or a failure has a mend wherever there is one to name.
Looking at anything must not go here.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Status = Literal["ok", "note", "warning", "failure"]

SETTINGS = "settings.file"
"""The check whose failure means wrong settings, exit code 2."""


class Finding(Struct, frozen=True):
    """One result of one check."""

    check: str
    """What was checked, such as `relay.tls`; stable, for programs."""
    status: Status
    """`note` is worth knowing and no reason to act; only `failure` changes the exit code."""
    sentence: str
    """May quote a peer or an event: unsafe to show as it is."""
    mend: tuple[str, ...] = ()
    """Commands or edits, one a line, in the order to try them."""
    subject: str = ""
    """Which of several: a source, a sink, a process, a node."""

    @property
    def room(self) -> str:
        """The part of the installation that the check belongs to."""
        return self.check.partition(".")[0]


def ok(check: str, sentence: str, subject: str = "") -> Finding:
    """All is well."""
    return Finding(check, "ok", sentence, (), subject)


def note(check: str, sentence: str, *mend: str, subject: str = "") -> Finding:
    """Worth knowing."""
    return Finding(check, "note", sentence, mend, subject)


def warning(check: str, sentence: str, *mend: str, subject: str = "") -> Finding:
    """Something is, or will be, not as it should be."""
    return Finding(check, "warning", sentence, mend, subject)


def failure(check: str, sentence: str, *mend: str, subject: str = "") -> Finding:
    """Something does not work."""
    return Finding(check, "failure", sentence, mend, subject)


def count(findings: Iterable[Finding], status: Status) -> int:
    """How many have this status."""
    return sum(finding.status == status for finding in findings)


def exit_code(findings: Iterable[Finding]) -> int:
    """0: nothing failed; 1: something did; 2: the settings are wrong."""
    failed = {finding.check for finding in findings if finding.status == "failure"}
    if SETTINGS in failed:
        return 2
    return 1 if failed else 0
