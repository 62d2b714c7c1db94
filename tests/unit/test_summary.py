"""What a person is told: totals over restarts, rates, plain lines, the live picture."""

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from armorstack.core.filter_counts import FilterCounts
from armorstack.live import draw
from armorstack.state import (
    LastEvent,
    ReceiverState,
    SinkState,
    SourceState,
    SpoolState,
    WorkerState,
)
from armorstack.summary import (
    Ledger,
    Picture,
    PlainDisplay,
    closing_lines,
    counts_line,
    source_line,
)

SECOND = 1_000_000
NOW = 1_795_443_000 * SECOND


CONNECTED = SourceState("relay/a:1", "relay", connected=True, since_us=NOW)


def receiver(
    received: int, *, started_us: int = 1, source: SourceState = CONNECTED
) -> ReceiverState:
    return ReceiverState(
        pid=1, started_us=started_us, updated_us=NOW, phase="running", received=received,
        sources=(source,), spool=SpoolState(bytes=3 * 2**20, max_bytes=2**30),
    )  # fmt: skip


def worker(stored: int, *, started_us: int = 1, **known: object) -> WorkerState:
    sink = SinkState(
        name="duckdb", is_open=True, stored=stored, duplicates=1, durable_stored=6, lag_s=0.25
    )
    return WorkerState(
        pid=2, started_us=started_us, updated_us=NOW, phase="running", sinks=(sink,),
        **{"actions": {"Block": 2}, "severities": {"10": 1, "9": 1, "2": 4}, **known},
    )  # type: ignore[arg-type]  # fmt: skip


def picture(ledger: Ledger, now_us: int = NOW + 60 * SECOND, **known: object) -> Picture:
    values = {
        "now_us": now_us, "started_us": NOW, "receiver": receiver(5), "worker": worker(4),
        "totals": ledger.totals(), "in_per_s": 20.0, "stored_per_s": 19.5,
        "url": "http://127.0.0.1:7780/", "data_dir": "/data",
    }  # fmt: skip
    return Picture(**{**values, **known})  # type: ignore[arg-type]


def test_totals_go_on_when_a_process_is_started_again() -> None:
    ledger = Ledger()
    ledger.enter(receiver(10), worker(8), NOW)
    ledger.enter(receiver(12), worker(9), NOW + SECOND)
    assert ledger.totals().stored == 9
    assert not ledger.restarted()
    # Of the nine, six were durable: the others came again to the next worker.
    ledger.enter(receiver(3, started_us=2), worker(7, started_us=2), NOW + 2 * SECOND)
    totals = ledger.totals()
    assert (totals.received, totals.stored, totals.duplicates) == (15, 13, 1)
    assert ledger.restarted()


def test_events_of_an_earlier_run_are_told_apart_at_the_end() -> None:
    ledger = Ledger()
    ledger.enter(receiver(5), worker(14), NOW)
    assert "10 of them had been received by an earlier run" in closing_lines(ledger, "/data")


def test_the_figures_are_those_of_the_first_required_sink() -> None:
    ledger = Ledger()
    chat = SinkState(name="chat", required=False, stored=1)
    (store,) = worker(7).sinks
    ledger.enter(receiver(9), replace(worker(0), sinks=(chat, store)), NOW)
    assert ledger.totals().stored == 7
    ledger.enter(receiver(9), replace(worker(0), sinks=(chat,)), NOW + SECOND)
    assert ledger.totals().stored == 1


def test_what_filters_let_go_is_told_where_there_is_any() -> None:
    ledger = Ledger()
    ledger.enter(receiver(5), worker(5), NOW)
    assert "filters" not in closing_lines(ledger, "/data")
    filters = (FilterCounts("noise", "drop", 30), FilterCounts("same", "fold", 4, 0))
    ledger.enter(receiver(39), worker(5, filters=filters), NOW + SECOND)
    assert ", let go by filters 34" in closing_lines(ledger, "/data")
    assert ", let go 34, " in counts_line(picture(ledger))


def test_rates_are_those_of_the_last_seconds() -> None:
    ledger = Ledger()
    for second in range(20):
        ledger.enter(receiver(1000 + 10 * second), worker(30 * second), NOW + second * SECOND)
    assert ledger.rates() == (10.0, 30.0)
    ledger.enter(receiver(1190), worker(570), NOW + 30 * SECOND)
    assert ledger.rates()[0] < 1.0


def test_the_closing_lines_tell_counts_and_where_the_data_lie() -> None:
    ledger = Ledger()
    ledger.enter(receiver(5), worker(4), NOW)
    line = closing_lines(ledger, "/data")
    assert line == (
        "received 5, stored 4, duplicates 1, dead letters 0, lost 0\nthe data lie in /data"
    )


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (SourceState("s", "relay"), "s: not connected"),
        (
            SourceState("s", "relay", error="no route", hint="look"),
            "s: not connected: no route (hint: look)",
        ),
        (SourceState("s", "relay", connected=True, reconnects=2), "s: connected, 2 reconnects"),
        (SourceState("s", "file", finished=True), "s: finished"),
        (SourceState("\x1b[2J", "file", finished=True), "\\x1b[2J: finished"),
    ],
)  # fmt: skip
def test_a_source_is_told_in_one_line(state: SourceState, line: str) -> None:
    assert source_line(state) == line


def test_plain_lines_come_at_intervals_and_when_a_source_changes() -> None:
    stream, ledger = io.StringIO(), Ledger()
    ledger.enter(receiver(5), worker(4), NOW)
    display = PlainDisplay(stream, every_s=5)
    for second in range(11):
        display.show(picture(ledger, NOW + second * SECOND))
    lost = SourceState("relay/a:1", "relay", error="connection refused")
    display.show(picture(ledger, NOW + 10 * SECOND, receiver=receiver(5, source=lost)))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "relay/a:1: connected"
    assert [line for line in lines if line.startswith("in 20.0/s, stored 19.5/s, received 5")]
    assert len([line for line in lines if line.startswith("in ")]) == 2
    assert lines[-1] == "relay/a:1: not connected: connection refused"


def test_plain_lines_tell_a_new_reason_once() -> None:
    stream, ledger = io.StringIO(), Ledger()
    display = PlainDisplay(stream, every_s=1)
    for second in range(70, 75):
        silent = picture(ledger, NOW + second * SECOND, worker=worker(4))
        display.show(silent)
    told = [line for line in stream.getvalue().splitlines() if "connected but silent" in line]
    assert len(told) == 1


def test_a_reader_that_went_away_does_not_stop_plain_lines() -> None:
    stream = io.StringIO()
    stream.close()
    PlainDisplay(stream).note("unheard")


HOSTILE = LastEvent(
    time_us=NOW, stream="alert", severity="10", namespace="[bold]x[/bold]", pod="\x1b[31mpod",
    policy="p" * 300, action="Audit (Block)", operation="Process", resource="a\nb\x1b]0;t\x07",
)  # fmt: skip


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_live_picture_fits_the_terminal_and_shows_no_control_character(width: int) -> None:
    ledger = Ledger()
    ledger.enter(receiver(1_234_567), worker(4), NOW)
    console = Console(
        width=width, height=24, record=True, file=io.StringIO(), force_terminal=True,
        color_system=None, legacy_windows=False,
    )  # fmt: skip
    shown = picture(ledger, worker=worker(4, last=(HOSTILE,) * 8))
    console.print(draw(shown, ledger, width, 24))
    lines = console.export_text().splitlines()
    text = "\n".join(lines)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= width
    assert not [c for c in text if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)]
    assert "[bold]" in text
    assert "1,234,567" in text
    assert text.count("10 ") >= 8


def test_a_low_terminal_leaves_out_events_before_anything_else() -> None:
    ledger = Ledger()
    ledger.enter(receiver(1), worker(1), NOW)
    console = Console(width=80, height=12, record=True, file=io.StringIO())
    shown = picture(ledger, worker=worker(4, last=(HOSTILE,) * 8))
    console.print(draw(shown, ledger, 80, 12))
    text = console.export_text()
    assert len(text.splitlines()) <= 12
    assert "relay/a:1: connected" in text
