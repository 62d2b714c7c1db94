"""`armorstack query --sql`: reads everything, changes nothing, and hurts nobody but itself."""

import csv
import io
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from armorstack.config import Config
from armorstack.store.budget import Budget
from armorstack.store.place import own_address
from armorstack.store.remote import Link
from armorstack.store.remote.snapshot import tail_of
from armorstack.store.sql import NO_TAIL, Tail, answered
from tests.support.commands import objects, run, started
from tests.support.running import running, synthetic_lines, until
from tests.support.stores import batch, open_store
from tests.support.web import Site, serving

HUGE = "SELECT len(list(repeat('x', 1000) || i)) AS n FROM range(100000000) r(i)"
"""A list cannot be spilled to disk."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that no worker runs on: 300 events in three parts."""
    root = tmp_path_factory.mktemp("data")
    with closing(open_store(root / "store")) as store:
        for number in range(3):
            keys = range(number * 100, number * 100 + 100)
            store.write(batch(number + 1, keys, severity=str(number), pod_name=f"p\t{number}"))
            store.flush()
    return root


def sql(folder: Path, statement: str, *words: str) -> list[dict[str, object]]:
    return objects("query", "--sql", statement, "--data-dir", str(folder), *words)


def test_a_statement_sees_every_event(folder: Path) -> None:
    assert sql(folder, "SELECT count(*) AS n, max(severity) AS s FROM events") == [
        {"n": 300, "s": "2"}
    ]
    assert sql(folder, "WITH a AS (FROM events) SELECT pod_name, count(*) AS n FROM a GROUP BY 1 "
               "ORDER BY 1") == [{"pod_name": f"p\t{n}", "n": 100} for n in range(3)]  # fmt: skip


def test_values_of_every_type_have_a_form(folder: Path) -> None:
    statement = (
        "SELECT id, time, 1.5::DECIMAL(4,1) AS d, sum(2)::HUGEINT AS h, 'NaN'::DOUBLE AS nan, "
        "[1, NULL] AS l, MAP {'k': 'v'} AS m, {'a': 1} AS st, NULL AS nothing, true AS b, "
        "'\x1b[2J\u202e' AS t, DATE '2026-01-02' AS da, 'ab'::BLOB AS bl, INTERVAL 1 DAY AS iv "
        "FROM events GROUP BY ALL LIMIT 1"
    )
    (found,) = sql(folder, statement)
    assert len(str(found.pop("id"))) == 43
    found.pop("iv")
    assert found == {
        "time": "2026-11-23T15:00:00Z", "d": 1.5, "h": 2, "nan": None, "l": [1, None],
        "m": {"k": "v"}, "st": {"a": 1}, "nothing": None, "b": True, "t": "\x1b[2J\u202e",
        "da": "2026-01-02", "bl": "6162",
    }  # fmt: skip
    plain = run("query", "--sql", statement, "--data-dir", str(folder)).stdout
    assert "\\x1b[2J\\u202e" in plain
    assert len(plain.split("\t")) == 14


def test_csv_has_heads_and_no_formulas(folder: Path) -> None:
    statement = "SELECT '=1+1' AS a, 'x,\"y' AS b, 3 AS c, NULL AS d"
    text = run("query", "--sql", statement, "--csv", "--data-dir", str(folder)).stdout
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["a", "b", "c", "d"], ["'=1+1", 'x,"y', "3", ""],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "code", "told"),
    [
        ("COPY (FROM events) TO '{out}'", 2, "COPY is not run here"),
        ("SELECT 1; DROP VIEW events", 2, "one statement at a time"),
        ("", 2, "no statement"),
        ("SET memory_limit = '1TB'", 2, "SET is not run here"),
        ("PRAGMA memory_limit='1TB'", 2, "is not run here"),
        ("ATTACH '{out}' AS x", 2, "ATTACH is not run here"),
        ("INSTALL httpfs", 2, "is not run here"),
        ("LOAD httpfs", 2, "is not run here"),
        ("CREATE TABLE t AS FROM events", 2, "CREATE is not run here"),
        ("DELETE FROM events", 2, "DELETE is not run here"),
        ("EXPORT DATABASE '{out}'", 2, "EXPORT is not run here"),
        ("CALL pragma_version()", 2, "CALL is not run here"),
        ("SELECT * FROM read_text('/etc/hostname')", 2, "disabled"),
        ("SELECT * FROM read_parquet('{folder}/store/catalog.duckdb')", 2, "disabled"),
        ("FROM '/etc/passwd'", 2, "/etc/passwd"),
        ("SELECT * FROM glob('/etc/*')", 2, "disabled"),
        ("SELECT nonsense FROM events", 2, "nonsense"),
        ("SELEC 1", 2, "this is no SQL"),
        ("SELECT getenv('HOME')", 2, "getenv"),
    ],
)
def test_what_does_more_than_read_is_refused(
    folder: Path, tmp_path: Path, statement: str, code: int, told: str
) -> None:
    text = statement.format(out=tmp_path / "out", folder=folder)
    result = run("query", "--sql", text, "--data-dir", str(folder), code=code)
    assert told in result.stderr
    assert result.stdout == ""
    assert os.listdir(tmp_path) == []


def test_a_python_variable_is_no_table(folder: Path) -> None:
    secret = [{"a": 1}]
    assert secret
    run("query", "--sql", "FROM secret", "--data-dir", str(folder), code=2)


@pytest.mark.parametrize("statement", ["DESCRIBE events", "SUMMARIZE events",
                                       "EXPLAIN SELECT * FROM events", "SHOW TABLES"])  # fmt: skip
def test_what_explains_is_read_too(folder: Path, statement: str) -> None:
    assert sql(folder, statement)


def test_time_and_memory_are_bounded(folder: Path) -> None:
    words = ("--data-dir", str(folder))
    slow = run("query", "--sql", "SELECT count(*) FROM range(1000000000) a, range(1000) b",
               "--timeout", "1s", *words, code=1)  # fmt: skip
    assert "took longer than 1 s" in slow.stderr
    large = run("query", "--sql", HUGE, "--memory", "64", *words, code=1)
    assert "needs more memory than it may take" in large.stderr
    assert "hint: give it more with --memory" in large.stderr


def test_sql_goes_with_nothing_else(folder: Path, tmp_path: Path) -> None:
    for words in (["x"], ["--pod", "a"], ["--count"], ["--top", "pod"], ["--log-filter", "policy"]):
        run("query", "--sql", "SELECT 1", *words, "--data-dir", str(folder), code=2)
    away = run("query", "--sql", "SELECT 1", "--url", "http://127.0.0.1:1", code=1)
    assert "SQL is not sent to another machine" in away.stderr


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server whose events are half in a part, half in the tail."""
    with serving(tmp_path / "data") as served:
        yield served


def tail_here(site: Site) -> Tail:
    return tail_of(Link(own_address(Config(data_dir=str(site.data_dir)), site.url[7:])))


def asked(site: Site, tail: object) -> int:
    statement = "SELECT count(*) AS n FROM events"
    root = site.data_dir / "store"
    with answered(root, statement, Budget(30), 1 << 28, tail) as rows:  # type: ignore[arg-type]
        return int(rows.read_all()["n"][0].as_py())


def test_parts_and_tail_are_of_one_moment(site: Site) -> None:
    assert asked(site, lambda: tail_here(site)) == 400
    assert asked(site, lambda: NO_TAIL) == 200
    seen = tail_here(site)
    site.store.flush()
    # What was the tail now lies in a part that the moment has not.
    assert asked(site, lambda: seen) == 400
    assert asked(site, lambda: tail_here(site)) == 400


def test_a_part_that_was_merged_away_is_asked_for_again(site: Site) -> None:
    moments = [Tail(NO_TAIL.rows, frozenset({"day=2026-01-01/gone.parquet"})), tail_here(site)]
    assert asked(site, lambda: moments.pop(0)) == 400
    assert moments == []


@pytest.mark.timeout(180)
def test_a_statement_that_runs_out_of_memory_hurts_neither_receiver_nor_worker(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with running("run", "--sample", "--rate", "200", "--plain", data_dir=data) as run_:
        until(lambda: run_.stored() > 200, "some stored events")
        receiver, worker = run_.receiver(), run_.worker()
        assert receiver is not None
        assert worker is not None
        words = ("query", "--data-dir", str(data), "--sql")
        rows = started(*words, "SELECT count(*) AS n FROM events", "--json")
        before = json.loads(rows.communicate(timeout=60)[0])["n"]
        assert before >= 200
        large = started(*words, HUGE, "--memory", "64")
        output, told = large.communicate(timeout=120)
        assert (large.returncode, output) == (1, "")
        assert "needs more memory than it may take" in told
        stored = run_.stored()
        until(lambda: run_.stored() > stored + 100, "more stored events")
        after = run_.receiver(), run_.worker()
        assert [each.pid for each in after if each] == [receiver.pid, worker.pid]
        again = started(*words, "SELECT count(*) AS n FROM events", "--json")
        assert json.loads(again.communicate(timeout=60)[0])["n"] > before
        assert run_.stop() == 0


def test_whoever_ran_a_statement_goes_first_no_longer(folder: Path) -> None:
    score = Path("/proc/self/oom_score_adj")
    before = score.read_text()
    sql(folder, "SELECT 1 AS one")
    assert score.read_text() == before != "1000\n"


def test_this_process_goes_first_where_memory_runs_out(folder: Path) -> None:
    statement = "SELECT count(*) FROM range(100000000000) a"
    process = started("query", "--sql", statement, "--data-dir", str(folder))
    try:
        score = Path(f"/proc/{process.pid}/oom_score_adj")
        until(lambda: score.read_text().strip() == "1000", "the process to offer itself")
    finally:
        process.kill()
        process.communicate()


def test_lines_are_told_to_be_stored_first(tmp_path: Path) -> None:
    (tmp_path / "events").write_text(synthetic_lines(0, 3))
    told = run("query", "--sql", "SELECT 1", "--file", str(tmp_path / "events"), code=1).stderr
    assert "SQL is for what is stored" in told
