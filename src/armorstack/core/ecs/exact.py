"""What queries need besides ECS: the object `armorstack.exact` of a stored document.

Many ECS paths hold something else than KubeArmor wrote: an image in three parts, tags and labels
trimmed, `Audit (Block)` taken apart, a severity only where it is one. Whoever searches means what
was written (contract 6), so each column that a path loses something of lies here as it is.

An engine does not index a text of more than `LONGEST` characters; which columns hold one is said in
`long`, so that they are at least known to be there.

Invariant: a value is here exactly where the column has one that is not empty; nothing else is.
Must not go here: columns whose ECS path is a plain copy; they are searched there.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from re import compile as expression

from armorstack.core.ecs.draft import Document, Row, compiled, complete
from armorstack.core.ecs.verdict import actions
from armorstack.core.fields import FIELDS, EngineType

OBJECT = "armorstack.exact"
ORDER = f"{OBJECT}.order"
"""What orders events of one moment."""
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_DIGITS = expression(r"[0-9]{1,9}")

_LONGS = ("timestamp", "ppid", "uid", "oid")
_TEXTS = (
    "host_ip", "container_image", "message", "tags", "labels", "process_hash", "parent_hash",
    "resource_hash", "hash_algo",
)  # fmt: skip

LONGEST = 8_191
"""UTF-16 units of a keyword that are indexed (`ignore_above`); no more bytes than Lucene takes."""
_WATCHED = tuple(field.column for field in FIELDS if field.kind == "text")
_LISTS = {"tag": "atags", "label": "labels", "pair": "event_data"}

_KEYWORDS = (*_TEXTS, "action", "owner_path", "tag", "label", "pair", "long")

EXACT_TYPES: dict[str, EngineType] = {
    **{f"{OBJECT}.{name}": "long" for name in ("order", "received", "severity", *_LONGS)},
    **{f"{OBJECT}.{name}": "keyword" for name in _KEYWORDS},
}
"""Path → engine type of everything that `exact` can write."""


def order_of(digest: bytes) -> int:
    """The first eight bytes of an id as a signed number, which stands as the ids do."""
    return int.from_bytes(digest[:8], "big") - (1 << 63)


def _compile_copies() -> Callable[[Row], Document]:
    """What is copied as it is, as one function without loops, as in `draft`: it is half as slow."""
    code = ["def copies(row):", "    found = {}"]
    for column in _LONGS:
        code += [f"    if (value := row[{column!r}]) is not None:"]
        code += [f"        found[{column!r}] = value"]
    for column in _TEXTS:
        code += [f"    if value := row[{column!r}]:", f"        found[{column!r}] = value"]
    return compiled("copies", [*code, "    return found"])


def _compile_odd() -> Callable[[Row], bool]:
    tests = (
        f"(value := row[{column!r}]) is not None and not 0 < len(value) <= {LONGEST // 2}"
        for column in (*_WATCHED, "from_source", "spelling", "extra", "stream")
    )
    return compiled("odd", ["def odd(row):", f"    return {' or '.join(tests)}"])


_copies = _compile_copies()
has_odd_text = _compile_odd()
"""Whether a text of a complete row is empty, or so long that it has to be looked at."""


def exact(row: Row) -> Document:
    """The object, empty where there is nothing to say. `row` is as `to_ecs` takes it."""
    row = complete(row)
    found = _copies(row)
    if digest := row["id"]:
        found["order"] = order_of(digest)
    if (received := row["received"]) is not None:
        found["received"] = (received - _EPOCH) // _MICROSECOND
    if (severity := row["severity"]) and _DIGITS.fullmatch(severity):
        found["severity"] = int(severity)
    if (action := row["action"]) and actions(action)[1]:
        found["action"] = action
    if (kind := row["owner_ref"]) and (name := row["owner_name"]):
        found["owner_path"] = f"{kind}/{name}"
    _add_lists(row, found)
    long = []
    if has_odd_text(row):
        long = [column for column in _WATCHED if (text := row[column]) and is_long(text)]
    long += [of for name, of in _LISTS.items() if any(map(is_long, found.get(name, ())))]
    if long:
        found["long"] = list(dict.fromkeys(long))
    return found


def is_long(text: str) -> bool:
    """Whether an engine does not index this text."""
    return len(text) > LONGEST // 2 and len(text.encode("utf-16-le")) > 2 * LONGEST


def _add_lists(row: Row, found: Document) -> None:
    if (listed := row["atags"]) and (tags := [tag for tag in listed if tag]):
        found["tag"] = tags
    if (joined := row["labels"]) and (labels := [each for each in joined.split(",") if each]):
        found["label"] = labels
    if (data := row["event_data"]) and (
        pairs := [pair(key, value) for key, value in dict(data).items() if value]
    ):
        found["pair"] = pairs


def pair(key: str, value: str) -> str:
    """A key and its value as one text; the first `=` is what parts them."""
    return f"{key}={value}" if key.isidentifier() else f"{key_text(key)}={value}"


def key_text(key: str) -> str:
    """The key as it stands in `pair`, without any `=`."""
    return key.replace("%", "%25").replace("=", "%3D")
