"""The tree of processes that stored events tell of."""

from typing import Any

from armorstack.core.process_tree import MAX_DEPTH, MAX_EVENTS, Process, process_tree, size

NOW = 1_795_443_000_000_000


def row(n: int, pid: int, ppid: int, name: str = "", **more: Any) -> dict[str, Any]:
    made = {
        "id": n.to_bytes(32, "big"), "time": NOW + n, "host_pid": pid, "host_ppid": ppid,
        "process_name": name or f"/bin/p{pid}", "parent_process_name": f"/bin/p{ppid}",
        "operation": "File", "stream": "log",
    }  # fmt: skip
    return made | more


def shape(tree: tuple[Process, ...]) -> list[Any]:
    return [(each.pid, shape(each.children)) if each.children else each.pid for each in tree]


def flat(tree: tuple[Process, ...]) -> list[Process]:
    return [found for each in tree for found in (each, *flat(each.children))]


def test_children_stand_under_their_parent_in_the_order_of_their_first_events() -> None:
    rows = [row(3, 12, 10), row(1, 10, 5), row(2, 11, 10), row(4, 20, 11)]
    assert shape(process_tree(rows, b"")) == [(5, [(10, [(11, [20]), 12])])]


def test_a_parent_without_events_is_named_by_its_child() -> None:
    (root,) = process_tree([row(1, 10, 5)], b"")
    assert (root.pid, root.name, root.count, root.first_us) == (5, "/bin/p5", 0, 0)


def test_the_process_of_the_event_is_marked_and_keeps_it() -> None:
    rows = [row(n, 10, 5) for n in range(1, 30)]
    marked = rows[-1]["id"]
    process = next(each for each in flat(process_tree(rows, marked)) if each.is_marked)
    assert process.pid == 10
    assert process.count == 29
    assert [act.id for act in process.events][-1] == marked
    assert len(process.events) == MAX_EVENTS + 1


def test_an_exec_under_another_parent_begins_another_process() -> None:
    rows = [row(1, 10, 5, "/bin/old"), row(9, 10, 6, "/bin/new", operation="Process")]
    names = {each.name for each in flat(process_tree(rows, b"")) if each.pid == 10}
    assert names == {"/bin/old", "/bin/new"}


def test_an_orphan_stays_where_it_began() -> None:
    rows = [row(1, 10, 5), row(2, 10, 1)]
    assert shape(process_tree(rows, b"")) == [(5, [10])]


def test_a_child_belongs_to_whoever_had_the_id_before_it() -> None:
    rows = [
        row(1, 10, 5, "/bin/first"), row(3, 10, 6, "/bin/second", operation="Process"),
        row(2, 20, 10), row(4, 21, 10),
    ]  # fmt: skip
    by_name = {each.name: each for each in flat(process_tree(rows, b""))}
    assert [child.pid for child in by_name["/bin/first"].children] == [20]
    assert [child.pid for child in by_name["/bin/second"].children] == [21]


def test_cycles_are_cut_and_every_process_is_shown_once() -> None:
    rows = [row(1, 10, 12), row(2, 11, 10), row(3, 12, 11), row(4, 13, 13)]
    tree = process_tree(rows, b"")
    assert sorted(each.pid for each in flat(tree)) == [10, 11, 12, 13]


def test_a_long_chain_is_no_deeper_than_allowed_and_loses_nobody() -> None:
    rows = [row(n, n + 1, n) for n in range(1, 400)]
    tree = process_tree(rows, b"")

    def depth(each: Process) -> int:
        return 1 + max(map(depth, each.children), default=0)

    assert max(map(depth, tree)) == MAX_DEPTH
    assert size(tree) == 400


def test_the_same_event_twice_counts_once_and_one_without_a_pid_is_left_out() -> None:
    rows = [row(1, 10, 0), row(1, 10, 0), row(2, 0, 0)]
    (process,) = process_tree(rows, b"")
    assert process.count == 1


def test_the_executable_is_the_last_that_was_told() -> None:
    rows = [row(1, 10, 0, "/bin/sh"), row(2, 10, 0, "/usr/bin/curl", uid=0)]
    (process,) = process_tree(rows, b"")
    assert (process.name, process.user) == ("/usr/bin/curl", "0")
