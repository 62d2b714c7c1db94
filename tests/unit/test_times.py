"""Moments and spans as people type and read them."""

import time

import click
import pytest

from armorstack.cli.times import Moment, Span, parse_moment, parse_span, show_time

NOW = 1_795_443_000_000_000
HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("text", "span_us"),
    [
        ("90s", 90_000_000),
        ("10m", 600_000_000),
        ("10min", 600_000_000),
        ("1.5h", HOUR_US * 3 // 2),
        ("1h30m", HOUR_US * 3 // 2),
        (" 7D ", 7 * 24 * HOUR_US),
        ("2w", 14 * 24 * HOUR_US),
        ("0s", 0),
    ],
)
def test_spans_are_read(text: str, span_us: int) -> None:
    assert parse_span(text) == span_us


@pytest.mark.parametrize("text", ["", "5", "m", "5y", "-5m", "5m ago", "9" * 400 + "w", "1e3s"])
def test_what_is_no_span_is_none(text: str) -> None:
    assert parse_span(text) is None


@pytest.mark.parametrize(
    ("text", "moment_us"),
    [
        ("now", NOW),
        ("24h", NOW - 24 * HOUR_US),
        ("now-24h", NOW - 24 * HOUR_US),
        ("NOW - 1h30m", NOW - HOUR_US * 3 // 2),
        ("99w", NOW - 99 * 7 * 24 * HOUR_US),
        ("1795443000", NOW),
        ("1795443000.25", NOW + 250_000),
        ("1795443000250", NOW + 250_000),
        ("2026-11-23T14:10:00Z", NOW),
        ("2026-11-23 15:10:00+01:00", NOW),
        ("0", 0),
    ],
)
def test_moments_are_read(text: str, moment_us: int) -> None:
    assert parse_moment(text, NOW) == moment_us


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-23T14:10:00", "2026-13-01T00:00:00Z", "9" * 30, "-5"]
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert parse_moment(text, NOW) is None


@pytest.mark.parametrize("text", ["2026-11-23T14:10:00", "2026-11-23"])
def test_a_time_without_a_zone_is_refused_with_what_is_missing(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"has no zone: add Z"):
        Moment().convert(text, None, None)


def test_what_cannot_be_read_is_refused_with_examples() -> None:
    with pytest.raises(click.BadParameter, match="'soon' is no time: say 24h"):
        Moment().convert("soon", None, None)
    with pytest.raises(click.BadParameter, match="'soon' is no span: say 90s"):
        Span().convert("soon", None, None)
    assert (Moment().convert(5, None, None), Span().convert("5s", None, None)) == (5, 5_000_000)


def test_times_are_shown_in_utc_or_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-05:30")
    time.tzset()
    try:
        assert show_time(NOW) == "2026-11-23 14:10:00Z"
        assert show_time(NOW, local=True) == "2026-11-23 19:40:00+0530"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [show_time(1 << 62), show_time(0, local=True)] == ["-", "-"]
