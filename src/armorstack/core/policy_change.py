"""A change of a deployed policy, as an event of its own: a line as KubeArmor writes them.

It goes the way of all events: into the spool as JSON, through filters and matches under the tag
`kubearmor.policy_change`, into every store. Invariant: what is said of a change follows from the
two objects and the time alone, so that two who saw it make one event. Must not go here: finding
out that something changed.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from armorstack.core.rebuild import canonical_time, from_micros

TYPE = "PolicyChange"
Verb = Literal["Create", "Update", "Delete"]
DONE: dict[str, tuple[str, str]] = {
    "Create": ("policy-create", "creation"),
    "Update": ("policy-update", "change"),
    "Delete": ("policy-delete", "deletion"),
}
"""Operation → `event.action` and `event.type`."""
_PAST = {"Create": "created", "Update": "changed", "Delete": "deleted"}


class PolicyChange(Struct, frozen=True, kw_only=True):
    """What happened to one policy. Texts are as the cluster gives them."""

    verb: Verb
    time_us: int
    """When: microseconds since 1970."""
    cluster: str
    kind: str
    """Such as `KubeArmorPolicy`."""
    namespace: str
    """Empty where the kind has none."""
    name: str
    uid: str
    generation: int = 0
    who: str = ""
    """The field manager that wrote the spec; empty: nobody says."""
    difference: str = ""
    """What is different, a line for each path; bounded by whoever makes it."""
    action: str = ""
    severity: int = 0
    tags: tuple[str, ...] = ()


def line_of(change: PolicyChange) -> bytes:
    """The change as one line of JSON in PascalCase, without its end."""
    where = f"{change.namespace}/{change.name}" if change.namespace else change.name
    said: dict[str, object] = {
        "Timestamp": change.time_us // 1_000_000,
        "UpdatedTime": canonical_time(from_micros(change.time_us)),
        "ClusterName": change.cluster,
        "NamespaceName": change.namespace,
        "PolicyName": change.name,
        "Severity": str(change.severity or ""),
        "Tags": ",".join(change.tags),
        "ATags": list(change.tags) or None,
        "Type": TYPE,
        "Source": change.who,
        "Operation": change.verb,
        "Resource": f"{change.kind}/{where}",
        "Data": change.difference or f"uid={change.uid} generation={change.generation}",
        "Action": change.action,
        "Level": "INFO",
        "Message": _sentence(change, where),
    }
    return msgspec.json.encode({name: value for name, value in said.items() if value})


def _sentence(change: PolicyChange, where: str) -> str:
    by = f" by {change.who}" if change.who else ""
    return f"{change.kind} {where} was {_PAST[change.verb]}{by}"


def kind_of(resource: str | None) -> str:
    """The policy's kind, of the event's Resource; empty where it names none."""
    return (resource or "").partition("/")[0]
