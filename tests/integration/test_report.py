"""`armorstack report`: one file, from the store or from lines, that needs nothing else."""

import base64
import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from armorstack.cli.main import cli
from armorstack.core.boards import LISTS, OVERVIEW
from armorstack.sample.recorded import events
from armorstack.sample.replay import stamped
from tests.support.elements import Node, parsed
from tests.support.hostile import TEXTS
from tests.support.stores import batch, open_store
from tests.support.web import serving

DAY_US = 86_400_000_000
NOW_US = time.time_ns() // 1000


def lines(count: int = 40, at_us: int = NOW_US - 3 * DAY_US, **members: Any) -> bytes:
    """Recorded alerts as lines, one a second."""
    alerts = events("alert")
    told = [
        json.dumps({**stamped(alerts[n % len(alerts)], at_us + n * 1_000_000), **members})
        for n in range(count)
    ]
    return "\n".join(told).encode()


def run(*words: str, stdin: bytes = b"", code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["report", *words], input=stdin)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """The report of forty alerts, three days old."""
    return report(tmp_path_factory.mktemp("report"), stdin=lines())


def report(folder: Path, *words: str, stdin: bytes) -> Node:
    out = folder / "out.html"
    run("-", "--out", str(out), *words, stdin=stdin)
    return parsed(out.read_text())


def test_lines_become_a_file_of_its_owner_s_alone(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    result = run("-", "--out", str(out), stdin=lines())
    assert str(out) in result.output
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["report.html"]


def test_the_report_has_every_panel_and_every_list(page: Node) -> None:
    panels = {each["id"] for each in page.all("section", "panel")}
    assert panels == {f"panel-{panel.id}" for panel in OVERVIEW.panels}
    parts = {each["id"] for each in page.all("section", "part")}
    assert parts == {f"part-{name}" for name in ("overview", *LISTS)}
    assert page.panel("alerts").one("p", "big").text == "40"


def test_the_report_asks_for_nothing_and_runs_nothing(page: Node) -> None:
    tags = {node.tag for node in page.walk()}
    assert not tags & {"script", "link", "img", "iframe", "a", "form", "object", "base"}
    urls = [value for node in page.walk() for name, value in node.attributes.items()
            if name in ("href", "src", "action", "style") or name.startswith("on")]  # fmt: skip
    assert urls == []
    assert "url(" not in page.one("style").text
    assert "@import" not in page.one("style").text


def test_the_policy_of_content_allows_its_own_style_and_nothing_else(page: Node) -> None:
    policy = next(node["content"] for node in page.all("meta") if node["http-equiv"])
    digest = hashlib.sha256(page.one("style").text.encode()).digest()
    assert policy.split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{base64.b64encode(digest).decode()}'",
        "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip


def test_of_lines_all_time_is_shown_unless_a_span_is_asked_for(
    page: Node, tmp_path: Path
) -> None:  # fmt: skip
    assert page.panel("alerts").one("p", "big").text == "40"
    narrow = report(tmp_path, "--since", "24h", stdin=lines())
    assert narrow.panel("alerts").one("p", "big").text == "0"


def test_filters_and_query_narrow_and_are_told_in_the_heading(tmp_path: Path) -> None:
    stdin = lines(10, PodName="web") + b"\n" + lines(5, at_us=NOW_US - 2 * DAY_US, PodName="db")
    page = report(tmp_path, "--pod", "web", "--query", "stream:alert", stdin=stdin)
    assert page.panel("alerts").one("p", "big").text == "10"
    facts = page.one("dl", "facts").text
    assert "web" in facts
    assert "stream:alert" in facts


def test_lines_that_are_no_events_are_counted_where_people_look(tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    result = run("-", "--out", str(out), stdin=lines(3) + b"\nnot an event\n{\n")
    assert "2 lines are no events" in result.stderr
    assert "2 lines are no events" in parsed(out.read_text()).one("header").text


def test_times_are_in_the_zone_that_was_asked_for(tmp_path: Path) -> None:
    page = report(tmp_path, "--tz", "Asia/Kathmandu", stdin=lines())
    assert "Asia/Kathmandu" in page.one("dl", "facts").text
    assert "+05:45" in page.panel("latest").all("time")[0]["title"]


def test_a_report_goes_to_the_standard_output_and_nothing_else_does() -> None:
    result = run("-", "--out", "-", stdin=lines())
    assert parsed(result.stdout).panel("alerts").one("p", "big").text == "40"


def test_a_file_is_read_by_its_name(tmp_path: Path) -> None:
    source = tmp_path / "events.jsonl"
    source.write_bytes(lines(7))
    out = tmp_path / "r.html"
    run(str(source), "--out", str(out))
    page = parsed(out.read_text())
    assert "events.jsonl" in page.one("dl", "facts").text
    assert page.panel("alerts").one("p", "big").text == "7"


def test_what_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    target.mkdir()
    result = run("-", "--out", str(target), stdin=lines(2), code=1)
    assert "cannot be written" in result.stderr
    assert os.listdir(tmp_path) == ["r.html"]


def test_a_wrong_query_is_shown_with_its_place_and_nothing_is_written(tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    result = run("-", "--out", str(out), "-q", "severty:7", stdin=lines(2), code=2)
    assert "severity" in result.stderr
    assert not out.exists()


def test_a_file_and_a_url_are_not_asked_together() -> None:
    run("-", "--url", "http://127.0.0.1:1", stdin=b"", code=2)


def test_no_line_at_all_is_a_report_that_says_so(tmp_path: Path) -> None:
    page = report(tmp_path, stdin=b"")
    assert page.panel("alerts").one("p", "big").text == "0"
    assert "no events" in page.text


def test_ctrl_c_ends_it_quietly_and_nothing_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    command = [sys.executable, "-m", "armorstack", "report", "-", "--out", str(out)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin
    # More than a pipe holds: when all is written, lines are being read.
    process.stdin.write(lines(400) + b"\n")
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())


def test_hostile_text_is_text(tmp_path: Path) -> None:
    stdin = b"\n".join(
        lines(1, at_us=NOW_US - n * 1_000_000, PodName=text, NamespaceName=text, PolicyName=text,
              ProcessName=text, Resource=text, ATags=[text], Action=text, Operation=text,
              HostName=text)
        for n, text in enumerate(TEXTS)
    )  # fmt: skip
    page = report(tmp_path, "--title", TEXTS[0], stdin=stdin)
    assert not {node.tag for node in page.walk()} & {"script", "img", "b"}
    assert TEXTS[0] in page.one("header").text
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.text) is None


def test_the_store_on_disk_is_asked_where_no_worker_runs(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    store.write(batch(1, ["now"], at_us=NOW_US - 1_000_000, pod_name="web", severity="9"))
    store.write(batch(2, ["old"], at_us=NOW_US - 3 * DAY_US, pod_name="web"))
    store.close()
    out = tmp_path / "r.html"
    run("--data-dir", str(tmp_path), "--out", str(out))
    assert parsed(out.read_text()).panel("alerts").one("p", "big").text == "1"
    run("--data-dir", str(tmp_path), "--out", str(out), "--since", "7d")
    page = parsed(out.read_text())
    assert page.panel("alerts").one("p", "big").text == "2"
    assert "the store on disk" in page.one("dl", "facts").text


def test_an_armorstack_elsewhere_tells_the_same_as_its_overview(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        file = tmp_path / "owner"
        file.write_text(site.token)
        out = tmp_path / "r.html"
        run("--url", site.url, "--token-file", str(file), "--out", str(out))
        there = parsed(site.get("/").text)
    here = parsed(out.read_text())
    for name in ("alerts", "blocked", "pods", "policies", "nodes"):
        told = there.panel(name).one("p", "big").text
        assert here.panel(name).one("p", "big").text == told
    assert "not connected" in here.one("details", "gaps").text
    assert here.one("details", "gaps")["open"] == ""
    assert "open" in here.one("details", "gaps").attributes


@pytest.mark.timeout(120)
def test_nothing_but_the_command_is_needed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "armorstack", "report", "-"],
        input=lines(5), cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True,
        timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == ["armorstack-report.html"]
