"""Names of indices: every time has one, and every name of ours says its span again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from armorstack.engines.elastic.periods import (
    DAY_US,
    INDEX_STREAMS,
    index_of,
    kept_between,
    late_index,
    parse_index,
    pattern,
    span_of,
)

LAST_US = 253_402_300_799_999_999
PERIODS = st.sampled_from(["day", "week", "month"])
TIMES = st.integers(0, LAST_US - 32 * DAY_US)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("time", "period", "name", "span"),
    [
        ("2026-11-23T23:59:59", "day", "2026.11.23", ("2026-11-23", "2026-11-24")),
        ("2026-11-24T00:00:00", "day", "2026.11.24", ("2026-11-24", "2026-11-25")),
        ("2026-11-23T00:00:00", "week", "2026.w48", ("2026-11-23", "2026-11-30")),
        ("2027-01-01T00:00:00", "week", "2026.w53", ("2026-12-28", "2027-01-04")),
        ("2024-12-31T00:00:00", "week", "2025.w01", ("2024-12-30", "2025-01-06")),
        ("2028-02-29T12:00:00", "month", "2028.02", ("2028-02-01", "2028-03-01")),
        ("2026-12-31T23:00:00", "month", "2026.12", ("2026-12-01", "2027-01-01")),
    ],
)
def test_a_name_is_the_period_in_utc(
    time: str, period: str, name: str, span: tuple[str, str]
) -> None:
    index = index_of("kubearmor", "alerts", at(time), period)  # type: ignore[arg-type]
    assert index == f"kubearmor-alerts-{name}"
    assert span_of(index) == (at(span[0]), at(span[1]))


@given(TIMES, PERIODS, st.sampled_from(list(INDEX_STREAMS.values())))
def test_the_span_of_a_name_holds_every_time_that_has_it(time_us, period, kind) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    index = index_of("k.a_1", kind, time_us, period)
    start, end = span_of(index) or (0, 0)
    assert start <= time_us < end
    assert index_of("k.a_1", kind, end - 1, period) == index
    assert index_of("k.a_1", kind, end, period) > index


@pytest.mark.parametrize(
    "name",
    [
        "kubearmor-alerts-2026.13.01",
        "kubearmor-alerts-2026.02.30",
        "kubearmor-alerts-2026.w54",
        "kubearmor-alerts-2026.w53.1",
        "kubearmor-alerts-2025.w53",
        "kubearmor-alerts-",
        "kubearmor-alerts-2026.11.23-restored",
        "other-kubearmor-alerts-2026.11.23",
        "kubearmor-alerts-0000.01",
        "kubearmor-events-2026.11.23",
        "kubearmor-alerts-2026.11.23\n",
        "kubearmor-alerts-latest",
        "kubearmor-policies",
        ".kubearmor-alerts-2026.11.23",
        "kubearmor-alerts-\u0662026.11",
    ],
)
def test_a_name_that_we_would_not_have_made_is_not_ours(name: str) -> None:
    assert parse_index(name) is None
    assert span_of(name) is None


def test_the_late_index_is_ours_and_has_no_span() -> None:
    found = parse_index(late_index("kubearmor", "logs"))
    assert found is not None
    assert (found.prefix, found.kind, found.span) == ("kubearmor", "logs", None)


def test_the_wildcard_of_a_kind_covers_its_late_index_and_no_policies() -> None:
    assert late_index("k", "alerts").startswith(pattern("k", "alerts")[:-1])
    assert not "k-policies".startswith(pattern("k", "alerts")[:-1])


@pytest.mark.parametrize(
    ("days", "max_age_days", "late"),
    [(0, 30, False), (-29.9, 30, False), (-30.1, 30, True), (-9000, 0, False), (1, 30, False),
     (1.1, 30, True), (1.1, 0, True)],
)  # fmt: skip
def test_late_is_what_is_too_old_or_more_than_a_day_ahead(
    days: float, max_age_days: float, late: bool
) -> None:
    now = at("2026-11-23")
    oldest, newest = kept_between(now, max_age_days)
    assert (not oldest <= now + round(days * DAY_US) <= newest) is late
