"""The status page: why a screen is empty, and what whoever sees a part of it is not told."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from armorstack.core.gap import Gap
from armorstack.errors import StoreError
from armorstack.state import SinkState
from armorstack.web.desk import Grant
from tests.support.hostile import TEXTS
from tests.support.pages import RECEIVER, WORKER, Pages, serving
from tests.support.stores import NOW_US, SECOND_US

GAP = Gap("disconnect", "relay/secret-source", NOW_US - 90 * SECOND_US, NOW_US - 30 * SECOND_US,
          node="secret-node", lost=7, detail="secret-detail")  # fmt: skip

AN_EVENT = {"UpdatedTime": "2026-11-23T14:59:00.000000Z"}


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    with serving(tmp_path / "store") as found:
        yield found


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


def test_with_events_and_no_fault_all_is_well(pages: Pages) -> None:
    pages.perform()
    text = plain(pages.text("/status"))
    assert "All is well." in text
    assert "Events 28" in text
    assert "Events are kept 30 days" in text
    assert "Size on disk 5.0 MiB" in text
    assert "synthetic node-1" in text
    assert "The first hour" not in text


def test_without_anything_the_first_hour_is_told_step_by_step(pages: Pages) -> None:
    pages.view.receiver = None
    text = plain(pages.text("/status"))
    assert "nothing brings events here" in text
    assert "armorstack run --sample" in text
    assert text.count("to do") == 4


def test_the_first_hour_shows_what_is_done(pages: Pages) -> None:
    text = plain(pages.text("/status"))
    assert text.count("to do") == 1
    assert "to do An event is stored" in text


def test_a_source_in_trouble_tells_error_hint_and_command(pages: Pages) -> None:
    pages.view.with_source(connected=False, error="refused", hint="is it up?")
    text = plain(pages.text("/status"))
    assert "is not connected: refused" in text
    assert "armorstack doctor --relay relay.example:32767" in text
    assert "disconnect" in text
    assert "goes on" in text


def test_gaps_that_ended_are_told_the_newest_first(pages: Pages) -> None:
    earlier = replace(GAP, start_us=GAP.start_us - 10**9, end_us=GAP.end_us - 10**9, lost=None)
    pages.perform()
    pages.write(("log", AN_EVENT), gaps=[earlier, GAP])
    part = pages.text("/status").split('aria-labelledby="gaps"', 1)[1].split("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part.split("<tbody>")[1], re.DOTALL)
    assert [re.findall(r'class="number">([^<]*)', row) for row in rows] == [["7"], ["unknown"]]
    assert "secret-node" in rows[0]


def test_a_store_that_cannot_be_asked_is_told_and_the_rest_is_shown(pages: Pages) -> None:
    pages.fault = StoreError("the store is not open", hint="wait a moment")
    text = plain(pages.text("/status"))
    assert "The store cannot be asked: the store is not open (wait a moment)." in text
    assert "relay/relay.example:32767" in text


def test_a_token_with_namespaces_is_told_nothing_of_others(pages: Pages) -> None:
    pages.perform()
    pages.write(("log", AN_EVENT), gaps=[GAP])
    pages.view.with_source(connected=False, name="relay/secret-source", error="secret-error",
                           hint="secret-hint")  # fmt: skip
    pages.view.heard = (("secret-cluster", "secret-node", NOW_US),)
    pages.view.worker = replace(
        WORKER, sinks=(SinkState(name="secret-sink", waits_for="secret-reason"),),
        dead_letters={"secret-kind": 3},
    )  # fmt: skip
    pages.door.grant = Grant("guest", namespaces=("data",))
    text = pages.text("/status")
    assert "secret" not in text
    assert "/metrics" not in text
    told = plain(text)
    assert "Events 2 " in told
    assert "Not every source is connected" in told
    assert "disconnect" in told


def test_a_fault_of_the_store_says_nothing_of_itself_to_such_a_token(pages: Pages) -> None:
    pages.fault = StoreError("secret-path is locked")
    pages.door.grant = Grant("guest", namespaces=("data",))
    text = pages.text("/status")
    assert "secret" not in text
    assert "cannot be asked just now" in text


def test_hostile_names_stay_in_their_place(pages: Pages) -> None:
    for text in TEXTS[::6]:
        pages.view.with_source(connected=False, name=text, error=text, hint=text)
        pages.view.heard = ((text, text, NOW_US - 10**10),)
        pages.view.worker = replace(
            WORKER, sinks=(SinkState(name=text, waits_for=text),), dead_letters={text: 1}
        )
        shown = pages.text("/status")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066]", shown)
        for tag in ("<script>", "<img", "<svg onload", "<b>"):
            assert tag not in shown


def test_a_receiver_that_does_not_report_is_told(pages: Pages) -> None:
    pages.view.receiver = replace(RECEIVER, updated_us=NOW_US - 60 * SECOND_US)
    text = plain(pages.text("/status"))
    assert "The receiver is not running" in text
    assert "does not report" in text
