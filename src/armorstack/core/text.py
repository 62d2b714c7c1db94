"""Event text made safe to show: whoever runs in a pod chooses these characters.

Invariant: what `printable` returns moves no cursor, rings no bell, reverses no line and fits into
one line. Escaping for HTML, CSV or a query language must not go here.
"""

import re

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 and C1 controls, DEL
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible, bidirectional
    "\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e0fff]"  # surrogates, annotations, tags, selectors
)


def printable(text: str, limit: int = 0) -> str:
    """The text with unsafe characters written as escapes; longer than `limit`: cut, with `…`."""
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    return UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
