"""Every path that a rule writes into a document: its type, where it comes from, what it means.

Together with the plain copies of the table of fields this is the whole vocabulary of `to_ecs`:
index templates and `docs/fields.md` are derived from it, and a test holds documents against it.

Invariant: no path is a prefix of another, so that no object is ever also a value.
"""

from msgspec import Struct

from armorstack.core.fields import FIELDS, EngineType


class Path(Struct, frozen=True):
    """One path that a rule, not a plain copy, writes."""

    path: str
    engine: EngineType
    source: str
    """The KubeArmor fields it comes from, or who gives the value."""
    rule: str
    """How, in one sentence."""


HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")
"""Algorithms that ECS has a field for and IMA can be set to."""

_EVENT = (
    Path("@timestamp", "date", "UpdatedTime, Timestamp", "The event's own time."),
    Path("ecs.version", "keyword", "-", "8.11.0, the version whose meaning the paths have."),
    Path("event.id", "keyword", "-", "The stable id, base64 of 32 bytes (contract 2)."),
    Path("event.created", "date", "-", "When the receiver had it."),
    Path("event.ingested", "date", "-", "When it was given to the store, if that was said."),
    Path("event.sequence", "long", "UpdatedTime", "Microseconds since 1970, finer than date."),
    Path("event.kind", "keyword", "Type", "By the stream: alert, or event; without both Type and "
         "stream pipeline_error. SystemEvent is an event."),
    Path("event.module", "keyword", "-", "kubearmor."),
    Path("event.dataset", "keyword", "-", "kubearmor.alerts, .logs or .messages, by the stream."),
    Path("event.provider", "keyword", "Enforcer", "Who decided."),
    Path("event.category", "keyword", "Operation", "Alerts add intrusion_detection."),
    Path("event.type", "keyword", "Operation, Data, Action", "What happened, and for alerts "
         "whether it was allowed or denied."),
    Path("event.action", "keyword", "Operation, Data", "Such as process-exec, file-unlink, "
         "network-connect."),
    Path("event.outcome", "keyword", "Result", "Passed is success, an errno text failure, all "
         "else unknown."),
    Path("event.risk_score", "long", "Severity", "Severity times ten; alerts only."),
    Path("event.code", "keyword", "Data", "The system call, such as SYS_OPENAT."),
    Path("event.start", "date", "-", "Of folded events: when the first of them happened."),
    Path("event.end", "date", "-", "Of folded events: when the last of them happened."),
    Path("armorstack.count", "long", "-", "Of folded events: how many they are."),
    Path("event.original", "keyword", "-", "The event as it came, if it was kept; base64 where it "
         "was protobuf."),
    Path("tags", "keyword", "ATags, Tags", "Both, trimmed, each once."),
)  # fmt: skip

_RULE = (
    Path("rule.id", "keyword", "NamespaceName, PolicyName", "Joined by a slash."),
    Path("rule.ruleset", "keyword", "Type, PolicyName", "The policy's kind, or DefaultPosture."),
    Path("rule.category", "keyword", "Operation", "What the policy is about."),
    Path("rule.description", "keyword", "Message", "The policy's message."),
    Path("threat.framework", "keyword", "ATags, Tags", "MITRE ATT&CK, if a tag speaks of it."),
    Path("threat.tactic.id", "keyword", "ATags, Tags", "Every tactic."),
    Path("threat.tactic.name", "keyword", "ATags, Tags", "Its name."),
    Path("threat.technique.id", "keyword", "ATags, Tags", "Every technique."),
    Path("threat.technique.name", "keyword", "ATags, Tags", "The name that the tag gives."),
    Path("threat.technique.subtechnique.id", "keyword", "ATags, Tags", "Every sub-technique."),
    Path("threat.technique.subtechnique.name", "keyword", "ATags, Tags", "As the tag names it."),
    Path("kubearmor.action", "keyword", "Action", "What was done: `Audit (Block)` gives Audit."),
    Path("kubearmor.intended_action", "keyword", "Action", "What the policy says, where that is "
         "not what was done: `Audit (Block)` gives Block."),
)  # fmt: skip

_PROCESS = (
    Path("process.name", "keyword", "ProcessName", "Base name."),
    Path("process.parent.name", "keyword", "ParentProcessName", "Base name."),
    Path("process.command_line", "keyword", "Resource", "Process only: the whole line."),
    Path("process.args", "keyword", "Resource", "The line split at spaces, at most 1,024 parts."),
    Path("process.args_count", "long", "Resource", "How many parts the line has."),
    Path("process.user.id", "keyword", "UID", "As user.id."),
    Path("process.thread.capabilities.effective", "keyword", "Resource", "Capabilities only: the "
         "capability asked for."),
    Path("file.path", "keyword", "Resource", "File only: the path."),
    Path("file.name", "keyword", "Resource", "Its last part."),
    Path("file.directory", "keyword", "Resource", "All but its last part."),
    Path("file.extension", "keyword", "Resource", "What follows the name's last dot."),
    *(
        Path(f"{owner}.hash.{algorithm}", "keyword", f"{source}, HashAlgo", "By the algorithm.")
        for owner, source in (("process", "ProcessHash"), ("process.parent", "ParentHash"),
                              ("file", "ResourceHash"))
        for algorithm in HASHES
    ),
)  # fmt: skip

_SIDE: tuple[tuple[str, EngineType, str], ...] = (
    ("address", "keyword", "As written: an address, or a socket's path."),
    ("ip", "ip", "The address, if it is a valid one."),
    ("port", "long", "0 to 65535."),
    ("domain", "keyword", "The pod or service that the relay names as remotehost."),
)

_NETWORK = (
    *(
        Path(f"{side}.{leaf}", engine, "EventData, Resource, Data", rule)
        for side in ("source", "destination")
        for leaf, engine, rule in _SIDE
    ),
    Path("network.transport", "keyword", "EventData", "tcp, udp, ...; by Protocol, else Type."),
    Path("network.type", "keyword", "EventData", "ipv4 or ipv6; by the address, else the family."),
    Path("network.direction", "keyword", "EventData, Resource", "connect is egress, accept and "
         "bind ingress; NetworkFirewall says it."),
    Path("network.protocol", "keyword", "EventData", "dns, for a DNS query."),
    Path("dns.question.name", "keyword", "EventData", "The name asked for."),
    Path("dns.question.type", "keyword", "EventData", "A or AAAA."),
)  # fmt: skip

_WORKLOAD = (
    Path("orchestrator.type", "keyword", "NamespaceName", "kubernetes, if there is a namespace."),
    Path("orchestrator.resource.name", "keyword", "PodName", "The pod that acted."),
    Path("orchestrator.resource.type", "keyword", "PodName", "pod."),
    Path("orchestrator.resource.label", "keyword", "Labels", "Each as `k=v`."),
    Path("kubernetes.namespace", "keyword", "NamespaceName", "For Kibana's Kubernetes views."),
    Path("kubernetes.labels", "flattened", "Labels", "As a map; dots in keys become underscores."),
    Path("container.image.name", "keyword", "ContainerImage", "Without tag and digest."),
    Path("container.image.tag", "keyword", "ContainerImage", "The tag."),
    Path("container.image.hash.all", "keyword", "ContainerImage", "The digest with its algorithm."),
    Path("host.hostname", "keyword", "HostName", "As host.name."),
    Path("observer.product", "keyword", "-", "KubeArmor."),
    Path("observer.vendor", "keyword", "-", "KubeArmor."),
    Path("observer.type", "keyword", "-", "sensor."),
    Path("related.ip", "ip", "EventData, HostIP", "Every address in the event."),
    Path("related.user", "keyword", "UserName, UID", "Name and id."),
    Path("related.hosts", "keyword", "HostName, EventData", "The node, a remote host, a name asked "
         "for."),
    Path("related.hash", "keyword", "ProcessHash, ParentHash, ResourceHash", "Every hash."),
    Path("armorstack.source", "keyword", "-", "The source that brought it."),
    Path("armorstack.spelling", "keyword", "-", "protobuf, pascal, camel or protojson."),
    Path("armorstack.extra", "keyword", "-", "JSON: members beyond the table of fields."),
)  # fmt: skip

PATHS: tuple[Path, ...] = (*_EVENT, *_RULE, *_PROCESS, *_NETWORK, *_WORKLOAD)
"""What rules write, in reading order."""

ECS_TYPES: dict[str, EngineType] = {
    **{path.path: path.engine for path in PATHS},
    **{field.ecs: field.engine for field in FIELDS if field.ecs},
}
"""Path → engine type, for every path `to_ecs` can write. Below a flattened one keys are free."""
