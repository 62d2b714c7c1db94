"""The spool's folder: private, local, locked by one process, with a reserve of real blocks."""

import os
import stat
from pathlib import Path

import pytest

from armorstack.errors import SpoolError, SpoolLocked, SpoolOnNetwork
from armorstack.spool import place
from armorstack.spool.lock import WriterLock
from armorstack.spool.place import is_network, mount_type, prepare_folder
from armorstack.spool.reserve import Reserve
from tests.support.spool_rows import open_spool, row

TABLE = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /srv/data rw - nfs4 server:/export rw
31 22 0:27 / /srv/data/local\040disk rw - xfs /dev/vdb rw
32 22 0:28 / /mnt/h rw - fuse.sshfs me@host:/ rw
33 22 0:29 / /mnt/once rw - ext4 /dev/vdc rw
34 33 0:30 / /mnt/once rw master:3 - 9p share rw
a line that is none"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/armorstack", "ext4"),
        ("/srv/data/spool", "nfs4"),
        ("/srv/database", "ext4"),
        ("/srv/data/local disk/spool", "xfs"),
        ("/mnt/h", "fuse.sshfs"),
        ("/mnt/once/x", "9p"),
    ],
)
def test_the_innermost_and_latest_mount_decides(path: str, kind: str) -> None:
    assert mount_type(Path(path), TABLE) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs",
                                  "fuse.glusterfs", "fuseblk.rclone"])  # fmt: skip
def test_network_file_systems_are_known(kind: str) -> None:
    assert is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse.lxcfs",
                                  "fuseblk", "virtiofs", "zfs", ""])  # fmt: skip
def test_local_file_systems_are_taken(kind: str) -> None:
    assert not is_network(kind)


def test_a_network_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"30 22 0:26 / {tmp_path} rw - nfs4 server:/export rw\n")
    monkeypatch.setattr(place, "MOUNTS", table)
    with pytest.raises(SpoolOnNetwork, match="nfs4") as caught:
        open_spool(tmp_path / "spool")
    assert "local disk" in caught.value.hint


def test_folder_and_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        spool = open_spool(tmp_path / "data" / "spool")
        spool.append([row(b"secret")], {})
        folder = tmp_path / "data" / "spool"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        spool.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(modes) == {"spool.db", "spool.db-wal", "spool.db-shm", "spool.lock",
                          "spool.reserve"}  # fmt: skip
    assert set(modes.values()) == {0o600}


def test_a_folder_that_others_can_read_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o755)
    prepare_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot be used"):
        prepare_folder(tmp_path / "file" / "spool")


def test_a_second_writer_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    lock = WriterLock.take(tmp_path)
    with pytest.raises(SpoolLocked, match=f"process {os.getpid()}$"):
        WriterLock.take(tmp_path)
    lock.release()
    WriterLock.take(tmp_path).release()


def test_a_spool_that_fails_to_open_leaves_no_lock(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    (folder / "spool.db").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(SpoolError, match="cannot be written"):
            open_spool(folder)


def test_the_reserve_is_allocated_and_given_back(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 1024 * 1024)
    assert reserve.make()
    state = (tmp_path / "spool.reserve").stat()
    assert state.st_size == 1024 * 1024
    assert state.st_blocks * 512 >= 1024 * 1024
    reserve.release()
    assert not reserve.held
    assert not (tmp_path / "spool.reserve").exists()


def test_the_reserve_is_not_made_where_it_would_take_the_last_space(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 1024 * 1024)
    assert not reserve.make(spare_bytes=1 << 60)
    assert not (tmp_path / "spool.reserve").exists()
    assert reserve.make()


def test_a_reserve_that_became_sparse_is_allocated_again(tmp_path: Path) -> None:
    path = tmp_path / "spool.reserve"
    with path.open("wb") as file:
        file.truncate(1024 * 1024)
    assert Reserve(tmp_path, 1024 * 1024).make()
    assert path.stat().st_blocks * 512 >= 1024 * 1024
