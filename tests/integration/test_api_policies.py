"""`/api/v1/policies`: choices, states, and who may see what."""

from collections.abc import Iterator

import pytest

from armorstack.web.desk import Grant
from tests.support.api import Api, Arriving, serving


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    with serving(Arriving) as api:
        yield api


@pytest.fixture
def api(shared: Api) -> Iterator[Api]:
    before = shared.door.grant
    yield shared
    shared.door.grant = before


def names(api: Api, query: str = "") -> list[str]:
    return [each["name"] for each in api.json(f"/policies{query}")["policies"]]


def test_all_are_told_with_states_troubles_and_the_time(api: Api) -> None:
    found = api.json("/policies")
    assert [each["name"] for each in found["policies"]] == ["block-shell", "audit-all"]
    assert found["states"] == {"quiet": 1, "selects nothing": 1}
    assert found["troubles"] == [{"what": "a.yaml:3", "sentence": "no YAML", "hint": ""}]
    assert found["as_of"] == found["policies"][0]["last_alert"] == "2026-11-23T14:10:38.000000Z"
    assert found["policies"][1]["last_alert"] is None
    assert "yaml" not in found["policies"][0]
    assert api.json("/policies?detail=whole")["policies"][0]["yaml"] == "action: Block\n"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?namespace=shop", ["block-shell"]), ("?state=selects%20nothing", ["audit-all"]),
        ("?kind=KubeArmorClusterPolicy", ["audit-all"]), ("?name=block-shell", ["block-shell"]),
        ("?action=Block", ["block-shell"]), ("?tag=MITRE", ["block-shell"]),
        ("?text=/BIN/sh", ["block-shell"]), ("?namespace=shop&state=firing", []),
    ],
)  # fmt: skip
def test_each_parameter_narrows(api: Api, query: str, found: list[str]) -> None:
    assert names(api, query) == found


def test_a_token_for_namespaces_sees_its_policies_and_hears_of_no_other(api: Api) -> None:
    api.door.grant = Grant("ci", ("shop",))
    found = api.json("/policies?detail=whole")
    assert [each["name"] for each in found["policies"]] == ["block-shell"]
    assert (found["states"], found["troubles"]) == ({"quiet": 1}, [])
    api.door.grant = Grant("ci", ("bank",))
    assert api.json("/policies")["policies"] == []


def test_a_wrong_word_names_those_there_are(api: Api) -> None:
    answer = api.get("/policies?state=on")
    assert answer.status_code == 400
    assert "never fired" in answer.json()["error"]["hint"]
