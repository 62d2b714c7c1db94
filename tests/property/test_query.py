"""Any text is a query or a fault that points into it, and a tree survives being written down."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from armorstack.core.globs import GlobFault
from armorstack.core.query.completion import complete
from armorstack.core.query.evaluate import evaluator
from armorstack.core.query.event_id import decode_id
from armorstack.core.query.format import format_query
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.parse import MAX_LENGTH, parse
from armorstack.core.query.patterns import glob_test, piece_test
from armorstack.core.query.pointing import pointed
from armorstack.core.query.tree import And, Compare, Free, Match, Node, Not, Or
from armorstack.core.text import printable
from armorstack.core.times import LAST_SECOND
from armorstack.errors import QueryError
from tests.support.queries import TEXTS, Case, cases
from tests.support.selects import glob_matches

NOW_US = 1_795_446_000_000_000
PIECES = (
    *QUERY_FIELDS, "exists", "pdo", "event_data.", 'event_data."a b"', ".", ":", "=", "!=", "==",
    "<", "<=", ">", ">=", "=~", "..", "(", ")", ",", "and", "or", "not", "&&", "||", "!", "-", " ",
    "  ", "\t", "\n", '"', "'", "\\", "*", "?", "[a]", "[!b-c]", "[c-b]", "[", "now-24h", "now",
    "2026-11-23", "2026-11-23T10:15", "2026-11-23T10:15:20.5Z", "1795443000", "1795443000123",
    "7", "10", "-1", "1e5", "severity>=7", "pod:web-*", "label:app=web", "a", "é", "日", "\x00",
    "\u202e", "\ufeff", "\u201c", "A" * 43, *TEXTS,
)  # fmt: skip
queries = st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def parsed(text: str) -> Node | None:
    """The tree; None where the text is no query, which is then told at a place within it."""
    try:
        return parse(text, NOW_US)
    except QueryError as error:
        check(text, error)
        return None


def check(text: str, error: QueryError) -> None:
    assert 0 <= error.column < len(text)
    assert 1 <= error.length <= len(text) - error.column
    assert str(error)
    assert error.hint
    query, marks = pointed(text, error).split("\n")
    assert marks.strip(" ").strip("^") == ""
    assert query == printable(query)


@settings(max_examples=400)
@given(queries)
@example("(" * MAX_LENGTH)
@example("-" * MAX_LENGTH)
@example("!" * MAX_LENGTH)
@example("not " * (MAX_LENGTH // 4))
@example("pod:" + "(" * 9000)
@example("a " * (MAX_LENGTH // 2))
@example("a" * (MAX_LENGTH + 1))
@example("severity:" + "9" * 5000)
@example("time:" + "9" * 400)
@example("time:0001-01-01..9999-12-31")
@example("time:9999-12-31")
@example("a\ud800")
@example('event_data."' + "\\" * 4000)
def test_any_text_is_a_query_or_a_fault_within_it(text: str) -> None:
    tree = parsed(text)
    if tree is not None:
        evaluator(tree)({"id": b"\0" * 32, "time": 0, "stream": "log"})


@settings(max_examples=300)
@given(queries)
def test_a_query_that_was_written_anew_is_the_same(text: str) -> None:
    tree = parsed(text)
    if tree is not None:
        assert parse(format_query(tree), NOW_US) == tree


@settings(max_examples=150)
@given(cases())
def test_a_tree_that_nobody_typed_means_the_same_when_it_is_written_down(case: Case) -> None:
    text = format_query(case.tree)
    if not can_be_typed(case.tree) or len(text) > MAX_LENGTH:
        return
    asked, again = evaluator(case.tree), evaluator(parse(text, NOW_US))
    assert [again(row) for row in case.plain()] == [asked(row) for row in case.plain()]


def can_be_typed(tree: Node) -> bool:
    """Whether its ids are some, its times lie in the calendar, its globs and free texts are not
    empty."""
    if isinstance(tree, And | Or):
        return all(map(can_be_typed, tree.nodes))
    if isinstance(tree, Compare):
        return QUERY_FIELDS[tree.field].sort != "time" or 0 <= tree.value <= LAST_SECOND * 10**6
    if isinstance(tree, Match) and tree.field == "id":
        return all(map(decode_id, tree.texts))
    if isinstance(tree, Match) and not tree.exact:
        return "" not in tree.texts
    if isinstance(tree, Free):
        return bool(tree.text if tree.exact else tree.text.strip("*"))
    return can_be_typed(tree.node) if isinstance(tree, Not) else True


pieces = st.lists(
    st.sampled_from(("*", "?", "[a-c]", "[!a]", "[]]", "[", *"ab]-!.\\\n")), max_size=7
)
values = st.text(st.sampled_from("abc]-[!.\\\n"), max_size=7)


@settings(max_examples=300)
@given(pieces.map("".join), values)
def test_a_glob_means_in_a_query_what_it_means_in_a_select(glob: str, value: str) -> None:
    try:
        wanted = glob_matches(glob, value)
    except ValueError:
        with pytest.raises(GlobFault):
            glob_test(glob)
        return
    assert glob_test(glob)(value) == wanted


@settings(max_examples=200)
@given(st.text(st.sampled_from("aAéÉ*?."), min_size=1, max_size=6), st.text("aAbéÉ.", max_size=8))
def test_free_text_is_a_piece_of_the_value_whatever_the_case_of_a_to_z(
    text: str, value: str
) -> None:
    def lower(text: str) -> str:
        return text.replace("A", "a").replace("B", "b")

    found = any(
        glob_matches(lower(text), lower(value)[start:end])
        for start in range(len(value) + 1)
        for end in range(start, len(value) + 1)
    )
    assert piece_test(text, exact=False)(value) == found
    assert piece_test(text, exact=True)(value) == (lower(text) in lower(value))


@given(queries, st.integers(0, 60))
def test_whatever_was_typed_can_be_completed(text: str, cursor: int) -> None:
    cursor = min(cursor, len(text))
    assert all(each.start <= cursor for each in complete(text, cursor))
