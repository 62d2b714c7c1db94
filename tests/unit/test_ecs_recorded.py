"""Every recorded and scripted event as a document; every known path in at least one of them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from armorstack.core.decode import decode
from armorstack.core.ecs import ECS_TYPES, to_ecs
from armorstack.core.ecs.draft import begin
from armorstack.core.ecs.paths import HASHES, PATHS
from armorstack.core.fields import FIELDS
from armorstack.sample.incident import steps
from armorstack.sample.recorded import encode
from tests.support.ecs import ALERT, LOG, RECORDED_FILES, check, event, recorded_rows
from tests.support.frames import row

NOW = datetime(2026, 11, 23, 14, 10)


def scripted_rows() -> Iterator[dict[str, Any]]:
    """The scripted incident, as the relay would send it."""
    for step in steps(1):
        frame = encode(step.stream, step.values)
        yield from decode([row([frame], step.stream, "protobuf")]).batch.rows.to_pylist()


def invented_rows() -> Iterator[dict[str, Any]]:
    """What neither recording nor script has."""
    for algorithm in HASHES:
        hashes = dict.fromkeys(("process_hash", "parent_hash", "resource_hash"), "00")
        yield event(LOG, hashes, hash_algo=algorithm)
    remote = "sin_addr=::1 sin_port=1 remotehost=pod/a/b"
    for call in ("SYS_CONNECT", "SYS_ACCEPT"):
        yield event(LOG, operation="Network", data=f"syscall={call}", resource=remote)
    query = "kfunc=UDP_SENDSKB domain=example.com daddr=10.0.0.1 qtype=A"
    yield event(LOG, operation="Network", data=query)
    yield event(LOG, container_image="a:1@sha256:00", original=b"{}", extra="{}", user_name="root")
    yield event(ALERT, owner_namespace="shop", kubearmor_version="v1", oid=1, operation="File",
                resource="/a.b", tty="pts0")  # fmt: skip
    yield event(LOG, fold_count=3, fold_first=NOW, fold_last=NOW)


def every_row() -> Iterator[dict[str, Any]]:
    for name in RECORDED_FILES:
        yield from recorded_rows(name)
    yield from scripted_rows()
    yield from invented_rows()


@pytest.mark.parametrize("name", RECORDED_FILES)
def test_every_recorded_event_gives_known_paths_of_the_right_types(name: str) -> None:
    rows = recorded_rows(name)
    assert rows
    for row_ in rows:
        paths = check(to_ecs(row_))
        assert {"@timestamp", "event.id", "event.kind", "event.dataset", "host.name"} <= paths


def test_every_scripted_event_gives_known_paths_of_the_right_types() -> None:
    kinds = [to_ecs(row_)["event"] for row_ in scripted_rows()]
    for row_ in scripted_rows():
        check(to_ecs(row_))
    assert {kind["kind"] for kind in kinds} == {"alert", "event"}
    assert {"capability-use", "device-access", "network-firewall", "alert-throttled"} <= {
        kind["action"] for kind in kinds
    }


def test_every_known_path_is_in_at_least_one_document() -> None:
    found = set().union(*(check(to_ecs(row_, ingested=NOW)) for row_ in every_row()))
    assert found == set(ECS_TYPES)


def test_no_path_is_an_object_and_a_value() -> None:
    for path in ECS_TYPES:
        assert not [other for other in ECS_TYPES if other.startswith(f"{path}.")], path


def test_a_rules_path_is_told_once_and_never_one_of_a_plain_copy() -> None:
    told = [path.path for path in PATHS]
    assert len(told) == len(set(told))
    # tags is the union of two fields, and the table keeps its path for the alias of one.
    assert set(told) & {field.ecs for field in FIELDS} == {"tags"}


@pytest.mark.parametrize("field", [f for f in FIELDS if f.ecs], ids=lambda field: field.name)
def test_every_field_with_a_path_reaches_it_with_its_own_type(field: Any) -> None:
    value: Any = {
        "text": "7", "int32": 7, "int64": 7, "texts": ["7"], "map": {"Key": "7"},
    }[field.kind]  # fmt: skip
    if field.engine == "ip":
        value = "10.0.0.7"
    document = to_ecs(event(LOG, {field.column: value}))
    check(document)
    node: Any = document
    for name in field.ecs.split("."):
        node = node[name]
    as_long = field.engine == "long"
    assert node == (int(value) if as_long else str(value) if field.engine == "keyword"
                    and isinstance(value, int) else value)  # fmt: skip


def test_the_compiled_copies_make_every_object_even_when_nothing_is_copied() -> None:
    _, draft = begin({})
    assert {"", "process", "process.parent", "orchestrator.resource"} <= draft.keys()
    assert draft["process"] == {"parent": {}}


def test_documents_of_one_row_are_equal() -> None:
    for row_ in recorded_rows("alerts-real.jsonl")[:20]:
        assert to_ecs(row_) == to_ecs(row_)
