"""The data folder: there, ours, private, on a disk of this machine, with room.

Invariant: nothing with a name is made; whether it can be written is tried with a nameless file.
What lies in it must not go here.
"""

import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from armorstack.doctor.case import Case, shown
from armorstack.doctor.finding import Finding, failure, note, ok, warning
from armorstack.doctor.words import size
from armorstack.errors import SpoolOnNetwork
from armorstack.spool.place import refuse_network, size_of
from armorstack.spool.reserve import free_bytes

PROBE_BYTES = 4096
FEWEST_INODES = 1000
"""A store has a file per part; some thousand a day at high rates."""


def check_folder(case: Case) -> Iterator[Finding]:
    """All of it, most basic first; what needs a folder is left out where there is none."""
    if not case.folder.is_dir():
        yield _check_missing(case)
        return
    yield _check_owner(case.folder)
    yield _check_mode(case.folder)
    yield _check_network(case.folder)
    yield _check_writable(case.folder)
    yield _check_space(case)
    yield from _check_inodes(case.folder)


def _check_missing(case: Case) -> Finding:
    folder = case.folder
    above = next(parent for parent in folder.parents if parent.exists())
    if folder.exists() or not above.is_dir():
        told = f"{folder if folder.exists() else above} is not a folder"
        return failure("folder.there", told, "choose another folder with --data-dir DIR")
    if os.access(above, os.W_OK | os.X_OK):
        return ok("folder.there", f"{folder} is not there yet; the first run makes it")
    make = f"sudo install -d -m 700 -o {_user(os.geteuid())} {shown(folder)}"
    return failure("folder.there", f"{folder} is not there and cannot be made in {above}", make)


def _check_owner(folder: Path) -> Finding:
    owner = folder.stat().st_uid
    if owner == os.geteuid():
        return ok("folder.owner", f"{folder} belongs to {_user(owner)}, who asks")
    told = f"{folder} belongs to {_user(owner)}, not to {_user(os.geteuid())}, who asks"
    if os.geteuid() == 0:
        mend = (
            f"sudo -u {_user(owner)} armorstack doctor   # and armorstack itself as its owner, too"
        )
        return warning("folder.owner", told, mend)
    return failure("folder.owner", told, f"sudo chown -R {_user(os.geteuid())} {shown(folder)}")


def _check_mode(folder: Path) -> Finding:
    mode = stat.S_IMODE(folder.stat().st_mode)
    mend = f"chmod 700 {shown(folder)}"
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return warning("folder.private", f"others may write into {folder} ({mode:04o})", mend)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        told = f"others may list {folder} ({mode:04o}); the files in it are private all the same"
        return note("folder.private", told, mend)
    return ok("folder.private", f"nobody else may look into it ({mode:04o})")


def _check_network(folder: Path) -> Finding:
    try:
        refuse_network(folder)
    except SpoolOnNetwork as error:
        return failure("folder.local", str(error), error.hint)
    return ok("folder.local", "it lies on a disk of this machine")


def _check_writable(folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(bytes(PROBE_BYTES))
    except OSError as error:
        mend = f"df -h {shown(folder)}; findmnt -T {shown(folder)}; ls -ld {shown(folder)}"
        return failure("folder.writable", f"{folder} cannot be written: {error.strerror}", mend)
    return ok("folder.writable", "it can be written")


def _check_space(case: Case) -> Finding:
    """Free bytes against what the spool may still take."""
    free, settings = free_bytes(case.folder), case.config.spool
    taken = sum(size_of(path) for path in case.spool.glob("spool.*"))
    wanted = max(0, settings.max_bytes + settings.reserve_bytes - taken)
    told = f"{size(free)} are free"
    look = f"df -h {shown(case.folder)}"
    if free < settings.reserve_bytes:
        lower = "lower sink.duckdb.max_age_days or set sink.duckdb.max_bytes"
        return failure("folder.space", f"the disk is full: {told}", look, lower)
    if free < wanted:
        told += f", and the spool may take {size(wanted)} more before it counts as full"
        fitting = max(1, (free + taken - settings.reserve_bytes) * 9 // 10)
        edit = f"free space, or set spool.max_bytes = {fitting}"
        return warning("folder.space", told, look, edit)
    return ok("folder.space", f"{told}; the spool may take {size(wanted)} more")


def _check_inodes(folder: Path) -> Iterator[Finding]:
    state = os.statvfs(folder)
    if state.f_files and state.f_favail < FEWEST_INODES:  # 0: this file system has no limit
        told = f"only {state.f_favail} more files can be made on this disk"
        yield failure("folder.inodes", told, f"df -i {shown(folder)}")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
