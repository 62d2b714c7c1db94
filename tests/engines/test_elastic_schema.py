"""Real engines take every document, find it by ECS path and KubeArmor's names, and stay small."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from armorstack.core.ecs.exact import LONGEST
from armorstack.core.ecs.stored import from_stored, to_stored
from armorstack.core.fields import FIELDS
from armorstack.core.rebuild import rebuild
from armorstack.engines.elastic import setup
from armorstack.engines.elastic.templates import templates
from tests.property.test_stored import as_read
from tests.support.ecs import RECORDED_FILES, event, get, recorded_rows
from tests.support.elastic_space import Space, space

DAY = datetime(2026, 11, 23, 12)


@pytest.fixture(params=["opensearch", "elasticsearch"])
def there(request: pytest.FixtureRequest) -> Iterator[Space]:
    with space(request.getfixturevalue(f"{request.param}_server").url) as made:
        yield made


def made_event(number: int, **columns: Any) -> dict[str, Any]:
    digest = sha256(str(number).encode()).digest()
    base = {"stream": "alert", "type": "MatchedPolicy", "time": DAY, "id": digest}
    return event(base, **columns)


def recorded() -> list[dict[str, Any]]:
    """One row per id."""
    rows = [row for name in RECORDED_FILES for row in recorded_rows(name)]
    return list({row["id"]: row for row in rows}.values())


def statuses(items: list[dict[str, Any]]) -> set[int]:
    return {item["status"] for item in items}


@pytest.mark.timeout(180)
def test_recorded_events_are_taken_and_found_by_ecs_path_and_by_alias(there: Space) -> None:
    there.set_up()
    rows = recorded()
    items = there.put_rows(rows)
    assert statuses(items) == {201}, [item for item in items if item["status"] != 201][:3]
    sources = {hit["_id"]: hit["_source"] for hit in there.find({"match_all": {}}, 10_000)}
    assert len(sources) == len(rows)
    for row in rows:
        source = sources[_id(row)]
        assert from_stored(source, _id(row)) == as_read(row)
    for field in (field for field in FIELDS if field.alias):
        with_value = [source for source in sources.values() if get(source, field.ecs) is not None]
        if with_value:
            value = _first(get(with_value[0], field.ecs))
            found = there.count({"term": {field.ecs: value}})
            assert found > 0, field.ecs
            assert there.count({"term": {field.name: value}}) == found, field.name


def _id(row: dict[str, Any]) -> str:
    from armorstack.core.ids import text

    return text(row["id"])


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


@pytest.mark.timeout(120)
def test_labels_that_would_break_a_dynamic_mapping_break_nothing(there: Space) -> None:
    there.set_up()
    hostile = [
        "app=a,app.kubernetes.io/name=b",
        "app.kubernetes.io/name=b,app=a",
        ".=x,..=y,a..b=z,=empty,a.=1,.a=2",
        "_id=1,_source=2,@timestamp=no date,event.id=3",
        ",".join(f"key{number}=v" for number in range(3000)),
        "a=b=c,\x00=nul,\u202e=turned,\U0001f512=lock",
    ]
    rows = [made_event(number, labels=labels) for number, labels in enumerate(hostile)]
    rows += [
        made_event(100 + number, event_data=dict(part.partition("=")[::2] for part in parts))
        for number, parts in enumerate(labels.split(",") for labels in hostile)
    ]
    items = there.put_rows(rows)
    assert statuses(items) == {201}, [item for item in items if item["status"] != 201][:3]
    assert there.count({"term": {"kubernetes.labels.app": "a"}}) == 2
    assert there.count({"term": {"orchestrator.resource.label": "app.kubernetes.io/name=b"}}) == 2
    mapping = there.engine.demand("GET", f"/{there.settings.prefix}-alerts-2026.11.23/_mapping")
    (index,) = mapping.json().values()
    (wanted,) = (
        template.body["template"]["mappings"]
        for template in templates(there.settings, there.engine.dialect)
        if template.name.endswith("-alerts")
    )
    assert index["mappings"]["properties"].keys() == wanted["properties"].keys()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("sign", ["x", "\u20ac", "\U0001f512"], ids=["ascii", "three", "four"])
def test_values_of_40_kilobytes_are_kept_and_refused_nowhere(there: Space, sign: str) -> None:
    there.set_up()
    long = sign * (40_000 // len(sign.encode()))
    texts = [field.column for field in FIELDS if field.kind == "text"]
    whole = made_event(0, **dict.fromkeys(texts, long), atags=[long], event_data={long: long})
    whole["stream"] = "alert"
    rows = [whole] + [
        made_event(number, operation=operation, resource=long, data=f"Syscall={long}",
                   labels=f"{long}={long}", event_data={"Flags": long, "Fd": "3"})
        for number, operation in enumerate(["Process", "File", "Network", "Capabilities"], 1)
    ]  # fmt: skip
    items = there.put_rows(rows)
    assert statuses(items) == {201}, [item for item in items if item["status"] != 201][:3]
    kept = {
        hit["_id"]: from_stored(hit["_source"], hit["_id"]) for hit in there.find({"match_all": {}})
    }
    assert [kept[_id(row)] for row in rows] == [as_read(row) for row in rows]
    assert there.count({"term": {"armorstack.exact.long": "resource"}}) == len(rows)
    assert there.count({"exists": {"field": "kubearmor.resource"}}) == 0


@pytest.mark.timeout(120)
def test_the_longest_text_that_is_indexed_is_found_whole(there: Space) -> None:
    there.set_up()
    longest = "\u20ac" * LONGEST
    there.put_rows([made_event(1, resource=longest), made_event(2, resource=longest + "x")])
    assert there.count({"term": {"kubearmor.resource": longest}}) == 1
    assert there.count({"term": {"armorstack.exact.long": "resource"}}) == 1


@pytest.mark.timeout(120)
def test_a_changed_type_starts_with_the_next_period_and_no_event_is_lost(there: Space) -> None:
    (alerts, *_) = setup.plan(there.engine, there.settings)
    alerts.body["template"]["mappings"]["properties"]["process"]["properties"]["pid"] = {
        "type": "keyword"
    }
    alerts.body["_meta"]["armorstack"]["digest"] = "older"
    alerts.body["template"]["mappings"]["_meta"]["armorstack"] = {"version": 0, "digest": "older"}
    setup.apply(there.engine, [alerts])
    rows = [made_event(number, host_pid=number) for number in (1, 2)]
    rows.append(made_event(3, host_pid=3, time=DAY + timedelta(days=1)))
    taken = there.put_rows(rows[:1])
    (change,) = (each for each in setup.plan(there.engine, there.settings) if each.differences)
    told = "\n".join(setup.sentences(change))
    assert "process.properties.pid.type: keyword -> long" in told
    there.set_up()
    taken += there.put_rows(rows[1:])
    assert statuses(taken) == {201}
    names = [there.index(row) for row in (rows[0], rows[2])]
    assert [_type_of_pid(there, name) for name in names] == ["keyword", "long"]
    for number in (1, 2, 3):
        assert there.count({"term": {"HostPID": number}}) == 1
    assert setup.outdated_indices(there.engine, there.settings) == names[:1]


def _type_of_pid(there: Space, index: str) -> str:
    (found,) = there.engine.demand("GET", f"/{index}/_mapping").json().values()
    return str(found["mappings"]["properties"]["process"]["properties"]["pid"]["type"])


@pytest.mark.timeout(300)
def test_an_event_takes_at_most_six_tenths_of_what_dynamic_mappings_make_of_it(
    there: Space,
) -> None:
    """The same documents, and KubeArmor's own JSON, which holds half as many fields, beside it."""
    there.set_up()
    ours = f"{there.settings.prefix}-alerts-2026.11.23"
    same, plain = (f"{there.settings.prefix}-{name}" for name in ("same", "plain"))
    bare = {"settings": {"number_of_replicas": 0, "index.mapping.total_fields.limit": 5000}}
    for index in (same, plain):
        there.engine.demand("PUT", f"/{index}", bare)
    rows = _varied(recorded(), 6)
    for at in range(0, len(rows), 1000):
        part = rows[at : at + 1000]
        for index, made in ((ours, to_stored), (same, to_stored), (plain, rebuild)):
            assert statuses(there.put((index, _id(row), made(row)) for row in part)) == {201}
    sizes = [_size(there, index) / len(rows) for index in (ours, same, plain)]
    told = "{:.0f} bytes an event, {:.0f} by dynamic mapping, {:.0f} as KubeArmor prints it"
    print(f"{there.engine.dialect.name}: {told.format(*sizes)}")
    assert sizes[0] <= 0.6 * sizes[1]
    assert sizes[0] <= 0.8 * sizes[2]


def _varied(rows: list[dict[str, Any]], copies: int) -> list[dict[str, Any]]:
    """The events again and again, at other times and with other ids and processes."""
    return [
        {**row, "id": sha256(row["id"] + bytes([copy])).digest(),
         "time": row["time"] + timedelta(milliseconds=7919 * copy + at),
         "host_pid": (row["host_pid"] or 0) + 31 * copy}
        for copy in range(copies)
        for at, row in enumerate(rows)
    ]  # fmt: skip


def _size(there: Space, index: str) -> int:
    """Bytes of its one segment; files of those that were merged into it may still lie there."""
    there.engine.demand("POST", f"/{index}/_forcemerge", params={"max_num_segments": "1"},
                        timeout_s=120)  # fmt: skip
    there.engine.demand("POST", f"/{index}/_flush", params={"force": "true"})
    there.engine.demand("POST", f"/{index}/_refresh")
    found = there.engine.demand("GET", f"/{index}/_segments").json()["indices"][index]["shards"]
    ((shard,),) = found.values()
    (segment,) = (each for each in shard["segments"].values() if each["search"])
    return int(segment["size_in_bytes"])
