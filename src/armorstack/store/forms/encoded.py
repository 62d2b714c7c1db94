"""An export: which format, which form, which columns; record batches in, bytes out.

Invariant: the pieces together are one file of that format; one that ends early is none, except for
CSV and NDJSON, where only who reads the stream can tell. Pieces are small, whatever the batches.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.store.event_json import columns_of
from armorstack.store.forms import csv, parquet
from armorstack.store.forms.cells import small
from armorstack.store.forms.flat import flat_lines
from armorstack.store.forms.lines import whole_lines

Format = Literal["csv", "json", "ndjson", "parquet"]
Form = Literal["columns", "ecs", "kubearmor"]
FORMATS: tuple[Format, ...] = get_args(Format)
FORMS: tuple[Form, ...] = get_args(Form)
MEDIA_TYPES: dict[Format, str] = {
    "csv": csv.MEDIA_TYPE,
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": parquet.MEDIA_TYPE,
}
PIECE_ROWS = 8192


def columns_needed(form: Form, names: Sequence[str]) -> list[str]:
    """The columns of `SCHEMA` that a store must be asked for."""
    return columns_of(names) if form == "columns" else list(SCHEMA.names)


def encoded(
    batches: Iterable[pa.RecordBatch], format_: Format, form: Form, names: Sequence[str]
) -> Iterator[bytes]:
    """The pieces of the file. `names`: the members or columns of the form `columns`.

    CSV and Parquet know that form only. Raises what the batches raise.
    """
    if format_ == "parquet":
        yield from parquet.chunks(batches, names)
        return
    pieces = (rows for batch in batches for rows in small(batch, PIECE_ROWS))
    if format_ == "csv":
        yield csv.header(names)
        yield from (csv.lines(rows, names) for rows in pieces)
        return
    between = ",\n" if format_ == "json" else "\n"
    lines = (
        flat_lines(rows, names, between) if form == "columns" else whole_lines(rows, form, between)
        for rows in pieces
    )
    yield from _array(lines) if format_ == "json" else lines


def _array(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Objects that are followed by a comma and a newline each, as one JSON array."""
    yield b"["
    before = b"\n"
    for piece in pieces:
        # What belongs between two pieces is held back: there may be no other.
        yield before + piece[:-2]
        before = piece[-2:]
    yield b"\n]\n"
