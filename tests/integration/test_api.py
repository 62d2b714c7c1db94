"""Questions to the API over a real store, through the whole application."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from starlette.routing import Route

from armorstack.core.query.asked import COMMON
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.errors import QueryError, QueryStopped, StoreError
from armorstack.store.event_json import COLUMNS
from armorstack.web.api import errors
from armorstack.web.api.endpoint import PREFIX
from armorstack.web.api.parameters import ColumnNames
from armorstack.web.api.table import ENDPOINTS
from tests.support import hostile
from tests.support.policies import BOOK
from tests.support.stores import batch
from tests.support.web import Site, now_us, serving

EVENTS = 120
ASKING = [each for each in ENDPOINTS if each.asks == "question" and each.path != "/stream"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site"), events=EVENTS, book=BOOK) as served:
        yield served


def asked(site: Site, path: str, **parameters: Any) -> Any:
    """The answer, which must be one."""
    answer = site.get(f"{PREFIX}{path}", params={"from": "all", **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(site: Site, path: str) -> dict[str, Any]:
    """The error, which must be a wrong parameter."""
    answer = site.get(f"{PREFIX}{path}")
    assert answer.status_code == 400, answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


def test_pages_lead_through_all_events_and_back(site: Site) -> None:
    first = asked(site, "/events", size=50)
    found, page = list(first["events"]), first
    while page["older"]:
        page = asked(site, "/events", size=50, before=page["older"])
        found += page["events"]
    assert len({event["id"] for event in found}) == len(found) == EVENTS
    assert [e["time"] for e in found] == sorted((e["time"] for e in found), reverse=True)
    assert first["newer"] is None
    back = asked(site, "/events", size=1000, after=page["newer"])
    assert [e["id"] for e in back["events"]] == [e["id"] for e in found[: len(back["events"])]]


def test_links_lead_to_the_pages_of_other_formats(site: Site) -> None:
    answer = site.get(f"{PREFIX}/events?from=all&size=10&format=ndjson&cols=pod")
    seen = [json.loads(line)["id"] for line in answer.text.splitlines()]
    next_url = answer.links["next"]["url"]
    other = site.get(next_url)
    seen += [json.loads(line)["id"] for line in other.text.splitlines()]
    assert seen == [event["id"] for event in asked(site, "/events", size=20)["events"]]
    assert set(other.links) == {"next", "prev"}


def test_a_page_as_csv_holds_the_same(site: Site) -> None:
    answer = site.get(f"{PREFIX}/events?from=all&size=7&format=csv&cols=severity,pod")
    head, *lines = csv.reader(io.StringIO(answer.text, newline=""))
    assert head == ["id", "time", "stream", "severity", "pod"]
    for line, event in zip(lines, asked(site, "/events", size=7)["events"], strict=True):
        assert line == [str(event.get(name, "")) for name in head]


def test_one_event_comes_with_its_original_and_as_ecs(site: Site) -> None:
    event = asked(site, "/events", size=1, stream="alert")["events"][0]
    for near in ("", f"?near={event['time']}", "?near=1"):
        told = site.get(f"{PREFIX}/events/{event['id']}{near}").json()
        shown = {k: v for k, v in told["event"].items() if k not in ("spelling", "extra")}
        assert shown == event
        assert told["original"]["PodName"] == event["pod"]
        assert told["original"]["UpdatedTime"] == event["time"]
        assert told["ecs"]["@timestamp"] == event["time"]
        assert told["kept"] is None


def test_an_event_that_is_not_there_is_404(site: Site) -> None:
    answer = site.get(f"{PREFIX}/events/{'A' * 43}")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "not_found"


def test_the_original_is_told_as_it_was_kept(site: Site, tmp_path: Path) -> None:
    from armorstack.config import DuckdbSink

    settings = DuckdbSink(part_interval_s=1e9, max_age_days=0.0, keep_original=True)
    with serving(tmp_path, events=0, store_settings=settings) as kept:
        kept.store.write(batch(1, ["a"], at_us=now_us(), original=b'{"a": 1}', spelling="pascal"))
        kept.store.write(batch(2, ["b"], at_us=now_us(), original=b"\xff\x00", spelling="pascal"))
        found = {
            event["resource"]: kept.get(f"{PREFIX}/events/{event['id']}").json()["kept"]
            for event in asked(kept, "/events")["events"]
        }
    assert found == {
        "a": {"encoding": "utf-8", "text": '{"a": 1}'},
        "b": {"encoding": "base64", "text": "/wA="},
    }


def test_all_ways_of_counting_agree(site: Site) -> None:
    count = asked(site, "/count")["count"]
    assert count == EVENTS
    assert asked(site, "/seen")["count"] == count
    histogram = asked(site, "/histogram", by="severity", buckets=7)
    assert sum(sum(each["counts"]) for each in histogram["series"]) == count
    assert {len(each["counts"]) for each in histogram["series"]} == {histogram["buckets"]}
    (facet,) = asked(site, "/facets", f="namespace")["facets"]
    assert sum(each["count"] for each in facet["values"]) + facet["rest"] == count
    top = asked(site, "/top", f=["namespace", "action"], size=10_000)
    assert sum(each["count"] for each in top["groups"]) == top["total"] == count
    assert top["fields"] == ["namespace", "action"]
    exported = site.get(f"{PREFIX}/export?from=all&format=ndjson").text.splitlines()
    assert len(exported) == count


def test_a_histogram_takes_an_interval_and_shows_gaps(site: Site) -> None:
    found = asked(site, "/histogram", interval="30m", **{"from": "now-24h"})
    assert found["interval_us"] == 30 * 60_000_000
    assert [gap["reason"] for gap in found["gaps"]] == ["disconnect"]
    told = site.get(f"{PREFIX}/gaps?from=all").json()["gaps"]
    assert told == found["gaps"]
    assert told[0]["lost"] is None


def test_a_facet_is_counted_without_its_own_pick(site: Site) -> None:
    whole = asked(site, "/facets", f=["stream", "action"])["facets"]
    picked = asked(site, "/facets", f=["stream", "action"], stream="log")["facets"]
    assert picked[0] == whole[0]
    assert picked[1] != whole[1]


def test_groups_come_by_what_they_measure(site: Site) -> None:
    groups = asked(site, "/top", f="namespace", distinct="pod", size=50)["groups"]
    measures = [each["measure"] for each in groups]
    assert measures == sorted(measures, reverse=True)
    rarest = asked(site, "/top", f="namespace", order="smallest")["groups"][0]
    assert rarest["count"] == min(each["count"] for each in groups)


def test_fields_and_columns_are_told(site: Site) -> None:
    told = site.get(f"{PREFIX}/fields").json()
    assert [field["name"] for field in told["fields"]] == list(QUERY_FIELDS)
    assert told["columns"] == list(COLUMNS)


def test_health_says_what_the_newest_event_is(site: Site) -> None:
    told = site.get(f"{PREFIX}/health").json()
    newest = asked(site, "/events", size=1)["events"][0]["time"]
    assert (told["status"], told["newest"]) == ("ok", newest)
    assert told["receiver"]["sources"][0]["name"] == "relay/sample"


@pytest.mark.parametrize("each", ENDPOINTS, ids=lambda each: each.path)
def test_an_unknown_parameter_is_refused_with_those_that_are_known(site: Site, each: Any) -> None:
    path = each.path.replace("{id}", "A" * 43)
    error = refused(site, f"{path}?sizes=1")
    assert error["parameter"] == "sizes"
    assert set(each.known()) <= set(error["known"])
    if each.asks == "question":
        assert set(COMMON) | set(QUERY_FIELDS) <= set(error["known"])


@pytest.mark.parametrize(
    "query",
    ["size=0", "size=1001", "size=x", "size=-1", "size=1e2", "size=", "size=%D9%A1",
     "before=1", "after=x", "format=xml", "format=", "cols=nope", "cols=original",
     "from=never", "tz=Mars", "pid=x",
     "severity=7..x", "from=now&to=now-1h", "near=1"],
)  # fmt: skip
def test_a_wrong_parameter_is_named(site: Site, query: str) -> None:
    assert refused(site, f"/events?{query}")["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/histogram?by=nope", "by"), ("/histogram?interval=0.5s", "interval"),
        ("/histogram?interval=x", "interval"), ("/histogram?buckets=2001", "buckets"),
        ("/facets?f=pood", "f"), ("/facets?f=", "f"), ("/top?distinct=nope", "distinct"),
        ("/top?order=up", "order"), ("/export?format=xls", "format"), ("/gaps?q=x", "q"),
        ("/gaps?pod=x", "pod"), ("/fields?from=all", "from"), ("/events/x", "id"),
        ("/export?format=csv&form=ecs", "form"), ("/export?format=parquet&form=kubearmor", "form"),
        (f"/events/{'A' * 43}?near=soon", "near"),
        (f"/events?before=1.{'A' * 43}&after=1.{'A' * 43}", "after"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(site: Site, path: str, parameter: str) -> None:
    assert refused(site, path)["parameter"] == parameter


def test_a_wrong_query_is_shown_at_its_column(site: Site) -> None:
    error = refused(site, "/events?q=pod:a and sevrity:7")
    assert (error["type"], error["parameter"]) == ("query", "q")
    assert (error["column"], error["length"]) == (10, 7)
    assert "severity" in error["hint"]


@pytest.mark.parametrize("path", [each.path for each in ENDPOINTS])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_reading_is_answered(site: Site, path: str, method: str) -> None:
    path = path.replace("{id}", "A" * 43)
    answer = site.ask(method, PREFIX + path, headers={"origin": site.url})
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert answer.json()["error"]["type"] == "method"


@pytest.mark.parametrize("each", ENDPOINTS, ids=lambda each: each.path)
def test_head_says_what_get_would_without_a_body(site: Site, each: Any) -> None:
    id_ = asked(site, "/events", size=1)["events"][0]["id"]
    answer = site.ask("HEAD", PREFIX + each.path.replace("{id}", id_))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].partition(";")[0] in {
        kind.partition(";")[0] for kind in each.answers
    }


def test_a_wrong_parameter_is_refused_even_where_nothing_is_read(site: Site) -> None:
    for path in ("/stream?cols=nope", "/stream?last_event_id=%00", "/export?cols=nope"):
        assert site.ask("HEAD", PREFIX + path).status_code == 400


def test_what_is_no_endpoint_is_told_in_json(site: Site) -> None:
    for path in ("/api/v1/nope", "/api/v1/", "/api/v2/events", "/api/v1/events/a/b"):
        answer = site.get(path)
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "not_found"


def test_every_route_of_the_api_is_described_and_nothing_else(site: Site) -> None:
    described = site.get(f"{PREFIX}/openapi.json").json()["paths"]
    routed = {
        route.path
        for route in site.app.routes
        if isinstance(route, Route) and route.path.startswith("/api/")
    }
    assert set(described) == routed - {"/api/{rest:path}"}


@pytest.mark.parametrize("each", ENDPOINTS, ids=lambda each: each.path)
def test_every_described_parameter_is_accepted(site: Site, each: Any) -> None:
    described = site.get(f"{PREFIX}/openapi.json").json()["paths"][PREFIX + each.path]["get"]
    id_ = asked(site, "/events", size=1)["events"][0]["id"]
    url = PREFIX + each.path.replace("{id}", id_)
    names = {p["name"]: sample(p) for p in described["parameters"] if p["in"] == "query"}
    for left_out in ("before", "after"):
        given = {name: text for name, text in names.items() if name not in (left_out, "form")}
        answer = site.ask("HEAD", url, params=given)
        assert answer.status_code == 200, given


def sample(parameter: dict[str, Any]) -> str:
    """Something that its schema allows."""
    schema = parameter["schema"].get("items", parameter["schema"])
    by_format = {
        "armorstack-cursor": f"1.{'A' * 43}", "armorstack-span": "5m", "armorstack-number": "7",
        "armorstack-near": "1", "armorstack-from": "now-1h", "armorstack-moment": "now",
        "armorstack-zone": "Europe/Berlin", "armorstack-query": "severity>=7",
    }  # fmt: skip
    if "enum" in schema:
        return str(schema["enum"][-1])
    found = by_format.get(schema.get("format", ""))
    return found or str(schema.get("minimum", "pod" if parameter["name"] == "cols" else ""))


def test_no_parameter_of_an_endpoint_hides_a_field() -> None:
    for each in ENDPOINTS:
        # Where no question is asked there are no fields to be hidden.
        assert each.asks == "nothing" or not set(each.known()) & ({*QUERY_FIELDS} | {*COMMON})


def test_columns_can_be_named_by_any_name_of_their_field() -> None:
    cols = ColumnNames("cols", "", ("id",))
    assert cols.read(["PodName, ns,pod_name", "pod"]) == ("pod", "namespace")
    assert cols.read([""]) == ("id",)


@pytest.mark.parametrize(
    ("error", "status", "type_"),
    [
        (QueryError("x", column=3), 400, "query"),
        (QueryStopped("x"), 504, "stopped"),
        (StoreError("x"), 503, "store"),
        (RuntimeError("secret"), 500, "internal"),
    ],
)
def test_every_error_has_its_status(error: Exception, status: int, type_: str) -> None:
    answer = errors.response(error)
    told = json.loads(bytes(answer.body))["error"]
    assert (answer.status_code, told["type"]) == (status, type_)
    assert "secret" not in str(told)


def test_a_snapshot_holds_what_is_in_no_part(site: Site) -> None:
    answer = site.get(f"{PREFIX}/snapshot")
    with pa.ipc.open_stream(answer.content) as reader:
        parts = json.loads(reader.schema.metadata[b"armorstack.parts"])
        rows = reader.read_all()
    status = site.store.status()
    assert rows.num_rows == status.tail_rows > 0
    assert len(parts) == status.parts > 0
    assert rows.num_rows + status.part_rows == EVENTS


def test_hostile_texts_come_back_as_they_were(tmp_path: Path) -> None:
    with serving(tmp_path, events=0) as site:
        site.store.write(batch(1).__class__(hostile.rows(now_us()), (), 1))
        answer = site.get(f"{PREFIX}/events?size=1000")
        found = {event["resource"] for event in answer.json()["events"]}
        expected = set(hostile.rows().column("resource").to_pylist())
        assert found == expected
        assert answer.headers["content-type"] == "application/json"
        assert not set(answer.content) & {*range(10), *range(11, 32), 127}
        for text in sorted(expected, key=len)[:-1]:
            picked = asked(site, "/count", resource=f"\\{text}")
            assert picked == {"count": 1}, text
