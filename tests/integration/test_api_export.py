"""Exports: whole files, as they are streamed, broken off, and left."""

import io
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from armorstack.core.query.question import Question
from armorstack.errors import StoreError
from armorstack.store.budget import Budget
from armorstack.store.forms import parquet
from armorstack.web.api import download
from armorstack.web.api.endpoint import PREFIX
from tests.support.api import Api, serving
from tests.support.running import until
from tests.support.stores import rows
from tests.support.web import Site
from tests.support.web import serving as serving_all

EVENTS = 90


class Streaming:
    """The part of a store that exports ask: batches, as many as wanted, and a fault behind them."""

    def __init__(self, batches: int, fault: Exception | None = None, size: int = 100) -> None:
        self.batches, self.fault = batches, fault
        self.batch = rows([(number, number) for number in range(size)], data="x" * 1000)
        self.given = 0
        self.closed = threading.Event()
        self.budget: Budget | None = None

    def stream(
        self, question: Question, budget: Budget, *, columns: Sequence[str] | None = None,
        newest_first: bool = False,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        self.budget = budget
        try:
            for _ in range(self.batches):
                budget.check()
                self.given += 1
                yield self.batch.select(list(columns or ()))
            if self.fault:
                raise self.fault
        finally:
            self.closed.set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving_all(tmp_path_factory.mktemp("site"), events=EVENTS) as served:
        yield served


@pytest.mark.parametrize(
    ("format_", "kind"),
    [("csv", "text/csv"), ("json", "application/json"), ("ndjson", "application/x-ndjson"),
     ("parquet", "application/vnd.apache.parquet")],
)  # fmt: skip
def test_an_export_is_a_file_of_its_kind(site: Site, format_: str, kind: str) -> None:
    answer = site.get(f"{PREFIX}/export?from=all&format={format_}")
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["transfer-encoding"] == "chunked"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="armorstack-events-20')
    assert disposition.endswith(f'Z.{format_}"')
    readers: dict[str, Any] = {
        "csv": lambda body: len(body.splitlines()) - 1,
        "json": lambda body: len(json.loads(body)),
        "ndjson": lambda body: len(body.splitlines()),
        "parquet": lambda body: pq.read_table(io.BytesIO(body)).num_rows,
    }
    assert readers[format_](answer.content) == EVENTS


def test_an_export_holds_what_was_asked_for(site: Site) -> None:
    found = site.get(f"{PREFIX}/export?from=all&format=ndjson&stream=log&cols=stream,pod").text
    events = [json.loads(line) for line in found.splitlines()]
    assert len(events) == site.get(f"{PREFIX}/count?from=all&stream=log").json()["count"]
    assert {frozenset(event) for event in events} <= {
        frozenset({"stream", "pod"}), frozenset({"stream"}),
    }  # fmt: skip


def test_an_export_in_other_forms_is_what_one_event_shows(site: Site) -> None:
    forms = {
        form: site.get(f"{PREFIX}/export?from=all&format=json&form={form}").json()
        for form in ("ecs", "kubearmor")
    }
    event = site.get(f"{PREFIX}/events?from=all&size=1").json()["events"][0]
    told = site.get(f"{PREFIX}/events/{event['id']}").json()
    assert told["ecs"] in forms["ecs"]
    assert told["original"] in forms["kubearmor"]
    assert len(forms["ecs"]) == len(forms["kubearmor"]) == EVENTS


def test_an_empty_export_is_a_whole_file(site: Site) -> None:
    assert site.get(f"{PREFIX}/export?from=all&pod=none&format=json").json() == []
    assert site.get(f"{PREFIX}/export?from=all&pod=none&format=csv&cols=pod").text == "pod\r\n"


@pytest.mark.parametrize("format_", ["csv", "json", "ndjson", "parquet"])
def test_a_failure_in_the_middle_is_no_clean_end(
    format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 1000)
    store = Streaming(50, StoreError("the disk is gone"), size=200)
    with serving(lambda: store) as api, pytest.raises(httpx.RemoteProtocolError):
        api.get(f"/export?format={format_}")
    assert store.closed.is_set()


def test_a_failure_before_the_first_piece_is_an_answer() -> None:
    store = Streaming(0, StoreError("the disk is gone", hint="plug it in"))
    with serving(lambda: store) as api:
        answer = api.get("/export?format=ndjson")
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "the disk is gone"


def test_a_client_that_leaves_ends_the_question() -> None:
    store = Streaming(1_000_000)
    with serving(lambda: store) as api:
        with httpx.stream(
            "GET", f"{api.url}/api/v1/export?format=ndjson", trust_env=False
        ) as answer:
            next(answer.iter_raw())
        assert store.closed.wait(30)
        assert store.given < 1_000_000
        assert store.budget is not None
        with pytest.raises(StoreError):
            store.budget.check()


def test_a_client_that_takes_nothing_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STALLED_S", 0.2)
    store = Streaming(1_000_000)
    with serving(lambda: store) as api, asking(api, "/export?format=ndjson"):
        assert store.closed.wait(30)
    assert 0 < store.given < 1_000_000


def test_a_slow_client_lets_the_store_wait() -> None:
    store = Streaming(2000, size=1000)
    with serving(lambda: store) as api, asking(api, "/export?format=ndjson"):
        until(lambda: store.given > 0, "the first batch")
        seen = -1
        while seen != store.given:
            seen = store.given
            threading.Event().wait(0.3)
        assert seen < 200


class asking:
    """A connection that asks this and then reads nothing."""

    def __init__(self, api: Api, path: str) -> None:
        host, port = api.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.sendall(f"GET /api/v1{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def test_head_asks_the_store_nothing() -> None:
    store = Streaming(3)
    with serving(lambda: store) as api:
        answer = httpx.head(f"{api.url}/api/v1/export?format=csv", trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith('.csv"')
    assert store.given == 0


def test_a_long_export_passes_in_little_memory() -> None:
    store = Streaming(150)
    store.batch = rows([(number, number) for number in range(2000)], data="y" * 10)
    before = pa.total_allocated_bytes()
    peak = count = 0
    with serving(lambda: store) as api:
        url = f"{api.url}/api/v1/export?format=csv&cols=id,time,data"
        with httpx.stream("GET", url, trust_env=False, timeout=60) as answer:
            for piece in answer.iter_raw():
                count += piece.count(b"\n")
                peak = max(peak, pa.total_allocated_bytes() - before)
    assert count == 300_001
    assert peak < 50_000_000
