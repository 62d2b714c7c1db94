"""The forms in which events leave."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from armorstack.sinks.lines import event_lines
from armorstack.store.event_json import COLUMNS, encode
from armorstack.store.forms import csv as csv_form
from armorstack.store.forms import encoded, parquet
from armorstack.store.forms.encoded import columns_needed
from tests.support import hostile
from tests.support.stores import rows

ALL = tuple(COLUMNS)
HOSTILE = hostile.rows()


@pytest.mark.parametrize(
    "text",
    ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", '"=1', "'=1", ";=1", ",=1", "\uff1d1",
     "\ufeff=1", "\u200b@x", "\x00=1", "\x1b=1", "--", "- list"],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_reckon_gets_a_guard(text: str) -> None:
    assert csv_form.defused(text).startswith("'")


@pytest.mark.parametrize("text", ["", "a=b", "/bin/sh -c x", "1-2", "a@b", "x", "(a)", "é=1"])
def test_any_other_cell_stays_as_it_is(text: str) -> None:
    assert csv_form.defused(text) == text


def test_an_id_that_begins_with_a_minus_is_guarded() -> None:
    ids = pa.array([b"\xf8" + bytes(31)], pa.binary())
    batch = rows([("x", 0)]).set_column(0, pa.field("id", pa.binary()), ids)
    (line,) = csv_form.lines(batch, ["id"]).splitlines()
    assert line.startswith(b"'-")


def test_csv_of_hostile_events_is_rectangular_and_shows_no_control_character() -> None:
    # A megabyte is more than Python's own reader takes.
    batch = hostile.rows(long=False)
    text = b"".join(encoded([batch], "csv", "columns", ALL)).decode()
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(line) for line in lines} == {len(ALL)}
    assert len(lines) == text.count("\n") == len(batch) + 1
    assert not set(text.replace("\r\n", "")) & set(map(chr, [*range(32), *range(127, 160)]))
    assert not set(text) & set("\u202e\u2066\u200b\ufeff\u2028")


def test_every_hostile_text_is_found_again_in_json() -> None:
    lines = b"".join(encoded([HOSTILE], "ndjson", "columns", ALL)).splitlines()
    found = [json.loads(line)["resource"] for line in lines]
    assert found == HOSTILE.column("resource").to_pylist()
    assert all(b"\x1b" not in line and b"\x7f" not in line for line in lines)


@pytest.mark.parametrize("form", ["ecs", "kubearmor"])
def test_whole_forms_are_what_sinks_write(form: str) -> None:
    lines = b"".join(encoded([HOSTILE], "ndjson", form, ()))  # type: ignore[arg-type]
    assert lines == b"".join(event_lines(HOSTILE, form))  # type: ignore[arg-type]
    array = b"".join(encoded([HOSTILE], "json", form, ()))  # type: ignore[arg-type]
    assert json.loads(array) == [json.loads(line) for line in lines.splitlines()]


def test_an_event_of_another_spelling_is_printed_as_the_relay_prints_it() -> None:
    extra = '{"set":{"podName":"web","unheard":1},"unset":["tags"]}'
    for spelling in ("camel", "protojson"):
        batch = rows([("a", 0)], spelling=spelling, extra=extra, fold_count=3, fold_first=5)
        (line,) = b"".join(encoded([batch], "ndjson", "kubearmor", ())).splitlines()
        assert json.loads(line)["Resource"] == "a"
        assert json.loads(line)["unheard"] == 1
        assert line + b"\n" == b"".join(event_lines(batch, "kubearmor"))


def test_an_export_of_nothing_is_a_file_all_the_same() -> None:
    made = {name: b"".join(encoded([], name, "columns", ("id",))) for name in ("csv", "json")}
    assert made == {"csv": b"id\r\n", "json": b"[\n]\n"}
    assert b"".join(encoded([], "ndjson", "columns", ("id",))) == b""
    table = pq.read_table(io.BytesIO(b"".join(encoded([], "parquet", "columns", ("id",)))))
    assert (table.num_rows, table.schema.names) == (0, ["id"])


def test_columns_that_hold_nothing_make_empty_objects() -> None:
    batch = rows([("a", 0), ("b", 0)])
    assert b"".join(encoded([batch], "ndjson", "columns", ("pod",))) == b"{}\n{}\n"
    mixed = batch.set_column(
        batch.schema.get_field_index("pod_name"), batch.schema.field("pod_name"),
        pa.array(["x", None]),
    )  # fmt: skip
    lines = b"".join(encoded([mixed], "ndjson", "columns", ("pod", "node")))
    assert lines == b'{"pod":"x"}\n{}\n'


def test_pieces_are_small_however_large_the_fields() -> None:
    batch = rows([(number, 0) for number in range(200)], data="x" * 1_000_000)
    sizes = [len(piece) for piece in encoded([batch], "ndjson", "columns", ("id", "data"))]
    assert max(sizes) < 40_000_000
    assert sum(sizes) > 200_000_000


def test_a_parquet_file_is_given_away_group_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 100)
    batch = rows([(number, number) for number in range(50)])
    pieces = list(encoded([batch] * 10, "parquet", "columns", ("id", "time")))
    file = pq.ParquetFile(io.BytesIO(b"".join(pieces)))
    assert file.metadata.num_row_groups == 5
    assert len([piece for piece in pieces if piece]) == 6
    assert file.read().column("time").to_pylist()[49].microsecond == 49


def test_severity_is_a_number_where_it_is_one() -> None:
    batch = rows([("a", 0)], severity="7")
    odd = rows([("b", 0)], severity="high")
    lines = b"".join(encoded([batch, odd], "ndjson", "columns", ("severity",)))
    assert lines == b'{"severity":7}\n{"severity":"high"}\n'
    table = pq.read_table(
        io.BytesIO(b"".join(encoded([batch, odd], "parquet", "columns", ("severity",))))
    )
    assert table.column("severity").to_pylist() == [7, None]


def test_only_the_columns_that_are_needed_are_asked_for() -> None:
    assert columns_needed("columns", ("pod", "via")) == ["pod_name", "from_source"]
    assert "original" in columns_needed("ecs", ("pod",))
    assert "original" not in COLUMNS.values()


def test_json_hides_what_a_terminal_obeys() -> None:
    value = {"a": "\x1b[2J\x7f\x9b\u202e\U000e0041 é"}
    assert encode(value).isascii() is False
    assert json.loads(encode(value)) == value
    assert not set(encode(value).decode()) & set("\x1b\x7f\x9b\u202e\U000e0041")
