"""Groups that are added up here are those of a statement."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armorstack.core.batch import SCHEMA
from armorstack.core.query.names import FACETS
from armorstack.core.query.question import Question
from armorstack.store.duckdb import summing
from armorstack.store.duckdb.columns import raw
from armorstack.store.duckdb.summing import summed
from tests.support.event_stores import RIGS, patience, varied
from tests.support.stores import NOW_US

texts = st.one_of(st.none(), st.sampled_from(["", "a", "Audit (Block)", "Block", "7", "x (", "é"]))
VALUES = {
    "severity": st.one_of(st.none(), st.sampled_from(["", "07", "7", "x", "-1"])),
    "action": texts, "intended": texts, "pod": texts, "label": st.sampled_from(["", "a,b,a", ","]),
    "tag": st.one_of(st.none(), st.lists(st.sampled_from(["", "T1", "T2"]), max_size=3)),
}  # fmt: skip
ENDS = ("count", "first_us", "last_us")


@given(st.data(), st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=2, unique=True))
def test_every_group_has_the_sum_and_the_ends_of_its_rows(
    data: st.DataObject, fields: list[str]
) -> None:
    columns = list(dict.fromkeys(map(raw, fields)))
    one = {raw(field): VALUES[field] for field in fields}
    rows = data.draw(st.lists(st.fixed_dictionaries(
        one | {"bucket": st.integers(0, 2)} | {name: st.integers(1, 9) for name in ENDS}
    ), max_size=8))  # fmt: skip
    schema = pa.schema(
        [SCHEMA.field(name) for name in columns]
        + [pa.field(name, pa.int64()) for name in ("bucket", *ENDS)]
    )
    found = summed(pa.Table.from_pylist(rows, schema), fields, "bucket")
    expected: dict = {}
    for row in rows:
        for key in named(row, fields):
            count, first, last = expected.get((*key, row["bucket"]), (0, 99, 0))
            expected[*key, row["bucket"]] = (
                count + row["count"], min(first, row["first_us"]), max(last, row["last_us"])
            )  # fmt: skip
    assert {tuple(row[:-3]): tuple(row[-3:]) for row in found} == expected
    assert len(found) == len(expected)


def named(row: dict, fields: list[str]) -> list[tuple[str, ...]]:
    """What the values of these fields are called; written apart from what is tested."""
    keys: list[tuple[str, ...]] = [()]
    for field in fields:
        keys = [(*key, name) for key in keys for name in names_of(field, row[raw(field)])]
    return keys


def names_of(field: str, value: object) -> list[str]:
    if field == "tag":
        return sorted({each for each in value or [] if each}) or [""]
    text = str(value or "")
    if field == "label":
        return sorted({each for each in text.split(",") if each}) or [""]
    if field == "severity":
        return [str(int(text)) if text.isdecimal() else ""]
    return [{"action": {"Audit (Block)": "Audit"}, "intended": {"Audit (Block)": "Block"}}.get(
        field, {}
    ).get(text, "" if field == "intended" else text)]  # fmt: skip


def test_a_statement_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = [*FACETS, "label", "event_data", "intended", "uid"]
    (rig,) = (rig for rig in RIGS if rig.name == "live")
    question = Question(start_us=NOW_US - 10**13)
    found = []
    for limit in (summing.MAX_LISTS, -1):
        monkeypatch.setattr(summing, "MAX_LISTS", limit)
        with rig.filled(tmp_path / str(limit), varied(), []) as store:
            found.append([
                store.facets(question, patience(), fields=fields, size=100),
                store.histogram(question, patience(), by="tag"),
                store.top(question, patience(), fields=["tag", "pod"], size=100),
            ])  # fmt: skip
    assert found[0] == found[1]


def test_many_lists_are_left_to_a_statement() -> None:
    many = pa.table({"count": pa.nulls(summing.MAX_LISTS + 1)})
    assert not summing.can_sum(many, ["pod", "tag"])
    assert summing.can_sum(many, ["pod", "label"])
