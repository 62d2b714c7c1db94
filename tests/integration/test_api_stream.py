"""The live stream: order, filters, resuming, slow clients, tokens, ends."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from armorstack.errors import StoreError
from armorstack.web.api import feed as feed_module
from armorstack.web.api import listener
from armorstack.web.desk import Grant
from tests.support.api import Api, Arriving, Messages, serving
from tests.support.running import until
from tests.support.stores import NOW_US, batch
from tests.support.web import serving as whole_site


@pytest.fixture
def arriving() -> Arriving:
    return Arriving()


@pytest.fixture
def api(arriving: Arriving) -> Iterator[Api]:
    with serving(lambda: arriving) as served:
        yield served


def keys(events: list[dict[str, str]]) -> list[str]:
    return [event["resource"] for event in events]


def numbers(start: int, end: int) -> list[str]:
    return [str(number) for number in range(start, end)]


def test_events_come_in_the_order_in_which_they_arrived(api: Api, arriving: Arriving) -> None:
    with api.stream() as stream:
        stream.until("alive")
        for number in range(30):
            arriving.add(range(100 * number, 100 * (number + 1)))
        assert keys(stream.events(3000)) == numbers(0, 3000)


def test_an_event_is_what_a_page_shows(api: Api, arriving: Arriving) -> None:
    with api.stream() as stream:
        stream.until("alive")
        arriving.add(["x"], severity="7", namespace_name="a", event_data={"Fd": "3"}, atags=["t"])
        (event,) = stream.events(1)
    assert event["time"] == "2026-11-23T15:00:00.000000Z"
    assert event["severity"] == 7
    assert (event["namespace"], event["event_data"], event["tag"]) == ("a", {"Fd": "3"}, ["t"])
    assert len(event["id"]) == 43


def test_a_stream_shows_the_columns_that_were_asked_for(api: Api, arriving: Arriving) -> None:
    with api.stream("/stream?cols=pod") as stream:
        stream.until("alive")
        arriving.add(["x"], pod_name="web-1", namespace_name="a")
        (event,) = stream.events(1)
    assert set(event) == {"id", "time", "stream", "pod"}


def test_what_was_there_before_is_not_told(api: Api, arriving: Arriving) -> None:
    arriving.add(range(5))
    with api.stream() as stream:
        stream.until("alive")
        arriving.add(["new"])
        assert keys(stream.events(1)) == ["new"]


def test_two_streams_see_what_each_has_asked_for(api: Api, arriving: Arriving) -> None:
    with (
        api.stream("/stream?namespace=a") as first,
        api.stream("/stream?q=namespace:b and severity>=7") as second,
    ):
        first.until("alive")
        second.until("alive")
        arriving.add(["1"], namespace_name="a", severity="1")
        arriving.add(["2"], namespace_name="b", severity="1")
        arriving.add(["3"], namespace_name="b", severity="8")
        arriving.add(["4"], namespace_name="a", severity="9")
        assert keys(first.events(2)) == ["1", "4"]
        assert keys(second.events(1)) == ["3"]


def test_a_span_is_heeded_only_where_one_is_given(api: Api, arriving: Arriving) -> None:
    with (
        api.stream("/stream") as every,
        api.stream("/stream?from=2026-11-23T14:00:00Z&to=2026-11-23T16:00:00Z") as spanned,
    ):
        every.until("alive")
        spanned.until("alive")
        arriving.add(["old"], time=NOW_US - 90 * 86_400_000_000)
        arriving.add(["now"])
        assert keys(every.events(2)) == ["old", "now"]
        assert keys(spanned.events(1)) == ["now"]


@pytest.mark.parametrize("behind", range(1, 12))
def test_a_stream_resumes_behind_any_event_without_loss_or_repeat(
    api: Api, arriving: Arriving, behind: int
) -> None:
    with api.stream() as stream:
        stream.until("alive")
        arriving.add(range(6))
        arriving.add(range(6, 12))
        assert keys(stream.events(behind)) == numbers(0, behind)
        place = stream.place
    arriving.add(range(12, 15))
    with api.stream(**{"Last-Event-ID": place}) as stream:
        assert keys(stream.events(15 - behind)) == numbers(behind, 15)
        arriving.add(["next"])
        assert keys(stream.events(1)) == ["next"]


def test_the_place_may_stand_in_the_url(api: Api, arriving: Arriving) -> None:
    with api.stream() as stream:
        place = stream.until("alive")["place"]
    arriving.add(range(3))
    with api.stream(f"/stream?last_event_id={place}") as stream:
        assert keys(stream.events(3)) == numbers(0, 3)


def test_nothing_is_lost_or_repeated_while_events_come_and_streams_resume(
    api: Api, arriving: Arriving
) -> None:
    done = threading.Event()

    def write() -> None:
        for number in range(200):
            arriving.add(range(40 * number, 40 * (number + 1)))
            time.sleep(0.005)
        done.set()

    seen: list[str] = []
    with api.stream("/stream?cols=resource") as other:
        other.until("alive")
        with api.stream("/stream?cols=resource") as stream:
            place = stream.until("alive")["place"]
        writer = threading.Thread(target=write)
        writer.start()
        while len(seen) < 8000:
            with api.stream("/stream?cols=resource", **{"Last-Event-ID": place}) as stream:
                seen += keys(stream.events(min(777, 8000 - len(seen))))
                place = stream.place
        writer.join()
        assert keys(other.events(8000)) == numbers(0, 8000)
    assert done.is_set()
    assert seen == numbers(0, 8000)


def test_a_stream_resumes_where_the_worker_was_restarted(arriving: Arriving) -> None:
    with serving(lambda: arriving) as api, api.stream() as stream:
        stream.until("alive")
        arriving.add(range(4))
        assert keys(stream.events(2)) == numbers(0, 2)
        place = stream.place
    arriving.restart()
    arriving.add(range(4, 6))
    with serving(lambda: arriving) as api, api.stream(**{"Last-Event-ID": place}) as stream:
        assert keys(stream.events(4)) == numbers(2, 6)
        assert stream.place.startswith("2.")


def test_a_place_that_is_too_old_is_told_as_a_gap(api: Api, arriving: Arriving) -> None:
    with api.stream() as stream:
        place = stream.until("alive")["place"]
    arriving.ring = 10
    arriving.add(range(50))
    with api.stream(**{"Last-Event-ID": place}) as stream:
        assert stream.next() == ("gap", {"lost": 40, "reason": "missed"})
        assert keys(stream.events(10)) == numbers(40, 50)


def test_what_the_poller_missed_is_told_to_all(
    api: Api, arriving: Arriving, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving.ring = 10
    with api.stream() as stream:
        stream.until("alive")
        arriving.add(range(500))
        assert stream.until("gap") == {"lost": 490, "reason": "missed"}
        assert keys(stream.events(10)) == numbers(490, 500)


def test_a_slow_client_is_told_how_many_events_it_does_not_get(
    api: Api, arriving: Arriving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MAX_BYTES", 50_000)
    total, text = 3000, "x" * 20_000
    with api.stream("/stream?cols=resource,data") as slow, api.stream("/stream?cols=pod") as quick:
        slow.until("alive")
        quick.until("alive")
        for number in range(30):
            arriving.add(range(100 * number, 100 * (number + 1)), data=text)
        read_all(quick, total)
        seen, lost = read_all(slow, total)
        arriving.add(["last"])
        assert keys(slow.events(1)) == ["last"]
    assert 0 < lost < total
    assert seen == sorted(set(seen), key=int)


def read_all(stream: Messages, total: int) -> tuple[list[str], int]:
    """What is shown of so many events, and how many are told as lost."""
    seen: list[str] = []
    lost = 0
    while len(seen) + lost < total:
        kind, data = stream.next()
        assert kind in ("", "gap", "alive")
        seen += [data.get("resource", "")] if not kind else []
        lost += data["lost"] if kind == "gap" else 0
    assert len(seen) + lost == total
    return seen, lost


def test_a_token_with_namespaces_sees_no_others(api: Api, arriving: Arriving) -> None:
    api.door.grant = Grant("ci", ("a",))
    with api.stream() as stream:
        place = stream.until("alive")["place"]
        arriving.add(["b"], namespace_name="b")
        arriving.add(["host"])
        arriving.add(["a"], namespace_name="a")
        assert keys(stream.events(1)) == ["a"]
    with api.stream(**{"Last-Event-ID": place}) as stream:
        assert keys(stream.events(1)) == ["a"]


def test_a_token_with_namespaces_is_not_told_how_many_others_were_missed(
    api: Api, arriving: Arriving
) -> None:
    api.door.grant = Grant("ci", ("a",))
    arriving.ring = 10
    with api.stream() as stream:
        stream.until("alive")
        arriving.add(range(500), namespace_name="b")
        assert stream.until("gap") == {"lost": None, "reason": "missed"}


def test_a_stream_ends_when_its_token_is_revoked(api: Api, arriving: Arriving) -> None:
    good = True
    api.door.allowed = lambda: good
    with api.stream() as stream:
        stream.until("alive")
        good = False
        assert "revoked" in stream.until("end")["reason"]
        assert stream.next()[0] == "closed"


def test_a_stream_without_events_says_that_it_lives(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "ALIVE_S", 0.05)
    with api.stream() as stream:
        places = [stream.until("alive")["place"] for _ in range(3)]
    assert places == ["1.0"] * 3


def test_a_place_moves_on_though_nothing_is_shown(
    api: Api, arriving: Arriving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "ALIVE_S", 0.05)
    with api.stream("/stream?namespace=nowhere") as stream:
        stream.until("alive")
        arriving.add(range(7))
        while stream.until("alive")["place"] != "1.7":
            pass


def test_nobody_listening_nothing_is_polled(api: Api, arriving: Arriving) -> None:
    with api.stream() as stream:
        stream.until("alive")
    until(lambda: not any(t.name.startswith("arrivals") for t in threading.enumerate()), "the end")
    before = arriving.polls
    time.sleep(3 * feed_module.POLL_S)
    assert arriving.polls == before
    with api.stream() as stream:
        stream.until("alive")
        arriving.add(["again"])
        assert keys(stream.events(1)) == ["again"]


def test_many_streams_cost_one_poller(api: Api, arriving: Arriving) -> None:
    with api.stream() as first, api.stream() as second, api.stream("/stream?pod=x") as third:
        for stream in (first, second, third):
            stream.until("alive")
        named = [t.name for t in threading.enumerate() if t.name.startswith("arrivals")]
        assert len(named) == 1


def test_a_store_that_fails_for_a_while_ends_no_stream(
    api: Api, arriving: Arriving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "RETRY_S", 0.02)
    with api.stream() as stream:
        stream.until("alive")
        arriving.fault = StoreError("not just now")
        before = arriving.polls
        until(lambda: arriving.polls > before + 3, "some failures")
        arriving.add(range(3))
        arriving.fault = None
        assert keys(stream.events(3)) == numbers(0, 3)


def test_a_stopped_server_ends_its_streams(arriving: Arriving) -> None:
    with (
        serving(lambda: arriving) as api,
        httpx.stream("GET", f"{api.url}/api/v1/stream", timeout=30, trust_env=False) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == "retry: 1000"
        stopping = threading.Thread(target=api.stop)
        stopping.start()
        # The body has its proper end: a client that lost the server would raise here.
        assert list(lines)[-1] == ""
        stopping.join()


def test_a_stream_asks_for_no_more_than_its_head(api: Api) -> None:
    answer = httpx.head(f"{api.url}/api/v1/stream", trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("place", ["é", "x" * 501, "\x01"])
def test_a_place_that_never_was_one_is_refused(api: Api, place: str) -> None:
    answer = httpx.get(f"{api.url}/api/v1/stream", params={"last_event_id": place}, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"]["parameter"] == "last_event_id"


def test_a_real_store_is_followed_and_resumed_over_a_flush(tmp_path: Path) -> None:
    with whole_site(tmp_path, events=5) as site:
        headers = {"authorization": f"Bearer {site.token}"}
        url = f"{site.url}/api/v1/stream?cols=resource"
        with httpx.stream("GET", url, headers=headers, timeout=30, trust_env=False) as answer:
            stream = Messages(answer)
            stream.until("alive")
            site.store.write(batch(100, numbers(0, 10)))
            seen = keys(stream.events(4))
            headers["last-event-id"] = stream.place
        site.store.flush()
        site.store.write(batch(101, numbers(10, 20)))
        with httpx.stream("GET", url, headers=headers, timeout=30, trust_env=False) as answer:
            seen += keys(Messages(answer).events(16))
    assert seen == numbers(0, 20)
