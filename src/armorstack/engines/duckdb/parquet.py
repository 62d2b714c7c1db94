"""Part files: how rows lie in Parquet, written durably, read in pieces.

Invariant: a file called `*.parquet` is complete and synced, and never changes; its footer says all
that the catalogue says of it, so that a lost catalogue can be made again. Columns are those of
`SCHEMA`; ids lie there as 32 bytes without length or compression, since they are random.
Must not go here: which parts exist.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from armorstack.core.batch import SCHEMA
from armorstack.engines.duckdb.part import Kind, Part, bucket_of, buckets_of, runs_of

_ID = pa.binary(32)
_ROW_GROUP = 100_000
_MERGED_GROUP = 32_768
"""Rows of a merged row group; they wait in memory, some 25 MB."""
_READ_ROWS = 8192
_FOOTER = b"armorstack.part"


class PartDamaged(Exception):
    """A part cannot be read; `part` says which one, the message why."""

    def __init__(self, part: Part, reason: str) -> None:
        super().__init__(reason)
        self.part = part


@cache
def disk_schema() -> pa.Schema:
    """`SCHEMA` with ids of fixed length."""
    return SCHEMA.set(SCHEMA.get_field_index("id"), pa.field("id", _ID))


@cache
def current_layout() -> str:
    """The layout that is written now. Files of one layout have the same columns, in one order."""
    told = "\n".join(f"{field.name} {field.type}" for field in disk_schema())
    return hashlib.sha256(told.encode()).hexdigest()[:12]


@cache
def _encodings() -> dict[str, Any]:
    """Integers and times as differences, ids as they are, everything else by dictionary."""
    leaves = list(_leaves(disk_schema()))
    numbers = {
        field.name: "DELTA_BINARY_PACKED"
        for field in disk_schema()
        if pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type)
    }
    return {
        "compression": {leaf: "none" if leaf == "id" else "zstd" for leaf in leaves},
        "compression_level": {leaf: 1 for leaf in leaves if leaf != "id"},
        "use_dictionary": [leaf for leaf in leaves if leaf != "id" and leaf not in numbers],
        "column_encoding": numbers | {"id": "PLAIN"},
        # Others are hardly ever narrow enough to skip a row group, and cost a fifth of the time.
        "write_statistics": ["time", "received"],
        "store_schema": False,
    }


def _leaves(schema: pa.Schema) -> Iterator[str]:
    for field in schema:
        if pa.types.is_map(field.type):
            yield from (f"{field.name}.key_value.key", f"{field.name}.key_value.value")
        elif pa.types.is_list(field.type):
            yield f"{field.name}.list.element"
        else:
            yield field.name


def describe(rows: pa.Table, root: Path, day: str, kind: Kind, cursor: int) -> Part:
    """The part that these rows are to become; there must be at least one."""
    time, received = pc.min_max(rows["time"]), pc.min_max(rows["received"])
    return Part(
        name=free_name(root, day, cursor), day=day, kind=kind, layout=current_layout(),
        cursor=cursor, rows=len(rows), bytes=0,
        min_time_us=time["min"].value, max_time_us=time["max"].value,
        min_received_us=received["min"].value, max_received_us=received["max"].value,
        runs=runs_of(pc.unique(buckets_of(rows["time"])).to_pylist()),
    )  # fmt: skip


def free_name(root: Path, day: str, cursor: int) -> str:
    """A name that no file has."""
    number = 0
    while (root / (name := f"day={day}/{cursor}-{number}.parquet")).exists():
        number += 1
    return name


class PartWriter:
    """Writes one part under a temporary name; `finish` gives it its own."""

    def __init__(self, root: Path, part: Part) -> None:
        self._part = part
        self._final = root / part.name
        self._temporary = self._final.with_suffix(".tmp")
        if not self._final.parent.exists():
            self._final.parent.mkdir(mode=0o700)
            sync(root)
        self._waiting: list[pa.RecordBatch] = []
        try:
            self._writer = pq.ParquetWriter(self._temporary, disk_schema(), **_encodings())
        except BaseException:
            self._temporary.unlink(missing_ok=True)
            raise

    def add(self, rows: pa.Table) -> None:
        """Write a table of `SCHEMA` as row groups of its own."""
        fixed = rows.set_column(rows.schema.get_field_index("id"), "id", rows["id"].cast(_ID))
        self._writer.write_table(fixed, row_group_size=_ROW_GROUP)

    def append(self, rows: pa.RecordBatch) -> None:
        """Take rows that were read from a part; they become a row group once they are enough."""
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= _MERGED_GROUP:
            self._write_waiting()

    def finish(self) -> Part:
        """Sync, rename, sync the folder; return the part with its size."""
        if self._waiting:
            self._write_waiting()
        self._writer.add_key_value_metadata({_FOOTER: msgspec.json.encode(self._part)})
        self._writer.close()
        sync(self._temporary)
        os.rename(self._temporary, self._final)
        sync(self._final.parent)
        return msgspec.structs.replace(self._part, bytes=self._final.stat().st_size)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._temporary.unlink(missing_ok=True)
        self._final.unlink(missing_ok=True)

    def _write_waiting(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._waiting), row_group_size=_ROW_GROUP)
        self._waiting = []


def write_part(root: Path, part: Part, rows: pa.Table) -> Part:
    """Write one part whole; return it with its size."""
    writer = PartWriter(root, part)
    try:
        writer.add(rows)
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


def sync(path: Path) -> None:
    """Flush a file's bytes or a folder's names to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_footer(root: Path, name: str) -> Part:
    """What the file says of itself; raises ValueError where it is no part of ours."""
    try:
        with pq.ParquetFile(root / name) as file:
            footer = (file.metadata.metadata or {})[_FOOTER]
        part = msgspec.json.decode(footer, type=Part)
    except (OSError, KeyError, pa.ArrowException, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from error
    return msgspec.structs.replace(part, name=name, bytes=(root / name).stat().st_size)


def read_ids(root: Path, part: Part, buckets: Sequence[int]) -> tuple[list[bytes], list[int]]:
    """The ids of the part's rows in these buckets, and the bucket of each."""
    wanted = pa.array(buckets, pa.int64())
    ids: list[bytes] = []
    found: list[int] = []
    with _reading(part), pq.ParquetFile(root / part.name) as file:
        for group in _groups_over(file, min(buckets), max(buckets)):
            rows = file.read_row_group(group, columns=["id", "time"], use_threads=False)
            of_rows = buckets_of(rows["time"])
            hits = pc.is_in(of_rows, value_set=wanted)
            ids += rows["id"].filter(hits).to_pylist()
            found += of_rows.filter(hits).to_pylist()
    return ids, found


def read_rows(root: Path, part: Part) -> Iterator[pa.RecordBatch]:
    """The part's rows, some thousand at a time."""
    with _reading(part), pq.ParquetFile(root / part.name) as file:
        yield from file.iter_batches(batch_size=_READ_ROWS, use_threads=False)


def _groups_over(file: pq.ParquetFile, first: int, last: int) -> Iterator[int]:
    """Row groups that may hold a bucket between these."""
    time = disk_schema().get_field_index("time")
    for index in range(file.metadata.num_row_groups):
        told = file.metadata.row_group(index).column(time).statistics
        if told is None or (bucket_of(told.min_raw) <= last and bucket_of(told.max_raw) >= first):
            yield index


@contextlib.contextmanager
def _reading(part: Part) -> Iterator[None]:
    """Tell a damaged file from a disk that does not answer: the latter has an errno."""
    try:
        yield
    except pa.ArrowException as error:
        raise PartDamaged(part, str(error)) from error
    except OSError as error:
        if error.errno is None or isinstance(error, FileNotFoundError):
            raise PartDamaged(part, str(error)) from error
        raise
