"""Index templates hold every path of a stored document, and nothing that events could add to."""

from typing import Any

import pytest

from armorstack.config.sinks import ElasticSink
from armorstack.core.ecs.stored import STORED_TYPES
from armorstack.core.fields import FIELDS
from armorstack.core.gap import Gap
from armorstack.engines.elastic.dialect import Dialect
from armorstack.engines.elastic.templates import event_mappings, templates
from armorstack.sinks.lines import gap_document
from tests.support.ecs import leaves

OPENSEARCH = Dialect("opensearch", (2, 19, 3))
ELASTICSEARCH = Dialect("elasticsearch", (8, 19, 0))
BOTH = pytest.mark.parametrize("dialect", [OPENSEARCH, ELASTICSEARCH], ids=lambda d: d.name)


def definition(mappings: dict[str, Any], path: str) -> dict[str, Any]:
    node = mappings
    for name in path.split("."):
        node = node["properties"][name]
    return node


def body(settings: ElasticSink, dialect: Dialect, kind: str = "alerts") -> dict[str, Any]:
    by_name = {template.name: template.body for template in templates(settings, dialect)}
    return by_name[f"{settings.prefix}-{kind}"]


@BOTH
def test_every_path_of_a_document_has_a_type(dialect: Dialect) -> None:
    mappings = event_mappings(dialect)
    for path, engine in STORED_TYPES.items():
        expected = dialect.flattened if engine == "flattened" else engine
        assert definition(mappings, path)["type"] == expected, path


@BOTH
def test_each_alias_of_the_table_points_at_its_path(dialect: Dialect) -> None:
    mappings = event_mappings(dialect)
    aliases = [field for field in FIELDS if field.alias]
    assert len(aliases) > 20
    for field in aliases:
        assert definition(mappings, field.name) == {"type": "alias", "path": field.ecs}


@BOTH
def test_no_event_adds_a_field(dialect: Dialect) -> None:
    for template in templates(ElasticSink(), dialect):
        assert template.body["template"]["mappings"]["dynamic"] is False
    assert definition(event_mappings(dialect), "armorstack.columns")["enabled"] is False


@BOTH
def test_the_longest_indexed_text_is_no_longer_than_lucene_takes(dialect: Dialect) -> None:
    mappings = event_mappings(dialect)
    for path, engine in STORED_TYPES.items():
        found = definition(mappings, path)
        if engine == "keyword" and found.get("index", True):
            # Three bytes are the most that one UTF-16 unit takes.
            assert found["ignore_above"] * 3 < 32_766, path


def test_a_kept_original_is_in_the_source_only() -> None:
    for path in ("event.original", "armorstack.extra"):
        found = definition(event_mappings(OPENSEARCH), path)
        assert (found["index"], found["doc_values"]) == (False, False)


@BOTH
def test_a_gap_has_a_type_at_each_of_its_paths(dialect: Dialect) -> None:
    mappings = body(ElasticSink(), dialect, "gaps")["template"]["mappings"]
    gap = Gap("stop", "relay", 1, 2, stream="alert", node="n", lost=3, detail="d")
    for path, _ in leaves(gap_document(gap)):
        assert definition(mappings, path)["type"] in ("keyword", "date", "long"), path


def test_settings_of_the_sink_are_settings_of_the_index() -> None:
    settings = ElasticSink(prefix="acme", shards=3, replicas=2, policy="tiers")
    index = body(settings, ELASTICSEARCH)["template"]["settings"]["index"]
    assert (index["number_of_shards"], index["number_of_replicas"]) == ("3", "2")
    assert index["lifecycle"] == {"name": "tiers"}
    assert index["mode"] == "standard"
    other = body(settings, OPENSEARCH)["template"]["settings"]["index"]
    assert not other.keys() & {"mode", "lifecycle"}


def test_another_type_or_setting_is_another_digest() -> None:
    digests = {
        templates(settings, dialect)[0].digest
        for dialect in (OPENSEARCH, ELASTICSEARCH)
        for settings in (ElasticSink(), ElasticSink(shards=2), ElasticSink(replicas=0))
    }
    assert len(digests) == 6
    first, again = (templates(ElasticSink(), OPENSEARCH)[0] for _ in range(2))
    assert first.digest == again.digest


@BOTH
def test_each_template_covers_its_own_indices_above_those_that_engines_bring(
    dialect: Dialect,
) -> None:
    made = {t.name: t.body for t in templates(ElasticSink(prefix="acme"), dialect)}
    assert {name: each["index_patterns"] for name, each in made.items()} == {
        "acme-alerts": ["acme-alerts-*"],
        "acme-logs": ["acme-logs-*"],
        "acme-messages": ["acme-messages-*"],
        "acme-gaps": ["acme-gaps-*"],
        "acme-policies": ["acme-policies"],
    }
    assert min(each["priority"] for each in made.values()) >= 200


def test_only_opensearch_has_to_be_told_that_a_refresh_does_not_wait_for_a_merge() -> None:
    told = body(ElasticSink(), OPENSEARCH)["template"]["settings"]["index"]
    assert told["merge_on_flush"] == {"enabled": "false"}
    # Elasticsearch refuses a setting that it does not know.
    assert (
        "merge_on_flush" not in body(ElasticSink(), ELASTICSEARCH)["template"]["settings"]["index"]
    )
