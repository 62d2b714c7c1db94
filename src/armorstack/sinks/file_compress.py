"""Compressing rotated files in a thread, so that no event waits for it.

Invariant: what is to be done follows from the folder alone, so a crash or a stop in between costs
nothing but doing it again; a plain file goes only when its compressed one is durable. Must not go
here: which files are kept.
"""

import contextlib
import gzip
import os
import stat
import threading
import time
from pathlib import Path

import structlog

from armorstack.sinks.file_rotated import SUFFIX, UNFINISHED, Rotated
from armorstack.spool.place import sync_folder

AGAIN_S = 60.0
STOP_S = 2.0
_CHUNK = 1 << 18
_LEVEL = 6
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC

log = structlog.get_logger()


class Compressor:
    """A thread while there is something to compress, else none."""

    def __init__(self, rotated: Rotated) -> None:
        self._rotated = rotated
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._due_at = 0.0

    def look(self, *, soon: bool = False) -> None:
        """Begin with what is not compressed yet; looks into the folder once a minute, or `soon`."""
        if soon:
            self._due_at = 0.0
        if self._is_running() or time.monotonic() < self._due_at or self._stopping.is_set():
            return
        self._due_at = time.monotonic() + AGAIN_S
        if names := self._rotated.uncompressed():
            self._thread = threading.Thread(
                target=self._run, args=(names,), name="compress", daemon=True
            )
            self._thread.start()

    def wait(self) -> None:
        """Until what was begun is done."""
        if self._thread:
            self._thread.join()

    def stop(self) -> None:
        """Leave off; the next opening begins it anew."""
        self._stopping.set()
        if self._thread:
            self._thread.join(STOP_S)

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self, names: list[str]) -> None:
        for name in names:
            try:
                if not self._compress(self._rotated.folder / name):
                    return
            except OSError as error:
                log.warning("a rotated file cannot be compressed; it is tried again",
                            file=name, reason=error.strerror, in_s=AGAIN_S)  # fmt: skip

    def _compress(self, plain: Path) -> bool:
        """Put the compressed file in the place of the plain one; False when told to stop."""
        unfinished = plain.with_name(plain.name + UNFINISHED)
        try:
            if not self._copy(plain, unfinished):
                return False
            with self._rotated.lock:
                # It may have been removed meanwhile, as one too many.
                if plain.exists():
                    os.rename(unfinished, plain.with_name(plain.name + SUFFIX))
                    sync_folder(plain.parent)
                    plain.unlink()
        except FileNotFoundError:
            return True
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        return True

    def _copy(self, plain: Path, unfinished: Path) -> bool:
        source = os.open(plain, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(source, "rb", buffering=0) as reading:
            target = os.open(unfinished, _NEW_FILE, 0o600)
            with open(target, "wb") as writing:
                os.fchmod(target, stat.S_IMODE(os.fstat(source).st_mode))
                with gzip.GzipFile(plain.name, "wb", _LEVEL, writing) as packing:
                    while chunk := reading.read(_CHUNK):
                        if self._stopping.is_set():
                            return False
                        packing.write(chunk)
                writing.flush()
                os.fsync(target)
        return True
