"""The grammar of queries, read by recursive descent.

    query  = either                          either = both { ("or" | "||") both }
    both   = one { ["and" | "&&"] one }      one    = ("not" | "!" | "-") one | term
    term   = "(" either ")" | test | text
    test   = field (":" | "=" | "!=") (value | "(" values ")")
           | field ("<" | "<=" | ">" | ">=") value
    values = the same grammar over values; a comma is "or"

Invariant: a tree is bounded in depth and in the number of its tests. `and` within `and` and `or`
within `or` are taken apart, and texts of one field joined by `or` are one test. Must not go here:
what a value means.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from armorstack.core.query.lexer import Lexer, Name, Place, Value, fault, shown
from armorstack.core.query.names import QUERY_FIELDS, QueryField, canonical, nearest
from armorstack.core.query.tree import (
    EVERYTHING,
    And,
    Exists,
    Match,
    Node,
    Not,
    Or,
    all_of,
    any_of,
)
from armorstack.core.query.values import ORDERED, Clock, Target, field_test, free_test

MAX_DEPTH = 40
MAX_TESTS = 500
EXISTS = "exists"
_OPERATORS = {"=": ":", "==": ":", "!=": ":"}
_MENDS = {
    "=<": "write <=", "=>": "write >=",
    "=~": "there are no regular expressions; write a glob, such as pod:web-*",
    "!~": "there are no regular expressions; write not and a glob, such as not pod:web-*",
}  # fmt: skip

Term = Callable[[], Node]
Test = Callable[[Value], Node]


class Parser:
    """One reading of one query."""

    def __init__(self, text: str, clock: Clock) -> None:
        self._lexer = Lexer(text)
        self._clock = clock
        self._depth = self._tests = 0

    def query(self) -> Node:
        """The tree of all of it; raises QueryError."""
        empty = self._lexer.next in ("", ")")
        node = EVERYTHING if empty else self._either(self._term, listed=False)
        if self._lexer.next:
            place = Place(self._lexer.at, 1)
            raise fault("this parenthesis was never opened", place, "take it away, or add a (")
        return node

    def _either(self, term: Term, *, listed: bool) -> Node:
        nodes = [self._both(term, listed)]
        while (joint := self._lexer.joint(listed=listed)) and joint[0] == "or":
            self._go(joint[1])
            nodes.append(self._both(term, listed))
        return _any(nodes)

    def _both(self, term: Term, listed: bool) -> Node:
        nodes = [self._one(term, listed)]
        while self._lexer.next not in ("", ")"):
            joint = self._lexer.joint(listed=listed)
            if joint and joint[0] == "or":
                break
            if joint and joint[0] == "and":
                self._go(joint[1])
            elif listed:
                place = Place(self._lexer.at, 1)
                raise fault("two values side by side", place, "write `or` or a comma between")
            nodes.append(self._one(term, listed))
        return _all(nodes)

    def _go(self, place: Place) -> None:
        """Go over a word that joins, behind which something must follow."""
        self._lexer.go(place)
        if self._lexer.next in ("", ")"):
            told = f"nothing follows {shown(self._lexer.at_place(place))}"
            raise fault(told, place, "finish it, or take it away")

    def _one(self, term: Term, listed: bool) -> Node:
        joint = self._lexer.joint(listed=listed)
        if joint is None:
            return term()
        kind, place = joint
        if kind != "not":
            told = f"nothing stands before {shown(self._lexer.at_place(place))}"
            raise fault(told, place, "finish it, or put it in quotes if the text is meant")
        self._go(place)
        return self._deeper(place, lambda: Not(self._one(term, listed)))

    def _deeper(self, place: Place, make: Term) -> Node:
        if self._depth >= MAX_DEPTH:
            raise fault(f"more than {MAX_DEPTH} levels", place, "use fewer parentheses and nots")
        self._depth += 1
        node = make()
        self._depth -= 1
        return node

    def _group(self, term: Term, *, listed: bool) -> Node:
        """What stands in the parentheses that begin here."""
        start = Place(self._lexer.space(), 1)
        self._lexer.go(start)
        if self._lexer.next == ")":
            place = Place(start.column, self._lexer.at + 1 - start.column)
            raise fault("nothing stands between the parentheses", place, "quote them as a text")
        node: Node = EVERYTHING
        if self._lexer.next:
            node = self._deeper(start, lambda: self._either(term, listed=listed))
        if not self._lexer.takes(")"):
            raise fault("this parenthesis is never closed", start, "add a )")
        return node

    def _term(self) -> Node:
        lexer = self._lexer
        if lexer.next == "(":
            return self._group(self._term, listed=False)
        name = lexer.name()
        if name is not None:
            return self._field(name)
        if lexer.next in (":", "=", "<", ">", "!"):
            hint = "name a field before it, or put the text in quotes"
            raise fault(f"there is no field before {shown(lexer.next)}", Place(lexer.at, 1), hint)
        value = lexer.value(listed=False, nests=False)
        self._check(value)
        return free_test(value)

    def _field(self, name: Name) -> Node:
        """The test that begins with a field's name."""
        if name.operator in _MENDS:
            told = f"there is no {name.operator}"
            raise fault(told, name.operator_place, _MENDS[name.operator])
        if name.text.lower() == EXISTS:
            return self._exists(name)
        target = _target(name, _OPERATORS.get(name.operator, name.operator))
        if name.operator in ORDERED and self._lexer.next == "(":
            raise fault("a list behind a comparison", name.whole, f"write {name.text}:(7, 9)")
        node = self._values(name, lambda value: field_test(target, value, self._clock))
        return Not(node) if name.operator == "!=" else node

    def _exists(self, name: Name) -> Node:
        if name.operator != ":":
            raise fault("exists takes a colon", name.operator_place, "write exists:pod")

        def exists(value: Value) -> Node:
            field, key = _known(value.text, value.place)
            return Exists(field.name, key)

        return self._values(name, exists)

    def _values(self, name: Name, test: Test) -> Node:
        """A value or a list of them, each of which is a test."""
        if not self._has_value():
            told, hint = f"{shown(name.text)} has no value", f"write {name.text}{name.operator}…"
            raise fault(told, name.whole, hint)
        if self._lexer.next != "(":
            return test(self._value(listed=False))

        def value() -> Node:
            if self._lexer.next == "(":
                return self._group(value, listed=True)
            return test(self._value(listed=True))

        return self._group(value, listed=True)

    def _has_value(self) -> bool:
        """Whether a value follows; a word that joins is one only without a blank before it."""
        lexer, behind = self._lexer, self._lexer.at
        if lexer.next in ("", ")", ","):
            return False
        joint = lexer.joint(listed=True)
        if joint is None or lexer.next == "!":
            return True
        return joint[1].column == behind and lexer.next.isalpha()

    def _value(self, *, listed: bool) -> Value:
        value = self._lexer.value(listed=listed, nests=True)
        begins_list = value.written.startswith("[") and "]" not in value.written
        self._check(value, may_end_in_comma=begins_list)
        return value

    def _check(self, value: Value, *, may_end_in_comma: bool = False) -> None:
        """Bound the number of tests, and refuse a comma that was meant to join."""
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise fault(f"more than {MAX_TESTS} tests", value.place, "use globs, or ask for less")
        ends_so = value.written.endswith(",") and not value.written.endswith("\\,")
        if ends_so and not may_end_in_comma:
            place = Place(value.place.column + value.place.length - 1, 1)
            raise fault("a comma at the end of a word", place, "write `and`, or use quotes")


def _target(name: Name, operator: str) -> Target:
    field, key = _known(name.text, name.place)
    return Target(field, operator, name.whole, name.text, key)


def _known(written: str, place: Place) -> tuple[QueryField, str]:
    """The field, and the key of a map; raises QueryError."""
    found = canonical(written)
    key = ""
    if found is None:
        start, _, key = written.partition(".")
        found = canonical(start) if key else None
        found = found if found and QUERY_FIELDS[found].sort == "map" else None
    if found is None:
        near = nearest(written)
        hint = f"did you mean {near}? " if near else ""
        hint += "For the text, write it in quotes"
        raise fault(f"there is no field {shown(written)}", place, hint)
    return QUERY_FIELDS[found], key


def _all(nodes: Sequence[Node]) -> Node:
    """True where all are; what is joined by "and" already is taken apart."""
    flat = [each for node in nodes for each in (node.nodes if isinstance(node, And) else (node,))]
    return all_of(flat)


def _any(nodes: Sequence[Node]) -> Node:
    """True where one is; texts of one field become one test."""
    flat = [each for node in nodes for each in (node.nodes if isinstance(node, Or) else (node,))]
    if EVERYTHING in flat:
        return EVERYTHING
    joined: dict[object, Node] = {}
    for node in flat:
        if not isinstance(node, Match):
            joined.setdefault(node, node)
            continue
        alike = (node.field, node.key, node.exact)
        old = joined.get(alike)
        texts = (*old.texts, *node.texts) if isinstance(old, Match) else node.texts
        joined[alike] = replace(node, texts=tuple(dict.fromkeys(texts)))
    return any_of(list(joined.values()))
