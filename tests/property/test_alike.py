"""Rows are in one group just where all their columns agree."""

from typing import Any
from unittest.mock import patch

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from armorstack.core.ecs import alike as module
from armorstack.core.ecs.alike import alike

TEXT = st.sampled_from(["", "a", "b", "a\0b", "\0"])
LIST = st.one_of(st.none(), st.lists(st.one_of(st.none(), TEXT), max_size=2))
MAP = st.one_of(st.none(), st.lists(st.tuples(st.sampled_from("ab"), TEXT), max_size=2))
ROWS = st.lists(
    st.tuples(st.one_of(st.none(), TEXT), st.one_of(st.none(), st.integers(0, 3)), LIST, MAP),
    min_size=1, max_size=12,
)  # fmt: skip
TYPES = (pa.string(), pa.int64(), pa.list_(pa.string()), pa.map_(pa.string(), pa.string()))


@given(ROWS, st.sampled_from([1 << 62, 4]))
@example([("a", 1, [], None), ("a", 1, None, None)], 4)
@example([("a", 1, ["a\0b", "b"], None), ("a", 1, ["a", "b\0b"], None)], 4)
@example([("a", 1, [None, "b"], None), ("a", 1, [None, "a"], None)], 4)
@example([("a", 1, None, [("a", "a")]), ("a", 1, None, [("a", "b")])], 4)
@example([("a", 1, None, []), ("a", 1, None, None)], 4)
@example([(text, number, None, None) for text in ("a", "b") for number in (0, 1, 2)], 4)
def test_groups_are_those_of_the_rows_as_they_are(rows: list[tuple[Any, ...]], most: int) -> None:
    listed = zip(*rows, strict=True)
    columns = [pa.array(list(each), type_) for each, type_ in zip(listed, TYPES, strict=True)]
    with patch.object(module, "_MOST_CODES", most):
        found = alike(columns)
    known: dict[str, int] = {}
    assert found.groups == [known.setdefault(repr(row), len(known)) for row in rows]
    assert found.firsts.to_pylist() == [found.groups.index(group) for group in range(len(known))]
