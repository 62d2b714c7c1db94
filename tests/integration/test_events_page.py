"""The explorer over a real store, asked as a browser without JavaScript would."""

import gzip
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from armorstack.core.batch import Batch
from armorstack.web.access import token
from armorstack.web.access.owner import folder_of
from armorstack.web.access.register import Record, Register
from tests.support import hostile
from tests.support.web import Site, now_us, serving

TOTAL = re.compile(r'data-total="(\d+)"')
OPEN = re.compile(r'<a class="open" href="(/events/[^"?]+)')
FACET = re.compile(r'<details class="facet" data-facet="([^"]+)".*?</details>', re.DOTALL)
CHOICE = re.compile(
    r'<a class="choice" href="([^"]*)".*?<span class="n">([\d,]+)</span>', re.DOTALL
)
FIRST_LOAD = 60 * 1024


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site"), events=240) as served:
        yield served


def get(site: Site, path: str, status: int = 200, **options: Any) -> str:
    answer: httpx.Response = site.get(path, **options)
    assert answer.status_code == status, answer.text[:2000]
    return answer.text


def total(text: str) -> int:
    found = TOTAL.search(text)
    return int(found[1]) if found else 0


def link(text: str, label: str) -> str:
    found = re.search(rf'<a[^>]*href="([^"]+)"[^>]*>{re.escape(label)}</a>', text)
    return html.unescape(found[1]) if found else ""


def test_pages_show_each_event_once_and_lead_back(site: Site) -> None:
    path, pages = "/events", []
    while path:
        text = get(site, path)
        pages.append(OPEN.findall(text))
        path = link(text, "Older →")
    shown = [event for page in pages for event in page]
    assert len(shown) == len(set(shown)) == total(get(site, "/events")) > 200
    newer = link(text, "← Newer")
    assert OPEN.findall(get(site, newer)) == pages[-2]
    assert OPEN.findall(get(site, link(text, "Newest"))) == pages[0]


def test_each_facet_value_leads_to_as_many_events_as_it_says(site: Site) -> None:
    text = get(site, "/events?wide=policy")
    facets = {match[1]: match[0] for match in FACET.finditer(text)}
    assert list(facets)[:3] == ["stream", "namespace", "pod"]
    for name in ("severity", "action", "policy", "namespace"):
        choices = CHOICE.findall(facets[name])
        assert choices, name
        for url, count in choices[:4]:
            assert total(get(site, html.unescape(url))) == int(count.replace(",", "")), url


def test_a_picked_value_is_marked_and_its_link_lets_it_go(site: Site) -> None:
    text = get(site, "/events?action=Block&namespace=!container_namespace")
    wanted = re.search(r'<li class="wanted"><a class="choice" href="([^"]*)" aria-current', text)
    avoided = re.search(r'<li class="avoided"><a class="choice" href="([^"]*)"', text)
    assert wanted
    assert html.unescape(wanted[1]) == "/events?namespace=%21container_namespace"
    assert avoided
    assert html.unescape(avoided[1]) == "/events?action=Block"


def test_the_histogram_counts_what_the_table_lists(site: Site) -> None:
    for by in ("severity", "action", "tag", "pod"):
        text = get(site, f"/events?by={by}&stream=alert&size=200")
        assert total(text) == len(OPEN.findall(text)) > 50
        assert 'class="timechart"' in text
        assert "1 gap" in text


def test_each_layer_of_the_histogram_leads_to_as_many_events_as_it_says(site: Site) -> None:
    for by in ("severity", "operation"):
        text = get(site, f"/events?by={by}")
        legend = text[text.index('<ul class="legend">') :].partition("</ul>")[0]
        layers = re.findall(r'<a href="([^"]+)".*?<span class="n">([\d,]+)</span>', legend)
        assert len(layers) > 3
        for url, count in layers:
            assert total(get(site, html.unescape(url))) == int(count.replace(",", "")), url


def test_folded_lines_lead_to_their_events(site: Site) -> None:
    text = get(site, "/events?fold=1&stream=alert")
    lines = re.findall(r'number"><a href="([^"]+)" title="its events">([\d,]+)</a>', text)
    assert len(lines) > 5
    for url, count in lines[:6]:
        assert total(get(site, html.unescape(url))) == int(count)


def test_a_wrong_query_is_pointed_at_and_all_else_is_kept(site: Site) -> None:
    text = get(site, "/events?q=pod:a+polcy:%3Cb%3E&action=Block&from=now-7d", status=400)
    assert "pod:a <mark>polcy</mark>:&lt;b&gt;" in text
    assert "policy" in text
    assert 'value="pod:a polcy:&lt;b&gt;"' in text
    assert '<input type="hidden" name="action" value="Block">' in text
    assert "Last 7 days" in text


def test_an_empty_page_says_that_filters_are_the_reason(site: Site) -> None:
    text = get(site, "/events?policy=no-such-policy&q=File")
    assert "Nothing matches these filters" in text
    assert re.search(r"there are \d+ events without them", text)
    assert total(get(site, link(text, "Without any filter"))) > 200
    assert "from=all" in link(text, "The same at any time")


def test_an_empty_page_says_that_the_time_is_the_reason(site: Site) -> None:
    text = get(site, "/events?from=2001-01-01&to=2001-01-02&policy=x")
    assert "No events in this time" in text
    around = get(site, "/events?from=2001-01-01&to=2001-01-02")
    assert total(get(site, link(around, "Around the newest event"))) > 0


def test_an_empty_store_leads_to_the_status(tmp_path: Path) -> None:
    with serving(tmp_path, events=0) as empty:
        text = get(empty, "/events")
    assert "No events have been stored yet" in text
    assert '<a href="/status">' in text


@pytest.mark.parametrize(
    ("path", "told"),
    [("/events?colour=red", "no parameter"), ("/events?cols=polcy", "no column"),
     ("/events?refresh=1ms", "is not offered"), ("/events?before=x", "is no place")],
)  # fmt: skip
def test_what_is_not_known_is_refused(site: Site, path: str, told: str) -> None:
    assert told in html.unescape(get(site, path, status=400))


def test_a_token_of_one_namespace_sees_no_trace_of_others(site: Site) -> None:
    theirs = token.make()
    record = Record("one", token.digest(theirs), made_s=0, namespaces=("container_namespace",))
    Register(folder_of(str(site.data_dir))).add(record)
    text = get(site, "/events?cols=time,namespace,pod,node,policy&size=200", token=theirs)
    assert 0 < total(text) < total(get(site, "/events"))
    assert set(re.findall(r'f-namespace"><span class="value" title="([^"]*)"', text)) == {
        "container_namespace"
    }
    assert "wordpress-mysql" not in text
    hidden = get(site, "/events?namespace=wordpress-mysql", token=theirs)
    assert not OPEN.findall(hidden)
    assert total(hidden) == 0


def test_hostile_text_is_shown_and_does_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, events=0) as attacked:
        attacked.store.write(Batch(hostile.rows(now_us() - 1000, long=True), (), 99_999))
        columns = "time,severity,action,policy,pod,process,resource,result,message,label,tag,data"
        for path in (f"/events?size=200&cols={columns}", "/events?fold=1&wide=policy&wide=pod",
                     "/events?by=policy&wide=tag"):  # fmt: skip
            text = get(attacked, path)
            assert len(text) < 4_000_000
            found = re.findall(r"<(script|img|svg|b|style|iframe)\b([^>]*)", text)
            assert all("onload" not in rest and "onerror" not in rest for _, rest in found)
            assert not [name for name, _ in found if name in ("img", "b", "style", "iframe")]
            assert all("src=" in rest for name, rest in found if name == "script")
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
            assert not re.search(r'href="(?!/|#)', text)


def test_a_first_visit_costs_less_than_60_kib(site: Site) -> None:
    headers = {"accept-encoding": "gzip", "authorization": f"Bearer {site.token}"}
    with httpx.Client(base_url=site.url, headers=headers, trust_env=False, timeout=30) as client:
        for path in ("/events", "/", "/status", "/executed", "/policies", "/nodes"):
            spent, text = wire(client, path)
            names = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text))
            names |= {imported for name in names for imported in imports(client, name)}
            spent += sum(wire(client, name)[0] for name in names)
            assert spent < FIRST_LOAD, f"{path}: {spent} bytes"


def imports(client: httpx.Client, url: str) -> set[str]:
    """Modules that this one needs, and theirs."""
    if not url.endswith(".js"):
        return set()
    folder = url.rpartition("/")[0]
    found = {f"{folder}/{name}" for name in re.findall(r'from "\./([^"]+)"', wire(client, url)[1])}
    return found.union(*(imports(client, name) for name in found if name != url))


def wire(client: httpx.Client, path: str) -> tuple[int, str]:
    """Bytes on the wire, and the text."""
    with client.stream("GET", path) as answer:
        packed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip", path
    return len(packed), gzip.decompress(packed).decode()


def test_static_files_are_kept_for_ever_under_their_hash_only(site: Site) -> None:
    found = re.search(r'href="(/static/\w+/base\.css)"', get(site, "/events"))
    assert found
    kept = site.get(found[1], token="")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert kept.headers["content-type"] == "text/css; charset=utf-8"
    old = site.get("/static/000000000000/base.css", token="")
    assert old.text == kept.text
    assert old.headers["cache-control"] == "no-cache"
    for path in ("/static/x/missing.css", "/static/x/..%2frender.py", "/static/x/render.py"):
        assert site.get(path, token="").status_code == 404
