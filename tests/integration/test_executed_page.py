"""Was X ever executed? Over a real store."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from armorstack.core.gap import Gap
from armorstack.core.query.asked import parse_asked
from armorstack.core.query.parse import parse
from armorstack.sample.replay import stamped
from armorstack.store.budget import Budget
from armorstack.web.desk import Grant
from tests.support.hostile import TEXTS
from tests.support.pages import Pages, serving
from tests.support.stores import DAY_US, NOW_US, SECOND_US

LS = {"Type": "ContainerLog", "Operation": "Process", "Resource": "/bin/ls -l", "PodName": "web",
      "NamespaceName": "shop", "ContainerName": "app", "Result": "Passed", "HostName": "n1",
      "ProcessName": "/bin/ls", "ParentProcessName": "/bin/sh", "Source": "/bin/sh",
      "UserName": "ann"}  # fmt: skip


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    with serving(tmp_path / "store") as found:
        yield found


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


def answer(pages: Pages, what: str, more: str = "") -> str:
    return plain(pages.text(f"/executed?what={quote(what)}{more}").split("<main")[1])


def test_yes_with_first_last_count_and_where(pages: Pages) -> None:
    pages.write(*[("log", stamped(LS, NOW_US - n * DAY_US)) for n in (1, 5, 40)])
    text = answer(pages, "ls")
    assert "Yes. 3 events show that ls ran." in text
    assert "First 2026-10-14 15:00:00" in text
    assert "Last 2026-11-22 15:00:00" in text
    for place in ("shop / web / app 3", "n1 3", "/bin/sh 3", "ann 3"):
        assert place in text


def test_the_events_behind_the_answer_are_as_many_as_it_counts(pages: Pages) -> None:
    pages.perform()
    text = pages.text("/executed?what=curl")
    urls = re.findall(r'<a href="([^"]*)">All events that name it', text)
    urls += re.findall(r'<tr><td><a href="([^"]*)">', text)
    assert len(urls) > 3
    for url in urls:
        asked = parse_asked(parse_qsl(urlsplit(html.unescape(url)).query), NOW_US, parse)
        assert pages.asked().count(asked.question, Budget()) in (1, 3), url


def test_what_was_only_denied_was_tried_and_never_ran(pages: Pages) -> None:
    pages.perform()
    text = answer(pages, "xmrig")
    assert "Tried, but never ran." in text
    assert "xmrig" in text


def test_no_says_since_when_it_can_know(pages: Pages) -> None:
    pages.perform()
    text = answer(pages, "nmap")
    assert "No stored event shows that nmap was executed." in text
    assert "The store reaches back to 2026-11-23 14:50:00" in text
    assert "7 of the stored events tell of a program's start" in text
    assert "No gap is known" in text


def test_no_admits_gaps_but_not_our_own_limits(pages: Pages) -> None:
    span = (NOW_US - 300 * SECOND_US, NOW_US - 240 * SECOND_US)
    pages.perform()
    pages.write(("log", stamped({"Operation": "File"}, NOW_US)), gaps=[
        Gap("disconnect", "relay/a", *span, lost=None),
        Gap("filter_throttle", "noise", *span, lost=5),
    ])  # fmt: skip
    assert "There is a gap, 1 min in all" in answer(pages, "nmap")


def test_without_any_start_a_no_says_that_it_says_little(pages: Pages) -> None:
    pages.write(("log", stamped({"Operation": "File", "Resource": "/x"}, NOW_US)))
    assert "kubearmor-visibility=process" in answer(pages, "nmap")


def test_an_empty_store_can_say_nothing(pages: Pages) -> None:
    assert "Nobody can say." in answer(pages, "nmap")


def test_all_times_are_meant_unless_others_are_asked_for(pages: Pages) -> None:
    pages.write(("log", stamped(LS, NOW_US - 5 * DAY_US)))
    assert "Yes." in answer(pages, "ls")
    assert "No stored event" in answer(pages, "ls", "&from=24h")
    assert '<option value="24h" selected>' in pages.text("/executed?what=ls&from=24h")


def test_picks_narrow_the_question_and_stay_in_the_form(pages: Pages) -> None:
    pages.write(("log", stamped(LS, NOW_US)))
    assert "No stored event" in answer(pages, "ls", "&pod=other")
    text = pages.text("/executed?what=ls&pod=web")
    assert "Yes." in text
    assert '<input type="hidden" name="pod" value="web">' in text


def test_a_token_with_namespaces_asks_within_them(pages: Pages) -> None:
    pages.write(("log", stamped(LS, NOW_US)))
    pages.door.grant = Grant("guest", namespaces=("data",))
    text = answer(pages, "ls")
    assert "Nobody can say." in text
    assert "web" not in text


def test_the_box_alone_asks_nothing(pages: Pages) -> None:
    text = pages.text("/executed")
    assert 'name="what"' in text
    assert "What this rests on" not in text


def test_whatever_is_asked_stays_text(pages: Pages) -> None:
    pages.write(("log", stamped(LS, NOW_US)))
    for text in TEXTS[::16]:
        found = pages.get(f"/executed?what={quote(text, safe='')}")
        assert found.status_code in (200, 400)
        assert "<script>d" not in found.text
        assert "<b>out" not in found.text


def test_a_glob_that_means_nothing_is_told_with_what_to_write(pages: Pages) -> None:
    found = pages.get("/executed?what=[z-a]")
    assert found.status_code == 400
    assert "what:" in found.text
