"""Events as lines of a terminal or for programs, counts over time, and the colours of both."""

import json
import re
import time
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest
from rich.cells import cell_len

from armorstack.cli import event_table as table
from armorstack.cli import groups, time_line
from armorstack.cli.paint import Paint
from armorstack.cli.zones import Zone, brief_time, full_time, short_time
from armorstack.core.gap import Gap
from armorstack.core.moments import parse_moment
from armorstack.store.contract import Group, Histogram, Row, Series, Top
from armorstack.store.event_json import SHOWN
from tests.support import hostile
from tests.support.stores import NOW_US, id_of

PLAIN, COLOURED = Paint("never"), Paint("always")
RAW = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]")
MINUTE_US = 60_000_000


def row(**columns: Any) -> Row:
    known = {"id": id_of("x"), "time": NOW_US, "stream": "alert", "severity": "9"}
    return known | columns


def every_text() -> list[Row]:
    texts = [*hostile.TEXTS, hostile.LONG, "漢字" * 30, "e\u0301" * 50]
    names = ("namespace_name", "pod_name", "policy_name", "action", "operation", "severity",
             "process_name", "resource", "type", "message")  # fmt: skip
    return [
        row(**dict.fromkeys(names, text), atags=[text, text], event_data={text: text})
        for text in texts
    ]


@pytest.mark.parametrize("width", [20, 60, 80, 99, 100, 129, 130, 200])
def test_a_table_fits_the_terminal_and_an_event_is_a_line(width: int) -> None:
    names = table.columns_for(width)
    found = list(table.lines(every_text(), names, UTC, width, PLAIN))
    assert len(found) == len(every_text()) + 1
    assert not any(RAW.search(line) for line in found)
    if width >= 60:
        assert max(map(cell_len, found)) <= width


@pytest.mark.parametrize("width", [60, 80, 130, 250])
def test_lines_of_a_tail_are_aligned_whatever_comes(width: int) -> None:
    names, show = table.columns_for(width), table.time_for(width)
    layout = table.steady(names, width, show)
    heads = table.heads(layout, PLAIN)
    for each in every_text():
        line = table.line(layout, table.cells(each, names, UTC, show), PLAIN)
        assert not RAW.search(line)
        assert cell_len(line) <= width
        last = cell_len(heads[: heads.rindex(" ") + 1])
        assert cell_len(line) >= last or line.endswith("-")


def test_programs_get_a_cell_per_column_and_each_value_whole() -> None:
    for each in every_text():
        cells = table.tabbed(each, (*table.COLUMNS, "tag", "event_data"), UTC).split("\t")
        assert len(cells) == len(table.COLUMNS) + 2
        assert not any(map(RAW.search, cells))
    whole = table.tabbed(row(resource="a" * 5000, pod_name=""), ("pod", "resource"), UTC)
    assert whole == "\t" + "a" * 5000


def test_json_is_ascii_and_gives_every_value_back() -> None:
    for each in every_text():
        line = table.json_line(each, SHOWN)
        assert line.isascii()
        assert "\n" not in line
        assert json.loads(line)["resource"] == each["resource"]
    assert json.loads(table.json_line(row(), ("severity", "time", "pod"))) == {
        "severity": 9, "time": "2026-11-23T15:00:00.000000Z",
    }  # fmt: skip


def test_a_message_stands_where_a_resource_would_for_people_alone() -> None:
    told = row(message="hello", stream="message")
    assert table.cells(told, ("pod", "resource"), UTC) == ["", "hello"]
    assert table.tabbed(told, ("pod", "resource"), UTC) == "\t"
    assert table.cells(row(message="m", resource="/r"), ("resource",), UTC) == ["/r"]


def test_colours_never_change_what_a_line_says() -> None:
    names = table.COLUMNS
    for each in every_text()[:20]:
        layout = table.steady(names, 180, short_time)
        values = table.cells(each, names, UTC)
        plain = table.line(layout, values, PLAIN)
        coloured = table.line(layout, values, COLOURED)
        assert click.unstyle(coloured).rstrip() == plain


@pytest.mark.parametrize(
    ("severity", "colour"), [("10", "\x1b[31m"), ("8", "\x1b[31m"), ("5", "\x1b[33m"),
                             ("1", "\x1b[32m"), ("x", "x")],
)  # fmt: skip
def test_severities_have_their_colours(severity: str, colour: str) -> None:
    assert COLOURED.value("severity", severity, severity).startswith(colour)
    assert PLAIN.value("severity", severity, severity) == severity


def test_no_color_and_a_dumb_terminal_and_a_pipe_have_no_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Paint("auto").colours
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Paint("auto").colours
    assert Paint("always").colours
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not Paint("auto").colours
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert not Paint("auto").colours


def test_times_are_told_in_the_zone_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert full_time(NOW_US + 1, UTC) == "2026-11-23T15:00:00.000001Z"
    assert full_time(NOW_US, berlin) == "2026-11-23T16:00:00.000000+01:00"
    assert short_time(NOW_US + 7000, berlin) == "2026-11-23 16:00:00.007"
    assert brief_time(NOW_US, UTC) == "11-23 15:00:00"
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    here = Zone().convert("local", None, None)
    summer = NOW_US - 120 * 86_400_000_000
    assert full_time(NOW_US, here) == full_time(NOW_US, berlin)
    assert (
        full_time(summer, here) == full_time(summer, berlin) == "2026-07-26T17:00:00.000000+02:00"
    )
    assert parse_moment("2026-07-26T17:00", NOW_US, here) == summer
    monkeypatch.undo()
    time.tzset()
    assert full_time(253_402_300_799_999_999, berlin) == "9999-12-31T23:59:59.999999Z"


def counted(*counts: int, gaps: tuple[Gap, ...] = ()) -> Histogram:
    half = tuple(count // 2 for count in counts)
    rest = tuple(count - part for count, part in zip(counts, half, strict=True))
    series = (Series("a", half), Series("", rest, is_rest=True))
    return Histogram(NOW_US, MINUTE_US, len(counts), series, gaps)


def gap(first: float, last: float) -> Gap:
    start, end = NOW_US + int(first * MINUTE_US), NOW_US + int(last * MINUTE_US)
    return Gap(reason="disconnect", source="relay", start_us=start, end_us=end)


def test_a_time_line_marks_each_bucket_that_a_gap_touches() -> None:
    found = counted(4, 0, 8, 1, gaps=(gap(-5, 0.5), gap(2.2, 2.9)))
    assert time_line.totals(found) == [4, 0, 8, 1]
    assert time_line.marked(found) == [True, False, True, False]
    assert time_line.marked(counted(1, 1, gaps=(gap(-9, -1), gap(5, 6)))) == [False, False]
    first, second, third, fourth, note = time_line.rows(found, UTC, 60, PLAIN)
    assert first.startswith("2026-11-23 15:00 ! 4  ")
    assert second == "2026-11-23 15:01   0"
    assert third.startswith("2026-11-23 15:02 ! 8  ")
    assert len(third) == 60 - 3
    assert fourth.startswith("2026-11-23 15:03   1  ")
    assert "armorstack gaps" in note


def test_one_event_is_seen_beside_a_million() -> None:
    blocks, marks, span, note = time_line.spark(
        counted(1_000_000, 1, 0, gaps=(gap(1.1, 1.2),)), UTC, PLAIN
    )
    assert len(set(blocks)) == 3
    assert blocks[2] == " "
    assert marks == " !"
    assert span == "2026-11-23 15:00 … 2026-11-23 15:03, 1 min each, at most 1,000,000"
    assert note.startswith("!")


def test_groups_are_told_with_what_is_not_shown() -> None:
    found = Top((Group(("a\nb", ""), 12, NOW_US, NOW_US),), distinct=3, total=20)
    head, first, more = groups.rows(found, ("policy", "action"), UTC, 150, PLAIN)
    assert head.split() == ["COUNT", "FIRST", "LAST", "POLICY", "ACTION"]
    assert first.split() == ["12", "2026-11-23", "15:00:00.000", "2026-11-23", "15:00:00.000",
                             "a\\x0ab", "-"]  # fmt: skip
    assert more == "2 more groups: -n"
    (tabbed,) = groups.rows(found, ("policy", "action"), UTC, 0, PLAIN)
    assert tabbed.split("\t")[0::3] == ["12", "a\\x0ab"]
