"""The plain copies of the table of fields, as objects by path, ready for the rules to add to.

A draft knows each object by its path: `draft["process.parent"]` is the object that the document
will show there. All objects that plain copies need are in it from the start, empty or not, and
already lie in each other; `finish` takes the empty ones out.

Both run for every event, so they are compiled once, at import, from the table to functions without
loops (as `dataclasses` does it), which takes half the time.

Must not go here: what one kind of event means.
"""

from collections.abc import Callable, Mapping
from typing import Any

from armorstack.core.batch import SCHEMA
from armorstack.core.ecs.values import canonical_ip, severity
from armorstack.core.fields import FIELDS, Field

Row = Mapping[str, Any]
"""One event: the columns of `SCHEMA`; an absent value is None."""
Document = dict[str, Any]
Draft = dict[str, Document]

ROOT = ""
_EMPTY_ROW: dict[str, Any] = dict.fromkeys(SCHEMA.names)
_BY_RULE = ("atags", "event_data")
"""Columns whose path takes more than the value as it is."""
_COPIED = [field for field in FIELDS if field.ecs and field.column not in _BY_RULE]


def _split(path: str) -> tuple[str, str]:
    parent, _, leaf = path.rpartition(".")
    return parent, leaf


def _objects() -> list[str]:
    """Every object above a plain copy, the deepest first, the root last."""
    names = {ROOT}
    for field in _COPIED:
        name = _split(field.ecs)[0]
        while name:
            names.add(name)
            name = _split(name)[0]
    return sorted(names, key=lambda name: (name == ROOT, -name.count("."), name))


_OBJECTS = _objects()
_NESTING = [(name, *_split(name)) for name in _OBJECTS if name]


def _copy_lines(field: Field, target: str) -> list[str]:
    """The statements that copy one column, as a value of the field's engine type."""
    place = f"{target}[{_split(field.ecs)[1]!r}]"
    fetch = f"    value = row[{field.column!r}]"
    if field.kind in ("int32", "int64"):
        value = "str(value)" if field.engine == "keyword" else "value"
        return [fetch, "    if value is not None:", f"        {place} = {value}"]
    if field.engine == "ip":
        fetch = f"    value = canonical_ip(row[{field.column!r}] or '')"
    elif field.engine == "long":
        fetch = f"    value = severity(row[{field.column!r}] or '')"
    return [fetch, "    if value:", f"        {place} = value"]


def compiled(name: str, code: list[str]) -> Callable[[Any], Any]:
    """The function of this name that these lines define."""
    scope: dict[str, Any] = {"canonical_ip": canonical_ip, "severity": severity}
    exec("\n".join(code), scope)
    function: Callable[[Any], Any] = scope[name]
    return function


def _compile_copies() -> Callable[[Row], Draft]:
    """The function from a row to a draft with all plain copies."""
    variables = {name: f"object_{i}" for i, name in enumerate(_OBJECTS)}
    code = ["def copies(row):"]
    for name, variable in variables.items():
        inner = ", ".join(
            f"{leaf!r}: {variables[child]}" for child, parent, leaf in _NESTING if parent == name
        )
        code.append(f"    {variable} = {{{inner}}}")
    for field in _COPIED:
        code += _copy_lines(field, variables[_split(field.ecs)[0]])
    named = ", ".join(f"{name!r}: {variable}" for name, variable in variables.items())
    code.append(f"    return {{{named}}}")
    return compiled("copies", code)


def _compile_finish() -> Callable[[Draft], Document]:
    """The function from a draft to its root without the objects that stayed empty."""
    code = ["def finish(draft):"]
    for name, parent, leaf in _NESTING:
        code += [f"    if not draft[{name!r}]:", f"        del draft[{parent!r}][{leaf!r}]"]
    code.append(f"    return draft[{ROOT!r}]")
    return compiled("finish", code)


_copies = _compile_copies()
_finish = _compile_finish()


def begin(row: Row) -> tuple[Row, Draft]:
    """The row with every column present, and a draft with its plain copies."""
    row = complete(row)
    return row, _copies(row)


def complete(row: Row) -> Row:
    """The row with every column present."""
    return {**_EMPTY_ROW, **row} if len(row) < len(_EMPTY_ROW) else row


def finish(draft: Draft) -> Document:
    """The document; the draft must not be used any more."""
    return _finish(draft)
