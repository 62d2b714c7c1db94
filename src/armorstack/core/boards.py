"""The boards that come with armorstack: the overview, one per entity, and the lists of them.

Invariant: a board says what is asked, in canonical names and in our own language; nothing here
knows a store, a page or an engine, so that the same panels become pages, a report, and saved
objects of Kibana. A page of an entity is its board with the entity picked.
"""

from armorstack.core.panels import Board, Colours, Drill, Panel

ALERTS = "stream:alert"
BLOCKED = "stream:alert and action:Block"
AUDITED = "stream:alert and action:Audit"
SPARK_BUCKETS = 30


def _count(id_: str, title: str, select: str, *fields: str, doc: str = "") -> Panel:
    return Panel(
        id=id_, title=title, kind="count", select=select, fields=fields, columns=2, doc=doc
    )  # fmt: skip


def _bars(
    id_: str, title: str, *fields: str, select: str = ALERTS, size: int = 8, columns: int = 4,
    colours: Colours = "series", drill: Drill = "events",
) -> Panel:  # fmt: skip
    return Panel(
        id=id_, title=title, kind="bars", fields=fields, select=select, size=size,
        columns=columns, colours=colours, drill=drill,
    )  # fmt: skip


_ALERTS = _count("alerts", "Alerts", ALERTS, doc="Events that a policy or the posture made.")
_BLOCKED = _count("blocked", "Blocked", BLOCKED, doc="Alerts whose action was not let through.")
_AUDITED = _count("audited", "Audited", AUDITED, doc="Alerts that were let through and told.")
_PODS = _count("pods", "Pods", ALERTS, "namespace", "pod", doc="Pods with alerts.")
_POLICIES = _count(
    "policies", "Policies", "stream:alert and not policy:DefaultPosture", "policy",
    doc="Policies with alerts, besides DefaultPosture.",
)  # fmt: skip
_NODES = _count("nodes", "Nodes", ALERTS, "node", doc="Nodes with alerts.")
_NAMESPACES = _count("namespaces", "Namespaces", ALERTS, "namespace",
                     doc="Namespaces with alerts.")  # fmt: skip
_SEEN = Panel(
    id="seen", title="Seen", kind="seen", columns=4,
    doc="The first and the last event of this time.",
)  # fmt: skip

_TIME = Panel(
    id="time", title="Alerts over time by severity", kind="time", fields=("severity",),
    select=ALERTS, size=16, colours="severity", columns=12,
    doc="How grave alerts are, as their policies say. Hatched: events were or may have been lost.",
)  # fmt: skip
_TIME_ACTION = Panel(
    id="time-action", title="By action", kind="time", fields=("action",), select=ALERTS, size=6,
    colours="action", columns=6, doc="What KubeArmor did over time.",
)  # fmt: skip
_TIME_OPERATION = Panel(
    id="time-operation", title="By operation", kind="time", fields=("operation",), select=ALERTS,
    size=6, columns=6, doc="Whether processes, files or the network were used.",
)  # fmt: skip
_SEVERITIES = _bars("severities", "By severity", "severity", colours="severity", size=10)
_ACTIONS = _bars("actions", "By action", "action", colours="action")
_OPERATIONS = _bars("operations", "By operation", "operation")
_TYPES = _bars("types", "By type", "type", select="")
_BY_NAMESPACE = _bars("by-namespace", "Namespaces", "namespace", drill="namespace")
_BY_POD = _bars("by-pod", "Pods", "namespace", "pod", drill="pod")
_BY_POLICY = _bars("by-policy", "Policies", "policy", drill="policy")
_BY_TAG = _bars("by-tag", "Tags", "tag")
_BY_PROCESS = _bars("by-process", "Processes", "process")
_BY_RESOURCE = _bars("by-resource", "Resources", "resource", columns=6)
_LATEST = Panel(
    id="latest", title="Latest alerts", kind="events", select=ALERTS, size=12, columns=12
)  # fmt: skip
_LATEST_EVENTS = Panel(id="latest", title="Latest events", kind="events", size=12, columns=12)

OVERVIEW = Board(
    "overview", "Overview",
    (
        _ALERTS, _BLOCKED, _AUDITED, _PODS, _POLICIES, _NODES, _TIME, _TIME_ACTION,
        _TIME_OPERATION, _BY_POLICY, _BY_NAMESPACE, _BY_POD, _BY_TAG, _BY_PROCESS, _ACTIONS,
        _LATEST,
    ),
)  # fmt: skip

POLICY = Board(
    "policy", "Policy",
    (
        _ALERTS, _BLOCKED, _AUDITED, _PODS, _SEEN,
        Panel(
            id="time-action", title="Alerts over time by action", kind="time", fields=("action",),
            select=ALERTS, size=6, colours="action", columns=12,
        ),
        Panel(
            id="pod-action", title="Pods by action", kind="heatmap", fields=("pod", "action"),
            select=ALERTS, size=15, columns=6, drill="pod",
            doc="Which pod does what the policy watches.",
        ),
        _bars("by-process", "Processes", "process", columns=6, size=12),
        _BY_RESOURCE,
        _bars("by-tag", "Tags", "tag", columns=6),
        _bars("severities", "By severity", "severity", colours="severity", size=10, columns=3),
        _bars("operations", "By operation", "operation", columns=3),
        _bars("by-namespace", "Namespaces", "namespace", drill="namespace", columns=3),
        _bars("by-node", "Nodes", "node", drill="node", columns=3),
        _LATEST,
    ),
)  # fmt: skip


def _activity(id_: str, title: str, operation: str, *fields: str, doc: str = "") -> Panel:
    return Panel(
        id=id_, title=title, kind="table", fields=fields, select=f"operation:{operation}",
        size=15, columns=12, doc=doc,
    )  # fmt: skip


POD = Board(
    "pod", "Pod",
    (
        _ALERTS, _BLOCKED, _AUDITED,
        _count("policies", "Policies", "stream:alert and not policy:DefaultPosture", "policy"),
        _SEEN, _TIME,
        _bars("by-policy", "Alerts per policy", "policy", drill="policy"),
        _SEVERITIES, _ACTIONS, _OPERATIONS, _TYPES,
        _bars("by-container", "Containers", "container", select=""),
        _activity("process-activity", "Processes started", "Process", "parent", "process",
                  "action", doc="Which process started which; alerts and logs."),
        _activity("file-activity", "Files used", "File", "process", "resource", "action",
                  doc="Which process opened what; alerts and logs."),
        _activity("network-activity", "Network", "Network", "process", "resource", "action",
                  doc="Which process spoke to whom; alerts and logs."),
        _LATEST_EVENTS,
    ),
)  # fmt: skip

NAMESPACE = Board(
    "namespace", "Namespace",
    (
        _ALERTS, _BLOCKED, _AUDITED, _PODS, _POLICIES, _NODES, _TIME,
        Panel(
            id="policy-severity", title="Policies by severity", kind="heatmap",
            fields=("policy", "severity"), select=ALERTS, size=15, columns=6, drill="policy",
        ),
        _bars("by-pod", "Pods", "namespace", "pod", drill="pod", columns=6, size=15),
        _ACTIONS, _OPERATIONS, _TYPES, _BY_PROCESS, _BY_TAG,
        _bars("by-owner", "Workloads", "owner_kind", "owner", select=ALERTS), _LATEST,
    ),
)  # fmt: skip

NODE = Board(
    "node", "Node",
    (
        _count("events", "Events", "", doc="Alerts, logs and messages."),
        _ALERTS,
        _count("host-alerts", "Host alerts", "type:MatchedHostPolicy",
               doc="Alerts of policies for the node itself."),
        _NAMESPACES, _SEEN,
        Panel(
            id="time-stream", title="Events over time", kind="time", fields=("stream",), columns=12,
            doc="A node that is heard no more stops here.",
        ),
        _TIME_ACTION, _TIME_OPERATION, _BY_NAMESPACE, _BY_POD, _BY_POLICY,
        _bars("levels", "Messages by level", "level", select="stream:message"),
        _bars("versions", "KubeArmor", "kubearmor_version", select=""),
        _TYPES, _LATEST_EVENTS,
    ),
)  # fmt: skip


def _list(id_: str, title: str, drill: Drill, *fields: str, doc: str) -> Board:
    panel = Panel(
        id=id_, title=title, kind="table", fields=fields, select=ALERTS, size=100, columns=12,
        drill=drill, doc=doc,
    )  # fmt: skip
    return Board(id_, title, (panel,))


POLICIES = _list("policies", "Policies", "policy", "policy", doc="Policies that alerts name.")
PODS = _list("pods", "Pods", "pod", "namespace", "pod", doc="Pods with alerts.")
NAMESPACES = _list("namespaces", "Namespaces", "namespace", "namespace",
                   doc="Namespaces with alerts.")  # fmt: skip
NODES = Board(
    "nodes", "Nodes",
    (Panel(
        id="nodes", title="Nodes", kind="table", fields=("node",), size=100, columns=12,
        drill="node", doc="Nodes that events came from, messages included.",
    ),),
)  # fmt: skip

BOARDS: dict[str, Board] = {board.id: board for board in (OVERVIEW, POLICY, POD, NAMESPACE, NODE)}
LISTS: dict[str, Board] = {board.id: board for board in (POLICIES, PODS, NAMESPACES, NODES)}
