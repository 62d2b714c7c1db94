"""Commands that are offered beside an event, to be pasted into a shell."""

import shlex
from typing import Any

import click
import pytest

from armorstack.core.commands import commands, is_safe
from tests.support.hostile import TEXTS

ID = "A" * 43
POD = {
    "stream": "alert", "type": "MatchedPolicy", "policy_name": "ksp-block", "pod_name": "web-1",
    "namespace_name": "shop", "container_name": "app", "operation": "File", "host_name": "node-1",
}  # fmt: skip


def texts(row: dict[str, Any]) -> list[str]:
    return [command.text for command in commands(row, ID)]


def test_a_pods_alert_leads_to_policy_pod_karmor_and_itself() -> None:
    assert texts(POD) == [
        "kubectl get kubearmorpolicy ksp-block -n shop -o yaml",
        "kubectl get kubearmorclusterpolicy ksp-block -o yaml",
        "kubectl get pod web-1 -n shop -o wide",
        "kubectl describe pod web-1 -n shop",
        "kubectl logs web-1 -n shop -c app",
        "karmor logs --logFilter all --namespace shop --pod web-1",
        "karmor logs --logFilter all --namespace shop --pod web-1 --operation File --json",
        f"armorstack query --since all --json 'id:\"{ID}\"'",
    ]


def test_a_host_policy_is_asked_by_its_own_kind_and_without_a_namespace() -> None:
    row = {"type": "MatchedHostPolicy", "policy_name": "hsp-usb", "host_name": "node-1"}
    assert texts(row)[:2] == [
        "kubectl get kubearmorhostpolicy hsp-usb -o yaml", "kubectl describe node node-1",
    ]  # fmt: skip


def test_the_default_posture_is_no_policy_but_an_annotation() -> None:
    found = texts(POD | {"policy_name": "DefaultPosture"})
    assert found[0] == "kubectl get namespace shop -o yaml"
    assert not any("DefaultPosture" in text for text in found)


def test_kubectl_is_not_asked_about_containers_that_kubernetes_does_not_run() -> None:
    found = texts(POD | {"namespace_name": "container_namespace"})
    assert not any(text.startswith("kubectl") for text in found)
    assert any(text.startswith("karmor logs") for text in found)


def test_a_message_leads_to_its_node() -> None:
    found = texts({"stream": "message", "type": "Message", "host_name": "node-1"})
    assert found[0] == "kubectl describe node node-1"


@pytest.mark.parametrize("text", TEXTS)
def test_whatever_an_event_says_stays_one_word_of_the_command(text: str) -> None:
    known = {word for command in texts(POD) for word in shlex.split(command)}
    known |= {"kubearmorpolicy", "namespace", "node", "node-1", text}
    for column in ("policy_name", "pod_name", "namespace_name", "container_name", "operation"):
        for command in texts(POD | {column: text}):
            assert set(shlex.split(command)) <= known
            assert command.isprintable()


@pytest.mark.parametrize(
    "text", ["-A", "--kubeconfig=x", "a\nb", "a\x00", "\u202ea", "", "a" * 254]
)
def test_a_value_that_could_be_an_option_or_hides_something_makes_no_command(text: str) -> None:
    assert not is_safe(text)
    found = texts(POD | {"pod_name": text})
    assert not any(command.startswith("kubectl describe pod") for command in found)


def test_our_own_command_is_one_that_our_command_line_knows() -> None:
    from armorstack.cli.main import cli

    line = shlex.split(texts(POD)[-1])
    query = cli.get_command(click.Context(cli), line[1])
    assert query is not None
    made = query.make_context(line[1], line[2:], resilient_parsing=False)
    assert made.params["query"] == (f'id:"{ID}"',)
