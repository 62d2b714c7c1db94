"""What `armorstack noise` suggests: names, globs, TOML, counts, lines of events."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from armorstack import config
from armorstack.config import DropFilter, FoldFilter, Globs, Select, SeverityRange
from armorstack.core import noise_count
from armorstack.core.filters.contract import Flow
from armorstack.core.noise import ALERTS, LOGS, Candidate, Group, Leads
from armorstack.core.noise_candidates import candidates, literal
from armorstack.core.noise_count import Count, Effect, columns_of
from armorstack.core.noise_toml import filter_toml
from armorstack.store.lines import Lines
from tests.support.noise import SECOND_US, START_US, alert, events, log

HOSTILE = (
    'quote"s', "it's", "back\\slash", 'three"""quotes', "'''", "new\nline", "\r\n[[filter]]",
    "\x1b]0;owned\x07", "\x00", "\x7f", "*", "a*b?c[d]e", "[!a]", "]", "\u202egnp", "\U000e0041",
    "🐚", "# no comment", " ", "$(reboot)", "; reboot", "{{x}}", "{count}", "%s",
)  # fmt: skip


def test_a_filter_that_would_drop_what_was_blocked_is_refused() -> None:
    count = counted([Candidate(kind="drop", title="everything", filter=DropFilter())],
                    events(*[alert(action="Block")] * 3, *[log()] * 3))  # fmt: skip
    suggestions, refused = count.suggestions()
    assert suggestions == ()
    assert refused == ("everything is not suggested: it would let go 3 events that were blocked "
                       "and 3 alerts of policies",)  # fmt: skip


def counted(found: list[Candidate], rows: pa.RecordBatch) -> Count:
    """A count over exactly the columns that it asks for; every row is a kind of its own."""
    count = Count(found)
    keys = pa.array(range(len(rows)), pa.uint64())
    count.add(rows.select(list(count.columns)).append_column(noise_count.FOLD_KEY, keys))
    return count


def test_kinds_that_are_forgotten_only_lower_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    fold = Candidate(kind="fold", title="all", filter=FoldFilter(tag=LOGS))
    rows = events(*[log()] * 8)
    same = pa.array([7] * 8, pa.uint64())

    def removes() -> int:
        count = Count([fold])
        for half in (rows.slice(0, 4), rows.slice(4)):
            narrow = half.select(list(count.columns))
            count.add(narrow.append_column(noise_count.FOLD_KEY, same.slice(0, 4)))
        return count.suggestions()[0][0].removes

    assert removes() == 7
    monkeypatch.setattr(noise_count, "MAX_KINDS", 0)
    assert removes() == 6


@pytest.mark.parametrize("namespace", ["$(reboot)", "-x", "a b", "container_namespace", "A", ""])
def test_no_command_is_made_of_a_name_that_is_no_namespace(namespace: str) -> None:
    def commands(name: str) -> int:
        groups = (Group({"namespace_name": name, "operation": "File"}, 9),)
        return sum(bool(each.command) for each in candidates(Leads(visible=groups), 9))

    assert (commands("shop"), commands(namespace)) == (1, 0)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_make_filters_that_mean_these_names_only(name: str, tmp_path: Path) -> None:
    ours = {"process_name": f"/bin/{name}", "namespace_name": name, "operation": "File"}
    inside = log(**ours, resource=f"/srv/{name}/file")
    outside = log(process_name="/bin/abcde", namespace_name="abcde", resource="/srv/abcde/file")
    rows = events(inside, alert(name, **ours), outside, alert("abcde"))
    maker, folder = Group(ours, 1), Group({"path": f"/srv/{name}/"}, 1)
    policy = Group({"policy_name": name}, 1)
    found = candidates(Leads(policies=(policy,), makers=(maker,), folders=(folder,)), 4)
    drops = [each.filter for each in found if each.kind == "drop"]
    made = (*drops[:2], found[-1].filter)
    # In a folder that character stands for a number.
    of_folder = [name != "\0", False, False, False]
    expected = [[True, False, False, False], of_folder, [False, True, False, False]]
    assert [Effect(each).mask(Flow(rows)).to_pylist() for each in made] == expected
    for each in made:
        assert read_back(each, tmp_path) == each
        assert filter_toml(each).replace("\n", "").isprintable()


def read_back(settings: config.Filter, folder: Path) -> config.Filter:
    """The filter as it is read from what is told to be pasted."""
    file = folder / "one.toml"
    file.write_text(filter_toml(settings))
    (found,) = config.load(file, environ={}).filter
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_literal_glob_matches_its_text_only(name: str) -> None:
    select = Effect(DropFilter(select=Select(processes=(literal(name),))))
    rows = events(log(process_name=name), log(process_name=f"{name}x"), log(process_name="zz"))
    assert select.mask(Flow(rows)).to_pylist() == [True, False, False]


@pytest.mark.parametrize(
    "settings",
    [
        DropFilter(),
        DropFilter(name="a", tag=LOGS, select=Select(severity=SeverityRange(min=3))),
        DropFilter(select=Select(policies=Globs(include=("?*",), exclude=('"""',)))),
        FoldFilter(interval_s=30.0, by=("pod", "process"), select=Select(namespaces=("",))),
    ],
)
def test_a_filter_reads_back_as_itself(settings: Any, tmp_path: Path) -> None:
    assert read_back(settings, tmp_path) == settings


@pytest.mark.parametrize("key", Select.__struct_fields__)
def test_a_select_needs_no_column_but_those_that_are_told(key: str) -> None:
    value = SeverityRange() if key == "severity" else ("*x*",)
    select = Select(**{key: value})
    narrow = events(log()).select(sorted({"stream", "type"} | columns_of(select)))
    assert len(Effect(DropFilter(tag=LOGS, select=select)).mask(Flow(narrow))) == 1
    assert len(columns_of(select)) in (1, 2)


def test_suggestions_stay_few() -> None:
    groups = tuple(Group({"namespace_name": f"n{n}", "process_name": "p", "operation": "File",
                          "path": f"/srv/{n}/", "policy_name": f"p{n}"}, 50)
                   for n in range(100))  # fmt: skip
    found = candidates(Leads(groups, groups, groups, groups), 100)
    assert len(found) < 40
    assert {each.filter.tag for each in found if each.kind == "fold"} == {LOGS, ALERTS}


def test_lines_that_are_no_events_are_counted_and_times_are_heeded() -> None:
    told = [event(0), b"  ", b"not json", b'{"a": 1}', event(5) + b"\r", event(9)]
    stream = Lines(io.BytesIO(b"\n".join(told)), START_US, time_us(1), time_us(9))
    rows = pa.concat_batches(list(stream.batches()))
    assert rows["time"].cast(pa.int64()).to_pylist() == [time_us(5)]
    assert rows["received"].equals(rows["time"])
    assert stream.unread == 2
    assert stream.taken_bytes == sum(map(len, told)) + len(told) - 1


def test_a_line_without_end_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("armorstack.store.lines.MAX_LINE_BYTES", 1000)
    stream = Lines(io.BytesIO(event(1) + b"\n" + b"x" * 5000 + b"\n" + event(2)), START_US)
    assert sum(len(rows) for rows in stream.batches()) == 2
    assert stream.unread == 1


def time_us(second: int) -> int:
    return START_US + second * SECOND_US


def event(second: int) -> bytes:
    known = {"Type": "HostLog", "UpdatedTime": f"2026-11-23T15:00:{second:02}.000000Z",
             "Timestamp": START_US // SECOND_US + second, "Operation": "File"}  # fmt: skip
    return json.dumps(known).encode()
