"""What an event is taken for: alert or not, allowed or denied, success or failure.

Alert or log is decided by the stream (quirk 12: a Type can come on both), allowed or denied by
what was done, never by what a policy in audit mode would have done.

Must not go here: what the act itself is (`operations`, `network`).
"""

from armorstack.core.ecs.draft import Document, Row
from armorstack.core.ecs.network import FIREWALL
from armorstack.core.ecs.operations import Act
from armorstack.core.policy_change import TYPE

DATASETS = {
    "alert": "kubearmor.alerts",
    "log": "kubearmor.logs",
    "message": "kubearmor.messages",
}
_STREAMS_BY_TYPE = {
    "SystemEvent": "alert",
    "ContainerLog": "log",
    "HostLog": "log",
    "Message": "message",
    TYPE: "message",
}


def stream_of(row: Row) -> str | None:
    """The stream it came on; for an event that lost it, by Type; else None."""
    if (stream := row["stream"]) in DATASETS:
        return str(stream)
    type_ = row["type"] or ""
    return "alert" if type_.startswith("Matched") else _STREAMS_BY_TYPE.get(type_)


def kind_of(row: Row, stream: str | None) -> str:
    """event.kind; SystemEvent comes with the alerts, but nobody broke a policy."""
    if stream is None:
        return "pipeline_error"
    return "alert" if stream == "alert" and row["type"] != "SystemEvent" else "event"


def actions(written: str) -> tuple[str, str | None]:
    """What was done, and what the policy says where that differs: `Audit (Block)`."""
    done, found, intended = written.partition(" (")
    if found and done and intended.endswith(")") and len(intended) > 1:
        return done, intended[:-1]
    return written, None


def outcome(result: str | None) -> str:
    """event.outcome. Result is not two-valued: any errno text is a failure.

    "Removed" (a USB device) is neither: the device was attached, and then taken away.
    """
    if result == "Passed":
        return "success"
    return "failure" if result and result != "Removed" else "unknown"


def allowed(action: str | None, result: str | None) -> str | None:
    """ "allowed" or "denied" by what was done; by Result where no action says it."""
    if action in ("Audit", "Allow"):
        return "allowed"
    if action in ("Block", "Remove"):
        return "denied"
    if not result:
        return None
    return "allowed" if result == "Passed" else "denied"


def _types(act: Act, verdict: str | None) -> list[str]:
    """The act's types with the verdict. What was blocked on the network was never established."""
    if verdict is None:
        return list(act.types)
    if act.category == "network" and verdict == "denied":
        return ["connection", "denied"]
    return [*(act.types or ("info",)), verdict]


def classify(event: Document, row: Row, act: Act, action: str | None) -> None:
    """Add category, type, action and outcome to an event that has its kind."""
    is_alert = event["kind"] == "alert"
    result = row["result"]
    judged = is_alert or act is FIREWALL
    if act.category:
        event["category"] = ["intrusion_detection", act.category] if is_alert else [act.category]
    elif is_alert:
        event["category"] = ["intrusion_detection"]
    if types := _types(act, allowed(action, result) if judged else None):
        event["type"] = types
    if act.action:
        event["action"] = act.action
    if result or row["operation"]:
        event["outcome"] = outcome(result)
