"""Microsoft Teams: an Adaptive Card in the envelope that a workflow's webhook takes.

All text stands in the runs of a RichTextBlock, which knows no Markdown, no mentions and no links:
what an event says cannot become any of them. Only `{{DATE(…)}}` is read in every text of a card; a
space between the braces ends that.

Facts: Microsoft's reference of RichTextBlock and TextRun (cards from version 1.2 on), and of
webhooks in Teams (`type: message`, one attachment, 28 KB in all).
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from armorstack.core.gap import Gap
from armorstack.sinks.webhook.chat import Line, Run, event_lines, gap_line, title
from armorstack.sinks.webhook.entries import Told

CARD = "application/vnd.microsoft.card.adaptive"
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
VERSION = "1.2"
DOUBLE = re.compile(r"\{(?=\{)")


def teams_body(events: Sequence[Told], gaps: Sequence[Gap]) -> bytes:
    """The message as JSON in UTF-8."""
    head = {**_text_run(Run(title(events, gaps))), "weight": "bolder", "size": "medium"}
    body = [{"type": "RichTextBlock", "inlines": [head]}]
    for each in events:
        body += _blocks(event_lines(each))
    for gap in gaps:
        body += _blocks([gap_line(gap)])
    card = {
        "$schema": SCHEMA, "type": "AdaptiveCard", "version": VERSION,
        "msteams": {"width": "Full"}, "body": body,
    }  # fmt: skip
    attachment = {"contentType": CARD, "contentUrl": None, "content": card}
    message = {"type": "message", "attachments": [attachment]}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _blocks(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """One block per line, without space between, but for a rule above the first."""
    blocks = [{"type": "RichTextBlock", "spacing": "none", "inlines": [*map(_text_run, line)]}
              for line in lines]  # fmt: skip
    return [{**blocks[0], "spacing": "medium", "separator": True}, *blocks[1:]]


def _text_run(run: Run) -> dict[str, Any]:
    text = DOUBLE.sub("{ ", run.text)
    made = {"type": "TextRun", "text": text}
    return {**made, "fontType": "monospace"} if run.is_value else made
