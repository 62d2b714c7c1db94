"""Axes of time and count, gaps, and charts over time."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from armorstack.core.gap import Gap
from armorstack.web.charts import gaps, timechart
from armorstack.web.charts.axis import MOST_TICKS, nice_top, ticks
from armorstack.web.charts.legend import Layer
from armorstack.web.charts.times import clock, length, moment_of, span_label, time_element
from tests.support.elements import Node, parsed

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BERLIN = ZoneInfo("Europe/Berlin")
SPANS = (
    10 * SECOND, 5 * MINUTE, HOUR, 7 * HOUR, DAY, 3 * DAY, 9 * DAY, 40 * DAY, 300 * DAY,
    2000 * DAY, 40_000 * DAY,
)  # fmt: skip
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


NOON = at("2026-11-23T12:00:00+00:00")


def labels(start: str, hours: float, zone: ZoneInfo) -> list[str]:
    start_us = at(start)
    return [tick.label for tick in ticks(start_us, start_us + int(hours * HOUR), zone)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("span_us", SPANS)
def test_ticks_are_few_and_rise_within_the_span_in_every_zone(zone: str, span_us: int) -> None:
    start_us = NOON + 17 * MINUTE + 3 * SECOND - span_us // 3
    found = ticks(start_us, start_us + span_us, ZoneInfo(zone))
    times = [tick.time_us for tick in found]
    assert times == sorted(set(times))
    assert all(start_us <= time_us < start_us + span_us for time_us in times)
    assert 2 <= len(times) <= MOST_TICKS + 1


def test_ticks_stand_at_round_hours_of_the_zone_not_of_utc() -> None:
    found = ticks(NOON, NOON + 3 * HOUR, ZoneInfo("Asia/Kathmandu"))
    assert [tick.label for tick in found][:2] == ["18:00", "18:30"]
    assert found[0].time_us == NOON + 15 * MINUTE


def test_ticks_skip_the_hour_that_a_clock_put_forward_leaves_out() -> None:
    # On 2026-03-29 Berlin's clocks go from 02:00 to 03:00.
    assert labels("2026-03-29T00:00:00+01:00", 5, BERLIN) == ["29 Mar", "01:00", "03:00", "04:00",
                                                              "05:00"]  # fmt: skip


def test_ticks_show_the_hour_twice_that_a_clock_put_back_repeats() -> None:
    # On 2026-10-25 Berlin's clocks go from 03:00 to 02:00.
    found = labels("2026-10-25T00:00:00+02:00", 6, BERLIN)
    assert found == ["25 Oct", "01:00", "02:00", "02:00", "03:00", "04:00"]


def test_days_begin_at_midnight_of_the_zone_also_across_a_change_of_clocks() -> None:
    start_us = at("2026-10-23T12:00:00+02:00")
    found = ticks(start_us, start_us + 5 * DAY, BERLIN)
    local = [datetime.fromtimestamp(tick.time_us / SECOND, BERLIN) for tick in found]
    assert {moment.hour for moment in local} == {0}
    assert [tick.label for tick in found] == ["24 Oct", "25 Oct", "26 Oct", "27 Oct", "28 Oct"]


def test_long_spans_are_told_in_months_and_years() -> None:
    found = [tick.label for tick in ticks(NOON - 300 * DAY, NOON, ZoneInfo("UTC"))]
    assert found == ["Apr", "Jul", "Oct"]
    assert "2025" in [tick.label for tick in ticks(NOON - 2000 * DAY, NOON, ZoneInfo("UTC"))]


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0, 1), (1, 1), (4, 4), (7, 8), (9, 10), (10, 10), (11, 15), (101, 150), (999, 1000)],
)
def test_the_top_of_the_axis_is_round_and_not_below_the_highest(highest: int, top: int) -> None:
    assert nice_top(highest) == top


def test_times_are_shown_in_the_zone_and_kept_exact_beneath() -> None:
    node = parsed(time_element(NOON + 7, BERLIN)).one("time")
    assert node.text == "2026-11-23 13:00:00"
    assert node["datetime"] == "2026-11-23T12:00:00.000007Z"
    assert "+01:00" in node["title"]


def test_a_time_that_cannot_be_told_is_a_dash() -> None:
    assert clock(1 << 62, UTC) == "-"
    assert parsed(time_element(1 << 62, UTC)).text == "-"


def test_a_moment_in_a_url_has_no_digit_too_many() -> None:
    assert moment_of(NOON) == "2026-11-23T12:00:00Z"
    assert moment_of(NOON + 1) == "2026-11-23T12:00:00.000001Z"


def test_a_span_says_its_second_day_only_when_it_has_one() -> None:
    assert span_label(NOON, NOON + HOUR, UTC) == "2026-11-23 12:00 – 13:00"
    assert span_label(NOON, NOON + DAY, UTC).endswith("– 2026-11-24 12:00")
    assert span_label(NOON, NOON + SECOND, UTC).endswith("12:00:00 – 12:00:01")


@pytest.mark.parametrize(
    ("span_us", "told"),
    [(0, "0 ms"), (999_000, "999 ms"), (90 * SECOND, "1 min 30 s"), (50 * HOUR, "2 d 2 h")],
)
def test_a_length_names_its_two_largest_units(span_us: int, told: str) -> None:
    assert length(span_us) == told


def gap(start_us: int, end_us: int, **fields: Any) -> Gap:
    known = {"reason": "disconnect", "source": "relay/a"} | fields
    return Gap(start_us=start_us, end_us=end_us, **known)


def test_gaps_too_near_to_be_told_apart_share_a_band_that_tells_of_all() -> None:
    found = gaps.bands(
        [gap(NOON + n * SECOND, NOON + n * SECOND + 1, lost=2) for n in range(3)]
        + [gap(NOON + 20 * HOUR, NOON + 21 * HOUR)],
        NOON, NOON + DAY,
    )  # fmt: skip
    assert [len(band.gaps) for band in found] == [3, 1]
    assert "not connected × 3" in found[0].told()
    assert "6 events lost" in found[0].told()
    assert "not known" in found[1].told()


def test_a_band_lies_within_the_chart_and_gaps_elsewhere_have_none() -> None:
    before, within = gap(NOON - DAY, NOON - HOUR), gap(NOON - HOUR, NOON + HOUR)
    (band,) = gaps.bands([before, within, gap(NOON + DAY, NOON + 2 * DAY)], NOON, NOON + DAY)
    assert (band.start_us, band.end_us) == (NOON, NOON + HOUR)
    assert band.gaps == (within,)


def test_a_long_gap_hides_no_later_one_behind_a_short_one() -> None:
    found = gaps.bands(
        [gap(NOON, NOON + 10 * HOUR), gap(NOON + HOUR, NOON + 2 * HOUR),
         gap(NOON + 9 * HOUR, NOON + 12 * HOUR)],
        NOON, NOON + DAY,
    )  # fmt: skip
    assert [(band.start_us, band.end_us) for band in found] == [(NOON, NOON + 12 * HOUR)]


def test_what_a_limit_of_ours_let_go_is_not_called_lost() -> None:
    own = gap(NOON, NOON + 1, reason="filter_throttle", lost=5)
    assert gaps.lost_words([own]) == "5 let go by limits of ours"
    assert gaps.lost_words([own, gap(NOON, NOON + 1, lost=2)]) == (
        "2 events lost, 5 let go by limits of ours"
    )
    assert gaps.lost_words([gap(0, 1, lost=2), gap(0, 1)]) == "at least 2 events lost"


def test_the_list_of_gaps_is_bounded_and_says_how_many_it_left_out() -> None:
    many = [gap(NOON + n * HOUR, NOON + n * HOUR + 1) for n in range(gaps.LISTED + 7)]
    page = parsed(gaps.listing(many, UTC))
    assert len(page.all("li")) == gaps.LISTED + 1
    assert "7 earlier" in page.all("li")[-1].text
    assert parsed(gaps.listing([], UTC)).parts == []


def chart(**changes: Any) -> timechart.TimeChart:
    known: dict[str, Any] = {
        "id": "time", "title": "Alerts", "start_us": NOON, "interval_us": HOUR, "buckets": 4,
        "layers": (
            Layer("Block", "k-block", (1, 0, 2, 0)), Layer("Audit", "k-audit", (3, 0, 0, 0)),
        ),
        "gaps": (), "zone": UTC, "link": lambda start, end: f"/?from={start}&to={end}",
    }  # fmt: skip
    return timechart.TimeChart(**(known | changes))


def drawn(**changes: Any) -> Node:
    return parsed(timechart.draw(chart(**changes)))


def test_every_bucket_is_a_link_to_its_own_span() -> None:
    links = drawn().one("g", "buckets").all("a")
    assert [link["href"] for link in links] == [
        f"/?from={NOON + n * HOUR}&to={NOON + (n + 1) * HOUR}" for n in range(4)
    ]


def test_a_bucket_says_when_it_is_and_what_it_holds() -> None:
    titles = [title.parts[0] for title in drawn().one("g", "buckets").all("title")]
    assert titles[0] == "2026-11-23 12:00 – 13:00: 4 events\nBlock: 1\nAudit: 3"
    assert titles[1] == "2026-11-23 13:00 – 14:00: 0 events"


def test_layers_are_stacked_the_first_at_the_bottom_and_as_high_as_their_counts() -> None:
    block, audit = drawn().all("path", "k-block") + drawn().all("path", "k-audit")
    # Four is the highest count, so one event is a quarter of the plot.
    quarter = timechart.PLOT / 4
    assert block["d"].startswith(f"M0.07 {timechart.PLOT:.1f}v-{quarter:.1f}h")
    assert audit["d"].startswith(f"M0.07 {timechart.PLOT - quarter:.1f}v-{3 * quarter:.1f}h")
    assert block["d"].count("M") == 2


def test_the_numbers_stand_beside_the_picture_with_links_for_the_keyboard() -> None:
    rows = drawn().one("details", "numbers").one("tbody").all("tr")
    assert [[cell.text for cell in row.all("td")] for row in rows] == [
        ["4", "1", "3"], ["2", "2", "0"],
    ]  # fmt: skip
    assert rows[1].one("a")["href"] == f"/?from={NOON + 2 * HOUR}&to={NOON + 3 * HOUR}"


def test_a_brush_finds_the_span_in_the_picture() -> None:
    (svg,) = drawn().all("svg", "timechart")
    assert svg["data-start-us"] == str(NOON)
    assert svg["data-interval-us"] == str(HOUR)
    assert svg["data-buckets"] == "4"


def test_the_picture_has_a_name_and_no_focus_within_for_a_screen_reader() -> None:
    page = drawn()
    (picture,) = [node for node in page.walk() if node["role"] == "img"]
    assert picture["aria-label"] == "Alerts: 6 events in 4 intervals"
    assert not picture.all("a")
    assert all(link["tabindex"] == "-1" for link in page.one("g", "buckets").all("a"))
    assert page.one("g", "buckets")["aria-hidden"] == "true"


def test_a_gap_is_hatched_where_it_was_and_tells_its_reason() -> None:
    page = drawn(gaps=(gap(NOON + HOUR, NOON + 2 * HOUR, lost=9),))
    hatched = page.one("rect", "gap")
    assert (hatched["x"], hatched["width"]) == ("25.00%", "25.00%")
    assert hatched["fill"] == f"url(#{page.one('pattern')['id']})"
    told = str(page.one("g", "hatches").one("title").parts[0])
    assert "not connected" in told
    assert "9 events lost" in told
    assert "not connected" in str(page.one("g", "buckets").all("title")[1].parts[0])
    assert "not connected" not in str(page.one("g", "buckets").all("title")[3].parts[0])


def test_a_gap_without_length_can_still_be_seen() -> None:
    (hatched,) = drawn(gaps=(gap(NOON + HOUR, NOON + HOUR),)).all("rect", "gap")
    assert float(hatched["width"].rstrip("%")) > 0.1


def test_a_quiet_time_is_drawn_with_its_gaps_and_says_that_it_is_quiet() -> None:
    page = drawn(layers=(), gaps=(gap(NOON, NOON + HOUR),))
    assert page.one("text", "nothing").text == "no events"
    assert page.all("rect", "gap")
    assert not page.all("details", "numbers")


def test_a_chart_without_any_bucket_is_drawn() -> None:
    page = drawn(layers=(), buckets=0, gaps=(gap(NOON, NOON + 1),))
    assert page.one("text", "nothing")


def test_on_paper_there_are_no_links() -> None:
    assert drawn(link=None).all("a") == []


def test_buckets_of_a_repeated_hour_are_told_apart_by_the_zone() -> None:
    page = drawn(start_us=at("2026-10-25T02:00:00+02:00"), zone=BERLIN)
    told = [
        str(title.parts[0]).partition(": ")[0] for title in page.one("g", "buckets").all("title")
    ]
    assert told[0].endswith("02:00 – 02:00 CEST")
    assert told[1].endswith("02:00 – 03:00 CET")


def test_a_layer_that_an_attacker_named_is_text() -> None:
    evil = '"><script>alert(1)</script>\x1b[2J\u202e'
    page = drawn(layers=(Layer(evil, "k-1", (1, 2, 3, 4)), Layer("", "k-2", (1, 1, 1, 1))))
    assert page.all("script") == []
    assert "<script>" in page.one("ul", "legend").text
    assert "\x1b" not in timechart.draw(chart(layers=(Layer(evil, "k-1", (1, 2, 3, 4)),)))
    assert "(none)" in page.one("ul", "legend").text
