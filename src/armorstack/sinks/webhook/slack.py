"""Slack's incoming webhook: a `text` for notifications and blocks to read.

What an event says stands in code spans, where Slack sees no emphasis, emoji or quote; `&`, `<` and
`>` are escaped, which is all that a mention or a link could be made of; `verbatim` keeps Slack from
making some itself out of plain text, and `parse` does so for the notification.

Facts: Slack's reference of the text object (a section has at most 3,000 characters), of blocks
(at most 50 in a message), of formatting (which characters to escape).
"""

import json
from collections.abc import Sequence
from typing import Any

from armorstack.core.gap import Gap
from armorstack.sinks.webhook.chat import Line, Run, event_lines, gap_line, title
from armorstack.sinks.webhook.entries import Told

SECTION_CHARACTERS = 3_000
NOT_IN_CODE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})


def slack_body(events: Sequence[Told], gaps: Sequence[Gap]) -> bytes:
    """The message as JSON in UTF-8."""
    about = title(events, gaps)
    lines = [event_lines(each) for each in events]
    sections = [_section(f"*{about}*"), *(_section(_join(each)) for each in lines)]
    sections += [_section(_join([gap_line(gap)])) for gap in gaps]
    message = {
        "text": " · ".join([about, *(_join(each[:1]) for each in lines[:1])]),
        "blocks": sections, "parse": "none", "link_names": False, "unfurl_links": False,
        "unfurl_media": False,
    }  # fmt: skip
    return json.dumps(message, ensure_ascii=False).encode()


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _join(lines: Sequence[Line]) -> str:
    """The lines that a section holds, whole: cutting one would leave its code span open."""
    kept: list[str] = []
    room = SECTION_CHARACTERS - len("\n…")
    for line in lines:
        text = "".join(map(_marked, line))
        if len(text) < room:
            kept.append(text)
            room -= len(text) + 1
    return "\n".join(kept if len(kept) == len(lines) else [*kept, "…"])


def _marked(run: Run) -> str:
    return f"`{run.text.translate(NOT_IN_CODE)}`" if run.is_value else run.text
