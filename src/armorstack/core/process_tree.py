"""The tree of processes that some stored events tell of.

A process is a process id on one node for as long as it means the same one: an exec under another
parent begins a new process. A parent is known by the child's HostPPID; where no event of its own
is stored, it stands there by what its child says of it.

Invariant: whatever the events say, the result is finite and has no cycle: each process is shown
once, at most `MAX_DEPTH` deep; what lies deeper is shown at that depth. Pure: which events are
asked for is not decided here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

MAX_DEPTH = 24
MAX_EVENTS = 8
"""Events kept of one process; the others are counted."""
_TEXTS = ("stream", "operation", "resource", "action", "result")


class Act(Struct, frozen=True):
    """One event of a process."""

    id: bytes
    time_us: int
    stream: str
    operation: str
    resource: str
    action: str
    result: str


class Process(Struct, frozen=True):
    """One process and those it began, in the order of their first events."""

    pid: int
    name: str
    """Path of the executable; empty where nobody said."""
    user: str
    first_us: int
    """Time of its first stored event; 0: there is none."""
    events: tuple[Act, ...]
    """The first of them, and the marked one."""
    count: int
    """How many events are stored of it among those given."""
    is_marked: bool
    """Whether the event that was asked for is one of them."""
    children: tuple["Process", ...]


class _Seen:
    """A process while its events are gathered."""

    def __init__(self, pid: int, parent_pid: int) -> None:
        self.pid, self.parent_pid = pid, parent_pid
        self.rows: list[Mapping[str, Any]] = []
        self.name = self.parent_name = ""
        self.children: list[_Seen] = []
        self.parent: _Seen | None = None

    @property
    def first_us(self) -> int:
        return int(self.rows[0]["time"]) if self.rows else 0

    def add(self, row: Mapping[str, Any]) -> None:
        """One more event; the executable is the last that was told, as after an exec."""
        self.rows.append(row)
        self.name = row.get("process_name") or self.name
        self.parent_name = row.get("parent_process_name") or self.parent_name
        # The first one: an orphan's parent is whoever reaps it.
        self.parent_pid = self.parent_pid or row.get("host_ppid") or 0


def process_tree(rows: Iterable[Mapping[str, Any]], marked: bytes) -> tuple[Process, ...]:
    """The processes without a known parent, each with its children.

    `rows`: events of one node and container, with `id`, `time` (microseconds) and process columns;
    those without HostPID tell nothing. `marked`: the id of the event that the tree is drawn for.
    """
    by_pid = _gathered(rows)
    seen = [each for group in by_pid.values() for each in group]
    roots = [*_joined(seen, by_pid)]
    return tuple(_shown(root, marked, 1) for root in sorted(roots, key=_order))


def size(tree: Sequence[Process]) -> int:
    """How many processes there are in it."""
    return sum(1 + size(each.children) for each in tree)


def _gathered(rows: Iterable[Mapping[str, Any]]) -> dict[int, list[_Seen]]:
    """HostPID → the processes that had it, one after the other."""
    by_pid: dict[int, list[_Seen]] = {}
    unique = {row["id"]: row for row in rows if row.get("host_pid")}
    for row in sorted(unique.values(), key=lambda row: (row["time"], row["id"])):
        pid, parent_pid = int(row["host_pid"]), int(row.get("host_ppid") or 0)
        group = by_pid.setdefault(pid, [])
        if not group or _is_another(group[-1], row):
            group.append(_Seen(pid, parent_pid))
        group[-1].add(row)
    return by_pid


def _is_another(last: _Seen, row: Mapping[str, Any]) -> bool:
    """Whether the id was given again. One whose parent died has a new parent, but no new exec."""
    parent_pid = row.get("host_ppid") or 0
    return bool(
        row.get("operation") == "Process"
        and parent_pid and last.parent_pid and parent_pid != last.parent_pid
    )  # fmt: skip


def _joined(seen: list[_Seen], by_pid: dict[int, list[_Seen]]) -> Iterable[_Seen]:
    """Give each its parent; yields those that have none."""
    unstored: dict[int, _Seen] = {}
    for child in seen:
        parent = _parent(child, by_pid, unstored)
        if parent is None or _is_below(parent, child):
            yield child
            continue
        child.parent = parent
        parent.children.append(child)
    yield from unstored.values()


def _parent(
    child: _Seen, by_pid: dict[int, list[_Seen]], unstored: dict[int, _Seen]
) -> _Seen | None:
    """The process that had the id last when the child was first heard of; made up from what the
    child says where none is stored."""
    if not child.parent_pid or child.parent_pid == child.pid:
        return None
    group = by_pid.get(child.parent_pid, [])
    before = [each for each in group if each.first_us <= child.first_us]
    if group:
        return (before or group[:1])[-1]
    parent = unstored.setdefault(child.parent_pid, _Seen(child.parent_pid, 0))
    parent.name = parent.name or child.parent_name
    return parent


def _is_below(process: _Seen | None, above: _Seen) -> bool:
    while process is not None:
        if process is above:
            return True
        process = process.parent
    return False


def _order(process: _Seen) -> tuple[int, int]:
    first = process.first_us or min((each.first_us for each in process.children), default=0)
    return first, process.pid


def _shown(process: _Seen, marked: bytes, depth: int) -> Process:
    children = sorted(process.children, key=_order)
    if depth == MAX_DEPTH - 1:
        children = _flattened(children)
    return Process(
        pid=process.pid, name=process.name, user=_user(process), first_us=process.first_us,
        events=_acts(process.rows, marked), count=len(process.rows),
        is_marked=any(row["id"] == marked for row in process.rows),
        children=tuple(_shown(each, marked, depth + 1) for each in children),
    )  # fmt: skip


def _flattened(children: list[_Seen]) -> list[_Seen]:
    """All that lies below in one row, in order; they have no children any more."""
    found: list[_Seen] = []
    waiting = list(reversed(children))
    while waiting:
        process = waiting.pop()
        waiting.extend(sorted(process.children, key=_order, reverse=True))
        process.children = []
        found.append(process)
    return found


def _user(process: _Seen) -> str:
    for row in process.rows:
        if row.get("user_name"):
            return str(row["user_name"])
        if row.get("uid") is not None:
            return str(row["uid"])
    return ""


def _acts(rows: Sequence[Mapping[str, Any]], marked: bytes) -> tuple[Act, ...]:
    kept = [row for n, row in enumerate(rows) if n < MAX_EVENTS or row["id"] == marked]
    return tuple(_act(row) for row in kept)


def _act(row: Mapping[str, Any]) -> Act:
    texts = (
        row.get(name) or "" for name in ("stream", "operation", "resource", "action", "result")
    )
    return Act(row["id"], int(row["time"]), *texts)
