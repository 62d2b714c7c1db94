"""The one table of fields: every KubeArmor field once, and all that is derived from it.

Numbers are those of `protobuf/kubearmor.proto`, package `feeder`, of KubeArmor 1.7 (messages Alert,
Log, Message, Podowner, ExecEvent). Decoders, columns, the `.proto` file, index templates, the
query language and the documentation read this table; nothing else lists fields.

Invariant: a field's number in a message never changes; a new field is a new row at its place in
the reading order. What one value becomes in ECS when that takes more than a copy (categories,
network parsing, MITRE) is code in `ecs.py`, not a column here.
"""

from typing import Literal

from msgspec import Struct

Stream = Literal["alert", "log", "message"]
Kind = Literal["text", "int32", "int64", "texts", "map"]
EngineType = Literal["keyword", "text", "long", "date", "ip", "boolean", "flattened"]

STREAMS: tuple[Stream, ...] = ("alert", "log", "message")
MESSAGE_NAMES: dict[Stream, str] = {"alert": "Alert", "log": "Log", "message": "Message"}
NESTED: dict[str, tuple[str, dict[Stream, int]]] = {
    "Owner": ("Podowner", {"alert": 31, "log": 24}),
    "ExecEvent": ("ExecEvent", {"alert": 36, "log": 27}),
}
"""Member name → (its protobuf message, its number in each message that carries it)."""


class Field(Struct, frozen=True, kw_only=True):
    """One row. `name` is the protobuf and PascalCase name; `Owner.Ref` lies inside `Owner`."""

    name: str
    column: str
    doc: str
    kind: Kind = "text"
    alert: int = 0
    log: int = 0
    message: int = 0
    camel: str = ""
    """Name in KubeArmor's own file (`types.Log`); empty where that file never has it."""
    ecs: str = ""
    """The ECS path that takes the value as it is; empty where only `ecs.py` can say."""
    engine: EngineType = "keyword"
    query: str = ""
    """The name that people type; empty where the field is not offered."""
    facet: bool = False
    alias: bool = False
    """Whether the PascalCase name is kept searchable as an alias of the ECS path."""
    always: bool = False
    """Whether Go prints the field even when it is zero (its `omitempty` is removed)."""

    def number(self, stream: Stream) -> int:
        """The field's number in the stream's message (inside its parent, if nested); 0: absent."""
        return {"alert": self.alert, "log": self.log, "message": self.message}[stream]

    @property
    def parent(self) -> str:
        """The member the field lies in, or an empty string."""
        return self.name.partition(".")[0] if "." in self.name else ""

    @property
    def leaf(self) -> str:
        """The name within its parent."""
        return self.name.rpartition(".")[2]


FIELDS: tuple[Field, ...] = (
    Field(
        name="Timestamp", column="timestamp", kind="int64", alert=1, log=1, message=1,
        camel="timestamp", engine="long", query="timestamp",
        doc="Seconds since 1970 of the same instant as UpdatedTime.",
    ),
    Field(
        name="UpdatedTime", column="updated_time", alert=2, log=2, message=2,
        camel="updatedTime", engine="date",
        doc="UTC with six fraction digits. Stored as `time`; the text is kept only when another "
        "spelling was used.",
    ),
    Field(
        name="ClusterName", column="cluster_name", alert=3, log=3, message=3,
        ecs="orchestrator.cluster.name", query="cluster", facet=True, alias=True,
        doc='The cluster; KubeArmor says "default" unless it was told a name.',
    ),
    Field(
        name="HostName", column="host_name", alert=4, log=4, message=4,
        camel="hostName", ecs="host.name", query="node", facet=True, alias=True,
        doc="The node's name.",
    ),
    Field(
        name="HostIP", column="host_ip", message=5,
        ecs="host.ip", engine="ip", query="node_ip",
        doc="The node's address; messages only.",
    ),
    Field(
        name="NamespaceName", column="namespace_name", alert=5, log=5,
        camel="namespaceName", ecs="orchestrator.namespace", query="namespace", facet=True,
        alias=True, doc="The pod's namespace.",
    ),
    Field(
        name="PodName", column="pod_name", alert=6, log=6,
        camel="podName", ecs="kubernetes.pod.name", query="pod", facet=True, alias=True,
        doc="The pod that acted (never the relay's own).",
    ),
    Field(
        name="Owner.Ref", column="owner_ref", alert=1, log=1,
        camel="owner.ref", ecs="orchestrator.resource.parent.type", query="owner_kind",
        facet=True, alias=True, doc="Kind of the pod's owner, such as Deployment.",
    ),
    Field(
        name="Owner.Name", column="owner_name", alert=2, log=2,
        camel="owner.name", ecs="kubearmor.owner.name", query="owner", facet=True, alias=True,
        doc="Name of the pod's owner.",
    ),
    Field(
        name="Owner.Namespace", column="owner_namespace", alert=3, log=3,
        camel="owner.namespace", ecs="kubearmor.owner.namespace",
        doc="Namespace of the pod's owner.",
    ),
    Field(
        name="Labels", column="labels", alert=29, log=23,
        camel="labels", query="label", engine="flattened", doc="The pod's labels, `k=v,k=v`.",
    ),
    Field(
        name="ContainerID", column="container_id", alert=7, log=7,
        camel="containerID", ecs="container.id", query="container_id", alias=True,
        doc="The container's id.",
    ),
    Field(
        name="ContainerName", column="container_name", alert=8, log=8,
        camel="containerName", ecs="container.name", query="container", facet=True, alias=True,
        doc="The container's name.",
    ),
    Field(
        name="ContainerImage", column="container_image", alert=24, log=19,
        camel="containerImage", query="image", facet=True,
        doc="The image as the runtime names it, with tag or digest.",
    ),
    Field(
        name="HostPPID", column="host_ppid", kind="int32", alert=27, log=22,
        camel="hostPPid", ecs="process.parent.pid", engine="long", query="ppid", alias=True,
        doc="Parent process id on the node.",
    ),
    Field(
        name="HostPID", column="host_pid", kind="int32", alert=9, log=9,
        camel="hostPid", ecs="process.pid", engine="long", query="pid", alias=True,
        doc="Process id on the node.",
    ),
    Field(
        name="PPID", column="ppid", kind="int32", alert=10, log=10, always=True,
        camel="ppid", ecs="process.parent.vpid", engine="long", alias=True,
        doc="Parent process id inside the container.",
    ),
    Field(
        name="PID", column="pid", kind="int32", alert=11, log=11,
        camel="pid", ecs="process.vpid", engine="long", alias=True,
        doc="Process id inside the container.",
    ),
    Field(
        name="UID", column="uid", kind="int32", alert=12, log=12, always=True,
        camel="uid", ecs="user.id", query="uid", alias=True, doc="The user's id.",
    ),
    Field(
        name="OID", column="oid", kind="int32",
        camel="oid", ecs="file.uid", doc="Owner of the file; KubeArmor's own file only.",
    ),
    Field(
        name="ParentProcessName", column="parent_process_name", alert=25, log=20,
        camel="parentProcessName", ecs="process.parent.executable", query="parent", facet=True,
        alias=True, doc="Path of the parent's executable.",
    ),
    Field(
        name="ProcessName", column="process_name", alert=26, log=21,
        camel="processName", ecs="process.executable", query="process", facet=True, alias=True,
        doc="Path of the executable.",
    ),
    Field(
        name="PolicyName", column="policy_name", alert=13,
        camel="policyName", ecs="rule.name", query="policy", facet=True, alias=True,
        doc='The policy that matched, or "DefaultPosture".',
    ),
    Field(
        name="Severity", column="severity", alert=14,
        camel="severity", ecs="event.severity", engine="long", query="severity", facet=True,
        alias=True, doc='"1" to "10"; absent on default-posture events.',
    ),
    Field(
        name="Tags", column="tags", alert=15,
        camel="tags", doc="The comma string of ATags.",
    ),
    Field(
        name="ATags", column="atags", kind="texts", alert=30,
        camel="atags", ecs="tags", query="tag", facet=True, alias=True,
        doc="The policy's tags.",
    ),
    Field(
        name="Message", column="message", alert=16, message=8,
        camel="message", ecs="message", engine="text", query="message",
        doc="The policy's message; in a message its text.",
    ),
    Field(
        name="Type", column="type", alert=17, log=13, message=6,
        camel="type", ecs="kubearmor.type", query="type", facet=True, alias=True,
        doc="MatchedPolicy, MatchedHostPolicy, SystemEvent, MatchedNetworkPolicy; ContainerLog, "
        "HostLog; Message.",
    ),
    Field(
        name="Level", column="level", message=7,
        ecs="log.level", query="level", facet=True, doc="INFO, WARN, ERROR or DEBUG.",
    ),
    Field(
        name="Source", column="source", alert=18, log=14,
        camel="source", ecs="kubearmor.source", query="source", alias=True,
        doc="The calling process, sometimes with its whole command line.",
    ),
    Field(
        name="Operation", column="operation", alert=19, log=15,
        camel="operation", ecs="kubearmor.operation", query="operation", facet=True, alias=True,
        doc="Process, File, Network, Syscall, Capabilities, Device, NetworkFirewall, "
        "AlertThreshold.",
    ),
    Field(
        name="Resource", column="resource", alert=20, log=16,
        camel="resource", ecs="kubearmor.resource", query="resource", alias=True,
        doc="What was acted on: path, command line, addresses.",
    ),
    Field(
        name="Data", column="data", alert=21, log=17,
        camel="data", ecs="kubearmor.data", query="data", alias=True,
        doc="Details as `k=v` pairs: syscall, flags, lsm.",
    ),
    Field(
        name="EventData", column="event_data", kind="map", alert=43, log=33,
        camel="eventData", ecs="kubearmor.event_data", engine="flattened", query="event_data",
        doc="Data and, for Network, Resource as a map; since KubeArmor 1.7.",
    ),
    Field(
        name="Enforcer", column="enforcer", alert=28,
        camel="enforcer", ecs="kubearmor.enforcer", query="enforcer", facet=True, alias=True,
        doc="BPFLSM, AppArmor, SELinux, eBPF Monitor, USBDeviceHandler, PRESET-…",
    ),
    Field(
        name="Action", column="action", alert=22,
        camel="action", query="action", facet=True,
        doc="Allow, Audit, Block, `Audit (Block)`, `Audit (Allow)`, Remove.",
    ),
    Field(
        name="Result", column="result", alert=23, log=18,
        camel="result", ecs="event.reason", query="result", facet=True, alias=True,
        doc='"Passed", "Permission denied" or any other errno text.',
    ),
    Field(
        name="Cwd", column="cwd", alert=32, log=25,
        camel="cwd", ecs="process.working_directory", query="cwd", alias=True,
        doc="Working directory.",
    ),
    Field(
        name="TTY", column="tty", alert=33, log=26,
        camel="tty", ecs="kubearmor.tty", query="tty", alias=True, doc="The terminal, if any.",
    ),
    Field(
        name="MaxAlertsPerSec", column="max_alerts_per_sec", kind="int32", alert=34,
        camel="MaxAlertsPerSec", ecs="kubearmor.throttle.max_alerts_per_sec", engine="long",
        doc="The throttle's limit; SystemEvent only.",
    ),
    Field(
        name="DroppingAlertsInterval", column="dropping_alerts_interval", kind="int32", alert=35,
        camel="DroppingAlertsInterval", ecs="kubearmor.throttle.interval_s", engine="long",
        doc="Seconds for which the node stays silent; SystemEvent only.",
    ),
    Field(
        name="ExecEvent.ExecID", column="exec_id", alert=1, log=1,
        camel="execEvent.ExecID", ecs="process.entity_id", query="exec_id", alias=True,
        doc="Id of the exec that started the process.",
    ),
    Field(
        name="ExecEvent.ExecutableName", column="exec_executable", alert=2, log=2,
        camel="execEvent.ExecutableName", ecs="kubearmor.exec.executable", alias=True,
        doc="Name of the executable as the exec saw it.",
    ),
    Field(
        name="KubeArmorVersion", column="kubearmor_version", alert=37,
        camel="kubearmorVersion", ecs="observer.version", doc="Version of the node's KubeArmor.",
    ),
    Field(
        name="NodeID", column="node_id", alert=38, log=28,
        ecs="host.id", query="node_id", alias=True, doc="The node's machine id.",
    ),
    Field(
        name="ProcessHash", column="process_hash", alert=39, log=29,
        camel="processHash", query="process_hash", doc="IMA hash of the process's executable.",
    ),
    Field(
        name="ParentHash", column="parent_hash", alert=40, log=30,
        camel="parentHash", query="parent_hash", doc="IMA hash of the parent's executable.",
    ),
    Field(
        name="ResourceHash", column="resource_hash", alert=41, log=31,
        camel="resourceHash", query="resource_hash", doc="IMA hash of the file acted on.",
    ),
    Field(
        name="HashAlgo", column="hash_algo", alert=42, log=32,
        camel="hashAlgo", doc="The algorithm of the three hashes.",
    ),
    Field(
        name="UserName", column="user_name", alert=44, log=34,
        camel="username", ecs="user.name", query="user", facet=True, alias=True,
        doc="The user's name; host events only.",
    ),
)  # fmt: skip
