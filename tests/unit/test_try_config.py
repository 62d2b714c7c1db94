"""`armorstack try-config` over recorded and made events."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from armorstack.cli.main import cli
from tests.support.running import alert

SETTINGS = r"""
[[filter]]
type = "drop"
name = "odd"
select = { resources = ["*[13579]"] }
[[filter]]
type = "redact"
name = "secrets"
patterns = ['token=\S+']
[[filter]]
type = "set"
name = "apart"
select = { namespaces = ["ns-2"] }
fields = { tag = "kubearmor.alert.apart", cluster = "east" }
[[filter]]
type = "throttle"
name = "calm"
events = 3
[[match]]
tag = "kubearmor.alert"
sink = ["duckdb", "hook"]
[sink.duckdb]
[sink.hook]
type = "webhook"
url = "https://hook.example.org/"
min_severity = 6
[sink.all]
type = "stdout"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "armorstack.toml"
    path.write_text(SETTINGS)
    return path


def tried(config: Path, *options: str, lines: list[str] | None = None) -> Result:
    events = lines or [json.dumps(alert(number)) for number in range(10)]
    words = ["try-config", str(config), *options]
    return CliRunner().invoke(cli, words, input="\n".join(events) + "\n")


def told(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_event_is_told_with_the_filters_and_matches_it_met(config: Path) -> None:
    result = tried(config)
    assert result.exit_code == 0, result.output
    text = result.stdout
    assert "1  2026-11-23 14:10:38Z  alert  ns-0/pod  ksp-test  Block  File  /etc/file-0\n" in text
    assert "  - odd: dropped\n" in text
    assert "  ~ apart: changed\n      ClusterName: default → east\n" in text
    assert "      tag: kubearmor.alert → kubearmor.alert.apart\n" in text
    assert "  → duckdb (match 1)\n" in text
    assert "  → hook (match 1), but its own select or min_severity leaves it out\n" in text
    assert "  → all (no match names it)\n" in text
    assert text.endswith(
        "10 events, 0 lines that cannot be read\n"
        "  filter odd: 5 dropped\n  filter secrets: 5 passed\n"
        "  filter apart: 2 changed\n  filter calm: 3 passed, 2 dropped\n"
        "  sink duckdb: takes 2\n  sink all: takes 3\n"
    )
    assert "gap: 2 events, calm: beyond 3 events in 60 s" in text


def test_as_json_each_event_is_one_object(config: Path) -> None:
    found = told(tried(config, "--json", "--print", "kubearmor"))
    assert [each["event"] for each in found] == [str(number) for number in range(1, 11)]
    assert found[1]["steps"] == [
        {"filter": "odd", "type": "drop", "outcome": "dropped", "changes": []}
    ]
    assert "result" not in found[1]
    assert found[2]["result"]["ClusterName"] == "east"
    assert [(each["sink"], each["matches"], each["taken"]) for each in found[0]["sinks"]] == [
        ("duckdb", [1], True),
        ("hook", [1], False),
        ("all", [], True),
    ]


def test_the_summary_alone_is_one_object_as_json(config: Path) -> None:
    (sums,) = told(tried(config, "--json", "--summary"))
    assert sums["events"] == 10
    assert sums["filters"]["odd"] == {"dropped": 5}
    assert sums["sinks"] == {"duckdb": 2, "all": 3}


def test_what_is_redacted_is_shown_before_and_after(config: Path) -> None:
    line = json.dumps(alert(0) | {"Resource": "curl token=abc\x1b[31m"})
    text = tried(config, lines=[line]).stdout
    assert "Resource: curl token=abc\\x1b[31m → curl [redacted]" in text
    assert "\x1b" not in text


def test_a_line_that_cannot_be_read_is_told_by_its_number(config: Path) -> None:
    lines = [json.dumps(alert(0)), "{broken", '{"level":"info","ts":1,"caller":"a","msg":"b"}']
    result = tried(config, lines=lines)
    assert result.exit_code == 1
    assert "line 2: malformed_json: " in result.stderr
    assert "line 3: relay_log: no event" in result.stderr


def test_folded_events_come_at_the_end_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "fold.toml"
    path.write_text('[[filter]]\ntype = "fold"\nby = ["policy"]\n')
    text = tried(path).stdout
    assert text.count("fold-1: kept back") == 10
    assert "folded  ×10  2026-11-23 14:10:38Z  alert" in text
    assert text.endswith("  filter fold-1: 10 kept back\n  sink duckdb: takes 1\n")


def test_wrong_settings_end_with_exit_code_two(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[[filter]]\ntype = "set"\nfields = { pood = "a" }\n')
    result = tried(path)
    assert result.exit_code == 2
    fault = "armorstack: $.filter[0].fields: there is no field 'pood' (line 3 of "
    assert result.stderr.startswith(fault)
    assert "did you mean pod?" in result.stderr
