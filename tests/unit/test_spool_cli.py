"""`armorstack spool` and `armorstack deadletters`."""

import base64
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from armorstack.cli.human import human_bytes, human_span, human_time
from armorstack.cli.main import cli
from armorstack.spool.work import DeadLetter, Filter, Work
from tests.support.spool_rows import now_us, numbered, open_spool, row

HOSTILE = "\x1b]0;owned\x07\u202e\x9b31m\r\nsecond line"


def invoke(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--data-dir", str(folder)])


def letters_in(folder: Path, *letters: DeadLetter) -> None:
    work = Work.open(folder / "spool")
    work.set_aside(letters)
    work.close()


def letter(frame: bytes = b"frame", **fields: object) -> DeadLetter:
    known = {
        "error_type": "malformed",
        "reason": "no event",
        "stream": "alert",
        "source": "relay/a",
        "sink": "duckdb",
        "first_seen_us": 1_700_000_000_000_000,
    }
    return DeadLetter(frame=frame, **(known | fields))  # type: ignore[arg-type]


def left_in(folder: Path) -> list[int]:
    work = Work.open(folder / "spool")
    try:
        return [found.id for found in work.list()]
    finally:
        work.close()


@pytest.mark.parametrize(
    "arguments",
    [
        ("spool", "status"),
        ("spool", "verify"),
        ("deadletters", "list"),
        ("deadletters", "replay", "--all"),
        ("deadletters", "purge", "--all"),
    ],
)
def test_looking_where_nothing_is_makes_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert invoke(tmp_path / "none", *arguments).exit_code == 0
    assert not (tmp_path / "none").exists()


def test_status_beside_a_running_writer(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool")
    spool.append([row(b"a" * 996, b"b" * 996, at_us=now_us() - 7_300_000_000)], {})
    work = Work.open(tmp_path / "spool")
    work.commit("duckdb", 5, True)
    work.set_aside([letter()])
    text = invoke(tmp_path, "spool", "status").output
    assert "2 frames in 1 rows, 2.0 KiB" in text
    assert "2 h 1 min ago" in text
    assert f"process {os.getpid()}" in text
    assert "sink duckdb    at 5, required" in text
    assert "dead letters   1, " in text
    found = json.loads(invoke(tmp_path, "spool", "status", "--json").output)
    assert found["status"]["frames"] == 2
    assert found["writer_pid"] == os.getpid()
    assert [sink["name"] for sink in found["sinks"]] == ["duckdb"]
    spool.close()
    work.close()
    assert "not running" in invoke(tmp_path, "spool", "status").output


def test_status_of_a_damaged_spool_says_so(tmp_path: Path) -> None:
    open_spool(tmp_path / "spool").close()
    (tmp_path / "spool" / "spool.db").write_bytes(b"garbage " * 5000)
    result = invoke(tmp_path, "spool", "status")
    assert result.exit_code == 1
    assert "damaged" in result.output


def test_verify_ends_with_1_when_something_is_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = open_spool(folder)
    spool.append([row(numbered(1))], {})
    spool.append([row(numbered(2))], {})
    spool.close()
    result = invoke(tmp_path, "spool", "verify")
    assert (result.exit_code, result.output) == (0, "2 rows, 2 frames, 208 B: whole\n")
    data = bytearray((folder / "spool.db").read_bytes())
    data[data.index(b"2:2:") + 9] ^= 4
    (folder / "spool.db").write_bytes(data)
    result = invoke(tmp_path, "spool", "verify")
    assert result.exit_code == 1
    assert "checksum" in result.output
    result = invoke(tmp_path, "spool", "verify", "--json")
    assert result.exit_code == 1
    assert len(json.loads(result.output)["damage"]) == 1


def test_letters_are_listed_by_stream_and_class(tmp_path: Path) -> None:
    letters_in(tmp_path, letter(), letter(stream="log"), letter(error_type="late"))
    lines = invoke(tmp_path, "deadletters", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert "2023-11-14 22:13:20Z" in lines[0]
    assert "no event" in lines[0]
    found = invoke(tmp_path, "deadletters", "list", "--stream", "log", "--json").stdout
    assert [item["id"] for item in json.loads(found)["letters"]] == [2]
    found = invoke(tmp_path, "deadletters", "list", "--error-type", "late", "--json").stdout
    assert [item["id"] for item in json.loads(found)["letters"]] == [3]
    found = invoke(tmp_path, "deadletters", "list", "--sink", "duckdb", "--json").stdout
    assert json.loads(found)["total"] == 3
    found = invoke(tmp_path, "deadletters", "list", "--sink", "webhook", "--json").stdout
    assert json.loads(found)["total"] == 0
    found = invoke(tmp_path, "deadletters", "list", "--limit", "2", "--json").stdout
    assert [item["id"] for item in json.loads(found)["letters"]] == [1, 2]
    assert json.loads(found)["total"] == 3


@pytest.mark.parametrize(
    "arguments", [("list",), ("list", "--json"), ("show", "1"), ("show", "1", "--json")]
)
def test_hostile_text_reaches_no_terminal(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    frame = HOSTILE.encode() + b"\xff\x7f"
    names = {name: HOSTILE for name in ("reason", "source", "stream", "error_type", "cluster")}
    letters_in(tmp_path, letter(frame, **names))
    result = invoke(tmp_path, "deadletters", *arguments)
    assert result.exit_code == 0
    assert all(sign == "\n" or " " <= sign <= "~" for sign in result.output)
    assert "owned" in result.output


def test_show_tells_all_of_one_letter(tmp_path: Path) -> None:
    letters_in(tmp_path, letter(b'{"a":1}\xff', attempts=3))
    text = invoke(tmp_path, "deadletters", "show", "1").output
    assert '{"a":1}\\xff' in text
    assert "attempts     3" in text
    found = json.loads(invoke(tmp_path, "deadletters", "show", "1", "--json").output)
    assert base64.b64decode(found["frame_base64"]) == b'{"a":1}\xff'
    result = invoke(tmp_path, "deadletters", "show", "7")
    assert result.exit_code == 1
    assert "no dead letter 7" in result.output


def test_replay_marks_letters_for_the_worker(tmp_path: Path) -> None:
    letters_in(tmp_path, letter(), letter(), letter(stream="log"))
    worker = Work.open(tmp_path / "spool")
    assert invoke(tmp_path, "deadletters", "replay", "2").exit_code == 0
    assert [found.id for found in worker.take_replays()] == [2]
    assert invoke(tmp_path, "deadletters", "replay", "--stream", "log").exit_code == 0
    assert [found.id for found in worker.take_replays()] == [3]
    result = invoke(tmp_path, "deadletters", "replay", "--all", "--json")
    assert json.loads(result.output) == {"marked": 3}
    assert worker.count(Filter(replay=True)) == 3
    assert invoke(tmp_path, "deadletters", "replay", "99").exit_code == 1
    worker.close()


def test_letters_of_one_sink_are_meant_by_its_name(tmp_path: Path) -> None:
    letters_in(tmp_path, letter(), letter(sink="webhook"), letter(sink="webhook"))
    result = invoke(tmp_path, "deadletters", "replay", "--sink", "webhook", "--json")
    assert json.loads(result.output) == {"marked": 2}
    invoke(tmp_path, "deadletters", "purge", "--sink", "webhook", "--yes")
    assert left_in(tmp_path) == [1]


@pytest.mark.parametrize("verb", ["replay", "purge"])
def test_nothing_is_meant_by_saying_nothing(tmp_path: Path, verb: str) -> None:
    letters_in(tmp_path, letter())
    assert invoke(tmp_path, "deadletters", verb).exit_code == 2
    assert invoke(tmp_path, "deadletters", verb, "1", "--all").exit_code == 2
    assert left_in(tmp_path) == [1]


def test_purge_wants_a_yes_where_nobody_can_be_asked(tmp_path: Path) -> None:
    letters_in(tmp_path, letter(), letter(), letter(stream="log"))
    result = invoke(tmp_path, "deadletters", "purge", "--all")
    assert result.exit_code == 2
    assert "--yes" in result.output
    assert left_in(tmp_path) == [1, 2, 3]
    assert "1 dead letters deleted" in invoke(tmp_path, "deadletters", "purge", "2", "--yes").output
    assert left_in(tmp_path) == [1, 3]
    invoke(tmp_path, "deadletters", "purge", "--stream", "log", "--yes")
    assert left_in(tmp_path) == [1]
    invoke(tmp_path, "deadletters", "purge", "--all", "--yes")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("answer", "left"), [("n", [1]), ("y", [])])
def test_purge_asks_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: list[int]
) -> None:
    from armorstack.cli import deadletters

    letters_in(tmp_path, letter())
    monkeypatch.setattr(deadletters, "_can_be_asked", lambda: True)
    arguments = ["deadletters", "purge", "--all", "--data-dir", str(tmp_path)]
    result = CliRunner().invoke(cli, arguments, input=f"{answer}\n")
    assert "delete 1 dead letters for good?" in result.output
    assert left_in(tmp_path) == left


def test_a_newer_spool_is_told_in_one_sentence(tmp_path: Path) -> None:
    import sqlite3

    open_spool(tmp_path / "spool").close()
    connection = sqlite3.connect(tmp_path / "spool" / "spool.db")
    connection.execute("PRAGMA user_version=9")
    connection.close()
    for verb in ("status", "verify"):
        result = invoke(tmp_path, "spool", verb)
        assert result.exit_code == 1
        assert "schema version 9" in result.output
        assert "hint: run the newer armorstack" in result.output


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 40, "5.0 TiB"),
        (5 << 50, "5120.0 TiB"),
    ],
)
def test_sizes_are_told_in_the_largest_unit(count: int, told: str) -> None:
    assert human_bytes(count) == told


@pytest.mark.parametrize(
    ("span_s", "told"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3661, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (-5, "0 s"),
    ],
)
def test_spans_are_told_in_two_units(span_s: float, told: str) -> None:
    assert human_span(span_s) == told


@pytest.mark.parametrize(
    ("time_us", "told"), [(0, "-"), (1 << 62, "-"), (1_700_000_000_999_999, "2023-11-14 22:13:20Z")]
)
def test_a_time_that_none_can_be_is_a_dash(time_us: int, told: str) -> None:
    assert human_time(time_us) == told


def test_status_says_when_all_that_the_spool_holds_is_stored(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool")
    last = spool.append([row(b"one"), row(b"two")], {})
    spool.close()
    work = Work.open(tmp_path / "spool")
    for sink, cursor, told in (
        ("duckdb", last - 1, False), ("duckdb", last, True),
        ("webhook", last - 1, False), ("webhook", last, True),
    ):  # fmt: skip
        work.commit(sink, cursor, required=sink == "duckdb")
        answer = invoke(tmp_path, "spool", "status").output
        assert "2 frames in 2 rows" in answer
        assert ("all stored" in answer) is told
    work.close()
