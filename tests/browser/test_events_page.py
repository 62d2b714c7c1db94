"""The explorer in a real Chromium."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, Visit, Visiting
from tests.support import axe
from tests.support.web import Site, now_us, serving, stamped

ROWS = "table.events tbody tr:not(.space):not(.gap)"
STATES = (
    "/events", "/events?policy=DefaultPosture&q=File&by=action&cols=time,policy,tag,resource,label",
    "/events?q=nothing-like-this", "/events?from=2001-01-01&to=2001-01-02",
)  # fmt: skip
DARK: dict[str, Any] = {"color_scheme": "dark"}


@pytest.fixture
def own(browser: Browser, tmp_path: Path) -> Iterator[tuple[Site, Visit]]:
    """A site that the test may write to."""
    with serving(tmp_path, events=30) as site, Visiting(browser, site) as visit:
        yield site, visit


def asked(page: Page) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(page.url).query)


def event(number: int, at_us: int | None = None) -> tuple[str, dict[str, Any]]:
    values = {"PolicyName": f"arrived-{number}", "HostName": "node-x", "Severity": "7",
              "Operation": "File", "Resource": f"/tmp/{number}", "Action": "Block",
              "Type": "MatchedPolicy", "NamespaceName": "web", "PodName": "pod-x"}  # fmt: skip
    return "alert", stamped(values, at_us or now_us())


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.mark.parametrize("path", STATES)
@pytest.mark.parametrize("context", [{}, DARK, {"viewport": NARROW}], ids=["light", "dark", "360"])
def test_every_state_of_the_page_is_usable_by_everybody(
    visit: Visit, path: str, context: dict[str, Any]
) -> None:
    page = visit(path, **context)
    page.wait_for_function("document.querySelector('[data-theme-toggle]').hidden === false")
    assert axe.violations(page) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], "the page is wider than the screen"


def test_rows_that_the_script_makes_are_those_that_the_server_writes(visit: Visit) -> None:
    page = visit("/events?cols=time,severity,action,policy,pod,tag,label,PID,result")
    served = page.evaluate(
        """async () => {
          const text = await (await fetch(location.href)).text();
          const page = new DOMParser().parseFromString(text, "text/html");
          return [...page.querySelectorAll("table.events tbody tr")].map(row => row.outerHTML);
        }"""
    )
    made = page.evaluate(
        """async () => {
          const {Rows} = await import(document.querySelector('script[src*="events.js"]').src
            .replace("events.js", "rows.js"));
          const host = document.querySelector("[data-rows]");
          const answer = await fetch(host.dataset.pageUrl.replace("size=100", "size=50"));
          return (await answer.json()).events.map(each => new Rows(host).row(each).outerHTML);
        }"""
    )
    assert len(served) == 50
    assert list(map(plain, made)) == list(map(plain, served))


def plain(html: str) -> str:
    """Without what has no meaning: how a URL is written, in which order its members stand, a mark
    of the row in focus."""

    def sorted_query(match: re.Match[str]) -> str:
        query = urlsplit(match[1].replace("&amp;", "&"))
        return f'href="{query.path}?{sorted(parse_qsl(query.query))}"'

    html = re.sub(r' ?class=""', "", re.sub(r">\s+<", "><", html))
    return re.sub(r'href="([^"]*)"', sorted_query, html).replace("dateTime", "datetime")


def test_scrolling_goes_on_to_the_last_event_and_keeps_few_rows(visit: Visit) -> None:
    page = visit("/events")
    total = int(page.locator("[data-total]").get_attribute("data-total") or 0)
    assert total > 300
    # Each event once, in the order of time: what the row says is noted while one goes down.
    seen = page.evaluate(
        """async () => {
          const seen = new Map();
          let most = 0, still = 0;
          while (still < 30) {
            const before = seen.size;
            const rows = document.querySelectorAll("table.events tbody tr:not(.space)");
            most = Math.max(most, rows.length);
            for (const row of rows) {
              const link = row.querySelector("a.open");
              seen.set(link.href, link.querySelector("time").dateTime);
            }
            scrollBy(0, 500);
            await new Promise(resolve => setTimeout(resolve, 30));
            still = seen.size === before ? still + 1 : 0;
          }
          return {times: [...seen.values()], most};
        }"""
    )
    assert len(seen["times"]) == total
    assert seen["times"] == sorted(seen["times"], reverse=True)
    assert seen["most"] < 150


def test_keys_go_from_event_to_event_and_open_one(visit: Visit) -> None:
    page = visit("/events")
    links = page.locator(f"{ROWS} a.open")
    second = links.nth(1).get_attribute("href")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.getAttribute('href')") == second
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.title").startswith("only ")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/events/"))
    assert second is not None
    assert page.url.endswith(second)


def test_keys_reach_search_facets_and_help(visit: Visit) -> None:
    page = visit("/events")
    page.keyboard.press("/")
    page.keyboard.type("j?f")
    expect(page.locator("[data-search]")).to_have_value("j?f")
    page.locator("h1").first.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.closest('.facets') !== null")
    page.keyboard.press("?")
    expect(page.locator("dialog.help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.help")).to_be_hidden()


def test_the_search_box_writes_a_short_url(visit: Visit) -> None:
    page = visit("/events?policy=DefaultPosture")
    page.locator("[data-search]").fill("File")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q="))
    assert asked(page) == [("policy", "DefaultPosture"), ("q", "File")]


def test_the_readers_own_zone_is_offered_first(visit: Visit) -> None:
    page = visit("/events")
    page.locator("summary", has_text="Last 24 hours").click()
    page.locator("[data-zones]").select_option(index=0)
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile("tz="))
    assert asked(page) == [("tz", "Europe/Berlin")]


def test_dragging_over_the_chart_asks_for_that_time(visit: Visit) -> None:
    page = visit("/events?policy=DefaultPosture")
    box = page.locator("svg.timechart").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.73, box["y"] + 60, steps=5)
    expect(page.locator(".brush")).to_be_visible()
    page.mouse.up()
    page.wait_for_url(re.compile("from="))
    said = dict(asked(page))
    assert said["policy"] == "DefaultPosture"
    assert said["from"] < said["to"]
    hours = page.evaluate(f"(Date.parse('{said['to']}') - Date.parse('{said['from']}')) / 36e5")
    assert 4 < hours < 7, "a fifth of 24 hours, rounded to buckets"


def test_the_keyboard_chooses_a_time_on_the_chart(visit: Visit) -> None:
    page = visit("/events")
    chart = page.locator("svg.timechart").first
    interval_us = int(chart.get_attribute("data-interval-us") or 0)
    page.locator(".brushed").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator(".brushed [role=status]")).to_contain_text(" to ")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("from="))
    said = dict(asked(page))
    span_ms = page.evaluate(f"Date.parse('{said['to']}') - Date.parse('{said['from']}')")
    assert span_ms == 3 * interval_us / 1000


def test_a_click_on_the_chart_opens_one_interval(visit: Visit) -> None:
    page = visit("/events")
    chart = page.locator("svg.timechart").first
    start_us, interval_us, buckets = (
        int(chart.get_attribute(f"data-{name}") or 0)
        for name in ("start-us", "interval-us", "buckets")
    )
    box = chart.bounding_box()
    assert box is not None
    wanted = buckets // 2
    page.mouse.click(box["x"] + box["width"] * (wanted + 0.5) / buckets, box["y"] + 60)
    page.wait_for_url(re.compile("from="))
    said = dict(asked(page))
    from_ms, to_ms = (page.evaluate(f"Date.parse('{said[name]}')") for name in ("from", "to"))
    assert from_ms * 1000 == start_us + wanted * interval_us
    assert (to_ms - from_ms) * 1000 == interval_us


def test_a_dragged_column_stands_elsewhere(visit: Visit) -> None:
    page = visit("/events?cols=time,policy,pod,result")
    page.locator("th.c-result").drag_to(page.locator("th.c-policy"))
    page.wait_for_url(re.compile("result"))
    expect(page.locator(".events thead th")).to_have_text(["time", "result", "policy", "pod"])


def test_a_value_is_found_within_a_facet(visit: Visit) -> None:
    page = visit("/events")
    facet = page.locator("[data-facet=policy]")
    name = page.evaluate(
        """async () => (await (await fetch("/api/v1/facets?f=policy&size=100")).json())
          .facets[0].values.at(-1).value"""
    )
    expect(facet).not_to_contain_text(name)
    facet.get_by_role("searchbox").fill(name[3:].upper())
    facet.locator("a.choice", has_text=name).click()
    page.wait_for_url(re.compile("policy="))
    assert asked(page) == [("policy", name)]


def test_colours_are_chosen_and_kept(visit: Visit) -> None:
    page = visit("/events")
    light = page.evaluate("getComputedStyle(document.body).color")
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate("getComputedStyle(document.body).color")
    assert dark != light
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).color") == dark


def test_new_events_come_in_above_and_wait_while_one_reads(own: tuple[Site, Visit]) -> None:
    site, visit = own
    page = visit("/events?policy=!none&cols=time,policy")
    page.keyboard.press("t")
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live")
    assert ("live", "1") in asked(page)
    site.write([event(1)])
    first = page.locator(ROWS).first
    expect(first).to_contain_text("arrived-1")
    page.keyboard.press("j")
    site.write([event(2), event(3)])
    expect(page.locator(".fresh")).to_have_text("2 new")
    expect(first).to_contain_text("arrived-1")
    page.keyboard.press("n")
    expect(first).to_contain_text("arrived-3")
    expect(page.locator(ROWS).nth(1)).to_contain_text("arrived-2")
    expect(page.locator(".fresh")).to_be_hidden()


def test_a_tail_that_was_stopped_goes_on_where_it_was(own: tuple[Site, Visit]) -> None:
    site, visit = own
    page = visit("/events?live=1&cols=time,policy")
    button = page.locator("[data-live]")
    expect(button).to_have_attribute("data-state", "live")
    site.write([event(1)])
    expect(page.locator(ROWS).first).to_contain_text("arrived-1")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    site.write([event(2)])
    button.click()
    page.evaluate("document.activeElement.blur()")
    expect(page.locator(ROWS).first).to_contain_text("arrived-2")
    expect(page.locator(ROWS).nth(1)).to_contain_text("arrived-1")
    expect(page.locator(ROWS, has_text="arrived-1")).to_have_count(1)


def test_a_tail_takes_only_what_was_asked_for(own: tuple[Site, Visit]) -> None:
    site, visit = own
    page = visit("/events?q=arrived-1*&live=1&cols=time,policy&from=now-1h")
    if page.locator(".empty").count():
        site.write([event(10)])
        page.reload()
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live")
    site.write([event(20), event(11)])
    expect(page.locator(ROWS).first).to_contain_text("arrived-11")
    expect(page.locator(".events")).not_to_contain_text("arrived-20")


def test_all_but_brush_and_tail_works_without_a_script(visit: Visit) -> None:
    page = visit("/events?size=50", java_script_enabled=False)
    first = page.locator(f"{ROWS} a.open").first.get_attribute("href")
    page.get_by_role("link", name="Older →").click()
    page.get_by_role("link", name="← Newer").click()
    again = page.locator(f"{ROWS} a.open").first.get_attribute("href")
    assert urlsplit(again).path == urlsplit(first).path
    page.locator("[data-facet=action] a.choice", has_text="Block").click()
    page.locator("summary", has_text="Columns").click()
    page.locator("[name=cols]").last.select_option("node")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".events thead th").last).to_have_text("node")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("link", name="Move node to the left").click()
    expect(page.locator(".events thead th").last).to_have_text("result")
    page.locator(f"{ROWS} a.open").first.focus()
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert (focused.get_attribute("title") or "").startswith("only ")
    expect(focused.locator("..")).to_have_css("opacity", "1")
    page.get_by_role("link", name="Fold repeats").click()
    page.locator(".folded td.number a").first.click()
    count = page.locator("[data-total]").get_attribute("data-total")
    assert int(count or 0) == page.locator(ROWS).count()


def test_a_wrong_query_is_shown_with_its_place(visit: Visit) -> None:
    page = visit("/events?q=polcy:a&namespace=web", status=400)
    expect(page.locator(".pointed mark")).to_have_text("polcy")
    expect(page.locator("[data-search]")).to_have_value("polcy:a")
    expect(page.locator("[data-search]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".chips")).to_contain_text("web")
    assert axe.violations(page) == []


def test_the_tail_does_not_fill_the_memory(own: tuple[Site, Visit]) -> None:
    _, visit = own
    page = visit("/events?cols=time,policy")
    kept = page.evaluate(
        """async () => {
          const base = document.querySelector('script[src*="events.js"]').src;
          const {List} = await import(base.replace("events.js", "list.js"));
          const body = document.querySelector("table.events tbody");
          const list = new List(body, (event) => {
            const row = document.createElement("tr");
            row.append(Object.assign(document.createElement("td"), {textContent: event.name}));
            return row;
          });
          list.append(Array.from({length: 9000}, (_, n) => ({name: `row ${n}`})));
          list.shorten(2000);
          list.draw();
          return [list.items.length, body.rows.length];
        }"""
    )
    assert kept[0] == 2000
    assert kept[1] < 150
