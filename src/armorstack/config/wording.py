"""Types of settings and wrong values, as a person says them.

Invariant: a value that may be a secret is never repeated; only numbers and short words are shown.
Which setting is wrong must not go here.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct, inspect

UNITS = {"_s": "seconds", "_bytes": "bytes", "_days": "days", "_rows": "rows"}
"""The end of a setting's name → what it counts."""

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_BYTES = {"k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1024, "mi": 1024**2, "gi": 1024**3}


def expected(type_: Any, name: str = "") -> str:
    """What may stand there, such as "a number of seconds above 0"; `name` tells the unit."""
    if isinstance(type_, UnionType):
        kinds = [each for each in get_args(type_) if each is not type(None)]
        return " or ".join(expected(each, name) for each in kinds if _tag(each) == "") or "a table"
    if get_origin(type_) is Literal:
        return "one of " + ", ".join(f'"{each}"' for each in get_args(type_))
    if get_origin(type_) is tuple:
        return "a list of " + _several(get_args(type_)[0])
    if get_origin(type_) is dict:
        return "a table of " + _several(get_args(type_)[1])
    if isinstance(type_, type) and issubclass(type_, Struct):
        names = [field.encode_name for field in msgspec.structs.fields(type_)]
        return f"a table with {' and '.join(names)}" if len(names) < 3 else "a table"
    return _plain(inspect.type_info(type_), name)


def shown(value: object) -> str:
    """A wrong value, as TOML writes it; long or compound ones are only named."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if len(value) <= 40 else "a long text"
    if isinstance(value, int | float):
        return str(value)
    kinds: dict[type, str] = {list: "a list", tuple: "a list", dict: "a table", type(None): "null"}
    return kinds.get(type(value), "a date or time")


def nearest(name: str, known: Iterable[str]) -> str:
    """The name among those known that looks most like this one, or ""."""
    alike = [each for each in known if each.lower() == name.lower()]
    return (alike or difflib.get_close_matches(name, known, n=1) or [""])[0]


def mend(value: object, type_: Any, path: str) -> str:
    """How to write what was probably meant; "" where there is no telling."""
    return next(_mends(value, type_, path), "")


def _mends(value: object, type_: Any, path: str) -> Iterator[str]:
    name = path.rpartition(".")[2]
    wanted = expected(type_, name)
    if isinstance(value, dict) and wanted == "a list of tables":
        yield f"write [[{name}]], with two brackets on each side: there may be several"
    elif isinstance(value, list) and wanted == "a table of tables":
        yield f"write [{name}.NAME], with a name of your own and one bracket on each side"
    elif isinstance(value, list) and wanted.startswith("a table"):
        yield f"write [{path[2:]}], with one bracket on each side"
    elif wanted == "a table" and path.startswith("$.sink."):
        yield "a sink has a name, and its settings stand below: [sink.NAME]"
    elif isinstance(value, str) and wanted.startswith("a list of texts"):
        yield f"put it into brackets: {name} = [{shown(value)}]"
    elif isinstance(value, str):
        yield from _unquoted(value, type_, name)
    elif wanted == "text" and isinstance(value, int | float):
        yield f'put it into quotes: {name} = "{shown(value)}"'


def _unquoted(text: str, type_: Any, name: str) -> Iterator[str]:
    """Numbers and truth that were written as text."""
    kind = inspect.type_info(type_)
    word = text.strip().lower()
    if isinstance(kind, inspect.BoolType) and word in ("true", "false", "yes", "no", "on", "off"):
        yield f"write {name} = {'true' if word in ('true', 'yes', 'on') else 'false'}"
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        number = _number(word, name)
        if number is not None and _is_right(number, type_):
            yield f"write {name} = {number}"
    if get_origin(type_) is Literal and (near := nearest(word, get_args(type_))):
        yield f'write {name} = "{near}"'


def _number(word: str, name: str) -> float | int | None:
    """What a number with a unit, such as 5m or 4 GiB, comes to; None where it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([a-z]*)", word)
    if found is None:
        return None
    unit = found[2].removesuffix("b") if "bytes" in name else found[2]
    factors = _SECONDS if name.endswith("_s") else _BYTES if "bytes" in name else {}
    if unit and unit not in factors:
        return None
    number = float(found[1]) * factors.get(unit, 1)
    return int(number) if number.is_integer() else number


def _is_right(value: object, type_: Any) -> bool:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError:
        return False
    return True


def _several(type_: Any) -> str:
    return "texts" if type_ is str else "tables"


def _tag(type_: Any) -> str:
    if isinstance(type_, type) and issubclass(type_, Struct):
        return str(type_.__struct_config__.tag or "")
    return ""


def _plain(kind: inspect.Type, name: str) -> str:
    match kind:
        case inspect.StrType():
            return "text"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            what = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
            unit = next((f" of {unit}" for end, unit in UNITS.items() if name.endswith(end)), "")
            return what + unit + _bounds(kind)
    raise AssertionError(kind)


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    low = f" above {kind.gt}" if kind.gt is not None else ""
    low = f" of {kind.ge} or more" if kind.ge is not None else low
    high = f" at most {kind.le}" if kind.le is not None else ""
    return low + (" and" if low and high else "") + high
