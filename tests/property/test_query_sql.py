"""A compiled query means what plain evaluation says, event by event, in a real DuckDB."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from random import Random
from types import ModuleType
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from msgspec import Struct

from armorstack.core.globs import GlobFault
from armorstack.core.query.evaluate import evaluator
from armorstack.core.query.event_id import encode_id
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.tree import And, Compare, Everything, Exists, Free, Match, Node, Not, Or
from armorstack.store.duckdb import columns as columns_module
from armorstack.store.duckdb import where as where_module
from tests.support.queries import BASE_US, OPERATORS, TEXTS, Case, cases, made_cases
from tests.support.rules import event_id
from tests.support.selects import LONG, Chance

Connection = duckdb.DuckDBPyConnection


class Known(Struct, frozen=True):
    """Trees, events as a table, and which of them each tree means."""

    trees: tuple[Node, ...]
    events: pa.Table
    wanted: list[list[bool]]


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


def known(cases: Sequence[Case]) -> Known:
    """Of cases with the same events. Raises GlobFault where a glob means nothing."""
    first, wanted = cases[0], []
    for case in cases:
        asked = evaluator(case.tree)
        wanted.append([asked(row) for row in case.plain()])
    numbers = pa.array(range(len(first.rows)), pa.int64())
    events = pa.Table.from_batches([first.batch()]).append_column("number", numbers)
    return Known(tuple(case.tree for case in cases), events, wanted)


def told(connection: Connection, case: Known, where: Any = where_module) -> list[list[bool]]:
    """Which events a WHERE with the compiled condition lets through."""
    connection.register("events", case.events)
    return [_told(connection, tree, len(case.events), where) for tree in case.trees]


def _told(connection: Connection, tree: Node, rows: int, where: Any) -> list[bool]:
    parameters = where.Parameters()
    condition = where.condition(tree, parameters)
    found = connection.execute(f"SELECT number FROM events WHERE {condition}", parameters.values)
    kept = {number for (number,) in found.fetchall()}
    return [number in kept for number in range(rows)]


def told_at_once(connection: Connection, case: Known, where: Any) -> list[list[bool]]:
    """The same for all trees in one statement, which is faster."""
    parameters = where.Parameters()
    conditions = [f"coalesce({where.condition(tree, parameters)}, false)" for tree in case.trees]
    connection.register("events", case.events)
    statement = f"SELECT {', '.join(conditions)} FROM events ORDER BY number"
    rows = connection.execute(statement, parameters.values).fetchall()
    return [list(answers) for answers in zip(*rows, strict=True)]


@settings(max_examples=200)
@given(cases())
def test_a_compiled_query_equals_the_plain_evaluation(connection: Connection, case: Case) -> None:
    try:
        plain = known([case])
    except GlobFault:
        with pytest.raises(GlobFault):
            where_module.condition(case.tree, where_module.Parameters())
        return
    assert told(connection, plain) == plain.wanted


@pytest.mark.parametrize(
    "name", ["pod", "type", "action", "intended", "owner", "tag", "label", "event_data"]
)
def test_hostile_texts_are_found_one_by_one(connection: Connection, name: str) -> None:
    field = QUERY_FIELDS[name]
    key = "k" if field.sort == "map" else ""
    column = "action" if name in ("action", "intended") else field.columns[0]
    as_values: dict[str, Callable[[str], Any]] = {
        "tag": lambda text: [text], "event_data": lambda text: {"k": text},
        "intended": "Audit ({})".format,
    }  # fmt: skip
    value = as_values.get(name, str)
    texts = [text for text in TEXTS[::2] if name != "label" or "," not in text]
    rows = tuple({"id": b"", "stream": "log", column: value(text)} for text in texts)
    case = known([Case(Match(name, (text,), exact=True, key=key), rows) for text in texts])
    assert all(any(wanted) for wanted in case.wanted)
    assert told_at_once(connection, case, where_module) == case.wanted


def test_nothing_that_was_typed_is_part_of_the_statement() -> None:
    mark = "zqz"
    trees: list[Node] = [Free(f"{mark}'*"), Free(mark, exact=True)]
    for name, field in QUERY_FIELDS.items():
        if field.sort not in ("number", "time"):
            for text in (f"{mark}'", f"*{mark}", f"{mark}*", f"*{mark}*", f"a?{mark}[{mark}]"):
                trees += [Match(name, (text,), exact, mark) for exact in (True, False)]
            trees.append(Exists(name, mark))
    statement = where_module.condition(Or(tuple(trees)), where_module.Parameters())
    assert mark not in statement


@pytest.mark.parametrize("value", [0, -1, 1 << 62, 1 << 63, -(1 << 63), -(1 << 63) - 1, 10**40])
@pytest.mark.parametrize("name", ["time", "severity", "pid", "timestamp", "folded"])
def test_a_number_may_be_of_any_size(connection: Connection, name: str, value: int) -> None:
    column = QUERY_FIELDS[name].columns[0]
    low, high = ("0", "7") if name == "severity" else (0, 7)
    rows = (
        {"time": BASE_US},
        {column: low} | ({} if name == "time" else {"time": 0}),
        {column: high},
    )
    full = tuple({"id": b"", "stream": "log", "time": 1, "received": 1} | row for row in rows)
    tests = [Compare(name, operator, value) for operator in OPERATORS]
    case = known([Case(tree, full) for test in tests for tree in (test, Not(test))])
    assert told(connection, case) == case.wanted


def test_a_long_value_costs_no_more_than_its_length(connection: Connection) -> None:
    stars = "*".join("aB" * 12)
    rows = ({"resource": LONG * 20}, {"resource": LONG})
    full = tuple({"id": b"", "stream": "log"} | row for row in rows)
    trees = (Match("resource", (f"*{stars}*y",)), Free(f"{stars}*yy"))
    case = known([Case(tree, full) for tree in trees])
    assert told(connection, case) == case.wanted == [[False, False]] * 2


# --- what the cases are, and whether they would find a fault out ---

ID = encode_id(event_id(0))
EDGE_ROWS: tuple[dict[str, Any], ...] = tuple(
    {"id": event_id(number), "stream": "alert", "time": BASE_US + number, "received": 0} | row
    for number, row in enumerate((
        {}, {"pod_name": "", "atags": [""], "labels": "", "event_data": {"k": ""}, "action": ""},
        {"pod_name": "a\nb", "atags": ["a", "b"], "labels": "a=1,b=2", "event_data": {"k": "v"}},
        {"action": "Audit (Block)", "owner_ref": "Kind", "owner_name": "one", "severity": "7"},
        {"action": " (Block)", "owner_ref": "", "owner_name": "one", "severity": "+7"},
        {"action": "Audit (Block", "owner_ref": "Kind", "owner_name": "", "severity": "12"},
        {"action": "É Z", "type": "Z\u212a", "pod_name": "Z\u212a*", "severity": "", "tty": "a.b"},
        {"atags": ["b", None, "a*", "TagOnly"], "event_data": {"v": "k",
        "q": "Zz"}, "resource": "a?b", "data": "axb"},
    ))
)  # fmt: skip
EDGES: tuple[Node, ...] = (
    Everything(), Match("pod", ("",)), Match("pod", ("",), exact=True), Match("pod", ("*",)),
    Not(Match("pod", ("x",))), Exists("pod"), Match("tag", ("a*",), exact=True),
    Match("tag", ("a",)), Match("tag", ("*",)), Exists("tag"), Match("tag", ("",), exact=True),
    Match("label", ("a=1",)), Exists("label"), Match("event_data", ("v",)), Exists("event_data"),
    Match("event_data", ("*",), key="k"), Match("event_data", ("v",), key="k"),
    Exists("event_data", "k"), Match("event_data", ("",), exact=True, key="k"),
    Match("id", (ID,)), Match("id", (f"{ID[:9]}*",)), Match("id", (f"{ID[:9]}*",), exact=True),
    Match("id", ("x",)), Match("id", (f"*{ID[-9:]}",)), *(
        Match("id", (f"*{sign}*",)) for sign in "-_"
    ),
    Match("action", ("audit",)), Match("action", ("audit (block)",)), Match("intended", ("BLOCK",)),
    Match("intended", ("block*",)), Match("action", ("É z",)), Match("action", ("é z",)),
    Match("action", ("audit (block",)), Match("action", ("?",)), Match("action", (" (b*",)),
    Match("type", ("zk",)), Match("type", ("Z\u212a",)), Match("type", ("Z?",)),
    Match("owner", ("Kind/one",)), Match("owner", ("/one",)), Match("owner", ("Kind/",)),
    Match("owner", ("one",)), Exists("owner"), Compare("severity", "=", 7), Exists("severity"),
    Compare("severity", ">", 7), Compare("severity", ">=", 7), Compare("severity", "<", 12),
    Compare("time", "=", BASE_US + 3), Compare("time", "<=", BASE_US + 3), Exists("time"),
    Free("a*b"), Free("a?b"), Free("a?b", exact=True), Free("*"), Free("z\u212a"), Free("Zk"),
    Free("A.B*"), Free("tagonly"), Free("a\n*b"), Match("pod", ("*a",)), Free("a??b"),
        Free("b*a"), Match("tag", ("a", "b*")), Match("resource", ("a?b",)),
    Match("pod", ("a*",)), Match("pod", ("*b",)), Match("pod", ("*\n*",)), Match("pod", ("z*",)),
    And((Exists("pod"), Exists("tag"))), Or((Exists("pod"), Exists("tag"))),
    Not(Not(Match("pod", ("x",)))), Not(Exists("event_data", "v")), Free("B", exact=True),
)  # fmt: skip
"""Trees that ask for what is easily compiled wrongly."""


def batched(trees: Sequence[Node], size: int = 12) -> Iterator[Sequence[Node]]:
    for start in range(0, len(trees), size):
        yield trees[start : start + size]


@pytest.fixture(scope="module")
def many() -> list[Known]:
    """The same cases each time, with what is wanted."""
    chance = Random(5)
    found = [known([Case(tree, EDGE_ROWS) for tree in trees]) for trees in batched(EDGES)]
    while len(found) < 60:
        made = made_cases(Chance(chance.randrange), 10, 8, depth=2)
        if kept := [case for case in made if means_something(case)]:
            found.append(known(kept))
    return found


def means_something(case: Case) -> bool:
    try:
        evaluator(case.tree)
    except GlobFault:
        return False
    return True


def leaves(node: Node) -> list[Node]:
    if isinstance(node, And | Or):
        return [leaf for each in node.nodes for leaf in leaves(each)]
    return leaves(node.node) if isinstance(node, Not) else [node]


def kinds(node: Node) -> list[str]:
    """What a leaf asks, in short."""
    if isinstance(node, Everything):
        return ["everything"]
    if isinstance(node, Free):
        return [f"free {node.exact} {'*' in node.text} {'?' in node.text}"]
    sort = QUERY_FIELDS[node.field].sort
    if isinstance(node, Compare):
        return [f"{sort} {node.operator}"]
    key = f" key={bool(node.key)}" if sort == "map" else ""
    if isinstance(node, Exists):
        return [f"exists {sort}{key}"]
    marks = [
        "plain",
        *(mark for mark in ("*", "?", "[", "[!") if any(mark in t for t in node.texts)),
    ]
    return [f"{sort} {'exact' if node.exact else marks[-1]}{key}"]


def test_the_cases_ask_everything_and_get_both_answers(many: list[Known]) -> None:
    asked = [leaf for case in many for tree in case.trees for leaf in leaves(tree)]
    seen = Counter(kind for leaf in asked for kind in kinds(leaf))
    wanted = {f"{sort} {sign}" for sort in ("number", "time") for sign in OPERATORS}
    wanted |= {f"free {a} {b} {c}" for a, b, c in product((True, False), repeat=3)}
    for sort in ("text", "word", "texts", "labels"):
        wanted |= {f"exists {sort}"} | {
            f"{sort} {way}" for way in ("exact", "plain", "*", "?", "[")
        }
    assert wanted <= seen.keys()
    fields = {leaf.field for leaf in asked if isinstance(leaf, Match | Compare | Exists)}
    assert len(fields) > len(QUERY_FIELDS) / 2
    answers = Counter(answer for case in many for each in case.wanted for answer in each)
    assert min(answers[True], answers[False]) > sum(answers.values()) / 10


W, C = where_module, columns_module
MUTANTS: dict[str, tuple[ModuleType, str, str]] = {
    "and is or": (
        W, '" AND " if isinstance(node, And)', '" OR " if isinstance(node, And)'),
    "or is and": (
        W, 'else " OR "', 'else " AND "'),
    "a negation keeps NULL": (
        W,
        "(NOT coalesce({condition(inner, parameters)}, false))",
        "(NOT ({condition(inner, parameters)}))"),
    "a negation takes NULL for true": (
        W, "parameters)}, false))", "parameters)}, true))"),
    "a negation is forgotten": (
        W, "(NOT coalesce(", "(coalesce("),
    "everything is nothing": (
        W, 'return "true"', 'return "false"'),
    "one of several is all of them": (
        W, "' OR '.join(conditions)", "' AND '.join(conditions)"),
    "several conditions without any are true": (
        W, ' if conditions else "false"', ' if conditions else "true"'),
    "an empty text is never asked": (
        W, "if node.exact and len(wanted) < len(node.texts):", "if False:"),
    "an empty text is asked as it is": (
        W, "[text for text in node.texts if text]", "list(node.texts)"),
    "an empty text always means absent": (
        W, "if node.exact and len(wanted)", "if len(wanted)"),
    "an empty text means present": (
        W, "condition(Not(exists), parameters)", "condition(exists, parameters)"),
    "what is no id is every id": (
        W, '" if ids else "false"', '" if ids else "true"'),
    "ids are never globs": (
        W, "(node.exact or not any(map(_is_glob, node.texts)))", "True"),
    "words keep their case": (
        W, '_Texts(wanted, exact, field.sort == "word")', "_Texts(wanted, exact, False)"),
    "no text keeps its case": (
        W, '_Texts(wanted, exact, field.sort == "word")', "_Texts(wanted, exact, True)"),
    "exact texts are globs": (
        W, "        if not exact:\n", "        if True:\n"),
    "globs are exact": (
        W, "        if not exact:\n", "        if False:\n"),
    "the key is forgotten": (
        W,
        "        return "
        'test.of(f"{column(field.columns[0])}[{parameters.put(key)}]", parameters)',
        "        return _some(elements(field), test.of('each', parameters))"),
    "only the first column is asked": (
        W,
        "for each in texts(field)])\n\n\ndef _canonical",
        "for each in texts(field)[:1]])\n\n\ndef _canonical"),
    "every element must match": (
        W, ')) > 0"', ')) = len({list_})"'),
    "two elements must match": (
        W, ')) > 0"', ')) > 1"'),
    "exact words keep the query's case": (
        W, "[lower_text(text) if ignore_case else text for text in wanted]", "list(wanted)"),
    "globs of words keep the query's case": (
        W, "plan(wanted, ignore_case=ignore_case)", "plan(wanted)"),
    "words keep the event's case": (
        W, "lower(expression) if self._ignore_case else expression", "expression"),
    "a star alone is true of an empty text": (
        W, "return f\"{expression} <> ''\"", 'return f"{expression} IS NOT NULL"'),
    "a star alone is not seen": (
        W, "if self._plan is not None and self._plan.everything:", "if False:"),
    "plain texts beside globs are lost": (
        W, " if self._exact else []", " if self._exact and self._plan is None else []"),
    "a prefix is a suffix": (
        W, "starts_with({value}", "ends_with({value}"),
    "a suffix is a part": (
        W, "ends_with({value}, {", "contains({value}, {"),
    "a part is a prefix": (
        W, "contains({value}, {", "starts_with({value}, {"),
    "globs as expressions are lost": (
        W, "if glob.regex else []", "if False else []"),
    "times are seconds": (
        W,
        "make_timestamp({parameters.put(value)}::BIGINT)",
        "make_timestamp({parameters.put(value // 1_000_000)}::BIGINT)"),
    "a time is always later": (
        W, "{place} {node.operator} make_timestamp", "{place} > make_timestamp"),
    "a number is always greater": (
        W, "{place} {node.operator} {parameters.put(value)}", "{place} > {parameters.put(value)}"),
    "a number exists where its column is not empty": (
        W,
        '        return f"{column(field.columns[0])} IS NOT NULL"',
        "        return f\"{field.columns[0]}::VARCHAR <> ''\""),
    "an empty element exists": (
        W, "_some(elements(field), \"each <> ''\")", '_some(elements(field), "true")'),
    "an empty text exists": (
        W, "return _any([f\"{each} <> ''\"", 'return _any([f"{each} IS NOT NULL"'),
    "an empty value of a key exists": (
        W, "[{parameters.put(node.key)}] <> ''\"", '[{parameters.put(node.key)}] IS NOT NULL"'),
    "the key is not asked whether it exists": (
        W, "if not node.key else _has_key", "if True else _has_key"),
    "tags are no free text": (
        W,
        'if field.sort == "texts":',
        "if field.sort == 'texts' and (found or True):\n            "
        "continue\n        if False:"),
    "free text minds the event's case": (
        W,
        "found.append(test.format(lower(column(field.columns[-1]))))",
        "found.append(test.format(column(field.columns[-1])))"),
    "free text minds the case in tags": (
        W, 'test.format(lower("each"))', 'test.format("each")'),
    "free text minds the query's case": (
        W, "sought = lower_text(node.text)", "sought = node.text"),
    "free text is looked for in what was done only": (
        W, "column(field.columns[-1])", "column(field.columns[0])"),
    "exact free text has wildcards": (
        W, "if node.exact or not _WILD.search(sought):", "if not _WILD.search(sought):"),
    "free text has no wildcards": (
        W, "if node.exact or not _WILD.search(sought):", "if True:"),
    "stars as free text find an empty text": (
        W, 'else sought.strip("*")', "else sought"),
    "free text is not escaped": (
        W, "or re.escape(char) for char", "or char for char"),
    "free text ends at a line": (
        W, "'(?s)' + expression", "expression"),
    "a star in free text is at least one": (
        W, '"*": ".*"', '"*": ".+"'),
    "a question mark in free text may be nothing": (
        W, '"?": "."', '"?": ".?"'),
    "a question mark in free text is itself": (
        W, '"*": ".*", "?": "."', '"*": ".*"'),
    "done and intended are swapped": (
        C, '"intended": f"CASE WHEN', '"intended": f"CASE WHEN NOT'),
    "an action is audited without a name": (
        C, "{_AT} > 1", "{_AT} > 0"),
    "an action is audited without its end": (
        C, " AND ends_with(action, ')')", ""),
    "what was done has its blank": (
        C, "substr(action, 1, {_AT} - 1)", "substr(action, 1, {_AT})"),
    "what was intended has its bracket": (
        C, "length(action) - {_AT} - 2)", "length(action) - {_AT} - 1)"),
    "an owner's path has a dot": (
        C, "|| '/' ||", "|| '.' ||"),
    "an owner without a kind has a path": (
        C, "owner_ref <> '' AND ", ""),
    "an owner without a name has a path": (
        C, " AND owner_name <> ''", ""),
    "a severity may begin with a sign": (
        C, "[0-9]{1,9}", "[+-]?[0-9]{1,9}"),
    "a severity has one digit": (
        C, "[0-9]{1,9}", "[0-9]"),
    "a severity is what its first digits say": (
        C, "regexp_full_match", "regexp_matches"),
    "an id is written in the standard form": (
        C, "translate(base64(id), '+/', '-_')", "base64(id)"),
    "an id keeps its padding": (
        C, "rtrim(translate(base64(id), '+/', '-_'), '=')", "translate(base64(id), '+/', '-_')"),
    "labels are one text": (
        C, "string_split({first}, ',')", "[{first}]"),
    "keys are values": (
        C, "map_values", "map_keys"),
    "all of Unicode is lowered": (
        C, "strlen({expression}) = length({expression})", "true"),
    "Z keeps its case": (
        C, 'XYZ"', 'XY"'),
    "maps have one value": (
        C, '("texts", "labels", "map")', '("texts", "labels")'),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutated_compiler_is_found_out(
    name: str, many: list[Known], connection: Connection
) -> None:
    mutant = mutated(*MUTANTS[name])
    assert any(is_wrong(connection, case, mutant) for case in many)


def mutated(module: ModuleType, old: str, new: str) -> ModuleType:
    """`where` with one place of it, or of `columns`, written anew."""
    made = _made(module, lambda source: _replaced(source, old, new))
    if module is where_module:
        return made
    over = _made(where_module, lambda source: source)
    for name in ("column", "elements", "is_several", "lower", "texts"):
        setattr(over, name, getattr(made, name))
    return over


def _made(module: ModuleType, change: Callable[[str], str]) -> ModuleType:
    assert module.__file__ is not None
    with open(module.__file__) as file:
        source = change(file.read())
    made = ModuleType(module.__name__)
    exec(compile(source, module.__file__, "exec"), made.__dict__)
    return made


def _replaced(source: str, old: str, new: str) -> str:
    assert source.count(old) == 1, f"this mutant needs a new place: {old}"
    return source.replace(old, new)


def is_wrong(connection: Connection, case: Known, where: Any) -> bool:
    try:
        return told_at_once(connection, case, where) != case.wanted
    except duckdb.Error:
        return True
