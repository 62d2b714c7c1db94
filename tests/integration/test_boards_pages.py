"""Overview, pages of entities and lists, on a real socket over a real store."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from armorstack.core.boards import BOARDS, LISTS
from armorstack.core.gap import Gap
from armorstack.core.query.asked import Asked, parse_asked
from armorstack.core.query.parse import parse
from armorstack.engines.duckdb.store import Store
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore
from armorstack.store.duckdb import LiveStore
from armorstack.web import board_notes, panels
from armorstack.web.access import token
from armorstack.web.access.owner import folder_of
from armorstack.web.access.register import Record, Register
from armorstack.web.links import PAGES, Links
from armorstack.web.listings import draw as draw_list
from armorstack.web.panel_answers import Answers
from tests.support.elements import Node, parsed
from tests.support.stores import HOUR_US, NOW_US, SECOND_US, Clock, batch, open_store
from tests.support.web import Site, fill, serving

POD = "wordpress-6c9f7d5b8f-q7x2m"
PAGES_OF = {
    "overview": "/", "policy": "/policy?policy=DefaultPosture",
    "pod": f"/pod?namespace=shop&pod={POD}", "namespace": "/namespace?namespace=shop",
    "node": "/node?node=synthetic-node-1",
}  # fmt: skip
EVERY_PAGE = [*PAGES_OF.values(), *(f"/{name}" for name in LISTS)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("boards")) as served:
        yield served


def page(site: Site, path: str) -> Node:
    answer = site.get(path)
    assert answer.status_code == 200, answer.text[:500]
    return parsed(answer.text)


def with_parameter(path: str, parameter: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{parameter}"


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_a_page_shows_its_panels_whole_and_with_values(site: Site, path: str) -> None:
    shown = page(site, path)
    assert shown.all("section", "panel")
    assert "Not shown" not in shown.text
    assert any(link["href"].startswith("/events") for link in shown.one("main").all("a"))


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_ids_are_unique_and_regions_have_names_of_their_own(site: Site, path: str) -> None:
    nodes = list(page(site, path).walk())
    ids = [node["id"] for node in nodes if node["id"]]
    assert len(ids) == len(set(ids))
    regions = [node["aria-label"] for node in nodes if node["role"] == "region"]
    assert len(regions) == len(set(regions))


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_an_unknown_parameter_is_refused(site: Site, path: str) -> None:
    answer = site.get(with_parameter(path, "polcy=x"))
    assert answer.status_code == 400
    assert "polcy" in answer.text


@pytest.mark.parametrize("parameter", ["sort=size", "order=up", "size=0", "size=x", "size=99999"])
def test_a_list_refuses_an_order_that_it_does_not_know(site: Site, parameter: str) -> None:
    assert site.get(f"/pods?{parameter}").status_code == 400


ABOVE = [("policy", "policies"), ("pod", "pods"), ("namespace", "namespaces"), ("node", "nodes")]


@pytest.mark.parametrize(("name", "above"), ABOVE)
def test_without_a_name_the_list_is_shown_instead(site: Site, name: str, above: str) -> None:
    answer = site.get(f"/{name}?from=now-7d")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"/{above}?from=now-7d"


def test_the_heading_names_the_entity_and_the_list_above_keeps_the_span(site: Site) -> None:
    shown = page(site, with_parameter(PAGES_OF["pod"], "from=now-7d"))
    assert POD in shown.one("h1").text
    assert shown.one("p", "above").one("a")["href"] == "/pods?from=now-7d"


def test_the_gap_is_hatched_on_every_chart_of_time_and_listed_once(site: Site) -> None:
    shown = page(site, "/")
    charts = shown.all("svg", "timechart")
    assert len(charts) == 3
    assert all(len(chart.all("rect", "gap")) == 1 for chart in charts)
    assert "not connected" in shown.one("details", "gaps").text


def test_times_are_in_the_zone_that_was_asked_for(site: Site) -> None:
    shown = page(site, "/?tz=Asia/Kathmandu")
    assert "Time (Asia/Kathmandu)" in shown.text
    title = shown.panel("latest").all("time")[0]["title"]
    assert "+05:45" in title


def test_a_bucket_narrows_the_page_to_what_it_counted(site: Site) -> None:
    rows = page(site, "/?to=now").panel("time").one("tbody").all("tr")
    row = rows[len(rows) // 2]
    href, told = row.one("a")["href"], row.all("td")[0].text
    assert page(site, href).panel("alerts").one("p", "big").text == told


def test_default_posture_is_told_and_can_be_left_out_and_taken_in_again(site: Site) -> None:
    shown = page(site, "/")
    whole = shown.panel("alerts").one("p", "big").text
    hint = shown.one("p", "hint")
    assert f"of {whole} alerts" in hint.text
    without = page(site, hint.one("a")["href"])
    named = int(hint.text.split()[0].replace(",", ""))
    left = int(without.panel("alerts").one("p", "big").text.replace(",", ""))
    assert left == int(whole.replace(",", "")) - named
    assert without.one("p", "hint").one("a")["href"] == "/"


def names(shown: Node) -> list[str]:
    return [row.one("th").text for row in shown.one("table", "groups").one("tbody").all("tr")]


def test_a_list_is_sorted_as_its_heads_say_and_again_the_other_way(site: Site) -> None:
    shown = page(site, "/policies")
    counts = [int(row.all("td")[0].text) for row in shown.one("tbody").all("tr")]
    assert counts == sorted(counts, reverse=True)
    by_name = page(site, "/policies?sort=name")
    assert names(by_name) == sorted(names(shown), key=lambda name: name.replace("(none)", ""))
    heads = [head for head in by_name.one("thead").all("th") if head["aria-sort"]]
    assert [head["aria-sort"] for head in heads] == ["ascending"]
    back = page(site, heads[0].one("a")["href"])
    assert names(back) == names(by_name)[::-1]


def test_a_list_shows_some_and_leads_to_more(site: Site) -> None:
    shown = page(site, "/policies?size=2")
    assert len(names(shown)) == 2
    more = shown.one("p", "rest").one("a")
    assert more.text.startswith("2 of ")
    assert len(names(page(site, more["href"]))) > 2


def test_a_list_tells_what_was_blocked_and_what_audited(site: Site) -> None:
    rows = page(site, "/policies").one("tbody").all("tr")
    total = [sum(int(row.all("td")[n].text.replace("–", "0")) for row in rows) for n in (1, 2)]
    shown = page(site, "/")
    told = [int(shown.panel(id_).one("p", "big").text) for id_ in ("blocked", "audited")]
    assert total == told
    assert all(told)


def test_filters_of_the_url_hold_on_the_page_of_an_entity(site: Site) -> None:
    whole = page(site, PAGES_OF["pod"]).panel("alerts").one("p", "big").text
    blocked = page(site, with_parameter(PAGES_OF["pod"], "action=Block"))
    assert blocked.panel("alerts").one("p", "big").text == blocked.panel("blocked").one("p").text
    assert int(blocked.panel("alerts").one("p", "big").text) < int(whole)


def test_a_token_for_one_namespace_sees_no_name_of_another(site: Site) -> None:
    restricted_token = restricted(site, "names")
    for path in ("/", "/policies", "/pods", "/namespaces", "/nodes", PAGES_OF["node"]):
        answer = site.get(path, restricted_token)
        assert answer.status_code == 200
        assert POD not in answer.text
        assert "/namespace?namespace=shop" not in answer.text
    assert "mysql-0" in site.get("/pods", restricted_token).text


def restricted(site: Site, name: str) -> str:
    """A token for the namespace `data` alone."""
    text = token.make()
    Register(folder_of(str(site.data_dir))).add(
        Record(name, token.digest(text), made_s=0, namespaces=("data",))
    )
    return text


def test_a_node_s_page_says_when_it_was_heard_last_to_who_may_see_everything(site: Site) -> None:
    path = PAGES_OF["node"]
    assert "synthetic-node-1 was heard last at" in page(site, path).text
    assert "heard last" not in page(site, "/node?node=other").text
    assert "heard last" not in site.get(path, restricted(site, "heard")).text


def test_nothing_in_the_span_says_when_the_newest_event_was_and_leads_there(site: Site) -> None:
    shown = page(site, "/?from=2020-01-01&to=2020-01-02")
    links = {link.text: link["href"] for link in shown.one("section", "empty").all("a")}
    assert "newest event" in shown.one("section", "empty").text
    assert "No events match" not in page(site, links["All time"]).text
    assert "No events match" not in page(site, links["The day before the newest event"]).text


def test_filters_that_match_nothing_can_be_taken_away(site: Site) -> None:
    shown = page(site, "/pods?namespace=nowhere")
    links = {link.text: link["href"] for link in shown.one("section", "empty").all("a")}
    assert names(page(site, links["Without filters"]))


def test_a_store_without_events_leads_to_why(tmp_path: Path) -> None:
    with serving(tmp_path, events=0) as empty:
        for path in ("/", "/pods", "/policy?policy=x"):
            shown = page(empty, path)
            assert "No events yet" in shown.text
            assert shown.one("section", "empty").one("a")["href"] == "/status"


# What follows asks a store without a server, at a time that stands.


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(tmp_path_factory.mktemp("filled"))
    fill(store)
    yield store
    store.close()


def asked(*pairs: tuple[str, str]) -> Asked:
    return parse_asked([("from", "all"), *pairs], NOW_US, parse)


def drawn(store: EventStore, board: str, at: Asked) -> list[panels.Drawn]:
    answers = Answers(BOARDS[board], at, store, Budget(60))
    return list(panels.draw(BOARDS[board], answers, Links(at, "/here")))


def told(url: str) -> Asked:
    return parse_asked(parse_qsl(urlsplit(url).query, keep_blank_values=True), NOW_US, parse)


def rows(body: Node, class_: str) -> list[Node]:
    return [row for table in body.all("table", class_) for row in table.one("tbody").all("tr")]


def counted(body: Node) -> list[tuple[str, str]]:
    """Links of a panel's body, with the number that stands beside each."""
    found = [(row.one("th").all("a"), row.all("td")[0].text) for row in rows(body, "bars")]
    cells = [cell for row in rows(body, "heatmap") for cell in row.all("td")]
    cells += [cell for row in rows(body, "groups") for cell in row.all("td", "n")]
    found += [(cell.all("a"), cell.text) for cell in cells]
    items = [item for legend in body.all("ul", "legend") for item in legend.all("li")]
    found += [(item.all("a"), item.one("span", "n").text) for item in items]
    links = [link for rest in body.all("p", "rest") for link in rest.all("a")]
    found += [([link], link.text.split()[0]) for link in links if "without a value" in link.text]
    return [(links[0]["href"], number) for links, number in found if links]


@pytest.mark.parametrize(
    ("board", "pairs"),
    [
        ("overview", []),
        ("overview", [("q", "severity>=5 or operation:File"), ("policy", "!DefaultPosture")]),
        ("policy", [("policy", "harden-wordpress-crypto-miners")]),
        ("pod", [("namespace", "shop"), ("pod", POD)]),
        ("namespace", [("namespace", "shop")]),
        ("node", [("node", "synthetic-node-1")]),
    ],
)
def test_every_number_is_what_its_link_asks_for(
    filled: Store, board: str, pairs: list[tuple[str, str]]
) -> None:
    store, checked = LiveStore(filled), 0
    for each in drawn(store, board, asked(*pairs)):
        by_events = each.panel.drill == "events" or each.panel.kind != "bars"
        for href, number in counted(parsed(each.body)):
            at = told(href)
            question = at.question
            if urlsplit(href).path in (*PAGES.values(),) and not by_events:
                # The page of an entity shows all of it; the panel counted what it selects.
                question = question.narrowed(parse(each.panel.select, 0))
            found = store.count(question, Budget(60))
            assert f"{found:,}" == number, f"{each.panel.id}: {href}"
            checked += 1
    assert checked >= 10


def test_numbers_of_groups_are_those_of_distinct_values(filled: Store) -> None:
    shown = {
        each.panel.id: parsed(each.body).text
        for each in drawn(LiveStore(filled), "overview", asked())
    }
    table = filled.query(
        "SELECT count(DISTINCT (namespace_name, pod_name)) FILTER (pod_name <> '') AS pods, "
        "count(DISTINCT policy_name) FILTER (policy_name NOT IN ('', 'DefaultPosture')) AS "
        "policies, count(DISTINCT host_name) AS nodes FROM events WHERE stream = 'alert'"
    ).to_pylist()[0]
    assert {name: int(shown[name]) for name in table} == table


def test_a_panel_whose_time_is_up_says_so_and_the_page_is_shown(filled: Store) -> None:
    at = asked()
    answers = Answers(BOARDS["overview"], at, LiveStore(filled), Budget(0.0))
    shown = panels.draw(BOARDS["overview"], answers, Links(at, "/"))
    assert len(shown) == len(BOARDS["overview"].panels)
    assert all("Not shown" in each.body for each in shown)
    assert board_notes.posture(answers, Links(at, "/")) == ""
    assert board_notes.nothing(answers, Links(at, "/"), LiveStore(filled)) is None


def test_pods_of_one_name_in_two_namespaces_are_two(tmp_path: Path) -> None:
    store = open_store(tmp_path, Clock())
    for number, namespace in enumerate(("a", "b")):
        store.write(batch(number + 1, [namespace], at_us=NOW_US - SECOND_US,
                          namespace_name=namespace, pod_name="redis-0"))  # fmt: skip
    at = asked()
    answers = Answers(LISTS["pods"], at, LiveStore(store), Budget(60))
    shown = parsed(draw_list(LISTS["pods"].panels[0], answers, Links(at, "/pods")))
    assert sorted(names(shown)) == ["a", "b"]
    # Their trends cannot be told apart by the pod's name alone, so none is shown.
    assert shown.all("svg", "spark") == []
    number = next(
        each for each in drawn(LiveStore(store), "overview", at) if each.panel.id == "pods"
    )
    assert parsed(number.body).text == "2"
    store.close()


def test_a_gap_of_another_node_is_not_shown_on_a_node_s_page(tmp_path: Path) -> None:
    store = open_store(tmp_path, Clock())
    gaps = [Gap(reason="throttled", source="relay", node=node, start_us=NOW_US - HOUR_US,
                end_us=NOW_US - HOUR_US + SECOND_US) for node in ("node-1", "node-2")]  # fmt: skip
    gaps.append(Gap(reason="stop", source="relay", start_us=NOW_US - 2 * HOUR_US,
                    end_us=NOW_US - HOUR_US))  # fmt: skip
    store.write(batch(1, ["x"], at_us=NOW_US - 3 * HOUR_US, host_name="node-1", gaps=gaps))
    at = parse_asked([("node", "node-1")], NOW_US, parse)
    found = drawn(LiveStore(store, Clock()), "node", at)
    (chart,) = [parsed(each.body) for each in found if each.panel.id == "time-stream"]
    listed = chart.one("details", "gaps").text
    assert "node-1" in listed
    assert "stopped" in listed
    assert "node-2" not in listed
    store.close()
