"""Rotated files: names, order, what is kept, what a crash left."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from armorstack.sinks.file_rotated import Rotated
from tests.support.stores import NOW_US, SECOND_US

T = "20261123T150000Z"
EARLIER = "20261123T145959Z"

Make = Callable[..., Rotated]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*names: str, path: str = "events.ndjson") -> Rotated:
        for name in names:
            (tmp_path / name).write_bytes(b"1\n2\n")
        return Rotated(tmp_path / path)

    return make


def left(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("events.ndjson", f"events-{T}.ndjson"),
        ("events", f"events-{T}"),
        ("a.b.json", f"a.b-{T}.json"),
        (".hidden", f".hidden-{T}"),
        ("a[1]+.log", f"a[1]+-{T}.log"),
    ],
)
def test_the_time_stands_between_stem_and_suffix(make: Make, path: str, name: str) -> None:
    rotated = make(path=path)
    assert rotated.next_name(NOW_US) == name
    assert rotated.is_rotated(name)


def test_a_second_file_of_a_second_is_numbered(make: Make) -> None:
    rotated = make(f"events-{T}.ndjson.gz")
    assert rotated.next_name(NOW_US) == f"events-{T}.1.ndjson"


def test_numbers_count_on_beyond_nine(make: Make) -> None:
    rotated = make(*(f"events-{T}.{number}.ndjson" for number in range(1, 11)))
    assert rotated.next_name(NOW_US) == f"events-{T}.11.ndjson"
    assert rotated.names()[-1] == f"events-{T}.10.ndjson"


def test_a_clock_that_was_set_back_makes_no_older_name(make: Make) -> None:
    rotated = make(f"events-{T}.ndjson")
    assert rotated.next_name(NOW_US - 3600 * SECOND_US) == f"events-{T}.1.ndjson"


def test_other_files_are_left_alone(make: Make, tmp_path: Path) -> None:
    others = ["events-old.ndjson", f"other-{T}.ndjson", f"events-{T}.json", f"x-events-{T}.ndjson"]
    rotated = make(*others, f"events-{T}.ndjson")
    assert rotated.names() == [f"events-{T}.ndjson"]
    assert list(rotated.prune(1, {})) == []
    assert left(tmp_path) == sorted([*others, f"events-{T}.ndjson"])


def test_only_the_newest_are_kept(make: Make, tmp_path: Path) -> None:
    rotated = make(f"events-{EARLIER}.ndjson", f"events-{T}.ndjson.gz", f"events-{T}.1.ndjson")
    events = {f"events-{EARLIER}.ndjson": 7, f"events-{T}.1.ndjson": 3}
    assert list(rotated.prune(2, events)) == [7]
    assert left(tmp_path) == [f"events-{T}.1.ndjson", f"events-{T}.ndjson.gz"]
    assert events == {f"events-{T}.1.ndjson": 3}


def test_keep_zero_keeps_all(make: Make) -> None:
    rotated = make(f"events-{EARLIER}.ndjson", f"events-{T}.ndjson")
    assert list(rotated.prune(0, {})) == []
    assert len(rotated.names()) == 2


def test_lines_are_counted_where_nobody_knows_their_number(make: Make, tmp_path: Path) -> None:
    rotated = make(f"events-{EARLIER}.ndjson", f"events-{T}.2.ndjson")
    (tmp_path / f"events-{T}.ndjson.gz").write_bytes(gzip.compress(b"1\n2\n3\n"))
    (tmp_path / f"events-{T}.1.ndjson.gz").write_bytes(b"no gzip")
    assert list(rotated.prune(1, {})) == [2, 3, 0]


def test_a_crash_during_compression_is_tidied_up(make: Make, tmp_path: Path) -> None:
    done, begun = f"events-{EARLIER}.ndjson", f"events-{T}.ndjson"
    rotated = make(done, f"{done}.gz", begun, f"{begun}.gz.tmp")
    rotated.tidy()
    assert left(tmp_path) == [f"{done}.gz", begun]
    assert rotated.uncompressed() == [begun]


def test_what_is_being_compressed_counts_once(make: Make) -> None:
    rotated = make(f"events-{T}.ndjson", f"events-{T}.ndjson.gz.tmp", f"events-{T}.1.ndjson.gz.tmp")
    assert rotated.names() == [f"events-{T}.ndjson"]
