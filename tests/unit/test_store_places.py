"""Places in the order of arrival, and what came last."""

import stat
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armorstack.engines.duckdb.recent import Recent
from armorstack.engines.place import KEY_FILE, Place, PlaceKey
from tests.support.stores import NOW_US, batch

UNSIGNED = st.integers(0, (1 << 64) - 1)
PLACES = st.builds(Place, UNSIGNED, UNSIGNED, st.integers(-(1 << 63), (1 << 63) - 1), UNSIGNED)
KEY = PlaceKey(b"k" * 32)


@given(PLACES)
def test_a_place_that_was_sealed_is_read(place: Place) -> None:
    assert KEY.read(KEY.sealed(place)) == place


@given(st.text() | st.binary(max_size=60).map(lambda b: b.hex()))
def test_no_other_text_is_a_place(text: str) -> None:
    assert KEY.read(text) is None


@given(PLACES, st.integers(0, 47), st.integers(1, 255))
def test_a_changed_place_is_none(place: Place, at: int, change: int) -> None:
    import base64

    raw = bytearray(base64.urlsafe_b64decode(KEY.sealed(place)))
    raw[at] ^= change
    assert KEY.read(base64.urlsafe_b64encode(raw).decode()) is None


def test_a_place_says_nothing_even_to_whoever_compares_two() -> None:
    place = Place(1, 2, 3, 4)
    assert len({KEY.sealed(place) for _ in range(20)}) == 20
    assert PlaceKey(b"x" * 32).read(KEY.sealed(place)) is None


def test_the_key_outlives_the_process_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = PlaceKey.of(tmp_path).sealed(Place(number=7))
    assert PlaceKey.of(tmp_path).read(sealed) == Place(number=7)
    assert PlaceKey.read_from(tmp_path).read(sealed) == Place(number=7)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_a_damaged_key_is_made_anew_and_reading_makes_none(tmp_path: Path) -> None:
    PlaceKey.read_from(tmp_path)
    assert not (tmp_path / KEY_FILE).exists()
    (tmp_path / KEY_FILE).write_bytes(b"short")
    sealed = PlaceKey.of(tmp_path).sealed(Place())
    assert PlaceKey.of(tmp_path).read(sealed) == Place()


def rows(first: int, count: int) -> pa.RecordBatch:
    return batch(1, range(first, first + count)).rows


def held(recent: Recent, number: int) -> list[str]:
    return [key for piece in recent.since(number) for key in piece.column("resource").to_pylist()]


@pytest.mark.parametrize("size", [1, 7, 300])
def test_what_is_held_is_numbered_without_a_hole(size: int) -> None:
    recent = Recent()
    for first in range(0, 3000, size):
        recent = recent.joined(rows(first, min(size, 3000 - first)))
    assert (recent.start, recent.end) == (0, 3000)
    for number in (0, 1, 299, 300, 2999, 3000):
        assert held(recent, number) == [str(n) for n in range(number, 3000)]


def test_the_first_are_let_go_where_there_are_too_many() -> None:
    recent = Recent()
    for first in range(0, 3000, 300):
        recent = recent.joined(rows(first, 300), max_rows=1000)
    assert (recent.start, recent.end) == (2100, 3000)
    assert held(recent, 2100) == [str(n) for n in range(2100, 3000)]


def test_the_first_are_let_go_where_they_take_too_much() -> None:
    recent = Recent()
    for first in range(0, 3000, 300):
        recent = recent.joined(rows(first, 300), max_bytes=1)
    assert (recent.start, recent.end) == (2700, 3000)


def test_the_time_of_the_rows_is_kept() -> None:
    recent = Recent().joined(rows(0, 3))
    [piece] = recent.since(0)
    assert piece.column("time").cast(pa.int64()).to_pylist() == [NOW_US] * 3
