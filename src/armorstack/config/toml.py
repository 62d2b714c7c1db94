"""A tree of plain values as TOML text.

Invariant: what is written loads as the same tree, is ASCII where a terminal could be led astray,
and is the same every time. What settings mean must not go here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from armorstack.config.places import BARE_KEY

WIDTH = 100
"""Columns that a line may take, where it can be broken."""


def document(tree: Mapping[str, Any]) -> str:
    """The tree as a settings file. Values: texts, numbers, truth, lists and tables of them."""
    return "\n".join(_table(tree, ())).lstrip("\n") + "\n"


def value(of: Any) -> str:
    """A value on one line."""
    if isinstance(of, bool):
        return "true" if of else "false"
    if isinstance(of, int):
        return f"{of:_}" if abs(of) >= 10_000 else str(of)
    if isinstance(of, float):
        return repr(of)
    if isinstance(of, str):
        return _text(of)
    if isinstance(of, Mapping):
        inner = ", ".join(f"{key(name)} = {value(each)}" for name, each in of.items())
        return f"{{ {inner} }}" if inner else "{}"
    return f"[{', '.join(map(value, of))}]"


def setting(name: str, of: Any) -> Iterator[str]:
    """`name = value`, on several lines where it is a list too long for one."""
    line = f"{key(name)} = {value(of)}"
    if len(line) <= WIDTH or not isinstance(of, list):
        yield line
        return
    yield f"{key(name)} = ["
    for each in of:
        yield f"    {value(each)},"
    yield "]"


def key(name: str) -> str:
    """A name, in quotes where it needs them."""
    return name if BARE_KEY.fullmatch(name) else _basic(name)


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """What fits into the table itself, then the tables below it."""
    below = {name: each for name, each in table.items() if _needs_header(name, each, path)}
    for name, each in table.items():
        if name not in below:
            yield from setting(name, each)
    for name, each in below.items():
        yield from _headed((*path, name), each)


def _headed(path: tuple[str, ...], of: Any) -> Iterator[str]:
    name = ".".join(map(key, path))
    if isinstance(of, Mapping):
        if not of or any(not _needs_header(each, of[each], path) for each in of):
            yield f"\n[{name}]"
        yield from _table(of, path)
        return
    for each in of:
        yield f"\n[[{name}]]"
        yield from _table(each, path)


def _needs_header(name: str, of: Any, path: tuple[str, ...]) -> bool:
    """Tables at the top and those too long for a line have a header of their own."""
    if isinstance(of, Mapping):
        at_top = not path or path == ("sink",)
        return bool(of) and (at_top or len(f"{key(name)} = {value(of)}") > WIDTH)
    return isinstance(of, list) and bool(of) and all(isinstance(each, Mapping) for each in of)


def _text(text: str) -> str:
    """In single quotes where a backslash would have to be doubled, as patterns have many."""
    if "\\" in text and "'" not in text and text.isascii() and text.isprintable():
        return f"'{text}'"
    return _basic(text)


def _basic(text: str) -> str:
    return f'"{"".join(map(_char, text))}"'


def _char(char: str) -> str:
    """A character, or its escape. TOML knows no surrogates: they come from no text, only from a
    name in another encoding, and stand as the sign for what cannot be said."""
    if char in '"\\':
        return "\\" + char
    code = ord(char)
    if 0xD800 <= code < 0xE000:
        return "\\uFFFD"
    # Above: invisible tags and selectors, some of which count as printable.
    if char.isprintable() and code < 0xE0000:
        return char
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
