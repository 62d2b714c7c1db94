"""The API does what its description says: asked whatever that allows, and what it does not."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckFunction
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from armorstack.core.query.names import QUERY_FIELDS
from armorstack.store.cursor import Cursor
from armorstack.web.api.description import describe
from armorstack.web.api.table import ENDPOINTS
from tests.support.web import Site, serving

CHECKS: list[CheckFunction] = [
    content_type_conformance, negative_data_rejection, positive_data_acceptance,
    response_schema_conformance, status_code_conformance,
]  # fmt: skip
FIELDS = ("pod", "severity", "tag")
IDS = st.binary(min_size=32, max_size=32)
DIGITS = st.integers(0, 10**9).map(str)
WORDS = st.text("abcxyz-*?", min_size=1, max_size=6)
MOMENTS = ("now", "2026-11-23T14:00:00Z", "1795443000")
QUERIES = st.one_of(
    WORDS.map("pod:{}".format), DIGITS.map("severity>={}".format), WORDS.map('"{}"'.format),
    st.just(""), st.sampled_from(("not exists:pod", "a or (b and not c)", "time>=now-1h")),
)  # fmt: skip
FORMATS: dict[str, st.SearchStrategy[str]] = {
    "query": QUERIES,
    "from": st.sampled_from(("all", "now-24h", "now-7d", "2026-11-01")),
    "moment": st.just("now"),
    "zone": st.sampled_from(("UTC", "Europe/Berlin", "Asia/Tokyo")),
    "cursor": st.builds(Cursor, st.integers(0, 10**17), IDS).map(str),
    "span": st.sampled_from(("1s", "30s", "5m", "1h30m", "7d")),
    "near": st.one_of(DIGITS, st.sampled_from(MOMENTS)),
    "number": st.one_of(
        DIGITS, DIGITS.map("!{}".format), DIGITS.map("{}..".format), st.just("")
    ),
}  # fmt: skip
for name, strategy in FORMATS.items():
    schemathesis.openapi.format(f"armorstack-{name}", strategy)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site"), events=20) as served:
        yield served


def description() -> dict[str, Any]:
    """The API's own, with a few of the fields: each is described alike, and asked in `test_api`.

    The stream has no end; its own tests read it.
    """
    told = describe(ENDPOINTS)
    del told["paths"]["/api/v1/stream"]
    for path in told["paths"].values():
        path["get"]["parameters"] = [
            each
            for each in path["get"]["parameters"]
            if each["in"] == "path" or each["name"] not in QUERY_FIELDS or each["name"] in FIELDS
        ]
    return told


def contradicts_itself(query: dict[str, Any]) -> bool:
    """Whether parameters exclude each other, which a description of each cannot say."""
    is_flat = query.get("form", "columns") == "columns"
    return {"before", "after"} <= set(query) or (
        not is_flat and query.get("format", "csv") in ("csv", "parquet")
    )


def checks_for(case: schemathesis.Case) -> list[CheckFunction]:
    """All but the rejection of what was made wrong by chance.

    That takes a text that has not come from our strategy for one that breaks its format, and an
    object for no list, which in a URL looks like one; what is wrong at bounds is always told apart.
    """
    by_chance = case.meta is not None and case.meta.phase.name == TestPhase.FUZZING
    return [each for each in CHECKS if not by_chance or each is not negative_data_rejection]


schema = schemathesis.openapi.from_dict(description())


@pytest.mark.timeout(400)
@schema.parametrize()
@settings(max_examples=5, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: schemathesis.Case, site: Site) -> None:
    assume(not contradicts_itself(case.query or {}))
    headers = {"authorization": f"Bearer {site.token}"}
    case.call_and_validate(base_url=site.url, headers=headers, checks=checks_for(case))
