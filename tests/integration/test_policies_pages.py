"""Pages and API of deployed policies and of coverage, on a real socket over a real store."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from armorstack.core.decode import decode
from armorstack.core.policy_change import PolicyChange, line_of
from armorstack.core.text import UNSAFE
from armorstack.policies.book import Trouble
from armorstack.policies.document import STATES, PolicyDocument
from armorstack.spool.rows import Row, row_of
from tests.support.elements import Node, parsed
from tests.support.policies import HOSTILE, SOME_COVERAGE, FixedBook, many_documents
from tests.support.web import Site, now_us, serving

TROUBLE = Trouble("ksp/broken.yaml:3", "it is <b> no YAML", "mend it")
NAME = "ksp-wordpress-block-shells"
"""A policy of the sample, which fires."""


def documents() -> tuple[PolicyDocument, ...]:
    at_us = now_us()
    fires = PolicyDocument(
        uid="fires", kind="KubeArmorPolicy", namespace="wordpress-mysql", name=NAME,
        state="firing", action="Block", severity=5, rules=("process /bin/sh (Block)",),
        rules_count=1, yaml="action: Block\n", selector_text="app=wordpress", manager="kubectl",
        changed_us=at_us, alerts_24h=7, alerts_all=7, blocked_24h=7, last_alert_us=at_us,
        pods=("wordpress-mysql/web-0",), pods_count=1, as_of_us=at_us,
    )  # fmt: skip
    return (fires, *many_documents(at_us))


def changed() -> Row:
    """What the watch writes when that policy is changed."""
    change = PolicyChange(
        verb="Update", time_us=now_us(), cluster="", kind="KubeArmorPolicy",
        namespace="wordpress-mysql", name=NAME, uid="fires", who="kubectl",
        difference="spec.action: Audit → <i>Block</i>",
    )  # fmt: skip
    return row_of(
        [line_of(change)], source="policies", stream="message", encoding="json",
        received_us=now_us(), seq=20_000,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    book = FixedBook(*documents(), troubles=(TROUBLE,), coverage=SOME_COVERAGE)
    with serving(tmp_path_factory.mktemp("policies"), book=book) as served:
        served.store.write(decode([changed()]).batch)
        yield served


@pytest.fixture(scope="module")
def team(site: Site) -> str:
    return site.make_token("team", "shop")


def page(site: Site, path: str, token: str | None = None) -> Node:
    answer = site.get(path, token)
    assert answer.status_code == 200, answer.text[:500]
    return parsed(answer.text)


def rows(site: Site, path: str, token: str | None = None) -> list[list[str]]:
    found = page(site, path, token).all("tbody")
    cells = (row.all("td") + row.all("th") for body in found for row in body.all("tr"))
    return [[cell.text.strip() for cell in row] for row in cells]


def names(site: Site, path: str, token: str | None = None) -> list[str]:
    return [row[-1] for row in rows(site, path, token)]


def test_the_list_counts_each_state_and_a_click_shows_these_alone(site: Site) -> None:
    shown = page(site, "/policies")
    for state in STATES:
        told = sum(each.state == state for each in documents())
        link = next(a for a in shown.all("a", "pill") if state in a.text)
        assert link.text.split()[-1] == str(told)
        assert len(rows(site, link["href"])) == told
    assert len(rows(site, "/policies")) == len(documents())


def test_filters_narrow_together_and_states_are_counted_under_them(site: Site) -> None:
    path = "/policies?kind=KubeArmorPolicy&namespace=shop&action=Block&text=POLICY-"
    meant = [
        each for each in documents()
        if (each.kind, each.namespace, each.action) == ("KubeArmorPolicy", "shop", "Block")
        and "policy-" in each.name
    ]  # fmt: skip
    assert meant
    assert len(rows(site, path)) == len(meant)
    counted = [int(a.text.split()[-1]) for a in page(site, path).all("a", "pill")]
    assert sum(counted) == len(meant)
    assert {row[4] for row in rows(site, "/policies?severity=7")} == {"▲ 7"}
    assert names(site, "/policies?tag=ksp-policy-20") == ["ksp-policy-20"]


@pytest.mark.parametrize("by", ["name", "severity", "day", "last", "state", "pods", "tags"])
def test_a_head_sorts_and_turns_the_order_round(site: Site, by: str) -> None:
    down = names(site, f"/policies?sort={by}&order=descending&text=ksp-&action=Block")
    up = names(site, f"/policies?sort={by}&order=ascending&text=ksp-&action=Block")
    assert set(up) == set(down)
    assert up != down or by == "pods"
    heads = page(site, f"/policies?sort={by}&order=ascending").all("th")
    assert [head["aria-sort"] for head in heads if head["aria-sort"]] == ["ascending"]


def test_alerts_are_sorted_by_their_number(site: Site) -> None:
    counts = [int(row[7]) for row in rows(site, "/policies?sort=day&state=firing")]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_a_size_says_how_many_there_are_besides(site: Site) -> None:
    shown = page(site, "/policies?size=5")
    assert f"5 of {len(documents())} are shown" in shown.text
    assert site.get("/policies?size=0").status_code == 400
    assert site.get("/policies?sort=bogus").status_code == 400


def test_a_policy_that_fires_has_a_line_of_its_last_day(site: Site) -> None:
    shown = page(site, f"/policies?text={NAME}")
    assert shown.all("svg", "spark")


def test_the_default_posture_stands_apart_with_its_events(site: Site) -> None:
    link = next(a for a in page(site, "/policies").all("a") if "policy=DefaultPosture" in a["href"])
    count = int(link.text.split()[0].replace(",", ""))
    asked = "/api/v1/count?q=stream:alert&policy=DefaultPosture"
    assert count == site.get(asked).json()["count"] > 0
    assert site.get(link["href"]).status_code == 200


@pytest.mark.parametrize("path", [
    "/policies?by=events", "/policies?q=severity%3E4", "/policies?pod=x", "/policies?namespace=!x",
])  # fmt: skip
def test_what_only_events_can_answer_is_answered_from_events(site: Site, path: str) -> None:
    shown = page(site, path)
    assert not shown.all("form", "filters")
    assert any(a["href"] == "/policies" and "deployed" in a.text for a in shown.all("a"))


def test_without_a_watch_the_list_is_from_events_and_says_how_to_watch(tmp_path: Path) -> None:
    with serving(tmp_path, events=40) as bare:
        shown = page(bare, "/policies")
        assert "armorstack run --policies PATH" in shown.text
        assert shown.all("table", "groups")
        assert "Pods are not watched" in page(bare, "/coverage").text
        assert bare.get("/api/v1/coverage").status_code == 503


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text_and_have_pages(site: Site, name: str) -> None:
    one = f"/policy?policy={quote_plus(name.replace('!', chr(92) + '!', 1))}"
    for path in ("/policies", one):
        text = site.get(path).text
        assert "<b>" not in text
        assert "<script>document" not in text
        shown = parsed(text).one("main").text
        assert "\u202e" not in shown
        assert "\x1b" not in shown
    assert page(site, one).all("section", "deployed")


def test_a_filter_offers_only_values_that_can_be_read(site: Site) -> None:
    values = [option["value"] for option in page(site, "/policies").all("option")]
    assert "<b>bold</b>" in values
    assert not [value for value in values if UNSAFE.search(value) or len(value) > 200]


def test_a_policy_tells_what_it_is_whom_it_selects_and_who_changed_it(site: Site) -> None:
    shown = page(site, f"/policy?policy={NAME}")
    about = shown.one("section", "deployed")
    for told in (
        "firing", "app=wordpress", "process /bin/sh (Block)", "by kubectl", "7 blocked in 24 h",
        "action: Block", "was changed by kubectl",
        "spec.action: Audit → <i>Block</i>",
    ):  # fmt: skip
        assert told in " ".join(about.text.split()), told
    targets = [a["href"] for a in about.all("a")]
    assert "/pod?namespace=wordpress-mysql&pod=web-0" in targets
    assert all(site.get(target).status_code == 200 for target in targets)


def test_a_namespace_chooses_among_policies_of_one_name(site: Site) -> None:
    assert page(site, f"/policy?policy={NAME}&namespace=wordpress-mysql").all("section", "deployed")
    other = page(site, f"/policy?policy={NAME}&namespace=shop")
    assert not other.all("section", "deployed")
    assert "No policy of this name" in other.text
    assert "No policy of this name" not in page(site, "/policy?policy=DefaultPosture").text


def test_a_pod_tells_which_policies_select_it(site: Site) -> None:
    assert f"Selected by {NAME}." in page(site, "/pod?namespace=wordpress-mysql&pod=web-0").text
    assert "No policy selects this pod." in page(site, "/pod?namespace=shop&pod=bare-one").text


def test_coverage_lists_pods_without_a_policy_by_namespace(site: Site) -> None:
    shown = page(site, "/coverage")
    assert "3 of 65 pods have no policy." in shown.text
    assert [row[-1] for row in rows(site, "/coverage")] == ["blog", "shop", "secret"]
    assert "secret-pod" in shown.text
    one = page(site, "/coverage?namespace=shop")
    assert "secret-pod" not in one.text
    assert "pod-21" in one.text
    assert "bare-one" not in page(site, "/coverage?text=SECRET").text
    assert site.get("/api/v1/coverage").json()["bare"] == 3
    assert site.get("/api/v1/coverage?namespace=shop").json()["namespaces"] == [
        {"namespace": "shop", "pods": 62, "covered": 60, "bare": ["bare-one", "<b>bare</b>"]}
    ]


def test_a_token_for_a_namespace_hears_of_nothing_else(site: Site, team: str) -> None:
    mine = [e for e in documents() if (e.kind, e.namespace) == ("KubeArmorPolicy", "shop")]
    shown = page(site, "/policies", team)
    assert len(rows(site, "/policies", team)) == len(mine)
    assert sum(int(a.text.split()[-1]) for a in shown.all("a", "pill")) == len(mine)
    for told in ("broken.yaml", "blog", NAME):
        assert told not in shown.text
    assert not page(site, f"/policy?policy={NAME}", team).all("section", "deployed")
    cluster = next(e.name for e in documents() if e.kind == "KubeArmorClusterPolicy")
    assert not page(site, f"/policy?policy={quote_plus(cluster)}", team).all("section", "deployed")
    covered = page(site, "/coverage", team)
    assert "secret" not in covered.text
    assert "2 of 62 pods" in covered.text
    found = site.get("/api/v1/coverage", team).json()
    assert [each["namespace"] for each in found["namespaces"]] == ["shop"]
    assert (found["pods"], found["bare"]) == (62, 2)
    pod = page(site, "/pod?namespace=wordpress-mysql&pod=web-0", team)
    assert "elect" not in pod.one("main").text


def told(site: Site, folder: Path, *words: str, code: int = 0) -> str:
    """What `armorstack policies` prints when it asks this site."""
    token = folder / "token"
    token.write_text(site.token)
    done = subprocess.run(
        [sys.executable, "-m", "armorstack", "policies", *words, "--url", site.url,
         "--token-file", str(token)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout


def test_the_command_tells_coverage(site: Site, tmp_path: Path) -> None:
    assert told(site, tmp_path, "coverage").splitlines()[2].split() == ["shop", "62", "60", "2"]
    named = told(site, tmp_path, "coverage", "--namespace", "shop", "--bare")
    assert named == "shop/bare-one\nshop/<b>bare</b>\n"
    assert json.loads(told(site, tmp_path, "coverage", "--json"))["bare"] == 3


def test_the_command_tells_changes(site: Site, tmp_path: Path) -> None:
    lines = told(site, tmp_path, "changes", NAME).splitlines()
    assert lines[0].endswith(f"KubeArmorPolicy wordpress-mysql/{NAME} was changed by kubectl")
    assert lines[1] == "  spec.action: Audit → <i>Block</i>"
    found = json.loads(told(site, tmp_path, "changes", "--json", "--namespace", "wordpress-mysql"))
    assert [each["policy"] for each in found["events"]] == [NAME]
    assert told(site, tmp_path, "changes", "nobody") == ""
