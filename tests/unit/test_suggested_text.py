"""Suggested policies as YAML: what is quoted, what the comments say, that no text leaves them."""

from typing import Any

import pytest
import yaml

from armorstack.policies.policy import policy_of
from armorstack.policies.replay import replays
from armorstack.policies.suggest import Options, suggest
from armorstack.policies.suggested_text import documents, yaml_of
from tests.support.acts import alert, batch, opened, ran


def test_a_policy_is_written_as_people_write_it() -> None:
    rows = [ran("/usr/bin/curl"), ran("/usr/bin/curl"), alert(ran("/usr/bin/curl"), "ksp-a")]
    rows.append(opened("/tmp/a b"))
    found = suggest(rows)
    again = replays([policy_of(found.policies[0].policy)], [batch(rows)])
    assert (
        documents(found, again)
        == """\
# 1 policy suggested from 4 events.
# Nothing was applied. Read it, try it with `kubectl apply --dry-run=server -f FILE`, then \
`kubectl apply -f FILE`.
---
# shop/Deployment/cart: 3 events
# Over 4 stored events it means 3: 1 reported by alerts, 2 new; 0 were denied.
# Left out: 1 event: /tmp/a b: holds a space, at which KubeArmor cuts the paths of events
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata:
  name: suggested-audit-cart
  namespace: shop
spec:
  severity: 5
  selector:
    matchLabels:
      app: cart
  process:
    matchPaths:
    - path: /usr/bin/curl
      fromSource:
      - path: /usr/bin/bash
  action: Audit
"""
    )


@pytest.mark.parametrize(
    "text",
    ["1e3", "0x1f", "0o7", "1_000", "1:30", "12", ".5", "y", "N", "yes", "Off", "true", "NULL", "~",
     "", ".inf", "nan", "2026-11-29", "=", "<<", "a: b", "# a", "- a", "é", "a b", "*a", "&a", "!a",
     "\u2028", "\ufffe", "\U0001f98a"],
)  # fmt: skip
def test_what_could_be_something_else_is_quoted(text: str) -> None:
    written = yaml_of({"a": text})
    assert written.startswith('a: "')
    assert written.isascii()
    assert yaml.safe_load(written) == {"a": text}
    assert yaml.safe_load(yaml_of({text: "a"})) == {text: "a"}


@pytest.mark.parametrize("text", ["app", "/usr/bin/id", "kubernetes.io/hostname", "Deployment"])
def test_what_is_a_word_is_not_quoted(text: str) -> None:
    assert yaml_of({text: text}) == f"{text}: {text}\n"


def test_a_key_that_could_be_a_number_is_quoted() -> None:
    assert yaml_of({"1e3": "a"}) == '"1e3": a\n'


def test_a_comment_never_leaves_its_line() -> None:
    hostile = "/tmp/x\nkind: Evil\r\x85\u2028\x1b[2J é\ufffe"
    written = documents(suggest([opened(hostile), ran("/bin/id")]))
    assert written.isascii()
    assert "\\x0akind: Evil\\x0d\\x85\\u2028\\x1b[2J \\xe9\\ufffe: holds a space" in written
    assert [each["kind"] for each in yaml.safe_load_all(written) if each] == ["KubeArmorPolicy"]


def test_what_was_left_out_is_told_up_to_a_bound() -> None:
    written = documents(suggest([opened(f"a{number}") for number in range(30)]))
    assert written.count("# Left out: 1 event: shop/Deployment/cart: a") == 20
    assert "# Left out: 10 more; --json lists them" in written


def test_a_policy_that_allows_says_what_it_leaves_to_the_posture() -> None:
    rows: list[dict[str, Any]] = [ran("/bin/id")]
    found = suggest(rows, Options("Allow"))
    again = replays([policy_of(found.policies[0].policy)], [batch([*rows, ran("/bin/ls")])])
    written = documents(found, again)
    assert "# It allows: whatever of these sections it does not name" in written
    assert "# Of process it would leave 1 to the default posture." in written
    assert "It allows" not in documents(suggest(rows))
