"""The boards that come with armorstack, and where their values lead."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest

from armorstack.core.boards import BOARDS, LISTS
from armorstack.core.panels import Panel
from armorstack.core.query.asked import Asked, parse_asked
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.parse import parse
from armorstack.web.links import Links, both
from armorstack.web.listings import ALSO, Sorting, sorting
from armorstack.web.panel_answers import Answers
from armorstack.web.panels import HEADS
from tests.support.hostile import TEXTS

NOW = 1_795_446_000_000_000
ALL_PANELS = [
    pytest.param(panel, id=f"{board.id}-{panel.id}")
    for board in (*BOARDS.values(), *LISTS.values())
    for panel in board.panels
]


def asked(*pairs: tuple[str, str], also: tuple[str, ...] = ()) -> Asked:
    return parse_asked(pairs, NOW, parse, also)


def followed(url: str) -> tuple[str, Asked]:
    """The page that the URL leads to, and what it asks of it."""
    parts = urlsplit(url)
    return parts.path, asked(*parse_qsl(parts.query, keep_blank_values=True))


@pytest.mark.parametrize("panel", ALL_PANELS)
def test_a_panel_names_fields_canonically_and_selects_in_our_language(panel: Panel) -> None:
    assert all(field in QUERY_FIELDS for field in panel.fields)
    parse(panel.select, 0)
    assert panel.columns in (2, 3, 4, 6, 8, 12)
    if panel.kind == "table":
        assert all(field in HEADS for field in panel.fields)
    if panel.kind == "heatmap":
        assert len(panel.fields) == 2


@pytest.mark.parametrize("board", [*BOARDS.values(), *LISTS.values()], ids=lambda board: board.id)
def test_ids_of_a_board_are_its_own_and_fit_into_a_page(board: object) -> None:
    ids = [panel.id for panel in board.panels]  # type: ignore[attr-defined]
    assert len(set(ids)) == len(ids)
    assert all(id_.replace("-", "").isalnum() for id_ in ids)


def _rows(board: object) -> Iterator[int]:
    width = 0
    for panel in board.panels:  # type: ignore[attr-defined]
        width += panel.columns
        if width >= 12:
            yield width
            width = 0
    if width:
        yield width


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.id)
def test_panels_fill_the_lines_of_a_board(board: object) -> None:
    assert set(_rows(board)) == {12}


def test_what_the_seed_asked_for_is_on_the_pages() -> None:
    policy = {panel.id: panel for panel in BOARDS["policy"].panels}
    pod = {panel.id: panel for panel in BOARDS["pod"].panels}
    assert policy["pod-action"].fields == ("pod", "action")
    assert pod["by-policy"].fields == ("policy",)
    assert {pod[id_].fields for id_ in ("severities", "types", "operations", "actions")} == {
        ("severity",), ("type",), ("operation",), ("action",),
    }  # fmt: skip


PODS = Panel(id="pods", title="", kind="bars", fields=("namespace", "pod"), drill="pod")
BLOCKED = Panel(id="x", title="", kind="bars", fields=("operation",), select="action:Block")


def test_a_value_leads_to_its_page_with_span_and_zone() -> None:
    at = asked(("from", "now-7d"), ("tz", "Asia/Tokyo"), ("severity", "7.."))
    path, there = followed(Links(at, "/").of(PODS, ("shop", "web")))
    assert path == "/pod"
    assert (there.start, there.tz) == ("now-7d", "Asia/Tokyo")
    assert {pick.field: pick.include for pick in there.picks} == {
        "namespace": ("shop",), "pod": ("web",), "severity": ("7..",),
    }  # fmt: skip


def test_an_absent_entity_has_no_page_but_events() -> None:
    path, there = followed(Links(asked(), "/").of(PODS, ("shop", "")))
    assert path == "/events"
    assert {pick.field: pick.include for pick in there.picks}["pod"] == ("",)


def test_events_are_narrowed_by_the_panel_s_select_and_by_the_query() -> None:
    links = Links(asked(("q", "pod:a or pod:b")), "/")
    _, there = followed(links.events(BLOCKED, ("File",)))
    assert there.where == parse("(pod:a or pod:b) and action:Block", NOW)
    assert there.picks[0].include == ("File",)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [("", "", ""), ("a", "", "a"), ("", "b", "b"), ("a", "a", "a"),
     ("a or b", "c", "(a or b) and (c)")],
)  # fmt: skip
def test_two_queries_hold_together(one: str, other: str, together: str) -> None:
    assert both(one, other) == together


def test_a_value_takes_the_place_of_what_was_picked_of_its_field() -> None:
    links = Links(asked(("operation", "File"), ("operation", "Process")), "/")
    _, there = followed(links.events(BLOCKED, ("File",)))
    assert there.picks[0].include == ("File",)


@pytest.mark.parametrize("text", TEXTS)
def test_a_hostile_value_is_picked_as_it_is(text: str) -> None:
    path, there = followed(Links(asked(), "/").of(PODS, (text, text)))
    assert path == "/pod"
    assert [pick.include for pick in there.picks] == [(text,), (text,)]


def test_a_bucket_narrows_the_page_but_never_beyond_what_is_asked() -> None:
    at = asked(("from", "2026-11-23T12:30:00Z"), ("to", "2026-11-23T13:30:00Z"), ("pod", "a"))
    assert at.start_us is not None
    hour_us = 3_600_000_000
    noon_us = at.start_us - hour_us // 2
    path, there = followed(Links(at, "/policy").span(noon_us, noon_us + hour_us))
    assert path == "/policy"
    assert (there.start_us, there.end_us) == (at.start_us, noon_us + hour_us)
    assert there.picks == at.picks
    assert Links(at, "/policy").span(noon_us - hour_us, noon_us) == ""


def test_parameters_of_a_list_stay_with_the_list() -> None:
    at = asked(("sort", "name"), also=ALSO)
    assert Links(at, "/pods").of(PODS, ("a", "b")) == "/pod?namespace=a&pod=b"
    assert "sort=name" in Links(at, "/pods").page(at)


def test_on_paper_nothing_leads_anywhere() -> None:
    links = Links(asked())
    row = {"id": b"\0" * 32, "time": NOW}
    assert {
        links.of(PODS, ("a", "b")), links.events(PODS), links.pick(PODS, "pod", "a"),
        links.span(0, 1), links.event(row), links.page(asked()), links.all_of(PODS),
    } == {""}  # fmt: skip


def test_a_panel_counts_what_is_picked_also_of_its_own_field() -> None:
    at = asked(("policy", "a"), ("policy", "b"), ("q", "severity>=7"))
    answers = Answers(BOARDS["overview"], at, None, None)  # type: ignore[arg-type]
    question = answers.question("stream:alert")
    assert question.picks == ()
    assert question.where == parse("severity>=7 and policy:('a' or 'b') and stream:alert", NOW) or (
        question.tree(without="policy") == question.where
    )


def test_a_list_is_sorted_by_count_unless_the_url_says_otherwise() -> None:
    (panel,) = LISTS["pods"].panels
    assert sorting(asked(), panel) == Sorting("count", "descending", panel.size)
    by_name = asked(("sort", "name"), ("size", "7"), also=ALSO)
    assert sorting(by_name, panel) == Sorting("name", "ascending", 7)
    other = asked(("sort", "last"), ("order", "ascending"), also=ALSO)
    assert sorting(other, panel) == Sorting("last", "ascending", panel.size)
