"""Files that are for their owner alone, replaced as a whole.

Invariant: a reader sees the old content or the new, never half of it, also after a power cut; no
moment passes in which another user could read it. Who runs a command as root on the folder of a
service leaves files that the service can read.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write the file anew. Raises OSError."""
    new = _written(path, content, durable=durable)
    os.replace(new, path)
    if durable:
        _sync_folder(path.parent)


def create(path: Path, content: bytes) -> bool:
    """Write the file unless it is there; False: it is, and stays. Raises OSError."""
    new = _written(path, content, durable=True)
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    finally:
        new.unlink()
    _sync_folder(path.parent)
    return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time reads, changes and writes files of this folder."""
    make_folder(folder)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _give(descriptor, folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """The folder, with those above it, for its owner alone. Raises OSError."""
    if folder.is_dir():
        return
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        above = folder.parent.stat()
        os.chown(folder, above.st_uid, above.st_gid)


def _written(path: Path, content: bytes, *, durable: bool) -> Path:
    make_folder(path.parent)
    new = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            _give(descriptor, path.parent)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(descriptor)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return new


def _give(descriptor: int, folder: Path) -> None:
    """To whom the folder belongs."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
