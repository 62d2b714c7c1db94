"""A query as the query DSL means what plain evaluation says, event by event, in real engines."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from armorstack.core.ecs.exact import is_long
from armorstack.core.ecs.stored import to_stored
from armorstack.core.globs import GlobFault
from armorstack.core.ids import text
from armorstack.core.query.evaluate import evaluator
from armorstack.core.query.tree import Match, Node
from armorstack.engines.elastic.connection import Engine
from armorstack.errors import StoreError
from armorstack.store.elastic.inquiry import compiled
from tests.property.test_query_sql import EDGE_ROWS, EDGES
from tests.support.elastic_stores import prepared, settings_of
from tests.support.queries import Case, made_cases
from tests.support.selects import Chance

Row = dict[str, Any]
GROUPS = 25
TREES = 12
SERVERS = pytest.mark.parametrize("name", ["opensearch", "elasticsearch"])


def as_decoded(row: Row) -> Row:
    """The row without what no decoder makes: a tag that is null, a count of no events."""
    kept = {name: value for name, value in row.items() if (name, value) != ("fold_count", 0)}
    if kept.get("atags"):
        kept["atags"] = [tag for tag in kept["atags"] if tag is not None]
    return kept


def is_pattern_of_ids(node: Node) -> bool:
    """Whether engines, which find ids whole, do not know it."""
    is_glob = isinstance(node, Match) and not node.exact
    return is_glob and node.field == "id" and any("*" in text for text in node.texts)


def is_indexed(row: Row) -> bool:
    """Whether no value of the row is longer than what an engine indexes."""
    texts = [value for value in row.values() if isinstance(value, str)]
    texts += row.get("atags") or []
    texts += (row.get("event_data") or {}).values()
    return not any(map(is_long, texts))


def written(engine: Engine, index: str, case: Case) -> None:
    """Make an index of the case's events, searchable at once."""
    lines = []
    for row in case.batch().to_pylist():
        lines += [{"create": {"_index": index, "_id": text(row["id"])}}, to_stored(row)]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    answer = engine.demand("POST", "/_bulk", body, params={"refresh": "true"}).json()
    assert not answer["errors"], answer


def told(engine: Engine, index: str, conditions: Sequence[dict[str, Any]]) -> list[set[str]]:
    """The ids that each condition finds."""
    lines: list[dict[str, Any]] = []
    for each in conditions:
        lines += [{}, {"query": {"bool": {"filter": [each]}}, "_source": False, "size": 100}]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    params = {"max_concurrent_searches": "1"}
    answers = engine.demand("POST", f"/{index}/_msearch", body, params=params).json()
    return [{hit["_id"] for hit in answer["hits"]["hits"]} for answer in answers["responses"]]


def compare(engine: Engine, index: str, trees: Sequence[Node], rows: Sequence[Row]) -> int:
    """Assert that all these trees mean what evaluation says; how many were compared."""
    case = Case(trees[0], tuple(rows))
    written(engine, index, case)
    asked, conditions, wanted = [], [], []
    for tree in trees:
        try:
            test, condition = evaluator(tree), compiled(tree)
        except (GlobFault, StoreError):
            # Means nothing, or is too much for an engine; then nothing is sent.
            continue
        asked.append(tree)
        conditions.append(condition)
        wanted.append({text(row["id"]) for row in case.plain() if test(row)})
    for tree, found, meant in zip(asked, told(engine, index, conditions), wanted, strict=True):
        assert found == meant, tree
    engine.demand("DELETE", f"/{index}")
    return len(asked)


@SERVERS
def test_what_is_easily_compiled_wrongly_means_what_evaluation_says(
    name: str, request: pytest.FixtureRequest
) -> None:
    settings = settings_of(request.getfixturevalue(f"{name}_server").url)
    with prepared(settings) as engine:
        rows = [as_decoded(row) for row in EDGE_ROWS]
        asked = [edge for edge in EDGES if not is_pattern_of_ids(edge)]
        assert compare(engine, f"{settings.prefix}-alerts-late", asked, rows) == len(asked)


@SERVERS
@pytest.mark.timeout(300)
def test_any_query_means_what_evaluation_says(name: str, request: pytest.FixtureRequest) -> None:
    settings = settings_of(request.getfixturevalue(f"{name}_server").url)
    chance = Random(11)
    compared = 0
    with prepared(settings) as engine:
        for number in range(GROUPS):
            made = made_cases(Chance(chance.randrange), TREES, 8, depth=2)
            rows = [row for each in made[0].rows if is_indexed(row := as_decoded(each))]
            if rows:
                index = f"{settings.prefix}-logs-{number}"
                compared += compare(engine, index, [each.tree for each in made], rows)
    assert compared > GROUPS * TREES / 2
