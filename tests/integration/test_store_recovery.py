"""What an opening store makes of a folder that a crash or a damaged disk has left."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest

from armorstack.engines.duckdb.catalog import STEPS, Change
from armorstack.engines.duckdb.store import Store
from armorstack.engines.duckdb.upkeep import MERGE_AT_LEAST
from armorstack.errors import EngineError, StoreError, StoreTooNew
from tests.support.stores import DAY_US, NOW_US, batch, id_of, open_store, part_files, stored

FIXTURE_V1 = Path(__file__).parent.parent / "fixtures" / "store-v1"
Opening = Callable[..., Store]


@pytest.fixture
def opening() -> Iterator[Opening]:
    """`opening(folder, **settings)`: a store that is closed at the end of the test."""
    opened: list[Store] = []

    def opens(folder: Path, **settings: Any) -> Store:
        opened.append(open_store(folder, **settings))
        return opened[-1]

    yield opens
    for each in opened:
        each.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def crashed(folder: Path, name: str = "crashed") -> Path:
    """A copy of the folder as a crash would leave it now."""
    copy = folder.with_name(name)
    shutil.copytree(folder, copy)
    return copy


def with_small_parts(store: Store, count: int = MERGE_AT_LEAST) -> list[str]:
    """Write so many parts of one row; return the keys."""
    for number in range(count):
        store.write(batch(number + 1, [number]))
        store.flush()
    return sorted(map(str, range(count)))


def merge(store: Store) -> None:
    for _ in range(50):
        store.tick()
    assert store.status().merges == 1


def test_a_crash_loses_the_tail_and_nothing_before_the_cursor(
    opening: Opening, folder: Path
) -> None:
    store = opening(folder)
    store.write(batch(1, "ab"))
    store.flush()
    store.write(batch(2, "c"))
    after = opening(crashed(folder))
    assert (after.cursor(), stored(after)) == (1, ["a", "b"])
    assert after.write(batch(2, "c")) == (1, 0)


def test_a_part_beyond_the_cursor_is_taken_in_and_not_doubled_by_the_replay(
    opening: Opening, folder: Path
) -> None:
    store = opening(folder)
    store.write(batch(1, "a"))
    store.flush()
    before = crashed(folder)
    store.write(batch(2, "bc"))
    store.flush()
    name = "parts/day=2026-11-23/2-0.parquet"
    shutil.copy(folder / name, before / name)
    after = opening(before)
    assert (after.cursor(), stored(after)) == (1, ["a", "b", "c"])
    assert after.write(batch(2, "bcd")) == (1, 2)
    after.flush()
    assert stored(after) == ["a", "b", "c", "d"]


def test_parts_that_a_merge_replaced_are_removed_if_a_crash_left_them(
    opening: Opening, folder: Path
) -> None:
    store = opening(folder, part_rows=1000)
    keys = with_small_parts(store)
    earlier = crashed(folder, "earlier")
    merge(store)
    shutil.copytree(earlier / "parts", folder / "parts", dirs_exist_ok=True)
    after = opening(crashed(folder))
    assert (stored(after), after.status().parts) == (keys, 1)
    assert len(part_files(folder.with_name("crashed"))) == 1


def test_a_merge_that_was_not_listed_is_removed(opening: Opening, folder: Path) -> None:
    store = opening(folder, part_rows=1000)
    keys = with_small_parts(store)
    earlier = crashed(folder, "earlier")
    merge(store)
    shutil.copytree(folder / "parts", earlier / "parts", dirs_exist_ok=True)
    assert len(part_files(earlier)) == MERGE_AT_LEAST + 1
    after = opening(earlier)
    assert (stored(after), len(part_files(earlier))) == (keys, MERGE_AT_LEAST)


def test_what_was_dropped_stays_dropped_after_another_spool_took_the_cursor_back(
    opening: Opening, folder: Path
) -> None:
    store = opening(folder, part_rows=1000)
    keys = with_small_parts(store)
    earlier = crashed(folder, "earlier")
    merge(store)
    shutil.copytree(earlier / "parts", folder / "parts", dirs_exist_ok=True)
    store.write(batch(2, ["again"]))
    store.flush()
    after = opening(crashed(folder))
    assert after.cursor() == 2
    assert stored(after) == sorted([*keys, "again"])


def test_half_written_files_are_removed(opening: Opening, folder: Path) -> None:
    opening(folder).write(batch(1, "a"))
    (folder / "parts/day=2026-11-23").mkdir()
    half = folder / "parts/day=2026-11-23/1-0.tmp"
    half.write_bytes(b"half")
    (folder / "tmp/spilled").write_bytes(b"x")
    after = crashed(folder)
    opening(after)
    assert not list(after.glob("**/*.tmp"))
    assert not list((after / "tmp").iterdir())


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def scramble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for at in range(0, len(content), 97):
        content[at] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [cut_short, overwrite, scramble, Path.unlink, Path.write_bytes])
def test_a_damaged_catalogue_is_made_anew_from_the_parts(
    opening: Opening, folder: Path, harm: Callable[..., object]
) -> None:
    store = opening(folder)
    store.write(batch(1, "ab"))
    store.write(batch(2, "c", at_us=NOW_US - DAY_US))
    store.close()
    harm(folder / "catalog.duckdb", *([b""] if harm is Path.write_bytes else []))
    after = opening(folder)
    assert (after.cursor(), stored(after)) == (0, ["a", "b", "c"])
    assert after.write(batch(2, "abcd")) == (2, 2), "c has another time here, so it is another c"
    if harm in (cut_short, overwrite, scramble):
        (finding,) = after.status().findings
        assert "catalogue was damaged" in finding
        assert list(folder.glob("catalog.duckdb.damaged-*"))
        assert [gap.reason for gap in after.gaps(0, 1 << 62)] == ["store_damaged"]


def test_a_damaged_catalogue_does_not_double_what_was_merged(
    opening: Opening, folder: Path
) -> None:
    store = opening(folder, part_rows=1000)
    keys = with_small_parts(store)
    earlier = crashed(folder, "earlier")
    merge(store)
    store.close()
    shutil.copytree(earlier / "parts", folder / "parts", dirs_exist_ok=True)
    overwrite(folder / "catalog.duckdb")
    after = opening(folder)
    assert (stored(after), after.status().parts) == (keys, 1)


@pytest.mark.parametrize("harm", [Path.unlink, cut_short])
def test_a_part_that_is_missing_or_cut_short_is_told_and_costs_no_other(
    opening: Opening, folder: Path, harm: Callable[[Path], object]
) -> None:
    store = opening(folder)
    with_small_parts(store, 3)
    store.close()
    harm(folder / part_files(folder)[1])
    after = opening(folder)
    assert stored(after) == ["0", "2"]
    assert after.status().retired["damaged"] == 1
    (finding,) = after.status().findings
    assert "2-0.parquet" in finding
    (gap,) = after.gaps(0, 1 << 62)
    assert (gap.reason, gap.lost, gap.start_us) == ("store_damaged", 1, NOW_US)
    after.close()
    assert opening(folder).status().findings == ()


def test_a_part_whose_inside_is_damaged_does_not_stop_the_store(
    opening: Opening, folder: Path
) -> None:
    store = opening(folder)
    with_small_parts(store, 3)
    store.close()
    victim = folder / part_files(folder)[1]
    content = bytearray(victim.read_bytes())
    content[4:-4] = bytes(len(content) - 8)
    victim.write_bytes(content)
    after = opening(folder)
    assert after.write(batch(9, ["new"])) == (1, 0)
    assert stored(after) == ["0", "2", "new"]
    assert victim.with_name(victim.name + ".damaged").exists()


def test_a_file_among_the_parts_that_is_none_is_set_aside(opening: Opening, folder: Path) -> None:
    store = opening(folder)
    with_small_parts(store, 1)
    store.close()
    (folder / "parts/day=2026-11-23/99-0.parquet").write_bytes(b"PAR1")
    after = opening(folder)
    assert stored(after) == ["0"]
    (finding,) = after.status().findings
    assert "99-0.parquet cannot be read" in finding


def test_a_store_of_a_newer_version_is_refused_and_left_alone(
    opening: Opening, folder: Path
) -> None:
    opening(folder).close()
    with duckdb.connect(folder / "catalog.duckdb") as connection:
        connection.execute("UPDATE meta SET version = ?", [len(STEPS) + 1])
    before = (folder / "catalog.duckdb").read_bytes()
    with pytest.raises(StoreTooNew, match="has version"):
        opening(folder)
    assert (folder / "catalog.duckdb").read_bytes() == before


def tables(folder: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(folder / "catalog.duckdb") as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable "
            "FROM information_schema.columns ORDER BY 1, ordinal_position"
        ).fetchall()


def test_a_store_of_version_1_is_read_written_and_brought_up_to_date(
    opening: Opening, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(FIXTURE_V1, folder)
    store = opening(folder, max_age_days=30.0)
    merged = [f"merged-{number}" for number in range(16)]
    assert stored(store) == ["late", *sorted(merged), "yesterday"]
    assert store.cursor() == 18
    (gap,) = store.gaps(0, 1 << 62)
    assert (gap.reason, gap.lost) == ("disconnect", 2)
    found = store.query(
        "SELECT severity, atags, event_data, host_pid FROM events ORDER BY resource"
    )
    assert found.to_pylist()[0] == {
        "severity": None, "atags": None, "event_data": None, "host_pid": 7,
    }  # fmt: skip
    assert found.to_pylist()[1]["atags"] == ["NIST", "CIS"]
    assert found.to_pylist()[17]["event_data"] == [("Fd", "3")]
    assert store.write(batch(19, [*merged, "new"])) == (1, 16)
    store.close()
    opening(tmp_path / "fresh").close()
    assert tables(folder) == tables(tmp_path / "fresh")


def test_parts_with_fewer_or_other_columns_are_read_beside_new_ones(
    opening: Opening, folder: Path
) -> None:
    store = opening(folder)
    store.write(batch(1, ["old"], user_name="u", severity="7"))
    store.close()
    file = folder / part_files(folder)[0]
    with pq.ParquetFile(file) as old:
        table, footer = old.read(), msgspec.json.decode(old.metadata.metadata[b"armorstack.part"])
    table = table.drop_columns(["user_name"]).append_column("retired_field", table["resource"])
    footer["layout"] = "an older one"
    table = table.replace_schema_metadata({"armorstack.part": msgspec.json.encode(footer)})
    pq.write_table(table, file)
    (folder / "catalog.duckdb").unlink()
    after = opening(folder)
    after.write(batch(2, ["new"], user_name="v"))
    after.flush()
    found = after.query("SELECT resource, user_name, severity FROM events ORDER BY 1").to_pylist()
    assert [tuple(row.values()) for row in found] == [("new", "v", None), ("old", None, "7")]
    assert after.write(batch(3, ["old"])) == (0, 1)


def test_a_transaction_that_fails_loses_nothing_and_later_works(
    opening: Opening, folder: Path
) -> None:
    store = opening(folder)
    store.write(batch(1, "a"))
    store._catalog._connection.close()
    with pytest.raises(EngineError) as caught:
        store.flush()
    assert caught.value.hint
    assert (store.cursor(), stored(store), part_files(folder)) == (0, ["a"], [])
    store.flush()
    assert (store.cursor(), stored(store)) == (1, ["a"])


def test_a_transaction_that_reports_an_error_but_happened_counts(
    opening: Opening, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opening(folder)
    store.write(batch(1, "a"))
    commit = store._catalog.commit

    def commit_and_fail(change: Change) -> None:
        commit(change)
        raise duckdb.IOException("the disk said no, too late")

    with monkeypatch.context() as patch:
        patch.setattr(store._catalog, "commit", commit_and_fail)
        store.flush()
    assert (store.cursor(), stored(store), store.status().tail_rows) == (1, ["a"], 0)
    store.close()
    assert stored(opening(folder)) == ["a"]


def test_a_file_in_place_of_the_folder_is_refused_with_a_hint(folder: Path) -> None:
    folder.write_text("not a folder")
    with pytest.raises(StoreError) as caught:
        open_store(folder)
    assert caught.value.hint


def test_ids_are_stored_as_they_are(opening: Opening, folder: Path) -> None:
    store = opening(folder)
    store.write(batch(1, "a"))
    store.flush()
    assert store.query("SELECT id FROM events").to_pylist() == [{"id": id_of("a")}]
