"""Event text as an attacker would choose it, and events that carry it in every column.

Whoever runs in a pod names processes, files, and arguments; with a wrong relay every member of an
event. Each text has a mark, `hostile-N`, by which it is found in what was made of it.
"""

from typing import Any

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from tests.support.stores import NOW_US, id_of

TEXTS: tuple[str, ...] = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>",
    "' onmouseover='document.title=1' x='",
    "</textarea></title></script></style><b>out",
    "<!--", "]]>", "&lt;b&gt;", "&#x3c;b&#x3e;",
    "javascript:document.title='owned'", "data:text/html,<script>1</script>",
    "{{ 7*7 }}", "{% raw %}", "${7*7}", "%{7*7}", "{{constructor.constructor('1')()}}",
    "'; DROP TABLE events; --", "' OR 1=1 --", "\" or \"\"=\"", "%' ESCAPE '!", "\\' OR 1=1 --",
    "=HYPERLINK(\"http://127.0.0.1/\",\"x\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)",
    "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\uff1d1+1", "\"=1+1", ";=1+1", ",=1+1",
    "\x1b[2J\x1b[1;1Howned", "\x1b]0;owned\x07", "\x1b]52;c;b3duZWQ=\x07", "\x9b31mowned",
    "\x07\x08\x0c\x7f", "nul\x00nul", "line\nbreak\r\nand\x0bmore\x85\u2028\u2029",
    "\u202egnp.exe", "\u2066right\u2069", "zero\u200bwidth\u200d\ufeff", "\u061c\u200f",
    "tag\U000e0041\U000e007f", "combining" + "\u0301" * 40, "e\u0301 \u00e9 ﷽", "🦊👩‍👩‍👧‍👦",
    "../../../../etc/passwd", "..%2f..%2fetc", "%00", "%0d%0aset-cookie:a=b", "a b\tc",
    "*", "?", "[", "[!a]", "(", "\"", "'", "\\", "a:b", "not", "and or", "exists:pod", "!x",
    "..", ".", "/", "//127.0.0.1/x", "?q=1&from=all#f", "&from=all", "#x", ";", "null", "None",
    "0", "-1", "1e309", "NaN", "true", "[]", "{}", "\"\"",
)  # fmt: skip
"""What JSON of the same text would say is left to each test."""

LONG = "<b>" + "A" * (1 << 20)
"""A field of a megabyte."""

_COLUMNS = (
    "namespace_name", "pod_name", "container_name", "container_image", "policy_name",
    "process_name",
    "parent_process_name", "source", "resource", "data", "message", "result", "labels", "host_name",
    "owner_name", "user_name", "cwd", "type", "operation", "action", "cluster_name", "tags",
)  # fmt: skip


def marked(number: int) -> str:
    """The text of this number, with its mark behind it."""
    return f"{TEXTS[number]}hostile-{number}"


def rows(at_us: int = NOW_US, *, long: bool = True) -> pa.RecordBatch:
    """One event per text, which stands in all of its columns, and one with a megabyte."""
    texts = [marked(number) for number in range(len(TEXTS))] + ([LONG] if long else [])
    known: dict[str, list[Any]] = {
        "id": [id_of(("hostile", number)) for number in range(len(texts))],
        "time": [at_us - number for number in range(len(texts))],
        "received": [at_us] * len(texts),
        "stream": ["alert"] * len(texts),
        "from_source": ["hostile"] * len(texts),
        "spelling": ["pascal"] * len(texts),
        "atags": [[text, text] for text in texts],
        "severity": ["5"] * len(texts),
        "event_data": [[(text, text)] for text in texts],
    }
    known |= {
        name: [text if name == "resource" or len(text) < 1000 else text[:60] for text in texts]
        for name in _COLUMNS
    }
    arrays = [
        pa.array(known[field.name], field.type)
        if field.name in known
        else pa.nulls(len(texts), field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
