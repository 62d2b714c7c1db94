"""The clocks: this machine's, and those of the nodes as their events show them.

Invariant: where the system does not say whether its clock is set by another, "cannot tell" is
what is told. Taking times from events must not go here.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import armorstack
from armorstack.doctor.finding import Finding, failure, note, ok, warning
from armorstack.doctor.words import number, span, utc

TIMESYNC = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd each time it has set the clock."""
TIMEDATECTL_S = 5.0
WRITTEN_S = 1_767_225_600.0
"""2026-01-01; this was written later."""
DAY_S = 86_400.0
SKEW_S = 5.0
SET_CLOCK = "sudo timedatectl set-ntp true"


def check_clock() -> Iterator[Finding]:
    """Whether this machine's clock can be right, and is kept right."""
    yield check_now(time.time(), _installed_s())
    yield _check_synchronised()


def check_now(now_s: float, installed_s: float) -> Finding:
    """A clock before our own making, or before our files came here, is wrong."""
    earliest_s = max(WRITTEN_S, installed_s - DAY_S)
    if now_s < earliest_s:
        told = f"this machine's clock says {utc(now_s)}, before armorstack was installed"
        mend = "date -u   # events would be stored under the wrong day"
        return failure("clock.now", told, SET_CLOCK, mend)
    return ok("clock.now", f"this machine's clock says {utc(now_s)}")


def _installed_s() -> float:
    try:
        return Path(armorstack.__file__).stat().st_mtime
    except OSError:
        return 0.0


def _check_synchronised() -> Finding:
    if TIMESYNC.exists():
        return ok("clock.synchronised", "systemd-timesyncd keeps it")
    match _timedatectl():
        case "yes":
            return ok("clock.synchronised", "it is synchronised")
        case "no":
            told = "it is not synchronised: its times drift away from those of the nodes"
            return warning("clock.synchronised", told, SET_CLOCK)
    told = "cannot tell whether it is synchronised: the system does not say (as in containers)"
    return note("clock.synchronised", told)


def _timedatectl() -> str:
    """What systemd says of the kernel's clock: yes, no, or nothing."""
    program = shutil.which("timedatectl")
    if program is None:
        return ""
    command = [program, "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEDATECTL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def check_nodes(offsets_s: Mapping[str, float]) -> Iterator[Finding]:
    """Seconds by which each node's newest events were ahead of (or behind) this clock."""
    wrong = {node: offset for node, offset in offsets_s.items() if abs(offset) > SKEW_S}
    for node, offset in sorted(wrong.items()):
        side = "ahead of" if offset > 0 else "behind"
        told = f"the events of node {node} are dated {span(abs(offset))} {side} this clock"
        mend = f"{SET_CLOCK}   # on that node", "date -u   # here: is this clock right?"
        yield warning("clock.node", told, *mend, subject=node)
    if offsets_s and not wrong:
        told = (
            f"the events of {number(len(offsets_s), 'node')} are dated within {SKEW_S:.0f} s of it"
        )
        yield ok("clock.node", told)
