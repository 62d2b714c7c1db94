"""The numbers that `armorstack noise` tells are what its filters do, as DuckDB and Arrow see it."""

from pathlib import Path

import pyarrow as pa
import pytest

from armorstack import config
from armorstack.cli.noise_view import as_toml
from armorstack.core.noise import Report, Suggestion
from armorstack.core.rules import compile_rules
from tests.support.noise import SECOND_US, alert, events, log, recorded, removed, report_on


def named(report: Report, word: str) -> Suggestion:
    return next(each for each in report.suggestions if word in each.title)


@pytest.fixture(scope="module")
def real() -> pa.RecordBatch:
    return recorded()


@pytest.fixture(scope="module")
def told(real: pa.RecordBatch) -> Report:
    return report_on(real)


def test_each_filter_removes_exactly_what_is_said_of_it(
    real: pa.RecordBatch, told: Report, tmp_path: Path
) -> None:
    pasted = [each for each in told.suggestions if each.toml]
    assert {each.kind for each in pasted} == {"preset", "drop", "fold"}
    for each in pasted:
        number = removed([each.toml], real, tmp_path)
        assert number >= each.removes if each.at_least else number == each.removes, each.title


def test_each_gain_is_what_the_filter_adds_to_those_above_it(
    real: pa.RecordBatch, told: Report, tmp_path: Path
) -> None:
    pasted = [each for each in told.suggestions if each.toml and each.kind != "fold"]
    # Commands and folds between them take some, too; so drops are looked at from the top.
    first = [each for each in pasted if each.gain][:1] + [e for e in pasted if not e.gain][:1]
    assert len(first) == 2
    number = removed([each.toml for each in first], real, tmp_path)
    assert number == first[0].gain + first[1].gain


def test_overlapping_filters_have_gains_that_add_up(tmp_path: Path) -> None:
    rows = events(*[log()] * 6, *[log(process_name="/bin/ls")] * 3, *[alert("DefaultPosture")] * 2)
    report = report_on(rows)
    drops = [each for each in report.suggestions if each.kind in ("drop", "preset") and each.toml]
    assert [each.removes for each in drops][:2] == [9, 2]
    whole = removed([each.toml for each in report.suggestions if each.toml], rows, tmp_path)
    assert sum(each.gain for each in report.suggestions) == whole == 11


def test_what_is_suggested_does_not_depend_on_how_much_is_shown(
    real: pa.RecordBatch, told: Report
) -> None:
    short = report_on(real, top=1)
    assert [len(short.tables.policies), len(told.tables.policies)] == [1, 10]
    assert (short.suggestions, short.kept) == (told.suggestions, told.kept)


def test_the_first_suggestion_removes_most(told: Report) -> None:
    assert told.suggestions[0].removes == max(each.removes for each in told.suggestions)
    gains = [each.gain for each in told.suggestions]
    assert gains == sorted(gains, reverse=True)


def test_nothing_blocked_and_no_alert_of_a_policy_is_dropped(
    real: pa.RecordBatch, told: Report, tmp_path: Path
) -> None:
    drops = "\n".join(e.toml for e in told.suggestions if e.toml and e.kind != "fold")
    (tmp_path / "drops.toml").write_text(drops)
    rules = compile_rules(config.load(tmp_path / "drops.toml", environ={}))
    left = rules.apply(real, 0).rows
    for each in (rows_where(real, protected=True), rows_where(left, protected=True)):
        assert each == rows_where(real, protected=True)
    assert len(left) < len(real)


def rows_where(rows: pa.RecordBatch, *, protected: bool) -> set[bytes]:
    """Ids of events that were blocked or are alerts of a policy, found without any select."""
    ids = set()
    for row in rows.select(["id", "stream", "policy_name", "action"]).to_pylist():
        blocked = (row["action"] or "").startswith("Block")
        policy = row["stream"] == "alert" and row["policy_name"] not in (None, "DefaultPosture")
        if (blocked or policy) == protected:
            ids.add(row["id"])
    assert ids
    return ids


def test_only_audited_events_of_the_default_posture_are_dropped(tmp_path: Path) -> None:
    rows = events(*[alert("DefaultPosture")] * 4, *[alert("DefaultPosture", "Block")] * 4)
    told = named(report_on(rows), "only audited")
    assert told.removes == 4 == removed([told.toml], rows, tmp_path)
    assert any("posture" in sentence for sentence in report_on(rows).kept)


def test_frequent_alerts_of_a_policy_are_told_with_the_reason(tmp_path: Path) -> None:
    rows = events(*[alert(host_pid=n) for n in range(9)], *[log()] * 3)
    report = report_on(rows)
    assert any(s.startswith("9 alerts of ksp-a: fold them") for s in report.kept)
    fold = named(report, "equal alerts of ksp-a")
    assert fold.removes == 8 == removed([fold.toml], rows, tmp_path)


def test_a_fold_keeps_one_event_of_each_kind_in_ten_seconds(tmp_path: Path) -> None:
    rows = events(*[log()] * 25, *[log(resource="/other")] * 5, step_us=SECOND_US)
    fold = named(report_on(rows), "equal logs")
    assert fold.at_least
    assert fold.removes == 26
    assert removed([fold.toml], rows, tmp_path) == 26
    shifted = rows.slice(5)
    assert named(report_on(shifted), "equal logs").removes <= removed(
        [fold.toml], shifted, tmp_path
    )


def test_a_preset_that_sets_apart_says_so_and_removes_nothing() -> None:
    told = named(report_on(events(*[alert("DefaultPosture")] * 5)), "default-posture-apart")
    assert (told.sets_apart, told.removes, told.gain) == (5, 0, 0)


def test_what_removes_less_than_a_hundredth_is_not_told() -> None:
    many = [log(resource=f"/srv/{n}/f", process_name=f"/bin/{n}") for n in range(300)]
    rare = alert("ksp-rare")
    titles = [s.title for s in report_on(events(*many, rare, rare, rare)).suggestions]
    assert titles
    assert not any("ksp-rare" in title for title in titles)


def test_reads_below_folders_that_are_watched_are_not_suggested_to_be_dropped() -> None:
    paths = ("/etc/shadow", "/boot/grub/grub.cfg", "/tmp/x", "/run/secrets/token", "/srv/data/f")
    rows = events(*[log(resource=path) for path in paths for _ in range(5)])
    found = [s.title for s in report_on(rows).suggestions if "opened below" in s.title]
    assert found == ["files opened below /srv/data/"]


def test_numbers_in_paths_are_one_folder(tmp_path: Path) -> None:
    rows = events(*[log(resource=f"/proc/{n}/stat") for n in range(40)], log(resource="/proc/x"))
    told = named(report_on(rows), "opened below /proc/N/")
    assert told.removes == 40 == removed([told.toml], rows, tmp_path)
    table = report_on(rows).tables.paths
    assert [(g.values["path"], g.events) for g in table] == [("/proc/*/*", 40), ("/proc/*", 1)]


def test_rare_files_are_counted_by_their_folder_and_frequent_ones_by_name() -> None:
    rows = events(*[log(resource=f"/var/cache/{n}.db") for n in range(300)],
                  *[log(resource="/var/run/hot")] * 200)  # fmt: skip
    paths = [(group.values["path"], group.events) for group in report_on(rows).tables.paths]
    assert paths == [("/var/cache/*", 300), ("/var/run/hot", 200)]


def test_pods_of_one_owner_are_one_line() -> None:
    pods = [log(pod_name=f"web-7f{n}", owner_ref="Deployment", owner_name="web") for n in range(4)]
    rows = events(*pods, log(pod_name="single"), log(namespace_name=None, host_name="n1"))
    groups = report_on(rows).tables.workloads
    assert [(g.values["name"], g.values["host_name"], g.events) for g in groups] == [
        ("web", None, 4), ("single", None, 1), (None, "n1", 1),
    ]  # fmt: skip


def test_addresses_are_one_line_whatever_the_order_of_their_parts() -> None:
    rows = events(log(operation="Network", resource="sin_port=1 sin_addr=x"),
                  log(operation="Network", resource="sin_addr=x sin_port=1"))  # fmt: skip
    assert [group.events for group in report_on(rows).tables.paths] == [2]


def test_file_logs_of_a_namespace_have_a_command_that_stops_them_at_their_origin() -> None:
    rows = events(*[log()] * 8, *[log(operation="Process")] * 2, log(operation="Capabilities"))
    told = named(report_on(rows), "stops reporting File")
    assert told.command == (
        "kubectl annotate namespace shop "
        "kubearmor-visibility=process,network,capabilities --overwrite"
    )
    assert (told.removes, told.toml) == (8, "")


def test_visibility_stays_where_a_policy_audits() -> None:
    report = report_on(events(*[log()] * 8, alert("ksp-audit"), alert("DefaultPosture")))
    assert not any(each.command for each in report.suggestions)
    assert any("1 alerts of policies that audit would stop" in told for told in report.kept)


def test_no_events_make_an_empty_report() -> None:
    report = report_on()
    assert (report.tables.events, report.suggestions, report.kept) == (0, (), ())
    assert as_toml(report, everything=True) == "# nothing to suggest\n"
