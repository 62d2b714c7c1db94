"""Which events show that a program ran, and which that its start was denied."""

from typing import Any

import pytest

from armorstack.core.executions import Program, any_event, program, ran, tried
from armorstack.core.globs import plan
from armorstack.core.query.evaluate import matches
from armorstack.core.query.format import format_query
from armorstack.core.query.parse import parse
from tests.support.hostile import TEXTS

STARTED = {
    "operation": "Process", "process_name": "/usr/bin/curl", "source": "/usr/bin/bash -i",
    "parent_process_name": "/usr/bin/bash", "resource": "/usr/bin/curl -sk https://x",
    "result": "Passed", "action": "Audit", "stream": "alert",
}  # fmt: skip
DENIED = STARTED | {"action": "Block", "result": "Permission denied"}
ACTED = {
    "operation": "File", "process_name": "/usr/bin/curl", "source": "/usr/bin/curl -o y",
    "resource": "/tmp/curl", "result": "Permission denied", "action": "Block", "stream": "alert",
}  # fmt: skip


def asked(what: str) -> Program:
    found = program(what)
    assert found is not None
    return found


def verdict(what: str, row: dict[str, Any]) -> str:
    """`ran`, `tried`, or empty: the event does not speak of it."""
    wanted = asked(what)
    has_run, was_tried = matches(ran(wanted), row), matches(tried(wanted), row)
    assert not (has_run and was_tried)
    assert matches(any_event(wanted), row) == (has_run or was_tried)
    return "ran" if has_run else "tried" if was_tried else ""


WAYS = ["curl", "/usr/bin/curl", "*/curl", "/usr/bin/c*", "cur?", "curl -sk"]


@pytest.mark.parametrize("what", WAYS)
def test_a_program_is_found_by_name_path_and_glob(what: str) -> None:
    assert verdict(what, STARTED) == "ran"
    assert verdict(what, DENIED) == "tried"
    assert verdict(what, ACTED) == "ran"


@pytest.mark.parametrize("what", ["curlx", "url", "/bin/curl", "CURL", "/usr/bin/cur", "-sk"])
def test_what_is_only_like_it_is_not_it(what: str) -> None:
    assert verdict(what, STARTED) == ""


def test_whoever_was_denied_to_start_another_ran_itself() -> None:
    assert verdict("bash", DENIED) == "ran"
    assert verdict("bash", STARTED) == "ran"


@pytest.mark.parametrize("what", ["xmrig", "*/xmrig", "/tmp/*/xmrig", "*xmrig"])
def test_an_argument_of_another_program_was_not_executed(what: str) -> None:
    row = ACTED | {"source": "/usr/bin/rm -f /tmp/.cache/xmrig", "process_name": "/usr/bin/rm"}
    assert verdict(what, row) == ""
    line = "/usr/bin/rm -f /tmp/.cache/xmrig"
    assert verdict(what, STARTED | {"resource": line, "process_name": "/usr/bin/rm"}) == ""


@pytest.mark.parametrize("what", ["xmrig", "*/xmrig", "/tmp/*/xmrig", "/tmp/*", "*xmrig"])
def test_arguments_of_the_program_itself_do_not_hide_it(what: str) -> None:
    row = {"operation": "Process", "resource": "/tmp/.cache/xmrig -o x:1", "result": "Passed"}
    assert verdict(what, row) == "ran"


def test_a_file_that_was_read_was_not_executed() -> None:
    assert verdict("/tmp/curl", ACTED) == ""


def test_a_start_that_failed_for_another_reason_is_tried_too() -> None:
    assert verdict("curl", STARTED | {"action": None, "result": "Is a directory"}) == "tried"


def test_an_audit_that_would_have_blocked_let_it_run() -> None:
    assert verdict("curl", STARTED | {"action": "Audit (Block)"}) == "ran"


def test_the_name_of_an_exec_counts_unless_its_start_was_denied() -> None:
    row = {"operation": "Network", "exec_executable": "xmrig", "result": "Passed"}
    assert verdict("xmrig", row) == "ran"
    assert verdict("/tmp/xmrig", row) == ""
    assert verdict("xmrig", DENIED | {"exec_executable": "xmrig"}) == ""


def test_an_empty_question_is_none() -> None:
    assert program("  ") is None


@pytest.mark.parametrize("text", [text for text in TEXTS if text.strip()])
def test_the_link_to_the_events_means_the_same_whatever_was_asked(text: str) -> None:
    wanted = asked(text)
    try:
        plan(wanted.globs)
    except ValueError:
        return
    tree = parse(format_query(any_event(wanted)), 0)
    path = text.strip().split(None, 1)[0]
    row = STARTED | {"process_name": path, "resource": path, "exec_executable": path}
    assert matches(any_event(wanted), row) == (text != "[!a]")
    for other in (row, STARTED, DENIED, ACTED, {}):
        assert matches(tree, other) == matches(any_event(wanted), other)
