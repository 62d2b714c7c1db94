"""Events as CSV, flat JSON and Parquet, whatever their texts."""

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from armorstack.core.batch import SCHEMA
from armorstack.core.text import UNSAFE
from armorstack.store.event_json import COLUMNS, encode, plain, row_of
from armorstack.store.forms import encoded
from tests.support.stores import NOW_US, id_of

TEXT = st.one_of(
    st.sampled_from(("", "=1", "\t=1", '"=1', "a,b", 'a"b', "a\r\nb", "\0", "\x1b[2J", "-", " ")),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
ABSENT = st.none()
MOMENT = st.integers(0, NOW_US)
BY_TYPE: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): TEXT,
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.timestamp("us"): MOMENT,
    pa.list_(pa.string()): st.lists(TEXT, max_size=3),
    pa.map_(pa.string(), pa.string()): st.dictionaries(TEXT, TEXT, max_size=3).map(
        lambda found: list(found.items())
    ),
}
TAKEN = ("namespace_name", "severity", "atags", "event_data", "pid", "timestamp", "fold_first")


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """A batch that may begin in the middle of its buffers, as slices do."""
    count = draw(st.integers(0, 6))
    known: dict[str, list[Any]] = {
        "id": [id_of(number) for number in range(count)],
        "time": [draw(MOMENT) for _ in range(count)],
        "stream": ["alert"] * count,
    }
    for name in TAKEN:
        strategy = ABSENT | BY_TYPE[SCHEMA.field(name).type]
        known[name] = [draw(strategy) for _ in range(count)]
    arrays = [pa.array(known.get(field.name, [None] * count), field.type) for field in SCHEMA]
    start = draw(st.integers(0, count))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA).slice(start)


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows as a store gives them."""
    times = {f.name: pa.int64() for f in SCHEMA if f.type == pa.timestamp("us")}
    plain_types = pa.schema([(f.name, times.get(f.name, f.type)) for f in SCHEMA])
    return [
        {k: dict(v) if k == "event_data" else v for k, v in row.items() if v is not None}
        for row in batch.cast(plain_types).to_pylist()
    ]


def whole(batch: pa.RecordBatch, format_: Any, *, times: int = 1) -> bytes:
    return b"".join(encoded([batch] * times, format_, "columns", tuple(COLUMNS)))


@settings(max_examples=30)
@given(batches())
def test_ndjson_is_what_an_answer_shows_of_each_event(batch: pa.RecordBatch) -> None:
    lines = whole(batch, "ndjson").split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == [plain(row) for row in rows_of(batch)]
    assert [list(json.loads(line)) for line in lines] == [
        [name for name in COLUMNS if name in plain(row)] for row in rows_of(batch)
    ]


@settings(max_examples=30)
@given(batches(), st.integers(0, 3))
def test_json_is_one_array_of_any_number_of_batches(batch: pa.RecordBatch, times: int) -> None:
    assert json.loads(whole(batch, "json", times=times)) == times * [
        plain(row) for row in rows_of(batch)
    ]


@settings(max_examples=30)
@given(batches())
def test_an_event_is_read_back_from_what_an_answer_shows(batch: pa.RecordBatch) -> None:
    for row in rows_of(batch):
        kept = {name: value for name, value in row.items() if name != "original"}
        assert row_of(json.loads(encode(plain(row)))) == kept


@settings(max_examples=30)
@given(batches())
def test_csv_has_one_line_per_event_and_no_formula(batch: pa.RecordBatch) -> None:
    text = whole(batch, "csv").decode()
    assert text.count("\n") == text.count("\r") == text.count("\r\n") == len(batch) + 1
    head, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head == list(COLUMNS)
    assert len(lines) == len(batch)
    numbers = {COLUMNS[name]: head.index(name) for name in ("pid", "PID", "timestamp")}
    for line, row in zip(lines, rows_of(batch), strict=True):
        assert len(line) == len(head)
        for column, index in numbers.items():
            assert line[index] == str(row.get(column, ""))
        for index, cell in enumerate(line):
            assert not UNSAFE.search(cell)
            if index not in numbers.values():
                assert cell.strip(' "`,;')[:1] not in ("=", "+", "-", "@") or cell[:1] == "'"


@settings(max_examples=30)
@given(batches())
def test_parquet_keeps_types_and_texts(batch: pa.RecordBatch) -> None:
    table = pq.read_table(io.BytesIO(whole(batch, "parquet")))
    assert table.schema.names == list(COLUMNS)
    assert table.schema.field("time").type == pa.timestamp("us", "UTC")
    for name in ("namespace", "tag", "event_data", "pid", "timestamp"):
        expected = batch.column(COLUMNS[name]).to_pylist()
        assert table.column(name).to_pylist() == expected
