"""What the engines of tests lack, against the answers that their documentation gives.

Sources, as of 2026-11: Elastic's API reference, "Delete documents" (POST /{index}/_delete_by_query)
and "Authentication"; Elastic's guide, "Configure lifecycle policy" (`index.lifecycle.name`);
OpenSearch's documentation, "Policies" of Index State Management (`ism_template`); both, "Info"
(GET /). Each is named in `docs/elasticsearch.md`.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from armorstack.config import ElasticSink as Settings
from armorstack.engines.elastic.connection import Engine
from armorstack.engines.elastic.dialect import Dialect
from armorstack.engines.elastic.retention import retain
from armorstack.engines.elastic.setup import advice, plan
from armorstack.errors import EngineError
from tests.support.documented_server import Documented, behind, documented, on
from tests.support.stores import DAY_US, NOW_US

NODES = on("GET", "/_nodes", 200, {"nodes": {"a": {"version": "8.19.0"}}})
LATE = "kubearmor-alerts-late"
STATS = on(
    "GET", "/kubearmor-", 200,
    {"indices": {LATE: {"primaries": {"docs": {"count": 9}, "store": {"size_in_bytes": 900}}}}},
)  # fmt: skip
LAST = on("POST", f"/{LATE}/_search", 200, {"aggregations": {"last": {"value": NOW_US}}})
DELETED: dict[str, Any] = {
    "took": 147, "timed_out": False, "total": 5, "deleted": 5, "batches": 1,
    "version_conflicts": 0, "noops": 0, "retries": {"bulk": 0, "search": 0},
    "throttled_millis": 0, "requests_per_second": -1.0, "throttled_until_millis": 0,
    "failures": [],
}  # fmt: skip
REJECTED = {
    "index": LATE, "id": "a", "status": 429,
    "cause": {"type": "es_rejected_execution_exception", "reason": "queue is full"},
}  # fmt: skip


@contextmanager
def engine_of(server: Documented, **settings: Any) -> Iterator[Engine]:
    engine = Engine(Settings(urls=(server.url,), timeout_s=10.0, **settings))
    try:
        yield engine
    finally:
        engine.close()


def deleting(status: int, answer: Any) -> Any:
    return documented("Elasticsearch", NODES, STATS, LAST,
                      on("POST", f"/{LATE}/_delete_by_query", status, answer))  # fmt: skip


def test_old_arrivals_are_deleted_by_a_query_and_counted() -> None:
    settings = Settings(max_age_days=30.0)
    with deleting(200, DELETED) as server, engine_of(server) as engine:
        assert retain(engine, settings, NOW_US) == {"age": 5}
        (asked,) = [each for each in server.asked if "_delete_by_query" in each.path]
        assert asked.path.endswith("?conflicts=proceed")
        received = asked.body["query"]["range"]["armorstack.exact.received"]
        assert received == {"lt": NOW_US - 30 * DAY_US}
        assert asked.body["max_docs"] > 0


def test_documents_that_somebody_else_deleted_meanwhile_are_not_counted_twice() -> None:
    answer = DELETED | {"total": 5, "deleted": 3, "version_conflicts": 2}
    with deleting(200, answer) as server, engine_of(server) as engine:
        assert retain(engine, Settings(), NOW_US) == {"age": 3}


@pytest.mark.parametrize("status", [200, 429])
def test_what_was_deleted_before_a_failure_counts_and_the_failure_is_told(status: int) -> None:
    answer = DELETED | {"deleted": 2, "failures": [REJECTED]}
    with (
        deleting(status, answer) as server, engine_of(server) as engine,
        structlog.testing.capture_logs() as told,
    ):  # fmt: skip
        assert retain(engine, Settings(), NOW_US) == {"age": 2}
    (line,) = told
    assert (line["index"], line["reason"]) == (
        LATE, "es_rejected_execution_exception: queue is full",
    )  # fmt: skip


def test_a_failed_search_of_that_is_told_by_its_reason() -> None:
    failure = {
        "shard": -1,
        "status": 503,
        "reason": {"type": "no_shard", "reason": "none is there"},
    }
    answer = DELETED | {"deleted": 0, "failures": [failure]}
    with (
        deleting(200, answer) as server, engine_of(server) as engine,
        structlog.testing.capture_logs() as told,
    ):  # fmt: skip
        assert retain(engine, Settings(), NOW_US) == {}
    assert [line["reason"] for line in told] == ["no_shard: none is there"]


def test_without_the_right_to_delete_it_is_said() -> None:
    answer = {"error": {"type": "security_exception", "reason": "is unauthorized"}, "status": 403}
    with (
        deleting(403, answer) as server, engine_of(server) as engine,
        pytest.raises(EngineError, match=rf"{LATE}.*403 security_exception") as caught,
    ):  # fmt: skip
        retain(engine, Settings(), NOW_US)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("product", "info", "dialect"),
    [
        ("Elasticsearch", {"version": {"number": "8.19.0", "build_flavor": "default"}},
         Dialect("elasticsearch", (8, 19, 0))),
        ("", {"version": {"number": "2.19.3", "distribution": "opensearch"}},
         Dialect("opensearch", (2, 19, 3))),
    ],
)  # fmt: skip
def test_the_version_is_asked_of_the_root_where_nodes_may_not_be_looked_at(
    product: str, info: dict[str, Any], dialect: Dialect
) -> None:
    refused = {"error": {"type": "security_exception", "reason": "no monitor"}, "status": 403}
    nodes, root = on("GET", "/_nodes", 403, refused), on("GET", "/", 200, {"name": "n"} | info)
    with documented(product, nodes, root) as server, engine_of(server) as engine:
        assert engine.dialect == dialect


@pytest.mark.parametrize(
    ("name", "right", "header"),
    [
        ("api_key_file", "VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw",
         "ApiKey " + base64.b64encode(b"VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw").decode()),
        ("token_file", "dGhpcyBpcyBhIHRva2Vu", "Bearer dGhpcyBpcyBhIHRva2Vu"),
    ],
)  # fmt: skip
def test_a_wrong_key_or_token_is_told_and_the_right_one_is_taken_up_without_a_restart(
    name: str, right: str, header: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("id:wrong" if name == "api_key_file" else "wrong")
    with documented("Elasticsearch", behind(header, NODES)) as server:
        engine = Engine(Settings(urls=(server.url,), **{name: str(secret)}))
        with pytest.raises(EngineError, match="401 security_exception") as caught:
            _ = engine.dialect
        assert "file" in caught.value.hint
        secret.write_text(right)
        assert engine.dialect == Dialect("elasticsearch", (8, 19, 0))
        engine.close()
    assert right not in str(caught.value)


def test_a_lifecycle_policy_is_named_in_every_template_of_events_for_elasticsearch() -> None:
    settings = Settings(policy="tiers")
    missing = on("GET", "/_index_template", 404, {"error": {"type": "resource_not_found"}})
    with documented("Elasticsearch", NODES, missing) as server, engine_of(server) as engine:
        wanted = plan(engine, settings)
    assert {change.name for change in wanted} >= {"kubearmor-alerts", "kubearmor-logs"}
    for change in wanted:
        index = change.body["template"]["settings"]["index"]
        assert index["lifecycle"] == {"name": "tiers"}, change.name


def test_opensearchs_policy_has_to_name_our_indices_itself_and_that_is_said() -> None:
    (told,) = advice(Dialect("opensearch", (2, 19, 3)), Settings(policy="tiers"))
    assert "tiers" in told
    assert "kubearmor-alerts-*" in told
    assert advice(Dialect("elasticsearch", (8, 19, 0)), Settings(policy="tiers")) == []
