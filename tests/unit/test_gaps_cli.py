"""`armorstack gaps` and `armorstack nodes`."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from armorstack.cli.main import cli
from armorstack.cli.table import table
from armorstack.core.gap import Gap, encode_gap
from armorstack.spool.history import GapNote, Seen
from armorstack.spool.work import Work
from armorstack.state import ReceiverState, SourceState, receiver_path, write_state
from tests.support.spool_rows import now_us

SECOND = 1_000_000
NOW = now_us()
HOSTILE = "\x1b]0;owned\x07\u202e\r\nsecond line"
FIXTURE = Path(__file__).parents[1] / "fixtures" / "spool-v1"


@pytest.fixture(autouse=True)
def clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes may pass between the reading of this file and its tests."""
    monkeypatch.setattr(time, "time_ns", lambda: NOW * 1000)


def invoke(folder: Path, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [*arguments, "--data-dir", str(folder)])
    assert result.exit_code == code, result.output
    return result


def answer(folder: Path, *arguments: str) -> Any:
    return json.loads(invoke(folder, *arguments, "--json").stdout)


def gap(start_s: float, end_s: float, **fields: Any) -> Gap:
    """A gap that began and ended so many seconds ago."""
    known = {"reason": "disconnect", "source": "relay/a:1"} | fields
    return Gap(start_us=NOW - int(start_s * SECOND), end_us=NOW - int(end_s * SECOND), **known)


def note(folder: Path, *gaps: Gap, nodes: tuple[Seen, ...] = ()) -> None:
    work = Work.open(folder / "spool")
    work.note([GapNote(encode_gap(gap), gap.start_us, gap.end_us) for gap in gaps], nodes)
    work.close()


def stopped(folder: Path, phase: str = "stopped") -> None:
    """The report of a receiver that committed last a minute ago."""
    report = ReceiverState(
        pid=1, started_us=NOW - 900 * SECOND, updated_us=NOW, last_commit_us=NOW - 60 * SECOND,
        phase=phase, sources=(SourceState("relay/a:1", "relay"), SourceState("x", "file")),
    )  # type: ignore[arg-type]  # fmt: skip
    write_state(receiver_path(str(folder)), report)


THREE = (
    gap(700, 600, stream="alert", lost=30),
    gap(650, 590, reason="throttled", node="node-1", detail="pod shop/cart-1"),
    gap(100, 80, source="relay/b:1", lost=10),
)


def test_gaps_are_told_newest_last_with_their_sum(tmp_path: Path) -> None:
    note(tmp_path, *reversed(THREE))
    head, first, second, third, total = invoke(tmp_path, "gaps").stdout.splitlines()
    assert head.split() == ["START", "END", "LENGTH", "REASON", "SOURCE", "STREAM", "NODE", "LOST",
                            "DETAIL"]  # fmt: skip
    assert first.split()[4:] == ["1", "min", "40", "s", "disconnect", "relay/a:1", "alert", "-",
                                 "30"]  # fmt: skip
    assert second.split()[4:] == ["1", "min", "throttled", "relay/a:1", "-", "node-1", "?", "pod",
                                  "shop/cart-1"]  # fmt: skip
    assert third.split()[6:] == ["disconnect", "relay/b:1", "-", "-", "10"]
    assert total == "3 gaps, 2 min 10 s, at least 40 events lost"


@pytest.mark.parametrize(
    ("gaps", "sentence"),
    [
        ([], "no gaps"),
        ([gap(9, 8, lost=3)], "1 gaps, 1 s, 3 events lost"),
        ([gap(9, 8)], "1 gaps, 1 s, nobody knows how many events were lost"),
        (
            [gap(9, 8, lost=3), gap(7, 6, lost=50, reason="filter_throttle")],
            "2 gaps, 2 s, 3 events lost, 50 let go by limits of ours",
        ),
        (
            [gap(9, 8, lost=5, reason="sink_behind")],
            "1 gaps, 1 s, 0 events lost, 5 let go by limits of ours",
        ),
    ],
)
def test_the_sum_says_what_is_known(tmp_path: Path, gaps: list[Gap], sentence: str) -> None:
    note(tmp_path, *gaps)
    assert invoke(tmp_path, "gaps").stdout.splitlines()[-1] == sentence


def lengths(folder: Path, *arguments: str) -> list[float]:
    return [one["length_s"] for one in answer(folder, "gaps", *arguments)["gaps"]]


def test_gaps_are_chosen_by_time_reason_and_source(tmp_path: Path) -> None:
    note(tmp_path, *THREE)
    assert lengths(tmp_path) == [100, 60, 20]
    assert lengths(tmp_path, "--since", "9m") == [20]
    assert lengths(tmp_path, "--since", str((NOW - 595 * SECOND) // SECOND)) == [60, 20]
    assert lengths(tmp_path, "--until", "now-10m") == [100, 60]
    assert lengths(tmp_path, "--since", "9m", "--until", "5m") == []
    assert lengths(tmp_path, "--reason", "throttled") == [60]
    assert lengths(tmp_path, "--reason", "throttled", "--reason", "disconnect") == [100, 60, 20]
    assert lengths(tmp_path, "--source", "relay/b:1") == [20]
    invoke(tmp_path, "gaps", "--reason", "weather", code=2)
    assert "no zone" in invoke(tmp_path, "gaps", "--since", "2026-11-23", code=2).output


def test_the_limit_keeps_the_newest_but_the_sum_counts_all(tmp_path: Path) -> None:
    note(tmp_path, *THREE)
    found = answer(tmp_path, "gaps", "--limit", "1")
    assert [one["length_s"] for one in found["gaps"]] == [20]
    assert found["total"] == {"gaps": 3, "covered_s": 130.0, "lost": 40, "lost_is_exact": False,
                              "let_go": 0}  # fmt: skip
    assert "2 older ones are not shown" in invoke(tmp_path, "gaps", "--limit", "1").stderr


def test_a_receiver_that_does_not_run_is_an_open_gap_at_the_end(tmp_path: Path) -> None:
    note(tmp_path, *THREE)
    stopped(tmp_path)
    line, total = invoke(tmp_path, "gaps").stdout.splitlines()[-2:]
    assert line.split()[2] == "open"
    assert line.split()[-10:-7] == ["stop", "relay/a:1", "-"]
    assert total.startswith("4 gaps, ")
    [*_, last] = answer(tmp_path, "gaps")["gaps"]
    assert (last["open"], last["end_us"], last["reason"]) == (True, None, "stop")
    assert last["length_s"] >= 60
    assert [one["open"] for one in answer(tmp_path, "gaps")["gaps"]] == [False] * 3 + [True]
    assert lengths(tmp_path, "--reason", "stop", "--until", "2m") == []


def test_beside_a_running_worker_and_where_there_was_none(tmp_path: Path) -> None:
    result = invoke(tmp_path / "none", "gaps")
    assert (result.stdout, result.stderr) == ("no gaps\n", "no worker has kept gaps here yet\n")
    assert invoke(tmp_path / "none", "nodes").stdout == ""
    assert not (tmp_path / "none").exists()
    work = Work.open(tmp_path / "spool")
    work.note([GapNote(encode_gap(THREE[0]), THREE[0].start_us, THREE[0].end_us)])
    assert lengths(tmp_path) == [100]
    work.close()


def test_a_file_of_the_first_version_knows_none_and_stays_as_it_is(tmp_path: Path) -> None:
    shutil.copytree(FIXTURE, tmp_path / "spool")
    stopped(tmp_path)
    result = invoke(tmp_path, "gaps")
    assert "no worker has kept gaps here yet" in result.stderr
    assert result.stdout.splitlines()[-1].startswith("1 gaps, 1 min")
    assert invoke(tmp_path, "nodes").stderr == "0 nodes\n"
    for name in ("spool.db", "work.db"):
        assert (tmp_path / "spool" / name).read_bytes() == (FIXTURE / name).read_bytes()


@pytest.mark.parametrize("arguments", [("gaps",), ("nodes",)])
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_hostile_text_reaches_no_terminal(
    tmp_path: Path, arguments: tuple[str, ...], as_json: tuple[str, ...]
) -> None:
    one = gap(9, 8, source=HOSTILE, node=HOSTILE, stream=HOSTILE, detail=HOSTILE)
    note(tmp_path, one, nodes=(Seen(HOSTILE, HOSTILE, 1, 1, 1),))
    result = invoke(tmp_path, *arguments, *as_json)
    assert all(sign == "\n" or " " <= sign <= "~" for sign in result.output)
    assert "owned" in result.output


NODES = (
    Seen("prod", "node-1", NOW - 30 * SECOND, NOW - 20 * SECOND, 7),
    Seen("prod", "node-2", NOW + 90_000 * SECOND, NOW - 900 * SECOND, 12_000),
    Seen("", "edge", NOW - 3700 * SECOND, NOW - 3700 * SECOND, 1),
)


def test_nodes_are_told_with_the_longest_silent_last(tmp_path: Path) -> None:
    note(tmp_path, nodes=NODES)
    result = invoke(tmp_path, "nodes")
    head, *lines = [line.split() for line in result.stdout.splitlines()]
    assert head == ["CLUSTER", "NODE", "LAST", "EVENT", "SILENT", "FOR", "EVENTS"]
    assert [line[:2] for line in lines] == [["prod", "node-1"], ["prod", "node-2"], ["-", "edge"]]
    assert lines[1][4:6] == ["15", "min"]
    assert lines[1][-1] == "12000"
    assert result.stderr == "3 nodes\n"


def test_silence_counts_from_arrival_whatever_the_nodes_clock_says(tmp_path: Path) -> None:
    note(tmp_path, nodes=NODES)

    def names(*arguments: str) -> list[str]:
        return [node["node"] for node in answer(tmp_path, "nodes", *arguments)["nodes"]]

    assert names("--silent-for", "10m") == ["node-2", "edge"]
    assert names("--silent-for", "1h") == ["edge"]
    assert names("--cluster", "prod") == ["node-1", "node-2"]
    assert names("--cluster", "prod", "--silent-for", "1h") == []
    [node] = answer(tmp_path, "nodes", "--silent-for", "1h")["nodes"]
    assert node["silent_s"] >= 3700
    assert (node["last_event_us"], node["events"]) == (NOW - 3700 * SECOND, 1)
    assert invoke(tmp_path, "nodes", "--silent-for", "1h").stderr == "1 nodes are silent\n"
    invoke(tmp_path, "nodes", "--silent-for", "soon", code=2)


def test_a_table_is_as_wide_as_its_cells_and_cuts_all_but_the_last(tmp_path: Path) -> None:
    text = table(("a", "count"), [("x" * 99, "1"), ("y\n", "1000")], right=("count",))
    head, first, second = text.splitlines()
    assert head == "A" + " " * 59 + "  COUNT"
    assert first == "x" * 59 + "…" + "      1"
    assert second == "y\\x0a" + " " * 55 + "   1000"
    assert table(("a", "b"), [("x", "z" * 99)]).endswith("z" * 99)
