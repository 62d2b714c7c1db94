"""The page of one event, over a real store and a real socket."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from armorstack.core.batch import SCHEMA
from armorstack.core.query.asked import parse_asked
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Question
from armorstack.core.text import UNSAFE
from armorstack.errors import QueryStopped
from armorstack.sample.replay import stamped
from armorstack.store.budget import Budget
from armorstack.store.cursor import encode_id
from armorstack.web.desk import Grant
from armorstack.web.pages.event_fields import GROUPS
from tests.support import hostile
from tests.support.pages import Pages, serving
from tests.support.stores import DAY_US, NOW_US, id_of, rows


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    with serving(tmp_path / "store") as found:
        yield found


def stored(pages: Pages) -> list[dict[str, Any]]:
    """The newest first."""
    return list(pages.asked().events(Question(), Budget(), size=500).rows)


def named(pages: Pages, process: str, **more: Any) -> dict[str, Any]:
    return next(
        row for row in stored(pages)
        if row.get("process_name") == process and more.items() <= row.items()
    )  # fmt: skip


def url_of(row: dict[str, Any], **more: str) -> str:
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/events/{encode_id(row['id'])}?near={row['time']}{extra}"


def links(text: str, path: str) -> list[str]:
    return [html.unescape(url) for url in re.findall(r'href="([^"]*)"', text)
            if html.unescape(url).startswith(path)]  # fmt: skip


def section(text: str, id_: str) -> str:
    return text.split(f'aria-labelledby="{id_}"')[1].split("</section>")[0]


def test_the_page_says_what_happened_and_shows_every_field(pages: Pages) -> None:
    pages.perform()
    row = named(pages, "/usr/bin/apt-get", stream="alert")
    text = pages.text(url_of(row))
    assert "<h1>Blocked: /usr/bin/bash tried to run /usr/bin/apt-get install -y nmap" in text
    for value in ("harden-wordpress-pkg-mngr-exec", "NIST_800-53_CM-7(4)", "tier=frontend",
                  "lsm=SECURITY_BPRM_CHECK", "synthetic-node-1", row["container_id"]):  # fmt: skip
        assert html.escape(str(value)) in text


def test_every_column_of_the_schema_is_in_exactly_one_group() -> None:
    shown = [column for _, columns in GROUPS for column in columns]
    assert sorted(shown) == sorted(set(SCHEMA.names) - {"original"})


def test_the_original_and_the_ecs_document_are_whole(pages: Pages) -> None:
    pages.perform()
    row = named(pages, "/usr/bin/apt-get", stream="alert")
    documents = [
        msgspec.json.decode(html.unescape(found))
        for found in re.findall(r"<pre[^>]*>(.*?)</pre>", pages.text(url_of(row)), re.DOTALL)
    ]
    original, ecs = documents
    assert original["PolicyName"] == "harden-wordpress-pkg-mngr-exec"
    assert original["Owner"] == {"Ref": "Deployment", "Name": "wordpress", "Namespace": "shop"}
    assert ecs["event"]["outcome"] == "failure"
    assert ecs["process"]["pid"] == row["host_pid"]


def test_picks_lead_to_events_that_have_the_value_or_have_not(pages: Pages) -> None:
    pages.perform()
    row = named(pages, "/usr/bin/apt-get", stream="alert")
    all_ = pages.asked().count(Question(), Budget())
    found = links(pages.text(url_of(row)), "/events?")
    picked = [url for url in found if "pod=" in url or "tag=" in url or "label=" in url]
    assert len(picked) > 8
    for url in picked:
        asked = parse_asked(parse_qsl(urlsplit(url).query), NOW_US, parse)
        count = pages.asked().count(asked.question, Budget())
        assert 0 < count < all_, url


def test_picks_of_an_old_event_ask_for_all_times(pages: Pages) -> None:
    pages.write_rows(rows([("old", NOW_US - 20 * DAY_US)], pod_name="web"))
    (row,) = stored(pages)
    found = [url for url in links(pages.text(url_of(row)), "/events?") if "pod=web" in url]
    assert found
    assert all("from=all" in url for url in found)


def test_the_tree_shows_who_began_it_and_what_it_began(pages: Pages) -> None:
    pages.perform()
    tree = section(pages.text(url_of(named(pages, "/usr/bin/dash"))), "tree")
    names = re.findall(r"<code>([^<]+)</code>", tree)
    assert names[:5] == [
        "/usr/sbin/apache2", "/usr/sbin/apache2", "/usr/bin/dash", "/usr/bin/bash", "/usr/bin/cat",
    ]  # fmt: skip
    assert tree.count('aria-current="true"') == 1


def test_the_tree_stays_in_the_container(pages: Pages) -> None:
    same = {"host_pid": 7, "host_ppid": 3, "host_name": "n1", "process_name": "/bin/a"}
    pages.write_rows(rows([("this", NOW_US)], container_id="c1", **same))
    pages.write_rows(rows([("other", NOW_US - 1)], container_id="c2", **same))
    pages.write_rows(rows([("host", NOW_US - 2)], **same))
    (row,) = [each for each in stored(pages) if each["resource"] == "this"]
    text = pages.text(url_of(row))
    for part in ("tree", "neighbours"):
        assert encode_id(id_of("other")) not in section(text, part)
        assert encode_id(id_of("host")) not in section(text, part)


def test_neighbours_are_the_nearest_of_the_container_on_both_sides(pages: Pages) -> None:
    pages.write_rows(rows([(n, NOW_US - n * 1000) for n in range(40)], container_id="c"))
    row = next(each for each in stored(pages) if each["resource"] == "20")
    found = re.findall(r"(?:tried to|ed) act on (\d+)|act on (\d+)",
                       section(pages.text(url_of(row)), "neighbours"))  # fmt: skip
    assert [int(a or b) for a, b in found] == list(range(28, 11, -1))


def test_newer_and_older_stay_within_what_was_asked(pages: Pages) -> None:
    for name in ("a", "b"):
        pages.write_rows(rows([(f"{name}{n}", NOW_US - n * 1000) for n in range(5)], pod_name=name))
    row = next(each for each in stored(pages) if each["resource"] == "a2")
    text = pages.text(url_of(row, pod="a"))
    (newer,) = re.findall(r'href="([^"]*)" rel="prev"', text)
    (older,) = re.findall(r'href="([^"]*)" rel="next"', text)
    assert encode_id(id_of("a1")) in newer
    assert encode_id(id_of("a3")) in older
    assert "pod=a" in newer
    assert "pod=a" in older


def test_an_event_outside_of_the_span_has_neighbours_of_all_times(pages: Pages) -> None:
    pages.write_rows(rows([(n, NOW_US - n * DAY_US) for n in (20, 21, 22)]))
    row = next(each for each in stored(pages) if each["resource"] == "21")
    text = pages.text(url_of(row))
    assert encode_id(id_of(20)) in re.findall(r'href="([^"]*)" rel="prev"', text)[0]
    assert encode_id(id_of(22)) in re.findall(r'href="([^"]*)" rel="next"', text)[0]


def test_repeats_are_counted_and_lead_to_themselves(pages: Pages) -> None:
    beat = {"Type": "ContainerLog", "Operation": "File", "Resource": "/etc/x", "PodName": "web",
            "NamespaceName": "shop", "Result": "Passed", "HostName": "n1"}  # fmt: skip
    pages.write(*[("log", stamped(beat, NOW_US - n)) for n in range(7)],
                ("log", stamped(beat | {"Resource": "/etc/y"}, NOW_US)))  # fmt: skip
    row = next(each for each in stored(pages) if each["resource"] == "/etc/x")
    text = pages.text(url_of(row))
    (url,) = re.findall(r'<a href="([^"]*)">7 times</a> within 12 hours', text)
    asked = parse_asked(parse_qsl(urlsplit(html.unescape(url)).query), NOW_US, parse)
    assert pages.asked().count(asked.question, Budget()) == 7


def test_an_unknown_id_and_what_is_no_id_are_not_found(pages: Pages) -> None:
    for id_ in ("A" * 43, "nonsense", "%00", "A" * 4000):
        answer = pages.get(f"/events/{id_}")
        assert answer.status_code == 404
        assert "<h1>" in answer.text


def test_an_unknown_parameter_is_refused_with_the_list(pages: Pages) -> None:
    answer = pages.get(f"/events/{'A' * 43}?nonsense=1")
    assert answer.status_code == 400
    assert "<code>namespace</code>" in answer.text
    assert pages.get(f"/events/{'A' * 43}?near=x").status_code == 400


def test_whoever_may_not_see_the_namespace_does_not_see_the_event(pages: Pages) -> None:
    pages.perform()
    row = named(pages, "/usr/bin/apt-get", stream="alert")
    pages.door.grant = Grant("guest", namespaces=("data",))
    assert pages.get(url_of(row)).status_code == 404
    pages.door.grant = Grant("guest", namespaces=("shop",))
    assert pages.get(url_of(row)).status_code == 200


def test_no_text_of_an_event_leaves_its_place(pages: Pages) -> None:
    pages.write_rows(hostile.rows())
    found = stored(pages)
    assert len(found) == len(hostile.TEXTS) + 1
    # All of them: tests/unit/test_pages_event.py.
    for row in [*found[::12], *(row for row in found if len(row["resource"]) > 1000)]:
        text = pages.text(url_of(row))
        assert len(text) < 400_000
        body = re.sub(r"[\n]", "", text)
        assert not UNSAFE.search(body)
        for tag in ("<script>", "<img", "<svg onload", "<b>"):
            assert tag not in text.replace('<svg class="mark"', "")
        assert "javascript:" not in "".join(re.findall(r'(?:href|src|action)="[^"]*"', text))


def test_hidden_characters_are_marked_and_a_megabyte_is_cut_with_a_way_to_all_of_it(
    pages: Pages,
) -> None:
    pages.write_rows(rows([("x", NOW_US)], process_name="\u202egnp.exe", data=hostile.LONG))
    (row,) = stored(pages)
    text = pages.text(url_of(row))
    assert "\\u202egnp.exe" in text
    assert "escaped</span>" in text
    assert "more characters" in text
    assert f'href="/api/v1/events/{encode_id(row["id"])}"' in text


def test_the_event_is_shown_even_where_the_time_for_the_rest_is_up(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages.perform()
    row = named(pages, "/usr/bin/dash")
    store = pages.asked()

    class Slow:
        """Finds an event, and has no time for anything else."""

        def event(self, *args: Any, **more: Any) -> Any:
            return store.event(*args, **more)

        def __getattr__(self, name: str) -> Any:
            def stopped(*_: Any, **__: Any) -> Any:
                raise QueryStopped("the answer took too long")

            return stopped

    monkeypatch.setattr(pages, "asked", Slow)
    text = pages.text(url_of(row))
    assert "Audited: /usr/sbin/apache2 ran /usr/bin/dash" in text
    assert text.count("the time for this page was up") == 2
