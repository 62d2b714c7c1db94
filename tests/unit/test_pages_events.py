"""The explorer's columns, values, links and frame, without a store."""

import gzip
import re
import shlex
from typing import Any

import pytest
from starlette.requests import Request

from armorstack.core.query.asked import Asked, ParameterError, parse_asked
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Pick
from armorstack.store.contract import Group
from armorstack.web import chrome, static_files
from armorstack.web.desk import Grant
from armorstack.web.pages import events, events_chart, events_fold, events_links, events_table
from armorstack.web.render import page
from tests.support.stores import NOW_US, id_of

FORBIDDEN = r"innerHTML|outerHTML|insertAdjacent|\beval\b|document\.write|Function\("
HOSTILE = "<script>x</script>\x1b[2J\u202e"


def asked(*pairs: tuple[str, str]) -> Asked:
    return parse_asked(pairs, NOW_US, parse, (*events.ALSO, "refresh"))


def request(path: str = "/events", query: str = "", *, gzipped: bool = False) -> Request:
    headers = [(b"accept-encoding", b"gzip")] if gzipped else []
    return Request({
        "type": "http", "method": "GET", "path": path, "query_string": query.encode(),
        "headers": headers, "server": ("localhost", 80), "scheme": "http",
        "armorstack.grant": Grant("owner"),
    })  # fmt: skip


def test_columns_are_named_with_commas_or_by_repetition() -> None:
    assert events_table.columns_in(asked()) == events_table.DEFAULT
    said = asked(("cols", "pod,policy"), ("cols", "pod"), ("cols", "node"))
    assert events_table.columns_in(said) == ("pod", "policy", "node")


def test_a_column_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no column 'polcy'") as caught:
        events_table.columns_in(asked(("cols", "polcy")))
    assert caught.value.hint == "did you mean policy?"


def test_a_column_moves_by_its_links_and_the_usual_ones_leave_no_trace() -> None:
    first, second = events_table.columns(("pod", "time"), asked(("q", "a")))
    assert (first.left, second.right) == ("", "")
    assert first.right == second.left == "/events?q=a&cols=time%2Cpod"
    assert first.without == "/events?q=a&cols=time"
    assert events_table.with_columns(asked(("cols", "pod")), events_table.DEFAULT) == "/events"


@pytest.mark.parametrize(
    ("name", "event", "values"),
    [
        (
            "pod",
            {"namespace": "web", "pod": "a", "node": "n"},
            [("namespace", "web"), ("pod", "a")],
        ),
        ("pod", {"node": "n"}, [("node", "n")]),
        ("label", {"label": "app=a,tier=b"}, [("label", "app=a"), ("label", "tier=b")]),
        ("tag", {"tag": ["MITRE", "NIST"]}, [("tag", "MITRE"), ("tag", "NIST")]),
        ("event_data", {"event_data": {"k": "v"}}, [("event_data", "k=v")]),
        ("severity", {"severity": 0}, [("severity", "0")]),
        ("policy", {"policy": ""}, []),
        ("policy", {}, []),
    ],
)
def test_a_cell_holds_the_values_of_its_column(
    name: str, event: dict[str, Any], values: list[tuple[str, str]]
) -> None:
    assert list(events_table.values_of(name, event)) == values


def test_a_value_becomes_a_pick_only_where_it_can_be_one() -> None:
    assert events_table.can_pick("pod", "x" * 400)
    assert not events_table.can_pick("pod", "x" * 401)
    assert not events_table.can_pick("severity", "high")
    assert not events_table.can_pick("time", "2026-11-23")
    assert not events_table.can_pick("spelling", "protobuf")


def test_a_line_links_its_event_with_its_time_and_its_values_without_the_place_in_the_list() -> (
    None
):
    said = asked(("before", f"5.{'A' * 43}"), ("wide", "pod"), ("cols", "time,policy"))
    row = {"id": id_of(1), "time": NOW_US, "stream": "alert", "policy_name": "!p"}
    line = events_table.Lines(said, ("time", "policy")).line(row)
    assert f"near={NOW_US}" in line.url
    assert "before=" in line.url
    assert "wide" not in line.url
    value = line.cells[1].values[0]
    again = parse_asked(pairs_of(value.want), NOW_US, parse, events.ALSO)
    assert again.picks == (Pick("policy", ("!p",)),)
    assert "before" not in value.want
    not_again = parse_asked(pairs_of(value.avoid), NOW_US, parse, events.ALSO)
    assert not_again.picks == (Pick("policy", (), ("!p",)),)


def pairs_of(url: str) -> list[tuple[str, str]]:
    return request(query=url.partition("?")[2]).query_params.multi_items()


def test_repeats_ask_for_their_absent_values_too() -> None:
    group = Group(("alert", "Block", "p", "", "", "File", "/bin/a", "", "Passed"), 3, 1, 2)
    url = events_fold._url(group, asked(("fold", "1"), ("node", "n"), ("policy", "!q")))
    again = asked(*pairs_of(url))
    assert [pick.field for pick in again.picks] == ["node", *events_fold.FIELDS]
    assert {pick.field: pick.include for pick in again.picks}["pod"] == ("",)
    assert again.get("fold") == ""


def test_repeats_with_a_value_that_no_url_can_hold_have_no_link() -> None:
    group = Group(("alert", "Block", "p", "n", "p", "File", "a", "x" * 5000, "r"), 3, 1, 2)
    assert events_fold._url(group, asked()) == ""


def test_the_command_asks_what_the_page_asks() -> None:
    said = asked(("q", "a b"), ("policy", "it's"), ("from", "now-7d"), ("to", "2026-11-23"))
    words = shlex.split(events_links.spoken(said))
    assert words[:2] == ["armorstack", "query"]
    assert words[3:] == ["--since", "7d", "--until", "2026-11-23T00:00:00Z"]
    assert words[2] == '(a and b) and policy:"it\'s"'
    assert events_links.spoken(asked()) == "armorstack query"
    assert events_links.spoken(asked(("from", "all"))) == "armorstack query --since all"


def test_no_command_is_shown_that_a_terminal_would_obey() -> None:
    assert events_links.spoken(asked(("policy", "a\x1b[2J"))) == ""


def test_exports_carry_the_question_and_nothing_of_the_page() -> None:
    said = asked(("q", "a"), ("cols", "pod"), ("size", "100"), ("refresh", "10s"), ("pod", "!x"))
    links = dict(events_links.export_links(said))
    assert links["CSV"] == "/api/v1/export?q=a&pod=%21x&format=csv"
    assert set(links) == {"CSV", "JSON", "NDJSON", "Parquet"}


@pytest.mark.parametrize(
    "pair",
    [("size", "7"), ("fold", "yes"), ("by", "resource"), ("by", "x"), ("wide", "data"),
     ("before", "x"), ("cols", "x"), ("cols", ",".join(events_table.SHOWN))],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_parameter(pair: tuple[str, str]) -> None:
    with pytest.raises(ParameterError) as caught:
        events.view_of(asked(pair))
    assert caught.value.parameter == pair[0]
    assert caught.value.hint


def test_a_page_cannot_go_both_ways() -> None:
    place = f"5.{'A' * 43}"
    with pytest.raises(ParameterError, match="at once"):
        events.view_of(asked(("before", place), ("after", place)))


def test_a_total_is_told_by_the_histogram_unless_events_count_several_times() -> None:
    found = events_chart.Histogram(0, 1, 2, (events_chart_series("a", 1, 2),), ())
    assert events_chart.total(found, "severity") == 3
    assert events_chart.total(found, "tag") is None


def events_chart_series(value: str, *counts: int) -> Any:
    from armorstack.store.contract import Series

    return Series(value, counts)


def test_navigation_keeps_the_time_and_between_searches_the_filters() -> None:
    said = asked(("q", "a"), ("pod", "x"), ("from", "now-1h"), ("cols", "pod"))
    frame = chrome.chrome_of(request("/events"), said)
    links = {link.text: link for link in frame.navigation}
    assert links["Overview"].url == "/?q=a&from=now-1h&pod=x"
    assert links["Pods"].url == "/pods?from=now-1h"
    assert [link.text for link in frame.navigation if link.is_current] == ["Events"]


@pytest.mark.parametrize(
    ("path", "current"),
    [("/events/abc", "Events"), ("/policy", "Policies"), ("/", "Overview"), ("/nodes", "Nodes")],
)
def test_the_page_one_is_on_is_marked(path: str, current: str) -> None:
    frame = chrome.chrome_of(request(path), asked())
    assert [link.text for link in frame.navigation if link.is_current] == [current]


def test_the_form_keeps_all_but_its_own_fields_and_the_place_in_the_list() -> None:
    said = asked(("q", "a"), ("pod", "x"), ("tz", "Asia/Tokyo"), ("cols", "pod"),
                 ("before", f"5.{'A' * 43}"), ("refresh", "10s"))  # fmt: skip
    frame = chrome.chrome_of(request(), said)
    assert frame.hidden == (("pod", "x"), ("cols", "pod"))
    assert frame.refresh == "10s"
    assert frame.zones[0] == "UTC"


def test_each_filter_is_taken_away_by_its_own_link() -> None:
    said = asked(("q", "a"), ("pod", "x"), ("pod", "!y"), ("before", f"5.{'A' * 43}"))
    found = chrome.chips(said, "/events")
    assert [(chip.field, chip.value, chip.is_excluded) for chip in found] == [
        ("", "a", False), ("pod", "x", False), ("pod", "y", True),
    ]  # fmt: skip
    assert [chip.url for chip in found] == [
        "/events?pod=x&pod=%21y", "/events?q=a&pod=%21y", "/events?q=a&pod=x",
    ]  # fmt: skip


def test_a_refresh_that_is_not_offered_is_refused() -> None:
    with pytest.raises(ParameterError, match="'1ms' is not offered"):
        chrome.chrome_of(request(), asked(("refresh", "1ms")))


def test_the_frame_of_a_url_that_was_not_understood_keeps_what_it_can() -> None:
    query = f"q=a(&pod=x&tz=Mars/Base&colour=red&from=now-7d&{'before=5'}"
    frame = chrome.chrome_of(request("/nodes", query), None)
    assert frame.asked.q == "a("
    assert (frame.asked.tz, frame.asked.start) == ("UTC", "now-7d")
    assert frame.hidden == (("pod", "x"),)
    assert frame.action == "/events"


def test_text_of_a_url_is_escaped_in_the_frame() -> None:
    body = bytes(page(request(query=f"q={HOSTILE}&pod={HOSTILE}"), "base.html").body).decode()
    assert "<script>x" not in body
    assert "\x1b[2J\u202e" not in re.sub(r'value="[^"]*"', "", body)


def test_a_page_is_packed_for_who_takes_it() -> None:
    plain, packed = page(request(), "base.html"), page(request(gzipped=True), "base.html")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-length"] == str(len(packed.body))
    assert gzip.decompress(packed.body) == plain.body
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"


def test_no_template_has_inline_script_style_or_handlers() -> None:
    folder = static_files.resources.files("armorstack.web") / "templates"
    for template in folder.iterdir():
        if template.name == "report.html":  # One file by itself; its policy names hashes.
            continue
        text = template.read_text()
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text
        ), template.name
        assert "|safe" not in text.replace("through `|safe`", ""), template.name


def test_a_static_url_names_a_file_that_is_there() -> None:
    url = static_files.static_url("base.css")
    assert re.fullmatch(r"/static/[0-9a-f]{12}/base\.css", url)
    with pytest.raises(KeyError):
        static_files.static_url("missing.css")


def test_scripts_are_small_and_import_each_other_by_name_only() -> None:
    found = static_files.files().by_name
    scripts = {name: file for name, file in found.items() if name.endswith(".js")}
    assert sum(len(file.packed) for file in scripts.values()) < 15 * 1024
    for name, file in scripts.items():
        text = file.body.decode()
        for imported in re.findall(r'from "([^"]+)"', text):
            assert imported.removeprefix("./") in scripts, f"{name} imports {imported}"
        assert not re.search(FORBIDDEN, text), name
