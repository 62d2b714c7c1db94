"""Filters and matches: what happens to events between the spool and the sinks.

Filters work in the order of the file, on all sinks alike. A match says which sinks take an event;
a sink that no match names takes every event. What they do is `core/filters/` and `core/rules.py`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from armorstack.config.scalars import Positive, Seconds
from armorstack.config.select import EVERY_TAG, Select

SAME = ("cluster", "node", "namespace", "pod", "container", "policy", "process", "resource",
        "action", "result", "operation", "type")  # fmt: skip
"""What events have in common that are folded into one."""

Preset = Literal["passed-noise", "default-posture-apart", "own-traffic", "known-noisy-paths"]


class AnyFilter(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """What every filter has."""

    name: str = ""
    """What counters and `try-config` call it; empty: type and place (`drop-2`), or the preset."""
    tag: str = EVERY_TAG
    """Tags it works on; `*` is one part of a tag, `**` any number of them."""
    select: Select = Select()
    """Events it works on; others pass as they are."""


class DropFilter(AnyFilter, frozen=True, tag="drop"):
    """Let the selected events go."""


class KeepFilter(AnyFilter, frozen=True, tag="keep"):
    """Of the events that have the tag, let go those that are not selected."""


class SetFilter(AnyFilter, frozen=True, tag="set"):
    """Give fields another value."""

    fields: dict[str, str]
    """Field → its new text; `tag` sets the event's own tag in the pipeline."""


class RemoveFilter(AnyFilter, frozen=True, tag="remove"):
    """Empty some fields, also in what is kept of the original."""

    fields: tuple[str, ...]
    """The fields."""


class RenameFilter(AnyFilter, frozen=True, tag="rename"):
    """Move the value of one field to another; an absent value moves nothing."""

    fields: dict[str, str]
    """Old field → new field."""


class RedactFilter(AnyFilter, frozen=True, tag="redact"):
    """Replace text by pattern, in fields, in originals and in dead letters."""

    patterns: tuple[str, ...]
    """Regular expressions (RE2)."""
    replacement: str = "[redacted]"
    r"""What stands there instead; `\1` is the first group of the pattern."""
    fields: tuple[str, ...] = ()
    """Fields to look into; empty: every text."""


class SampleFilter(AnyFilter, frozen=True, tag="sample"):
    """Keep one event in so many, chosen by its id: every collector chooses the same."""

    one_in: Positive
    """How many events one stands for."""


class ThrottleFilter(AnyFilter, frozen=True, tag="throttle"):
    """Let go what exceeds a number of events in a time; counted, and told as a gap."""

    events: Positive
    """Events that pass in each interval."""
    interval_s: Seconds = 60.0
    """Length of the interval, in seconds of arrival."""
    by: tuple[str, ...] = ()
    """Fields whose values each have a share of their own; empty: one share for all."""


class FoldFilter(AnyFilter, frozen=True, tag="fold"):
    """Make one event of those that say the same, with their number, first and last time."""

    interval_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """Seconds for which an event waits for others like it; at most 300."""
    by: tuple[str, ...] = SAME
    """Fields that must be equal."""


class PresetFilter(AnyFilter, frozen=True, tag="preset"):
    """A ready filter; `armorstack check-config` shows what it stands for."""

    preset: Preset
    """Its name."""


Filter = (
    DropFilter | KeepFilter | SetFilter | RemoveFilter | RenameFilter | RedactFilter
    | SampleFilter | ThrottleFilter | FoldFilter | PresetFilter
)  # fmt: skip


class Match(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which events go to which sinks. All matches are asked; an event may go to several sinks."""

    tag: str = EVERY_TAG
    """Tags that are meant; `*` is one part of a tag, `**` any number of them."""
    select: Select = Select()
    """Events that are meant."""
    sink: str | tuple[str, ...]
    """The sink that takes them, or a list of sinks."""
