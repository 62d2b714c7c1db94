"""Files and standard input: there, readable, growing, and holding events.

Invariant: a file is only read, and its position in the spool is not touched. The mends are for
lines that come from a relay's standard output. Listening must not go here.
"""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from armorstack.config import FileSource, StdinSource, source_name
from armorstack.doctor.case import shown
from armorstack.doctor.ears import FileEar, StdinEar
from armorstack.doctor.finding import Finding, failure, note, ok, warning
from armorstack.doctor.heard import Heard, understand
from armorstack.doctor.words import number, size, span
from armorstack.sources.lines import LineCutter
from armorstack.spool.rows import row_of

TAIL_BYTES = 1024 * 1024
"""Of a file, from its end: what is looked at."""
STALE_S = 3600.0
PIPE = "kubectl -n kubearmor logs -f deploy/kubearmor-relay | armorstack doctor --stdin"
RELAY_STDOUT = (
    "kubectl -n kubearmor set env deploy/kubearmor-relay ENABLE_STDOUT_LOGS=true "
    "ENABLE_STDOUT_ALERTS=true ENABLE_STDOUT_MSGS=true   # else a relay prints no events",
    "kubectl -n kubearmor edit kubearmorconfigs   # where the operator made that deployment: "
    "enableStdOutLogs, enableStdOutAlerts, enableStdOutMsgs: true under spec",
)


def check_file(settings: FileSource) -> Iterator[Finding]:
    """Whether there is a file, and events in it."""
    path, name = Path(settings.path), source_name(settings)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            told = f"{path} is no file; a pipe is read with --stdin < {shown(path)}"
            yield failure("file.there", told, f"ls -ld {shown(path)}", subject=name)
            return
        tail = _tail(path, state.st_size)
    except OSError as error:
        yield _check_missing(settings, error)
        return
    yield ok("file.there", f"{path}: {size(state.st_size)}", name)
    if not state.st_size:
        yield warning("file.lines", f"{path} is empty", *RELAY_STDOUT, subject=name)
        return
    yield _check_lines("file.lines", understand_lines(tail, name), "its last lines", name)


def _check_missing(settings: FileSource, error: OSError) -> Finding:
    path, name = Path(settings.path), source_name(settings)
    if isinstance(error, FileNotFoundError):
        look = f"ls -la {shown(path.parent)}"
        if settings.follow:
            told = f"{path} does not exist yet; it is read as soon as it does"
            return warning("file.there", told, look, subject=name)
        return failure("file.there", f"{path} does not exist", look, subject=name)
    told = f"{path} cannot be read: {error.strerror}"
    return failure("file.there", told, f"sudo setfacl -m u:$(id -un):r {shown(path)}", subject=name)


def _tail(path: Path, size_bytes: int) -> list[bytes]:
    """The whole lines at the end of the file, and one without an end."""
    with path.open("rb") as file:
        begin = max(0, size_bytes - TAIL_BYTES)
        file.seek(begin)
        block = file.read(TAIL_BYTES)
    if begin:
        block = block.partition(b"\n")[2]
    cutter = LineCutter()
    return [*cutter.feed(block), *filter(None, [cutter.rest()])]


def understand_lines(lines: list[bytes], name: str) -> Heard:
    """What these lines are."""
    now_us = time.time_ns() // 1000
    return understand(
        [row_of(lines, source=name, stream="auto", encoding="json", received_us=now_us, seq=1)]
        if lines
        else []
    )


def _check_lines(check: str, heard: Heard, which: str, name: str) -> Finding:
    if heard.events and not heard.rejected:
        return ok(check, f"{number(heard.events, 'event')} in {which}", name)
    if heard.events:
        told = f"{number(heard.rejected, 'line')} of {which} are no events: {heard.reason}"
        return warning(check, told, "armorstack deadletters list", subject=name)
    if heard.skipped and not heard.rejected:
        told = f"{which} are the relay's own log, and no events"
        return failure(check, told, *RELAY_STDOUT, subject=name)
    told = f"no event in {which}: {heard.reason}"
    return failure(check, told, "give a file of KubeArmor's events, one JSON object a line",
                   *RELAY_STDOUT, subject=name)  # fmt: skip


def check_growth(settings: FileSource, ear: FileEar, listen_s: float) -> Iterator[Finding]:
    """Whether lines were added while we looked, where lines are awaited."""
    path, name, check = Path(settings.path), source_name(settings), "file.growing"
    if not path.is_file():
        return
    if ear.count:
        told = f"{number(ear.count, 'line')} were added in {span(listen_s)}"
        yield ok(check, told, name)
        return
    age_s = max(0.0, time.time() - path.stat().st_mtime)
    told = f"nothing was added in {span(listen_s)}, the last line {span(age_s)} ago"
    writer = f"which process writes it? fuser -v {shown(path)}"
    grave = warning if age_s > STALE_S else note
    yield grave(check, told, writer, *RELAY_STDOUT, subject=name)


def check_stdin(settings: StdinSource, ear: StdinEar, heard: Heard, listen_s: float) -> Finding:
    """What came on standard input."""
    name, check = source_name(settings), "stdin.lines"
    if ear.count:
        return _check_lines(check, heard, f"the {number(ear.count, 'line')} that came", name)
    if ear.ended:
        told = "standard input ended without a line: nothing is piped in"
        return warning(check, told, PIPE, *RELAY_STDOUT, subject=name)
    told = f"no line came on standard input in {span(listen_s)}"
    return warning(check, told, *RELAY_STDOUT, subject=name)


def stdin_is_terminal() -> bool:
    """Whether a person would have to type the events."""
    try:
        return os.isatty(0)
    except OSError:
        return False
