"""One event in one sentence."""

from typing import Any

import pytest

from armorstack.core.sentence import sentence, verdict_of
from tests.support.hostile import TEXTS

FILE = {
    "stream": "alert", "operation": "File", "process_name": "/bin/cat", "resource": "/etc/shadow",
    "pod_name": "web-1", "action": "Block", "result": "Permission denied",
    "data": "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY",
}  # fmt: skip
CASES: list[tuple[dict[str, Any], str]] = [
    (FILE, "Blocked: /bin/cat tried to read /etc/shadow in pod web-1"),
    (FILE | {"action": "Audit", "result": "Passed"},
     "Audited: /bin/cat read /etc/shadow in pod web-1"),
    (FILE | {"action": "Audit (Block)", "result": "Passed"},
     "Audited (would have been blocked): /bin/cat read /etc/shadow in pod web-1"),
    (FILE | {"data": "syscall=SYS_OPENAT flags=O_WRONLY|O_CREAT"},
     "Blocked: /bin/cat tried to write /etc/shadow in pod web-1"),
    (FILE | {"data": "lsm=FILE_OPEN"}, "Blocked: /bin/cat tried to open /etc/shadow in pod web-1"),
    (FILE | {"data": "syscall=SYS_UNLINKAT flags=0"},
     "Blocked: /bin/cat tried to delete /etc/shadow in pod web-1"),
    (FILE | {"data": "syscall=SYS_FCHOWNAT"},
     "Blocked: /bin/cat tried to change the owner of /etc/shadow in pod web-1"),
    ({"stream": "log", "operation": "Process", "source": "/bin/sh", "process_name": "/bin/ls",
      "parent_process_name": "/bin/sh", "resource": "/bin/ls -l", "result": "Passed",
      "host_name": "n1"}, "Seen: /bin/sh ran /bin/ls -l on node n1"),
    ({"stream": "log", "operation": "Process", "resource": "/x", "result": "Is a directory"},
     "Failed (Is a directory): a process tried to run /x"),
    ({"stream": "log", "operation": "Network", "process_name": "/bin/nc", "resource": "port=1",
      "result": "Passed"}, "Seen: /bin/nc connected: port=1"),
    ({"stream": "alert", "operation": "AlertThreshold", "pod_name": "p",
      "dropping_alerts_interval": 30}, "Throttled: KubeArmor drops alerts in pod p for 30 s"),
    ({"stream": "message", "level": "WARN", "message": "hm", "host_name": "n1"},
     "WARN from node n1: hm"),
    ({"stream": "alert", "operation": "New", "result": "Passed"},
     "Seen: a process acted on New"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "told"), CASES)
def test_the_sentence_says_who_did_what_where_and_what_came_of_it(
    row: dict[str, Any], told: str
) -> None:
    assert sentence(row) == told


@pytest.mark.parametrize("text", [*TEXTS, None])
def test_no_text_of_an_event_breaks_the_sentence(text: str | None) -> None:
    for column in (*FILE, "event_data", "level", "message", "host_name"):
        value = {text: text} if column == "event_data" and text else text
        row = FILE | {column: None if column == "event_data" and not text else value}
        assert sentence(row)
        assert verdict_of(row) in ("blocked", "audited", "allowed", "failed", "passed")
