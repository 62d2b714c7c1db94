"""A tree as the text of a query, in one spelling: what pages put into the search box.

Invariant: `parse(format_query(tree)) == tree` for a tree that the parser made; any other tree comes
back as one that means the same.
"""

import re
from datetime import datetime, timedelta

from armorstack.core.globs import SPECIAL
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.parser import EXISTS
from armorstack.core.query.tree import (
    And,
    Compare,
    Everything,
    Exists,
    Free,
    Match,
    Node,
    Not,
    Or,
)
from armorstack.core.times import LAST_SECOND

_BARE = re.compile(r"[\w/.@%+~^-]+(?:[\w/.@%+~^:=-]*[\w/.@%+~^-])?", re.ASCII)
"""What stands unquoted behind a field."""
_BARE_WORD = re.compile(r"[\w/.][\w/.-]*", re.ASCII)
"""What stands unquoted as free text."""
_KEYWORDS = frozenset({"and", "or", "not"})
_GUARDED = re.compile(r"[^\w/.*?\[\]-]", re.ASCII)
_EPOCH = datetime(1970, 1, 1)
_KEY = re.compile(r"[\w-]+", re.ASCII)


def format_query(node: Node) -> str:
    """The text that is parsed to this tree; of everything: an empty one."""
    return "" if isinstance(node, Everything) else _either(node)


def _either(node: Node) -> str:
    return " or ".join(map(_both, node.nodes)) if isinstance(node, Or) else _both(node)


def _both(node: Node) -> str:
    return " and ".join(map(_one, node.nodes)) if isinstance(node, And) else _one(node)


def _one(node: Node) -> str:
    if isinstance(node, Or | And):
        return f"({_either(node)})"
    if isinstance(node, Not):
        return f"not {_one(node.node)}"
    if isinstance(node, Everything):
        return "*"
    if isinstance(node, Free):
        return _free(node)
    if isinstance(node, Exists):
        name = _name(node.field, node.key)
        return f"{name}:*" if '"' in name else f"{EXISTS}:{name}"
    return _compare(node) if isinstance(node, Compare) else _match(node)


def _compare(node: Compare) -> str:
    is_time = QUERY_FIELDS[node.field].sort == "time"
    return f"{node.field}{node.operator}{_time(node.value) if is_time else node.value}"


def _time(time_us: int) -> str:
    """The moment, to the microsecond; one that no calendar has is the nearest that it has."""
    kept = max(0, min(time_us, LAST_SECOND * 1_000_000))
    return (_EPOCH + timedelta(microseconds=kept)).isoformat(timespec="microseconds") + "Z"


def _match(node: Match) -> str:
    texts = [_text(text, exact=node.exact) for text in node.texts]
    values = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
    return f"{_name(node.field, node.key)}:{values}"


def _name(field: str, key: str) -> str:
    parts = key.split(".") if key else ()
    return ".".join((field, *(part if _KEY.fullmatch(part) else _quoted(part) for part in parts)))


def _text(text: str, *, exact: bool) -> str:
    if SPECIAL.search(text) and not exact:
        # A bracket that nothing closes is itself; at the beginning it would be read as a list.
        opens = text.startswith("[") and "]" not in text
        return "\\" * opens + _GUARDED.sub(r"\\\g<0>", text)
    is_bare = _BARE.fullmatch(text) and text.lower() not in _KEYWORDS
    return text if is_bare else _quoted(text)


def _free(node: Free) -> str:
    if not node.exact and re.search(r"[*?]", node.text):
        guarded = re.sub(r"[^\w/.*?]", r"\\\g<0>", node.text, flags=re.ASCII)
        return guarded
    is_bare = _BARE_WORD.fullmatch(node.text) and node.text.lower() not in _KEYWORDS
    return node.text if is_bare else _quoted(node.text)


def _quoted(text: str) -> str:
    kept = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{kept}"'
