"""The forms of a message by name.

`json` is our own, for programs:

    {"version": 1, "source": "armorstack",
     "events": [{…, "count": 3, "first": "2026-11-23T14:10:26.530876Z", "last": "…"}],
     "gaps": [{"reason": "disconnect", "source": "relay/a", "stream": "", "node": "", "lost": 3,
               "start": "…", "end": "…", "detail": ""}]}

Each event is an ECS document, whole and exact, with three members more: how many events it stands
for, and the times of the first and the last. `lost` is null where nobody knows. All of it is ASCII.
Members may be added without a new version; a receiver passes over those that it does not know.

Must not go here: how a chat marks text up.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from armorstack.core.ecs import to_ecs
from armorstack.core.gap import Gap
from armorstack.core.rebuild import canonical_time, from_micros
from armorstack.sinks.webhook.entries import Told
from armorstack.sinks.webhook.slack import slack_body
from armorstack.sinks.webhook.teams import teams_body

VERSION = 1


class Form(Struct, frozen=True):
    """How messages are written, and how large they may become."""

    body: Callable[[Sequence[Told], Sequence[Gap]], bytes]
    max_entries: int
    max_bytes: int


def json_body(events: Sequence[Told], gaps: Sequence[Gap]) -> bytes:
    """The message as JSON in ASCII; the module says what is in it."""
    message = {
        "version": VERSION, "source": "armorstack",
        "events": [_event(each) for each in events], "gaps": [_gap(gap) for gap in gaps],
    }  # fmt: skip
    return json.dumps(message).encode()


FORMS: Mapping[str, Form] = {
    "json": Form(json_body, max_entries=1_000, max_bytes=1024 * 1024),
    # A message has at most 50 blocks, one is the title; all of them together are refused from
    # about 13,000 characters on, which no reference says (issue 2509 of slackapi/bolt-js).
    "slack": Form(slack_body, max_entries=49, max_bytes=12_000),
    "teams": Form(teams_body, max_entries=50, max_bytes=27_000),
}
"""Form of the settings → what makes a message of it."""


def _event(each: Told) -> dict[str, Any]:
    entry = each.entry
    span = {"first": _moment(entry.first), "last": _moment(entry.last)}
    return {**to_ecs(each.row), "count": entry.count, **span}


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "reason": gap.reason, "source": gap.source, "stream": gap.stream, "node": gap.node,
        "lost": gap.lost, "start": canonical_time(from_micros(gap.start_us)),
        "end": canonical_time(from_micros(gap.end_us)), "detail": gap.detail,
    }  # fmt: skip


def _moment(moment: datetime | None) -> str | None:
    return canonical_time(moment) if moment else None
