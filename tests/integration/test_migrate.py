"""Events that are stored already, moved into another sink."""

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from armorstack.cli.main import cli
from armorstack.config import DuckdbSink
from armorstack.core.batch import Batch, Rejected
from armorstack.core.gap import Gap
from armorstack.core.query.question import Question
from armorstack.engines.duckdb.store import Store
from armorstack.errors import StoreError
from armorstack.migrate.contract import Piece
from armorstack.migrate.mark import Counts, Mark, read_mark
from armorstack.migrate.moving import Moving, Stopped
from armorstack.migrate.parts import PartsOrigin
from armorstack.sinks.contract import Outcome
from armorstack.sinks.duckdb import StoreSink
from armorstack.store.contract import Row
from armorstack.store.duckdb import PartsStore
from tests.support.event_stores import batch_of, embedded, event, patience, put, varied
from tests.support.stores import NOW_US, Clock

GAP = Gap(reason="stop", source="relay", start_us=NOW_US - 10, end_us=NOW_US - 5, lost=3)
MIB = 1024 * 1024


def filled(folder: Path, groups: int = 4) -> list[Row]:
    """A store of several parts; returns its events."""
    with embedded(folder) as store:
        for number, events in enumerate(varied(40 * groups)):
            put(store, events, number + 1)
            store.flush()
    return held(folder)


def held(folder: Path) -> list[Row]:
    with PartsStore(folder, now_us=Clock()) as store:
        return list(store.events(Question(), patience(), size=10_000).rows)


def target(folder: Path) -> StoreSink:
    sink = StoreSink("other", DuckdbSink(path=str(folder), keep_original=True), folder, Clock())
    sink.open()
    return sink


@pytest.fixture
def source(tmp_path: Path) -> Iterator[PartsOrigin]:
    filled(tmp_path / "source")
    origin = PartsOrigin(tmp_path / "source", 64 * MIB, lambda: [GAP])
    yield origin
    origin.close()


def test_every_event_is_moved_whole_and_so_are_the_gaps(
    tmp_path: Path, source: PartsOrigin
) -> None:
    sink = target(tmp_path / "other")
    moving = Moving(source, sink, "other", tmp_path / "migrate")
    told: list[Counts] = []
    done = moving.run(moving.begin(), told.append)
    assert done.counts == told[-1] == Counts(read=160, written=160)
    assert source.total() == 160
    assert sink.store.gaps(0, NOW_US) == [GAP]
    sink.close()
    assert held(tmp_path / "other") == held(tmp_path / "source")
    assert not moving.rejected_file.exists()


def test_a_second_time_everything_is_there_already(tmp_path: Path, source: PartsOrigin) -> None:
    sink = target(tmp_path / "other")
    moving = Moving(source, sink, "other", tmp_path / "migrate")
    moving.run(moving.begin())
    # Nothing is new, so nothing is read.
    assert moving.run(moving.begin()).counts == Counts(read=160, written=160)
    anew = moving.run(moving.begin(again=True))
    assert anew.counts == Counts(read=160, there=160)
    sink.close()
    assert len(held(tmp_path / "other")) == 160


class Unwilling:
    """A sink that takes so many writes and then does as it is told, over one that takes all."""

    name, required = "unwilling", True

    def __init__(self, sink: StoreSink, writes: int) -> None:
        self.sink, self.writes = sink, writes
        self.then: list[Outcome | Exception] = []

    def write(self, batch: Batch) -> Outcome:
        self.writes -= 1
        if self.writes < 0 and self.then:
            found = self.then.pop(0)
            if isinstance(found, Exception):
                raise found
            return found
        return self.sink.write(batch)

    def open(self) -> int | None:
        return None

    def cursor(self) -> int | None:
        return None

    def tick(self) -> None:
        pass

    def flush(self) -> None:
        self.sink.flush()

    def removed(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.sink.close()


@pytest.mark.parametrize("writes", range(5))
def test_what_was_interrupted_goes_on_and_the_sum_is_right(
    tmp_path: Path, source: PartsOrigin, writes: int
) -> None:
    folder = tmp_path / "migrate"
    sink = Unwilling(target(tmp_path / "other"), writes)
    sink.then = [StoreError("the target is away")]
    interrupted = Moving(source, sink, "other", folder, patience_s=-1)
    mark = interrupted.begin()
    with pytest.raises(StoreError, match="took nothing for"):
        interrupted.run(mark)
    again = Moving(source, sink, "other", folder)
    before = again.begin()
    counts = again.run(before).counts
    assert counts.read == 160 == counts.written + counts.there
    assert before.counts.written <= counts.written
    sink.close()
    assert held(tmp_path / "other") == held(tmp_path / "source")


def test_a_target_that_is_away_for_a_moment_is_waited_for(
    tmp_path: Path, source: PartsOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("armorstack.migrate.moving.FIRST_WAIT_S", 0.001)
    sink = Unwilling(target(tmp_path / "other"), 2)
    sink.then = [StoreError("away"), StoreError("away"), Outcome(accepted=39, retry=(3,))]
    moving = Moving(source, sink, "other", tmp_path / "migrate")
    assert moving.run(moving.begin()).counts == Counts(read=160, written=160)
    sink.close()


def test_what_is_never_taken_is_kept_with_its_reason(tmp_path: Path, source: PartsOrigin) -> None:
    refused = Rejected(b'{"Type":"x"}', "mapper_parsing_exception", "no such number")
    binary = Rejected(b"\xff\x00", "malformed_protobuf", "cut off")
    sink = Unwilling(target(tmp_path / "other"), 1)
    sink.then = [Outcome(accepted=38, rejected=(refused, binary))]
    moving = Moving(source, sink, "other", tmp_path / "migrate")
    assert moving.run(moving.begin()).counts == Counts(read=160, written=158, rejected=2)
    lines = [json.loads(line) for line in moving.rejected_file.read_text().splitlines()]
    assert [(line["error_type"], line["frame"]) for line in lines] == [
        ("mapper_parsing_exception", '{"Type":"x"}'), ("malformed_protobuf", "/wA="),
    ]  # fmt: skip
    assert moving.rejected_file.stat().st_mode & 0o777 == 0o600
    sink.close()


def test_it_ends_when_it_is_told_to(tmp_path: Path, source: PartsOrigin) -> None:
    stop = threading.Event()
    sink = target(tmp_path / "other")
    moving = Moving(source, sink, "other", tmp_path / "migrate", stop=stop)
    mark = moving.begin()
    with pytest.raises(Stopped):
        moving.run(mark, lambda counts: stop.set() if counts.read > 50 else None)
    mark = moving.begin()
    assert not mark.is_done
    assert 0 < mark.counts.read < 160
    stop.clear()
    assert moving.run(mark).counts == Counts(read=160, written=160)
    sink.close()


class Merging:
    """An origin that is read while two of its parts become one."""

    def __init__(self, origin: PartsOrigin, folder: Path) -> None:
        self.name, self._origin, self._folder = origin.name, origin, folder

    def pieces(self, place: str) -> Iterator[Piece]:
        for number, piece in enumerate(self._origin.pieces(place)):
            yield piece
            if number == 1:
                settings = DuckdbSink(part_interval_s=1e9, max_age_days=0, keep_original=True)
                store = Store.open(self._folder, settings, Clock())
                for _ in range(200):
                    store.tick()
                assert store.status().merges
                store.close()

    def total(self) -> int:
        return self._origin.total()

    def close(self) -> None:
        pass


def test_parts_that_are_merged_meanwhile_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    with embedded(folder) as store:
        for number in range(24):
            put(store, [event((number, n)) for n in range(5)], number + 1)
            store.flush()
    origin = PartsOrigin(folder, 64 * MIB)
    sink = target(tmp_path / "other")
    moving = Moving(Merging(origin, folder), sink, "other", tmp_path / "migrate")
    counts = moving.run(moving.begin()).counts
    assert counts.written == 120
    assert counts.read == counts.written + counts.there
    origin.close()
    sink.close()


def test_the_mark_of_another_migration_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store.json"
    file.write_text('{"origin":"store","target":"one"}')
    assert read_mark(file, "store", "one") == Mark("store", "one")
    with pytest.raises(StoreError, match="store into one"):
        read_mark(file, "store", "two")
    file.write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        read_mark(file, "store", "one")


def settings_file(folder: Path, other: Path) -> Path:
    file = folder / "armorstack.toml"
    file.write_text(
        f'data_dir = "{folder}/data"\n[sink.duckdb]\nmax_age_days = 0.0\n'
        f'[sink.other]\ntype = "duckdb"\npath = "{other}"\nmax_age_days = 0.0\n'
    )
    return file


def migrate(*words: str, code: int = 0) -> Sequence[str]:
    result = CliRunner().invoke(cli, ["migrate", *words])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def test_the_command_moves_the_embedded_store_and_says_what_became_of_it(tmp_path: Path) -> None:
    filled(tmp_path / "data" / "store")
    file = settings_file(tmp_path, tmp_path / "other")
    words = ("--config", str(file), "--to", "other")
    out, told = migrate(*words, "--json")
    assert json.loads(out) == {
        "origin": "store", "target": f"other {tmp_path}/other", "read": 160, "written": 160,
        "there": 0, "rejected": 0, "left_out": 0,
    }  # fmt: skip
    assert "160 read = 160 written + 0 already there + 0 rejected" in told
    out, told = migrate(*words)
    assert out == ""
    assert "goes on after 160 events" in told
    out, told = migrate(*words, "--again")
    assert "160 read = 0 written + 160 already there + 0 rejected" in told
    # Times, ids and every value are the same.
    ours, theirs = held(tmp_path / "other"), held(tmp_path / "data" / "store")
    assert [without_original(row) for row in ours] == [without_original(row) for row in theirs]


def without_original(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "original"}


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    file = settings_file(tmp_path, tmp_path / "other")
    assert "none is of type elastic" in migrate("--config", str(file), code=2)[1]
    assert "no sink 'x'" in migrate("--config", str(file), "--to", "x", code=2)[1]
    assert "the store that is read" in migrate("--config", str(file), "--to", "duckdb", code=2)[1]
    assert "no store in" in migrate("--config", str(file), "--to", "other", code=1)[1]


def test_rows_keep_the_shape_of_the_schema(source: PartsOrigin) -> None:
    pieces = list(source.pieces(""))
    assert pieces[0].gaps == (GAP,)
    assert {piece.rows.schema for piece in pieces} == {batch_of([]).schema}
    assert sum(len(piece.rows) for piece in pieces) == 160
    assert isinstance(pieces[1].rows, pa.RecordBatch)


@pytest.mark.parametrize("writes", [2, 5, 9])
def test_within_a_large_part_it_begins_at_the_start_of_the_part(
    tmp_path: Path, source: PartsOrigin, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    monkeypatch.setattr("armorstack.migrate.parts._BATCH_ROWS", 7)
    sink = Unwilling(target(tmp_path / "other"), writes)
    sink.then = [StoreError("the target is away")]
    interrupted = Moving(source, sink, "other", tmp_path / "migrate", patience_s=-1)
    mark = interrupted.begin()
    with pytest.raises(StoreError, match="took nothing for"):
        interrupted.run(mark)
    again = interrupted.begin()
    assert again.counts.read % 40 == 0
    assert interrupted.run(again).counts.read == 160
    sink.close()
    assert held(tmp_path / "other") == held(tmp_path / "source")


def test_what_came_later_is_later_whatever_day_it_is_of(tmp_path: Path) -> None:
    """A part of an older day that came while the others were moved is not passed over."""
    folder = tmp_path / "source"
    with embedded(folder, max_age_days=0) as store:
        for number in range(3):
            put(store, [event(number, NOW_US - number * 86_400_000_000)], number + 1)
            store.flush()
        origin = PartsOrigin(folder, 64 * MIB)
        sink = target(tmp_path / "other")
        moving = Moving(origin, sink, "other", tmp_path / "migrate")
        moving.run(moving.begin())
        put(store, [event("late", NOW_US - 9 * 86_400_000_000)], 4)
        store.flush()
        assert moving.run(moving.begin()).counts == Counts(read=4, written=4)
        origin.close()
        sink.close()


class Scribbled:
    """An origin between whose events lies something else."""

    name = "scribbled"

    def pieces(self, place: str) -> Iterator[Piece]:
        del place
        wrong = Rejected(b"[]", "not_an_event", "it is no object")
        yield Piece(batch_of([event(1)]), "1", (wrong,), read=4)

    def total(self) -> int:
        return 4

    def close(self) -> None:
        pass


def test_what_is_no_event_counts_as_rejected(tmp_path: Path) -> None:
    sink = target(tmp_path / "other")
    moving = Moving(Scribbled(), sink, "other", tmp_path / "migrate")
    assert moving.run(moving.begin()).counts == Counts(read=4, written=1, rejected=3)
    assert len(moving.rejected_file.read_text().splitlines()) == 1
    sink.close()
