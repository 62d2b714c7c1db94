"""What is wrong with a tree of settings, in words: the first fault, with its path and the mend.

Invariant: msgspec decides what is right; this runs after it refused, walks the same types, and says
it to a person. A fault between settings must not go here; `checks.py` has those.
"""

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from armorstack.config.docstrings import field_docs
from armorstack.config.wording import expected, mend, nearest, shown
from armorstack.errors import ConfigError

Faults = Iterator[ConfigError]
LARGEST = 2**63 - 1
"""SQLite, DuckDB and Arrow count no further."""


def first_fault(value: object, type_: Any, path: str = "$") -> ConfigError | None:
    """The first thing in `value` that the type does not take; None where nothing is found."""
    return next(_faults(value, type_, path), None)


def endless_number(value: object, path: str = "$") -> ConfigError | None:
    """The first number in a tree that is none to count or wait with: inf, nan, or above 2⁶³."""
    below: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        below = ((f"{path}.{key}", each) for key, each in value.items())
    elif isinstance(value, list | tuple):
        below = ((f"{path}[{index}]", each) for index, each in enumerate(value))
    elif isinstance(value, int | float) and not abs(value) <= LARGEST:  # so that nan is found
        return ConfigError(f"{path}: must be a finite number below 2⁶³, not {shown(value)}")
    return next((fault for name, each in below if (fault := endless_number(each, name))), None)


def members(type_: Any) -> tuple[Any, ...]:
    """The members of a union; of another type, itself."""
    return get_args(type_) if isinstance(type_, UnionType) else (type_,)


def structs_of(type_: Any) -> tuple[type[Struct], ...]:
    """Those members of a type that are structs."""
    return tuple(each for each in members(type_) if _is_struct(each))


def is_tagged(type_: Any) -> bool:
    """Whether a table of this type says in `type` which of several it is."""
    return any(struct.__struct_config__.tag for struct in structs_of(type_))


def wrong_value(path: str, value: object, type_: Any) -> ConfigError:
    """The fault that the value at the path is not of the type."""
    name = path.rpartition(".")[2]
    sentence = f"{path}: must be {expected(type_, name)}, not {shown(value)}"
    return ConfigError(sentence, hint=mend(value, type_, path))


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, Struct)


def _faults(value: object, type_: Any, path: str) -> Faults:
    if isinstance(value, dict) and structs_of(type_):
        yield from _table(value, type_, path)
        return
    for member in members(type_):
        if isinstance(value, list | tuple) and get_origin(member) is tuple:
            for index, each in enumerate(value):
                yield from _faults(each, get_args(member)[0], f"{path}[{index}]")
            return
        if isinstance(value, dict) and get_origin(member) is dict:
            for key, each in value.items():
                yield from _faults(each, get_args(member)[1], f"{path}.{key}")
            return
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError:
        yield wrong_value(path, value, type_)


def _table(table: dict[str, Any], type_: Any, path: str) -> Faults:
    structs = structs_of(type_)
    if not is_tagged(type_):
        yield from _settings(table, structs[0], path)
        return
    by_tag = {str(struct.__struct_config__.tag): struct for struct in structs}
    kinds = f"types are {', '.join(by_tag)}"
    tag = table.get("type")
    if tag is None:
        yield ConfigError(
            f"{path}.type: missing", hint=f'write type = "{next(iter(by_tag))}"; {kinds}'
        )
    elif not isinstance(tag, str) or tag not in by_tag:
        near = nearest(str(tag), by_tag)
        hint = f'did you mean "{near}"? {kinds}' if near else kinds
        yield ConfigError(f"{path}.type: there is no type {shown(tag)}", hint=hint)
    else:
        yield from _settings(table, by_tag[tag], path, by_tag)


def _settings(
    table: dict[str, Any],
    struct: type[Struct],
    path: str,
    kinds: dict[str, type[Struct]] | None = None,
) -> Faults:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    docs = field_docs(struct)
    for key, value in table.items():
        if key in fields:
            for fault in _faults(value, fields[key].type, f"{path}.{key}"):
                yield ConfigError(str(fault), hint=fault.hint or docs[key])
        elif not (kinds and key == "type"):
            hint = _where_it_belongs(key, struct, kinds or {})
            yield ConfigError(f"{path}.{key}: no such setting", hint=hint)
    for name, field in fields.items():
        if field.required and name not in table:
            what = expected(field.type, name)
            yield ConfigError(f"{path}.{name}: missing; give {what}", hint=docs[name])


def _where_it_belongs(key: str, struct: type[Struct], kinds: dict[str, type[Struct]]) -> str:
    """The nearest settings of this table, of the tables in it, or of other types of its kind."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    inner = {
        field.encode_name: name
        for name, type_ in fields.items()
        for below in structs_of(type_)
        for field in msgspec.structs.fields(below)
    }
    others = [
        tag for tag, kind in kinds.items()
        if key in {field.encode_name for field in msgspec.structs.fields(kind)}
    ]  # fmt: skip
    if key in inner:
        return f"it stands in a table of its own: {inner[key]} = {{ {key} = … }}"
    if others:
        return f"types that have it: {', '.join(others)}; the type here is {_tag(struct)}"
    if near := nearest(key, fields):
        return f"did you mean {near}?"
    if near := nearest(key, inner):
        return f"did you mean {near}? It stands in a table: {inner[near]} = {{ {near} = … }}"
    return f"remove it; settings here are {', '.join(fields)}"


def _tag(struct: type[Struct]) -> str:
    return str(struct.__struct_config__.tag)
