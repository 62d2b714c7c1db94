"""The spool's folder: private, on a disk of this machine, and its file names.

Invariant: nothing is written into a folder that others may read or that lies on a network file
system, where neither fsync nor locks nor shared memory can be trusted. What the files hold must
not go here.
"""

import os
from pathlib import Path

from armorstack.errors import SpoolError, SpoolOnNetwork

SPOOL_FILE = "spool.db"
WORK_FILE = "work.db"
LOCK_FILE = "spool.lock"
RESERVE_FILE = "spool.reserve"
SUSPECT_FILE = "spool.suspect"
"""Written by a reader that met damage; holds the inode of the file it means."""

MOUNTS = Path("/proc/self/mountinfo")
NETWORK_TYPES = frozenset(
    "nfs nfs4 cifs smb smb2 smb3 smbfs ncpfs 9p ceph afs coda lustre gpfs beegfs glusterfs "
    "orangefs pvfs2 ocfs2 gfs2 davfs".split()
)
NETWORK_FUSE = frozenset(
    "sshfs glusterfs ceph cephfs s3fs rclone davfs davfs2 gcsfuse goofys curlftpfs moosefs mfs "
    "juicefs seaweedfs gvfsd-fuse hdfs lizardfs".split()
)


def prepare_folder(folder: Path) -> None:
    """Make the folder if need be, readable by nobody else; refuse a network file system."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise SpoolError(
            f"the spool's folder {folder} cannot be used: {error.strerror}",
            hint="choose another data folder or make this one writable",
        ) from error
    refuse_network(folder)


def refuse_network(folder: Path) -> None:
    """Raise SpoolOnNetwork where the folder's file system is one of another machine."""
    try:
        table = MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return
    kind = mount_type(folder.resolve(), table)
    if is_network(kind):
        raise SpoolOnNetwork(
            f"the spool's folder {folder} lies on a network file system ({kind})",
            hint="set data_dir to a folder on a local disk",
        )


def is_network(kind: str) -> bool:
    """Whether a file system of this name, as mountinfo spells it, lies on another machine."""
    name, _, subtype = kind.partition(".")
    return name in NETWORK_TYPES or (name.startswith("fuse") and subtype in NETWORK_FUSE)


def mount_type(path: Path, table: str) -> str:
    """The type of the file system that holds the absolute path, by a table in the format of
    proc_pid_mountinfo(5); empty where the table does not say."""
    best, kind = -1, ""
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = Path(_unescape(fields[4]))
        # A later mount on the same point covers an earlier one, hence >=.
        if len(point.parts) >= best and path.is_relative_to(point):
            best, kind = len(point.parts), right.split(" ")[0]
    return kind


def _unescape(name: str) -> str:
    """mountinfo writes space, tab, newline and backslash as three octal digits."""
    for code in ("040", "011", "012", "134"):
        name = name.replace("\\" + code, chr(int(code, 8)))
    return name


def create_private(path: Path) -> None:
    """Make an empty file that only its owner may read, unless it exists; SQLite gives its
    companions (-wal, -shm) the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def sync_folder(folder: Path) -> None:
    """Make renames and new names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def companions(database: Path) -> list[Path]:
    """The files that SQLite keeps beside a database."""
    return [database.with_name(database.name + end) for end in ("-wal", "-shm", "-journal")]


def size_of(path: Path) -> int:
    """The file's size in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
