"""`armorstack noise` over a store: beside its worker, through merges, large, and none at all."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from armorstack.cli.main import cli
from armorstack.core.batch import Batch
from armorstack.core.noise import Report
from armorstack.engines.duckdb.store import Store
from armorstack.errors import StoreError
from armorstack.store import noise
from armorstack.store.events import Session
from armorstack.store.noise import examine_store
from armorstack.store.parts import list_parts
from tests.support.frames import EVENTS
from tests.support.noise import alert, events, log, removed
from tests.support.running import running, until
from tests.support.stores import NOW_US, SECOND_US, Clock, batch, open_store, part_files, rows

MEMORY = 64 * 1024 * 1024
FIXTURES = Path(__file__).parents[1] / "fixtures"


def ask(folder: Path, *words: str, stdin: bytes | None = None) -> Result:
    """`armorstack noise` on this data folder."""
    words = ("noise", "--data-dir", str(folder), *words)
    return CliRunner().invoke(cli, words, input=stdin)


def report(
    store: Path, begin: Callable[[], None] = lambda: None, start_us: int | None = None
) -> Report:
    """The report on a store's folder; `begin` is called between listing and reading."""

    def watched(rows: int) -> Callable[[int], None]:
        begin()
        return lambda rows: None

    return examine_store(store, MEMORY, start_us, None, 10, watched)[0]


def fill(store: Store, first: int, last: int) -> None:
    """One small part per number."""
    for number in range(first, last):
        store.write(batch(number, [f"/srv/{number}"], type="HostLog", operation="File"))
        store.flush()


def merge(store: Store) -> None:
    """Let the store merge until it has."""
    before = store.status().merges
    for _ in range(100):
        store.tick()
        if store.status().merges > before:
            return
    raise AssertionError("nothing was merged")


def test_a_store_is_read_while_it_is_open(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    fill(store, 1, 4)
    store.write(batch(9, ["only in the tail"]))
    files = part_files(tmp_path / "store")
    assert report(tmp_path / "store").tables.events == 3
    assert part_files(tmp_path / "store") == files
    store.flush()
    assert report(tmp_path / "store").tables.events == 4
    store.close()


def test_a_reading_spills_to_a_place_of_its_own(tmp_path: Path) -> None:
    with Session(MEMORY, tmp_path / "store") as session:
        found = session.connection.execute("SELECT current_setting('temp_directory')").fetchall()
        assert found == [(str(session.folder),)]
        assert session.folder.stat().st_mode & 0o777 == 0o700
        assert tmp_path not in session.folder.parents
    assert not session.folder.exists()


def test_a_merge_between_listing_and_reading_makes_it_begin_anew(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    fill(store, 1, 17)
    calls: list[int] = []

    def begin() -> None:
        if not calls:
            merge(store)
        calls.append(1)

    assert report(tmp_path / "store", begin).tables.events == 16
    assert len(calls) == 2
    store.close()


def test_parts_that_always_go_away_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, "_TRIES", 2)
    store = open_store(tmp_path / "store")
    fill(store, 1, 4)
    store.close()

    def begin() -> None:
        next((tmp_path / "store").glob("parts/*/*.parquet")).unlink()

    with pytest.raises(StoreError, match="went away 2 times"):
        report(tmp_path / "store", begin)


def test_a_merged_part_and_its_sources_are_not_counted_twice(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    fill(store, 1, 17)
    shutil.copytree(tmp_path / "store/parts", tmp_path / "kept")
    merge(store)
    shutil.copytree(tmp_path / "kept", tmp_path / "store/parts", dirs_exist_ok=True)
    assert len(part_files(tmp_path / "store")) == 17
    assert report(tmp_path / "store").tables.events == 16
    store.close()


def test_a_name_that_is_given_again_after_a_merge_counts(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    fill(store, 1, 17)
    merge(store)
    late = Clock(NOW_US + 900 * SECOND_US)
    other = open_store(tmp_path / "other", late)
    later = rows([("new", NOW_US)])
    received = pa.array([late.now_us], pa.timestamp("us"))
    place = later.schema.get_field_index("received")
    other.write(Batch(later.set_column(place, later.schema.field(place), received), (), 1))
    other.close()
    shutil.copytree(tmp_path / "other/parts", tmp_path / "store/parts", dirs_exist_ok=True)
    names = [part.name for part in list_parts(tmp_path / "store/parts").parts]
    assert any(name.endswith("/1-0.parquet") for name in names)
    assert report(tmp_path / "store").tables.events == 17
    store.close()


def test_only_the_span_is_read(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    for day in range(4):
        store.write(batch(day + 1, [f"/d{day}"], at_us=NOW_US - day * 86_400 * SECOND_US))
        store.flush()
    store.close()
    start_us = NOW_US - 2 * 86_400 * SECOND_US
    assert report(tmp_path / "store", start_us=start_us).tables.events == 3
    listed = list_parts(tmp_path / "store/parts", start_us, NOW_US)
    assert [part.rows for part in listed.parts] == [1, 1]


def test_a_file_that_is_no_part_is_counted_and_left_out(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    fill(store, 1, 3)
    store.close()
    folder = next((tmp_path / "store/parts").iterdir())
    (folder / "99-0.parquet").write_bytes(b"PAR1")
    told = ask(tmp_path, "--since", "2026-11-01T00:00:00Z")
    assert told.exit_code == 0
    assert "1 files of the store cannot be read" in told.stdout
    assert told.stdout.startswith("2 events")


def test_a_damaged_part_is_told_and_not_taken_for_one_that_is_gone(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    fill(store, 1, 2)
    store.close()
    (file,) = (tmp_path / "store").glob("parts/*/*.parquet")
    content = file.read_bytes()
    footer = pq.read_metadata(file).serialized_size + 8
    file.write_bytes(b"PAR1".ljust(len(content) - footer, b"\xff") + content[-footer:])
    told = ask(tmp_path, "--since", "2026-11-01T00:00:00Z")
    assert told.exit_code == 1
    assert told.stderr.startswith("armorstack: the store's parts cannot be read")


def test_parts_of_an_older_layout_are_read(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "store-v1", tmp_path / "store")
    assert report(tmp_path / "store").tables.events == 18
    assert (tmp_path / "store/catalog.duckdb").read_bytes() == (
        FIXTURES / "store-v1/catalog.duckdb"
    ).read_bytes()


def test_looking_where_nothing_is_makes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    told = ask(tmp_path / "none")
    assert told.exit_code == 0
    assert "start `armorstack run`" in told.stdout
    assert json.loads(ask(tmp_path / "none", "--json").stdout)["events"] == 0
    assert not (tmp_path / "none").exists()
    open_store(tmp_path / "store").close()
    assert "The store has no events since" in ask(tmp_path).stdout


def test_lines_from_a_pipe_need_no_store(tmp_path: Path) -> None:
    told = (EVENTS / "alerts-real.jsonl").read_bytes()
    answer = ask(tmp_path / "none", "--file", "-", "--json", stdin=told + b"\nno event\n")
    found = json.loads(answer.stdout)
    assert found["events"] == found["tables"]["streams"][0]["events"] == 229
    assert any("1 lines are no events" in remark for remark in found["remarks"])
    first = found["suggestions"][0]
    assert first["share"] == first["removes"] / 229
    assert not (tmp_path / "none").exists()


def test_hostile_names_reach_a_terminal_and_a_settings_file_harmlessly(tmp_path: Path) -> None:
    name = '/bin/\x1b]0;owned\x07"""\n[[filter]]\u202e\\*'
    ours = [log(process_name=name, host_pid=n) for n in range(6)]
    told = events(*ours, *[alert(policy=name, host_pid=n) for n in range(6)])
    store = open_store(tmp_path / "store")
    store.write(Batch(told, (), 1))
    store.close()
    for words in ((), ("--all",), ("--toml", "--all"), ("--json",)):
        answer = ask(tmp_path, "--since", "2026-11-01T00:00:00Z", *words)
        assert answer.exit_code == 0, answer.output
        assert answer.stdout.replace("\n", "").isprintable()
    pasted = ask(tmp_path, "--since", "2026-11-01T00:00:00Z", "--toml").stdout
    found = json.loads(ask(tmp_path, "--since", "2026-11-01T00:00:00Z", "--json").stdout)
    number = removed([pasted], told, tmp_path)
    assert number == sum(each["gain"] for each in found["suggestions"]) == 11


def test_a_running_worker_is_told_and_not_disturbed(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    environ = {"ARMORSTACK_SINK_DUCKDB_PART_INTERVAL_S": "0.2"}
    words = ("run", "--sample", "--rate", "400", "--plain")
    with running(*words, data_dir=data_dir, environ=environ) as armorstack:
        until(lambda: list((data_dir / "store/parts").rglob("*.parquet")), "a part")
        for _ in range(3):
            answer = ask(data_dir, "--since", "30d", "--json")
            assert answer.exit_code == 0, answer.output
            found = json.loads(answer.stdout)
            seen = found["events"]
            assert seen > 0
            until(lambda seen=seen: armorstack.stored() >= seen, "the worker's report")
            assert any("A worker is running" in remark for remark in found["remarks"])
        assert armorstack.worker() is not None
        assert armorstack.stop() == 0
    found = json.loads(ask(data_dir, "--since", "30d", "--json").stdout)
    assert not any("worker" in remark for remark in found["remarks"])


MANY = 200_000
MEASURE = """
import sys
from pathlib import Path
from armorstack.cli.main import cli
try:
    cli(sys.argv[1:], standalone_mode=False)
finally:
    # Not ru_maxrss: that of a new process begins with what its parent had.
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2]
    print(peak.split()[0], file=sys.stderr)
"""


def test_two_hundred_thousand_events_are_counted_exactly_in_bounded_memory(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", part_rows=40_000)
    for number in range(20):
        store.write(Batch(many(number, MANY // 20), (), number + 1))
        store.tick()
    store.close()
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, "noise", "--data-dir", str(tmp_path), "--json",
         "--since", "2026-11-01T00:00:00Z"],
        capture_output=True, text=True, check=True, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    found = json.loads(told.stdout)
    assert found["events"] == MANY
    assert {s["title"].partition(":")[0]: s["removes"] for s in found["suggestions"]} == EXPECTED
    # Of 1,000 bytes of text an event, all at once would take 280 MB more.
    assert int(told.stderr.split()[-1]) < 420 * 1024
    assert [file.name for file in tmp_path.iterdir()] == ["store"]


def many(batch_number: int, count: int) -> pa.RecordBatch:
    """Half are logs that worked, of which a quarter read below /proc; the rest was blocked."""
    numbers = range(batch_number * count, (batch_number + 1) * count)
    made = rows([(number, NOW_US + number) for number in numbers])
    half = count // 2
    columns = {
        "stream": ["log"] * half + ["alert"] * half,
        "type": ["ContainerLog"] * half + ["MatchedPolicy"] * half,
        "operation": ["File"] * count,
        "namespace_name": ["shop"] * count,
        "process_name": ["/bin/cat"] * count,
        "policy_name": [None] * half + ["ksp-block"] * half,
        "action": [None] * half + ["Block"] * half,
        "result": ["Passed"] * half + ["Permission denied"] * half,
        "resource": [f"/{'proc' if n % 4 == 0 else 'srv'}/{n}/{'f' * 990}" for n in numbers],
    }
    for name, values in columns.items():
        place = made.schema.get_field_index(name)
        made = made.set_column(place, made.schema.field(place), pa.array(values, pa.string()))
    return made


EXPECTED = {
    "preset passed-noise": MANY // 2,
    "File logs of /bin/cat in shop": MANY // 2,
    "KubeArmor stops reporting File in namespace shop": MANY // 2,
    "preset known-noisy-paths": MANY // 8,
    "files opened below /proc/N/": MANY // 8,
    "files opened below /srv/N/": 3 * MANY // 8,
}
