"""Bars, heatmaps, tables, numbers: what is drawn of values and their counts."""

from datetime import UTC

import pytest

from armorstack.store.contract import Group
from armorstack.web.charts import bars, count, events, heatmap, palette, sparkline, table
from armorstack.web.charts.element import element, joined, linked, said, share, shown
from tests.support.elements import parsed
from tests.support.hostile import TEXTS

NOON = 1_795_435_200_000_000
"""2026-11-23T12:00:00Z"""


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_text_is_text_as_a_child_and_as_an_attribute(text: str) -> None:
    node = parsed(element("b", shown(text), title=said(text))).one("b")
    assert list(node.attributes) == ["title"]
    assert node.text == said(text) == node["title"]
    assert all(character >= " " for character in node.text)


def test_a_child_that_is_no_markup_is_escaped_and_one_that_is_stays() -> None:
    made = element("p", "<i>", element("b", "x"), data_n=2, class_="k", hidden=None)
    assert made == '<p data-n="2" class="k">&lt;i&gt;<b>x</b></p>'


def test_numbers_in_attributes_have_no_digit_that_nobody_sees() -> None:
    assert element("g", x=1 / 3, y=2.0) == '<g x="0.333" y="2"></g>'


def test_a_long_text_is_cut_and_told_further_on_hover() -> None:
    node = parsed(shown("a" * 5000, 50)).one("span")
    assert len(node.text) == 50
    assert 50 < len(node["title"]) <= 1000


def test_an_absent_value_differs_from_one_that_is_called_so() -> None:
    assert parsed(shown("")).one("span", "absent").text == "(none)"
    assert parsed(shown("(none)")).all("span") == []


def test_without_a_target_there_is_no_link() -> None:
    assert linked("", "x") == "x"
    assert linked("/a?b=1&c=2", "x") == '<a href="/a?b=1&amp;c=2">x</a>'


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(0, 10, "0 %"), (1, 3, "33 %"), (1, 1000, "<1 %"), (3, 3, "100 %"), (1, 0, "")],
)
def test_shares_are_told_in_percent(part: int, whole: int, told: str) -> None:
    assert share(part, whole) == told


@pytest.mark.parametrize(
    ("severity", "name"),
    [("1", "low"), ("3", "low"), ("4", "medium"), ("7", "high"), ("9", "critical"),
     ("10", "critical"), ("", "without a severity"), ("x", "without a severity"),
     ("-5", "without a severity"), ("٣", "without a severity")],
)  # fmt: skip
def test_a_severity_is_in_the_band_of_its_number(severity: str, name: str) -> None:
    assert palette.band(severity).name == name


def test_every_severity_lies_in_the_range_that_its_band_picks() -> None:
    for severity in range(20):
        low, _, high = palette.band(str(severity)).range.partition("..")
        assert int(low) <= severity <= int(high or severity)


def test_bands_differ_in_their_signs_and_not_in_colour_alone() -> None:
    bands = (*palette.BANDS, palette.NO_SEVERITY)
    assert len({band.sign for band in bands}) == len({band.style for band in bands}) == 5


def test_an_action_has_the_colour_of_what_was_done() -> None:
    assert palette.action_style("Audit (Block)") == palette.action_style("audit") == "k-audit"
    assert palette.action_style("Block") == "k-block"
    assert palette.action_style('"><script>') == palette.REST


def test_a_bar_is_as_long_as_its_count_and_says_its_share_of_all() -> None:
    made = (bars.Bar(("a",), 40, "/a"), bars.Bar(("ns", "b"), 10, "/b"))
    page = parsed(bars.draw("Pods", made, 80, bars.Rest()))
    rows = page.one("tbody").all("tr")
    assert [row.one("rect")["width"] for row in rows] == ["100.00%", "25.00%"]
    assert [[cell.text for cell in row.all("td")] for row in rows] == [
        ["40", "50 %"], ["10", "12 %"],
    ]  # fmt: skip
    assert [row.one("a")["href"] for row in rows] == ["/a", "/b"]
    assert rows[1].one("th").text == "ns / b"
    assert page.one("caption").text == "Pods"


def test_what_is_not_among_the_bars_is_told_below() -> None:
    rest = bars.Rest(others=3, others_href="/all", absent=7, absent_href="/events?pod=")
    page = parsed(bars.draw("Pods", (bars.Bar(("a",), 1),), 8, rest))
    links = {link.text: link["href"] for link in page.one("p", "rest").all("a")}
    assert links == {"3 more values": "/all", "7 events without a value": "/events?pod="}
    empty = parsed(bars.draw("Pods", (), 7, rest))
    assert "No values" in empty.text
    assert "7 events without a value" in empty.text


def heat(**cells: int) -> heatmap.Heatmap:
    counts = {(key[0], key[1]): value for key, value in cells.items()}
    return heatmap.Heatmap(
        "Title", "Row", "Column", ("a", "b"), ("x", "y"), counts, "/{}-{}".format, "/{}".format
    )


def test_each_cell_of_a_heatmap_says_its_number_and_leads_to_its_events() -> None:
    page = parsed(heatmap.draw(heat(ax=1000, by=1)))
    first, second = page.one("tbody").all("tr")
    assert [cell.text for cell in first.all("td")] == ["1,000", "·"]
    assert first.all("td")[0].one("a")["href"] == "/a-x"
    assert second.one("th").one("a")["href"] == "/b"
    assert first.all("td")[0].classes == ["n", "heat-5"]
    assert first.all("td")[1].classes == ["n", "heat-0"]


def test_shades_rise_with_the_count_and_one_event_is_not_white() -> None:
    shades = [heatmap.shade(number, 10_000) for number in (0, 1, 30, 900, 10_000)]
    assert shades == sorted(shades)
    assert shades[0] == 0
    assert shades[1] == 1
    assert shades[-1] == heatmap.SHADES
    assert heatmap.shade(1, 1) == heatmap.SHADES


def test_the_largest_rows_of_a_heatmap_are_those_with_most_events_in_all() -> None:
    counts = {("a", "x"): 3, ("a", "y"): 3, ("b", "x"): 5, ("c", "x"): 1}
    assert heatmap.largest(counts, 0, 2) == ("a", "b")
    assert heatmap.largest(counts, 1, 9) == ("x", "y")


def test_a_table_shows_groups_with_count_first_last_and_trend() -> None:
    group = Group(("shop", "web"), 1234, NOON, NOON + 5_000_000)
    heads = ("Namespace", "Pod", "Events", "Blocked", "First", "Last", "Over time")
    made = table.Table(
        "Pods", tuple(table.Head(head) for head in heads), (group,), UTC,
        lambda values: "/pod?" + "&".join(values), lambda values: "/events?" + "&".join(values),
        {group.values: (0,)}, {group.values: (0, 2, 4)},
    )  # fmt: skip
    row = parsed(table.draw(made)).one("tbody").one("tr")
    assert row.one("th").one("a")["href"] == "/pod?shop&web"
    assert [cell.text for cell in row.all("td")] == [
        "web", "1,234", "–", "2026-11-23 12:00:00", "2026-11-23 12:00:05", "",
    ]  # fmt: skip
    assert row.all("td")[1].one("a")["href"] == "/events?shop&web"
    assert row.one("svg", "spark")["aria-label"] == "over time, at most 4 in an interval"


def test_a_sorted_column_says_so_to_the_eye_and_to_a_screen_reader() -> None:
    heads = (table.Head("Policy", "/?sort=name"), table.Head("Events", "/x", "descending", True))
    made = table.Table("Policies", heads, (Group(("a",), 1, 0, 0),), UTC, str, str)
    policy, events_ = parsed(table.draw(made)).one("thead").all("th")
    assert policy["aria-sort"] == ""
    assert policy.one("a")["href"] == "/?sort=name"
    assert events_["aria-sort"] == "descending"
    assert "↓" in events_.text


def test_a_trend_without_events_is_no_picture() -> None:
    assert sparkline.draw((0, 0)) == ""
    assert sparkline.draw(()) == ""


def test_the_smallest_count_of_a_trend_can_be_seen() -> None:
    path = parsed(sparkline.draw((1, 1_000_000))).one("path")["d"]
    assert path.startswith(f"M0 {sparkline.HEIGHT}v-1.0")


def test_a_number_leads_to_what_it_counts_unless_it_is_nothing() -> None:
    assert parsed(count.draw(12_345, "/events")).one("a")["href"] == "/events"
    assert parsed(count.draw(12_345, "/events")).text == "12,345"
    assert parsed(count.draw(0, "/events")).all("a") == []


def test_the_newest_events_say_when_how_grave_what_and_where() -> None:
    row = {
        "id": b"\0" * 32, "time": NOON, "stream": "alert", "severity": "8", "action": "Block",
        "policy_name": "p", "namespace_name": "shop", "pod_name": "web", "operation": "File",
        "process_name": "/bin/cat", "resource": "/etc/shadow",
    }  # fmt: skip
    page = parsed(events.draw("Latest", [row], UTC, lambda row: "/events/1"))
    cells = [cell.text for cell in page.one("tbody").all("td")]
    assert cells == ["2026-11-23 12:00:00", "▲ 8", "Block", "p", "shop / web",
                     "File /bin/cat → /etc/shadow"]  # fmt: skip
    assert page.one("tbody").one("a")["href"] == "/events/1"


def test_a_message_of_a_node_says_its_level_and_its_text() -> None:
    row = {"id": b"", "time": NOON, "stream": "message", "level": "ERROR", "message": "no eBPF",
           "host_name": "node-1"}  # fmt: skip
    cells = [cell.text for cell in parsed(events.draw("", [row], UTC, str)).one("tbody").all("td")]
    assert cells[1:] == ["○ –", "ERROR", "–", "node-1", "no eBPF"]


def test_markup_that_is_joined_stays_markup() -> None:
    assert joined(["<", element("b")]) == "&lt;<b></b>"
