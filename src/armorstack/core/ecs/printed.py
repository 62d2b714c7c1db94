"""Many events as lines of JSON of their stored documents, by moulds (`moulds.py`).

Rows that differ only in what is filled in are found column by column (`alike.py`), so that what is
done for each of them is little more than joining texts.

Invariant: each text is, as JSON, `to_stored` of its row. What no mould is for (folded events,
texts that are empty or long, members beyond the table) is made one by one. What is remembered is
bounded. Must not go here: indices, ids of documents.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import lru_cache, reduce
from itertools import chain
from struct import iter_unpack
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.batch import SCHEMA
from armorstack.core.ecs.alike import Alike, alike
from armorstack.core.ecs.document import EPOCH
from armorstack.core.ecs.draft import Document
from armorstack.core.ecs.moulds import (
    NETWORK,
    NUMBERS,
    TEXTS,
    WITH_RESOURCE,
    WORKLOAD,
    Resource,
    Workload,
    json_text,
    mould_of,
    original_text,
    resource_of,
    workload_of,
)
from armorstack.core.ecs.stored import to_stored
from armorstack.core.ecs.verdict import DATASETS

MOST_BYTES = 16 * 1024 * 1024
"""Of moulds and of workloads, each, that are remembered, without what they are known by, which is
about as large; beyond, all are forgotten and made anew. Whoever names processes could fill more."""
LONGEST = 1_024
"""Bytes of a text of an event that a mould is for."""
PORTION = 2_000
"""Documents that are made at a time."""
_RARE = ("extra", "fold_count", "fold_first", "fold_last")
"""Columns that no mould is for."""
_HOLES = {"id", "time", "received", "original", "resource", *NUMBERS, *TEXTS}
_KIND = tuple(name for name in SCHEMA.names if name not in {*_HOLES, *WORKLOAD, *_RARE})
"""Columns that say what happened."""
_NODE = ("host_name", "host_ip")
_TEXT_COLUMNS = tuple(field.name for field in SCHEMA if pa.types.is_string(field.type))
_SOMETIMES = (*NUMBERS, *TEXTS, "original", "resource")
"""Columns that are filled in, where they are there."""
_KEYS = (*_KIND, *_NODE, *_SOMETIMES)
_KINDS, _STREAM, _OPERATION = len(_KIND), _KIND.index("stream"), _KIND.index("operation")
_NEVER_EMPTY = {*WORKLOAD, *TEXTS, "resource"}
_TO_ESCAPE = '[\\x00-\\x1f"\\\\]'
_FIRST_EIGHT = ">Q24x"
_STREAMS = pa.array(list(DATASETS), pa.string())
_APART = pa.array(WITH_RESOURCE, pa.string())
_ADDRESSED = pa.array(NETWORK, pa.string())
# A number that has to be made a scalar first costs more than what is done with it.
_0, _1, _32, _LONGEST = (pa.scalar(n, pa.int64()) for n in (0, 1, 32, LONGEST))
_NO_TEXT, _MESSAGE = pa.scalar(None, pa.string()), pa.scalar("message")
_NONE = Resource()
_remembered_resource = lru_cache(4_096)(resource_of)
_encode = msgspec.json.Encoder().encode

Filler = Callable[[Sequence[bytes]], bytes]


def print_document(document: Document) -> bytes:
    """Any document, in one line."""
    return _encode(document)


class Printer:
    """Remembers moulds. To be used by one thread."""

    def __init__(self) -> None:
        self._moulds: dict[tuple[Any, ...], Filler | None] = {}
        self._workloads: dict[tuple[Any, ...], Workload] = {}
        self._mould_bytes = self._workload_bytes = 0

    def lines(self, rows: pa.RecordBatch, heads: Sequence[bytes]) -> Iterator[list[bytes]]:
        """The documents in their order, each behind its head and with a newline at its end, some
        at a time: they take several times what the rows do. Rows have the columns of `SCHEMA`."""
        odd = _odd(rows)
        if not any(odd):
            yield from self._by_moulds(rows, heads)
            return
        even = rows.filter(pa.array([not each for each in odd]))
        theirs = [head for head, is_odd in zip(heads, odd, strict=True) if not is_odd]
        made = chain.from_iterable(self._by_moulds(even, theirs) if theirs else ())
        for start in range(0, len(rows), PORTION):
            yield [
                _alone(rows, at, heads[at]) if is_odd else next(made)
                for at, is_odd in enumerate(odd[start : start + PORTION], start)
            ]

    def _by_moulds(self, rows: pa.RecordBatch, heads: Sequence[bytes]) -> Iterator[list[bytes]]:
        acts = pc.if_else(
            pc.equal(rows.column("stream"), _MESSAGE), _NO_TEXT, rows.column("operation")
        )
        where = alike([rows.column(name) for name in WORKLOAD])
        workloads = self._workloads_of(rows, where)
        # A mould has no place for members that there are none of.
        parts = [tuple(map(bool, each)) for each in workloads]
        kinds = _kinds(rows, acts, _coded(parts, where.groups))
        moulds = self._moulds_of(rows, kinds, where, workloads)
        for start in range(0, len(rows), PORTION):
            end, part = start + PORTION, rows.slice(start, PORTION)
            yield [
                filled(slots + workloads[place] + apart)
                if (filled := moulds[kind])
                else _alone(rows, at, heads[at])
                for at, kind, place, apart, slots in zip(
                    range(start, start + len(part)), kinds.groups[start:end],
                    where.groups[start:end], _apart(part, acts.slice(start, PORTION)),
                    _slots(part, heads[start:end]), strict=True,
                )
            ]  # fmt: skip

    def _workloads_of(self, rows: pa.RecordBatch, where: Alike) -> list[Workload]:
        """Of each group its workload."""
        return [self._workload(key) for key in _taken(rows, WORKLOAD, where)]

    def _workload(self, key: tuple[Any, ...]) -> Workload:
        found = self._workloads.get(key)
        if found is None:
            if self._workload_bytes > MOST_BYTES:
                self._workloads.clear()
                self._workload_bytes = 0
            found = self._workloads[key] = workload_of(dict(zip(WORKLOAD, key, strict=True)))
            self._workload_bytes += sum(map(len, found)) + LONGEST
        return found

    def _moulds_of(
        self, rows: pa.RecordBatch, kinds: Alike, where: Alike, workloads: Sequence[Workload]
    ) -> list[Filler | None]:  # fmt: skip
        """Of each group what fills its mould; None: there is none."""
        found = []
        for at, values in zip(kinds.firsts.to_pylist(), _taken(rows, _KEYS, kinds), strict=True):
            workload = workloads[where.groups[at]]
            key = (*_key(values), *map(bool, workload))
            if key not in self._moulds:
                self._add(key, _row(rows, at), workload)
            found.append(self._moulds[key])
        return found

    def _add(self, key: tuple[Any, ...], row: dict[str, Any], workload: Workload) -> None:
        if self._mould_bytes > MOST_BYTES:
            self._moulds.clear()
            self._mould_bytes = 0
        mould = mould_of(row, workload)
        self._mould_bytes += sum(map(len, mould.pieces if mould else ())) + LONGEST
        self._moulds[key] = mould.filler() if mould else None


def _key(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a mould is known by, of the values in the columns `_KEYS` of one of its rows."""
    kind, node, more = values[:_KINDS], values[_KINDS : _KINDS + 2], values[_KINDS + 2 :]
    act = None if kind[_STREAM] == "message" else kind[_OPERATION]
    states = tuple(None if each is None else each != 0 for each in more)
    resource = None if act in WITH_RESOURCE else more[-1]
    return kind, states, resource, node if act in NETWORK else None


def _coded(parts: Sequence[tuple[bool, ...]], groups: Sequence[int]) -> pa.Array:
    """Of each row a number for which members its workload has."""
    codes = [sum(has << place for place, has in enumerate(each)) for each in parts]
    return pa.array([codes[group] for group in groups], pa.int8())


def _kinds(rows: pa.RecordBatch, acts: pa.Array, parts: pa.Array) -> Alike:
    """Rows that have one mould."""
    is_apart = pc.fill_null(pc.is_in(acts, _APART), False)
    is_addressed = pc.fill_null(pc.is_in(acts, _ADDRESSED), False)
    columns = [
        parts,
        pc.if_else(is_apart, _NO_TEXT, rows.column("resource")),
        *(pc.if_else(is_addressed, rows.column(name), _NO_TEXT) for name in _NODE),
        *(rows.column(name) for name in _KIND),
        *(pc.is_valid(rows.column(name)) for name in _SOMETIMES if _is_mixed(rows.column(name))),
    ]
    for name in NUMBERS:
        if _has_any(rows.column(name)):
            columns.append(pc.equal(rows.column(name), _0))
    return alike(columns)


def _is_mixed(column: pa.Array) -> bool:
    return bool(0 < column.null_count < len(column))


def _taken(
    rows: pa.RecordBatch, names: Sequence[str], groups: Alike
) -> Iterable[tuple[Any, ...]]:  # fmt: skip
    """The values in the first row of each group; lists and maps as tuples."""
    first = rows.select(names).take(groups.firsts)
    return zip(*map(_listed, first.columns), strict=True)


def _listed(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if pa.types.is_nested(column.type):
        return [value if value is None else tuple(value) for value in values]
    return values


def _apart(rows: pa.RecordBatch, acts: pa.Array) -> list[Resource]:
    """Of each row what follows from its resource, where that is no part of its mould."""
    return [
        _remembered_resource(act, resource) if resource and act in WITH_RESOURCE else _NONE
        for act, resource in zip(
            acts.to_pylist(), rows.column("resource").to_pylist(), strict=True
        )
    ]  # fmt: skip


def _slots(rows: pa.RecordBatch, heads: Sequence[bytes]) -> Iterable[tuple[bytes, ...]]:
    """Of each row the first of `SLOTS`; what is absent is nowhere filled in."""
    made: list[Iterable[Any]] = [heads]
    times, received = (rows.column(name).cast(pa.int64()) for name in ("time", "received"))
    made += [_dates(times.to_pylist()), _bytes(times)]
    # Many events are received at once.
    coded = received.dictionary_encode()
    for once in (_dates(coded.dictionary.to_pylist()), _bytes(coded.dictionary)):
        made.append(map(once.__getitem__, coded.indices.to_pylist()))
    ids = b"".join(rows.column("id").to_pylist())
    made.append([b"%d" % (first - (1 << 63)) for (first,) in iter_unpack(_FIRST_EIGHT, ids)])
    made += (_bytes(rows.column(name)) for name in NUMBERS)
    made += (_quoted(rows.column(name)) for name in TEXTS)
    made.append(_originals(rows))
    return zip(*made, strict=True)


def _dates(times_us: Sequence[int]) -> list[bytes]:
    """The times as they are printed."""
    return [b"%b.%06dZ" % (_second(at // 1_000_000), at % 1_000_000) for at in times_us]


@lru_cache(4_096)
def _second(seconds: int) -> bytes:
    return (EPOCH + timedelta(seconds=seconds)).isoformat("T", "seconds").encode()


def _bytes(column: pa.Array) -> list[Any]:
    found: list[Any] = pc.cast(pc.cast(column, pa.string()), pa.binary()).to_pylist()
    return found


def _quoted(column: pa.Array) -> list[Any]:
    """The texts as they stand between quotes in JSON; mostly just so."""
    if pc.any(pc.match_substring_regex(column, _TO_ESCAPE)).as_py():
        return [None if text is None else json_text(text) for text in column.to_pylist()]
    return _bytes(column)


def _originals(rows: pa.RecordBatch) -> list[bytes | None]:
    """Each as it stands between quotes; None where it is nothing, or stands for another than
    itself."""
    if not _has_any(rows.column("original")):
        return [b""] * len(rows)
    return [
        b"" if original is None else _text_of(original, spelling)
        for original, spelling in zip(
            rows.column("original").to_pylist(), rows.column("spelling").to_pylist(), strict=True
        )
    ]


def _text_of(original: bytes, spelling: str | None) -> bytes | None:
    try:
        return original_text({"original": original, "spelling": spelling}) or None
    except UnicodeDecodeError:
        return None


# --- rows that no mould is for ---


def _odd(rows: pa.RecordBatch) -> list[bool]:
    """Which rows those are."""
    odd = [
        pc.invert(pc.is_in(rows.column("stream"), _STREAMS)),
        pc.not_equal(pc.fill_null(pc.binary_length(rows.column("id")), _0), _32),
        *(pc.is_null(rows.column(name)) for name in ("time", "received")),
        *(pc.is_valid(rows.column(name)) for name in _RARE if _has_any(rows.column(name))),
    ]
    for name in _TEXT_COLUMNS:
        if _has_any(rows.column(name)):
            size = pc.fill_null(pc.binary_length(rows.column(name)), _1)
            ends = pc.min_max(size).as_py()
            if ends["max"] > LONGEST:
                odd.append(pc.greater(size, _LONGEST))
            if ends["min"] == 0 and name in _NEVER_EMPTY:
                odd.append(pc.equal(size, _0))
    if _has_any(rows.column("original")):
        odd.append(pa.array([text is None for text in _originals(rows)], pa.bool_()))
    found: list[bool] = reduce(pc.or_, odd).to_pylist()
    return found


def _has_any(column: pa.Array) -> bool:
    return bool(column.null_count < len(column))


def _row(rows: pa.RecordBatch, at: int) -> dict[str, Any]:
    found: dict[str, Any] = rows.slice(at, 1).to_pylist()[0]
    return found


def _alone(rows: pa.RecordBatch, at: int, head: bytes) -> bytes:
    return b"%b%b\n" % (head, print_document(to_stored(_row(rows, at))))
