"""Where an export goes: a file that appears when it is whole, or standard output; and its progress.

Invariant: under the file's name there is the old file or the whole new one, and after an error,
Ctrl-C or SIGTERM nothing else. The file is for its owner only: events may hold secrets.
"""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO

Advance = Callable[[bytes], object]
_TERMINATED = 128 + signal.SIGTERM


def written(out: Path | None, pieces: Iterator[bytes], advance: Advance) -> int:
    """Write it all; return how many bytes. Raises OSError, and what the pieces raise."""
    if out is None or str(out) == "-":
        return _copied(pieces, sys.stdout.buffer, advance)
    if out.exists() and not out.is_file():
        # A device or a pipe is not replaced but written to.
        with out.open("wb") as file:
            return _copied(pieces, file, advance)
    with _ends_orderly(), _new_file(out.resolve()) as file:
        return _copied(pieces, file, advance)


def unheard(piece: bytes) -> None:
    """Nobody is told."""


@contextlib.contextmanager
def terminal_bar(total: int | None) -> Iterator[Advance]:
    """A bar on the standard error; `total` is the number of events, one a line, None: unknown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("exporting"), BarColumn(), TextColumn("{task.fields[size]}"),
        *([TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn()] if total else []),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, size="")
        size = 0

        def advance(piece: bytes) -> None:
            nonlocal size
            size += len(piece)
            shown = f"{size / 2**20:,.1f} MiB"
            progress.update(task, advance=piece.count(b"\n") if total else 0, size=shown)

        yield advance


def _copied(pieces: Iterator[bytes], file: IO[bytes], advance: Advance) -> int:
    size = 0
    for piece in pieces:
        file.write(piece)
        size += len(piece)
        advance(piece)
    file.flush()
    return size


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextlib.contextmanager
def _ends_orderly() -> Iterator[None]:
    """SIGTERM leaves nothing behind, either."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
