"""Commands that go on where an event's page ends: karmor, kubectl and armorstack, to be copied.

Invariant: a command does what it says whatever the event says. Every value is quoted for a POSIX
shell; one that could be taken for an option, or that has characters which do not show, makes no
command at all. Must not go here: running anything.
"""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from armorstack.core.text import UNSAFE

LONGEST_NAME = 253
"""What Kubernetes allows for a name (RFC 1123 subdomain)."""
DEFAULT_POSTURE = "DefaultPosture"
UNORCHESTRATED = "container_namespace"
"""KubeArmor's namespace for containers that no Kubernetes runs: kubectl knows none of it."""
HOST_TYPES = frozenset({"MatchedHostPolicy", "HostLog"})
NETWORK_TYPES = frozenset({"MatchedNetworkPolicy"})


class Command(Struct, frozen=True):
    """One command and what it is good for."""

    text: str
    doc: str
    """Half a sentence."""


def commands(row: Mapping[str, Any], id_text: str) -> tuple[Command, ...]:
    """What may be asked next about this event, the most telling first.

    `row` has columns of `SCHEMA`, absent ones missing or None; `id_text` is the id as in URLs.
    """
    return tuple([*_of_policy(row), *_of_pod(row), *_of_karmor(row), *_of_ours(id_text)])


def is_safe(value: str) -> bool:
    """Whether the value may stand in a command that a person copies."""
    fits = 0 < len(value) <= LONGEST_NAME and not value.startswith("-")
    return fits and UNSAFE.search(value) is None


def _of_policy(row: Mapping[str, Any]) -> Iterator[Command]:
    name, namespace = _name(row, "policy_name"), _name(row, "namespace_name")
    if name == DEFAULT_POSTURE:
        if namespace:
            doc = "the namespace's annotations: its default posture"
            yield Command(_line("kubectl", "get", "namespace", namespace, "-o", "yaml"), doc)
        return
    if not name:
        return
    type_ = row.get("type") or ""
    if type_ in HOST_TYPES:
        text = _line("kubectl", "get", "kubearmorhostpolicy", name, "-o", "yaml")
        yield Command(text, "the host policy")
    elif type_ in NETWORK_TYPES:
        text = _line("kubectl", "get", "kubearmornetworkpolicy", name, "-o", "yaml")
        yield Command(text, "the network policy")
    elif namespace and _is_orchestrated(row):
        text = _line("kubectl", "get", "kubearmorpolicy", name, "-n", namespace, "-o", "yaml")
        yield Command(text, "the policy")
        text = _line("kubectl", "get", "kubearmorclusterpolicy", name, "-o", "yaml")
        yield Command(text, "the policy, where it is one of the whole cluster")


def _of_pod(row: Mapping[str, Any]) -> Iterator[Command]:
    pod, namespace = _name(row, "pod_name"), _name(row, "namespace_name")
    if pod and namespace and _is_orchestrated(row):
        where = ("pod", pod, "-n", namespace)
        yield Command(_line("kubectl", "get", *where, "-o", "wide"), "the pod, if it still runs")
        yield Command(_line("kubectl", "describe", *where), "its containers, events, owner")
        if container := _name(row, "container_name"):
            text = _line("kubectl", "logs", pod, "-n", namespace, "-c", container)
            yield Command(text, "what the container itself printed")
    elif (node := _name(row, "host_name")) and not pod:
        yield Command(_line("kubectl", "describe", "node", node), "the node")


def _of_karmor(row: Mapping[str, Any]) -> Iterator[Command]:
    """karmor shows what comes from now on; it keeps nothing."""
    pod, namespace = _name(row, "pod_name"), _name(row, "namespace_name")
    if pod and namespace:
        logs = ("karmor", "logs", "--logFilter", "all", "--namespace", namespace, "--pod", pod)
        yield Command(_line(*logs), "what KubeArmor reports of this pod from now on")
        if operation := _name(row, "operation"):
            text = _line(*logs, "--operation", operation, "--json")
            yield Command(text, f"its {operation} events alone, as JSON")
    elif row.get("type") in HOST_TYPES:
        text = _line("karmor", "logs", "--logFilter", "all", "--logType", "HostLog")
        yield Command(text, "what KubeArmor reports of the hosts from now on")


def _of_ours(id_text: str) -> Iterator[Command]:
    query = f'id:"{id_text}"'
    text = _line("armorstack", "query", "--since", "all", "--json", query)
    yield Command(text, "this event on a terminal")


def _name(row: Mapping[str, Any], column: str) -> str:
    """The value where it may stand in a command; else empty."""
    value = row.get(column) or ""
    return value if is_safe(value) else ""


def _is_orchestrated(row: Mapping[str, Any]) -> bool:
    return row.get("namespace_name") != UNORCHESTRATED


def _line(*words: str) -> str:
    return shlex.join(words)
