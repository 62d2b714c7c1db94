"""What is different between two specs of a policy.

Invariant: the differences, applied to the old one, give the new one. Lists are compared as wholes
where their lengths differ, else element by element. Must not go here: who changed it, and when.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from armorstack.core.text import printable

ABSENT = msgspec.UNSET
"""There was nothing, or is nothing now."""
LONGEST_LINE = 400
MOST_LINES = 40


class Difference(Struct, frozen=True):
    """One place, and what is there."""

    path: tuple[str | int, ...]
    before: Any
    after: Any


def spec_diff(old: Any, new: Any, path: tuple[str | int, ...] = ()) -> Iterator[Difference]:
    """In the order of the members' names."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from spec_diff(old.get(name, ABSENT), new.get(name, ABSENT), (*path, name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from spec_diff(one, other, (*path, place))
    elif type(old) is not type(new) or old != new:
        yield Difference(path, old, new)


def lines_of(differences: Sequence[Difference]) -> str:
    """A line for each, fit to be shown, cut where there are many or they are long."""
    told = [_line(each) for each in differences[:MOST_LINES]]
    if (rest := len(differences) - MOST_LINES) > 0:
        told.append(f"and {rest} more")
    return "\n".join(told)


def _line(each: Difference) -> str:
    path = "spec" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in each.path
    )
    if each.before is ABSENT:
        told = f"+ {path}: {_shown(each.after)}"
    elif each.after is ABSENT:
        told = f"- {path}: {_shown(each.before)}"
    else:
        told = f"{path}: {_shown(each.before)} → {_shown(each.after)}"
    return printable(told, LONGEST_LINE)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def applied(old: Mapping[str, Any], differences: Sequence[Difference]) -> Any:
    """The new one, of the old one. Neither is changed."""
    root: dict[str | int, Any] = {"": msgspec.json.decode(msgspec.json.encode(old))}
    for each in differences:
        *parents, leaf = ("", *each.path)
        node: Any = root
        for step in parents:
            node = node[step]
        if each.after is ABSENT:
            del node[leaf]
        else:
            node[leaf] = each.after
    return root[""]
