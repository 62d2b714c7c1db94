"""`armorstack doctor`: its findings, its report, its options, and what it makes of clocks."""

import fcntl
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from armorstack.cli.main import cli
from armorstack.config import Config
from armorstack.doctor import clock, words
from armorstack.doctor.case import Case
from armorstack.doctor.examination import examine
from armorstack.doctor.finding import Finding, exit_code, failure, note, ok, warning
from armorstack.doctor.heard import understand
from armorstack.doctor.locks import holder, shared
from armorstack.doctor.processes import LOG, Scene, check_steadiness
from armorstack.doctor.report import lines
from armorstack.spool.rows import row_of
from armorstack.state import WorkerState
from tests.support.doctor import examine as doctor
from tests.support.frames import protobuf, recorded


def test_only_failures_change_the_exit_code_and_wrong_settings_come_first() -> None:
    fine = [ok("a.b", "fine"), note("a.b", "known"), warning("a.b", "odd")]
    assert exit_code(fine) == 0
    assert exit_code([*fine, failure("relay.tcp", "closed")]) == 1
    assert exit_code([failure("settings.file", "wrong"), failure("relay.tcp", "closed")]) == 2


def report(*findings: Finding) -> str:
    return "\n".join(line.text for line in lines(findings))


def test_the_report_reads_without_colour_and_counts_at_the_end() -> None:
    text = report(
        ok("spool.whole", "it is whole"),
        failure("relay.tcp", "refused", "kubectl get x", "then y", subject="a:1"),
        warning("spool.letters", "2 dead letters", "armorstack deadletters list"),
    )
    assert text.splitlines() == [
        "Spool",
        "  ✓ ok      it is whole",
        "  ! warning 2 dead letters",
        "              armorstack deadletters list",
        "",
        "Relay a:1",
        "  ✗ failure refused",
        "              kubectl get x",
        "              then y",
        "",
        "1 failure, 1 warning",
    ]


def test_the_report_makes_every_text_printable() -> None:
    bad = "\x1b]0;owned\x07\u202e\nsecond"
    text = report(failure("relay.tcp", bad, bad, subject=bad))
    assert len(text.splitlines()) == 5
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


@pytest.mark.parametrize("value", ["x", "0.5s", "11min", "-3", "5h", "", "1e1"])
def test_a_time_that_is_none_or_out_of_bounds_is_wrong_usage(tmp_path: Path, value: str) -> None:
    words = ["doctor", "--listen-for", value, "--data-dir", str(tmp_path)]
    answer = CliRunner().invoke(cli, words)
    assert answer.exit_code == 2
    assert "--listen-for" in answer.output


@pytest.mark.parametrize("value", ["1", "1s", "1000ms", "1.5 s"])
def test_times_are_written_as_people_write_them(tmp_path: Path, value: str) -> None:
    words = ["doctor", "--listen-for", value, "--data-dir", str(tmp_path / "none")]
    assert CliRunner().invoke(cli, words).exit_code == 0


def test_the_output_for_people_is_plain_where_nobody_sees_it(tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, ["doctor", "--data-dir", str(tmp_path / "none")])
    assert "\x1b" not in answer.output
    assert answer.output.endswith("0 failures, 1 warning\n")
    assert answer.stderr == ""


def test_json_is_one_object_on_one_line(tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, ["doctor", "--json", "--data-dir", str(tmp_path / "ä")])
    assert answer.stdout.isascii()
    (line,) = answer.stdout.splitlines()
    told = json.loads(line)
    assert set(told) == {"version", "failures", "warnings", "findings"}
    assert set(told["findings"][0]) == {"check", "status", "sentence", "mend", "subject"}


def test_a_check_that_breaks_down_does_not_keep_the_others_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("armorstack.doctor.examination.check_folder", broken)
    found = list(examine(Case(config=Config(data_dir=str(tmp_path))), lambda _: None))
    (told,) = [each for each in found if each.check == "folder.check"]
    assert (told.status, "of all things" in told.sentence) == ("warning", True)
    assert found[-1].check == "source.any"


def test_commands_name_what_was_examined(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    case = Case(config=Config(data_dir=str(folder)), data_dir_flag=str(folder))
    assert case.command("spool status") == f"armorstack spool status --data-dir '{folder}'"
    case = Case(config=Config(data_dir=str(folder)), config_file=Path("/x.toml"))
    assert case.command("spool status") == "armorstack spool status --config /x.toml"


def test_a_holder_of_a_lock_is_found_without_trying_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) == 0
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    assert holder(path) == 0
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert holder(path) == os.getpid()
    with shared(path) as free:
        assert not free
    os.close(descriptor)
    with shared(path) as free:
        assert free


def test_looking_at_a_lock_that_nobody_ever_took_makes_none(tmp_path: Path) -> None:
    with shared(tmp_path / "lock") as free:
        assert free
    assert list(tmp_path.iterdir()) == []


def test_a_clock_before_its_own_files_is_wrong() -> None:
    assert clock.check_now(0.0, 0.0).status == "failure"
    assert clock.check_now(clock.WRITTEN_S, 0.0).status == "ok"
    installed = clock.WRITTEN_S + 10 * clock.DAY_S
    assert clock.check_now(installed - clock.DAY_S / 2, installed).status == "ok"
    wrong = clock.check_now(installed - 2 * clock.DAY_S, installed)
    assert (wrong.check, wrong.status, wrong.mend[0]) == ("clock.now", "failure", clock.SET_CLOCK)


def test_a_clock_that_systemd_keeps_is_told_and_one_nobody_speaks_of_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(clock, "TIMESYNC", tmp_path / "synchronized")
    told = list(clock.check_clock())[1]
    assert (told.status, "cannot tell" in told.sentence) == ("note", True)
    for said, status in (("yes", "ok"), ("no", "warning"), ("what?", "note")):
        program = tmp_path / "timedatectl"
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o700)
        assert list(clock.check_clock())[1].status == status
    (tmp_path / "synchronized").touch()
    assert list(clock.check_clock())[1].status == "ok"


def test_nodes_are_named_from_six_seconds_on() -> None:
    (fine,) = clock.check_nodes({"a": 4.9, "b": -4.9})
    assert fine.status == "ok"
    assert list(clock.check_nodes({})) == []
    far, near = clock.check_nodes({"b": -7200.0, "a": 5.1, "c": 0.0})
    assert [each.subject for each in (far, near)] == ["a", "b"]
    assert "2 h behind this clock" in near.sentence


def test_spans_and_sizes_are_said_in_one_unit() -> None:
    said = [words.span(seconds) for seconds in (0.4, 59, 60, 7199, 7200, 90_000)]
    assert said == ["0 s", "59 s", "1 min", "2 h", "2 h", "1 d"]
    assert [words.size(count) for count in (0, 1023, 1024, 2**31)] == [
        "0 B", "1023 B", "1.0 KiB", "2.0 GiB",
    ]  # fmt: skip


def test_what_was_heard_is_counted_by_what_it_is() -> None:
    good = protobuf(recorded("alert")[0] | {"Operation": "AlertThreshold"}, "alert")
    row = row_of([good, b"\xff\xff"], source="r", stream="alert", encoding="protobuf", seq=1)
    heard = understand([row])
    assert (heard.events, heard.rejected, len(heard.throttled)) == (1, 1, 1)
    assert heard.reason
    assert list(heard.offsets_s) == [recorded("alert")[0]["HostName"]]
    assert understand([]).events == 0


def test_wrong_settings_are_the_first_finding_and_the_rest_is_examined(tmp_path: Path) -> None:
    file, data = tmp_path / "settings.toml", tmp_path / "data"
    events = tmp_path / "events.jsonl"
    file.write_text(
        f'data_dir = "{data}"\n[spool]\nmax_bites = 3\n[web]\nlisten = "0.0.0.0:7780"\n'
        f'[[source]]\ntype = "file"\npath = "{events}"\n[[source]]\ntype = "relay"\naddress = "x"\n'
    )
    answer = CliRunner().invoke(cli, ["doctor", "--json", "--config", str(file)])
    assert answer.exit_code == 2
    first, *rest = json.loads(answer.stdout)["findings"]
    assert (first["check"], first["status"]) == ("settings.file", "failure")
    assert "max_bites" in first["sentence"]
    assert f"armorstack check-config {file}" in first["mend"]
    told = {each["check"]: each for each in rest}
    assert told["settings.listen"]["status"] == "note"
    assert str(data) in told["folder.there"]["sentence"]
    assert told["file.there"]["subject"] == f"file/{events}"


@pytest.mark.parametrize("text", ["= no TOML", "", None])
def test_a_settings_file_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "settings.toml"
    if text is not None:
        file.write_text(text)
    found = doctor(tmp_path / "data", "--config", str(file))
    found.expect("settings.file", "ok" if text == "" else "failure", str(file))
    assert found.exit_code == (0 if text == "" else 2)
    assert str(tmp_path / "data") in found.one("folder.there")["sentence"]


def test_a_filter_that_does_not_compile_is_a_wrong_setting(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[[filter]]\ntype = "redact"\npattern = "("\n')
    found = doctor(tmp_path / "data", "--config", str(file))
    assert found.one("settings.file")["status"] == "failure"
    assert found.exit_code == 2


def test_a_wrong_variable_of_the_environment_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARMORSTACK_SPOOL_MAX_BYTES", "many")
    found = doctor(tmp_path / "data")
    found.expect("settings.file", "failure", "ARMORSTACK_SPOOL_MAX_BYTES")
    assert found.exit_code == 2


def test_a_secret_that_others_may_read_is_told(tmp_path: Path) -> None:
    url, file = tmp_path / "url", tmp_path / "settings.toml"
    url.write_text("https://hooks.example/secret")
    file.write_text(f'[sink.duckdb]\n[sink.hook]\ntype = "webhook"\nurl_file = "{url}"\n')
    url.chmod(0o644)
    found = doctor(tmp_path / "data", "--config", str(file))
    found.expect("settings.secret", "warning", str(url), f"chmod 600 {url}")
    url.chmod(0o600)
    assert doctor(tmp_path / "data", "--config", str(file)).all("settings.secret") == []


def scene(run_pid: int, started_us: int) -> Scene:
    worker = WorkerState(pid=1, started_us=started_us, updated_us=1)
    return Scene(1, None, worker, run_pid, 0, 0, 0)


def test_a_process_that_is_replaced_while_we_look_crashes_again_and_again() -> None:
    (found,) = check_steadiness(scene(7, 1), scene(7, 2))
    assert (found.status, found.subject, found.mend) == ("failure", "worker", (LOG,))
    assert list(check_steadiness(scene(7, 1), scene(7, 1))) == []
    assert list(check_steadiness(scene(7, 1), scene(8, 2))) == []
