"""Policies of files, watched by a real armorstack: counted, told when they change, asked for."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.frames import lines
from tests.support.policies import policy_object, write_policies
from tests.support.running import Running, running, until

ALERTS = [json.loads(line) for line in lines("alerts-real.jsonl")]
FIRED = Counter(
    (alert["PolicyName"], alert.get("NamespaceName", ""))
    for alert in ALERTS
    if alert.get("PolicyName", "DefaultPosture") != "DefaultPosture"
)
(NAME, NAMESPACE), COUNT = FIRED.most_common(1)[0]


def ask(data: Path, *words: str, code: int = 0) -> Any:
    """What a command says in JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "armorstack", *words, "--data-dir", str(data)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def documents(data: Path) -> dict[str, dict[str, Any]]:
    found = ask(data, "policies", "list", "--json")
    return {each["name"]: each for each in found["policies"]}


def changes(data: Path) -> list[tuple[str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "armorstack", "query", "type:PolicyChange", "--since", "all",
         "--json", "--data-dir", str(data)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    # Without its worker a store may be in use by the one that died.
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted((each["operation"], each["policy"]) for each in told)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    events = b"".join(line + b"\n" for line in lines("alerts-real.jsonl"))
    (tmp_path / "events.jsonl").write_bytes(events)
    write_policies(
        tmp_path / "policies/a.yaml",
        policy_object(NAME, NAMESPACE, action="Audit"), policy_object("never", "shop"),
    )  # fmt: skip
    return tmp_path


@contextmanager
def watching(place: Path) -> Iterator[Running]:
    with running(
        "run", "--quiet", "--file", str(place / "events.jsonl"), "--policies",
        str(place / "policies"), data_dir=place / "data",
        environ={"ARMORSTACK_POLICIES_INTERVAL_S": "1"},
    ) as run:  # fmt: skip
        until(run.worker, "the worker")
        yield run


def test_each_policy_is_counted_and_one_that_nobody_deployed_is_told(place: Path) -> None:
    with watching(place) as run:
        data = place / "data"
        until(lambda: documents(data).get(NAME, {}).get("alerts_all") == COUNT, "the counts")
        found = documents(data)
        assert {name: each["alerts_all"] for name, each in found.items()} == {
            "never": 0, **{name: count for (name, _), count in FIRED.items()},
        }  # fmt: skip
        assert found["never"]["state"] == "never fired"
        assert found[NAME]["is_deployed"]
        foreign = {name for name, each in found.items() if each["state"] == "not deployed"}
        assert foreign == {name for name, _ in FIRED} - {NAME}
        assert changes(data) == []
        shown = ask(data, "policies", "show", NAME, "--json")["policies"]
        assert yaml.safe_load(shown[0]["yaml"]) == {"action": "Audit"}
        ask(data, "policies", "show", "nobody", "--json", code=1)
        listed = ask(data, "policies", "list", "--namespace", "shop", "--json")
        assert [each["name"] for each in listed["policies"]] == ["never"]
        assert run.stop() == 0, run.output()


def test_changes_become_events_once_also_those_made_while_nobody_looked(place: Path) -> None:
    data, file = place / "data", place / "policies/a.yaml"
    fired = policy_object(NAME, NAMESPACE, action="Block")
    with watching(place) as run:
        until(lambda: len(documents(data)) > 1, "the documents")
        write_policies(file, fired, policy_object("never", "shop"), policy_object("new", "shop"))
        until(lambda: changes(data) == [("Create", "new"), ("Update", NAME)], "two changes")
        told = ask(data, "query", "type:PolicyChange", f"policy:{NAME}", "--since", "all", "--json")
        assert told["data"] == "spec.action: Audit → Block"
        assert run.stop() == 0, run.output()
    write_policies(file, fired, policy_object("new", "shop"))
    with watching(place) as run:
        expected = [("Create", "new"), ("Delete", "never"), ("Update", NAME)]
        until(lambda: changes(data) == expected, "the change that nobody saw")
        until(lambda: documents(data)["never"]["state"] == "deleted", "the document")
        (place / "policies/broken.yaml").write_text("kind: [")
        until(lambda: ask(data, "policies", "list", "--json")["troubles"], "the fault to be told")
        assert documents(data)[NAME]["action"] == "Block"
        killed = run.worker()
        assert killed is not None
        os.kill(killed.pid, signal.SIGKILL)
        until(lambda: (new := run.worker()) and new.pid != killed.pid, "another worker")
        until(lambda: changes(data), "its answer")
        assert changes(data) == expected
        run.stop()


def test_without_a_watch_it_is_said_how_to_have_one(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b"")
    with running("run", "--quiet", "--file", str(tmp_path / "events.jsonl"),
                 data_dir=tmp_path / "data") as run:  # fmt: skip
        until(run.worker, "the worker")
        done = subprocess.run(
            [sys.executable, "-m", "armorstack", "policies", "list", "--data-dir",
             str(tmp_path / "data")], capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1
        assert "policies are not watched" in done.stderr
        assert "--policies PATH" in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "armorstack", "policies", "list", "--data-dir", str(tmp_path / "x")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "policies are known while armorstack runs" in done.stderr
