"""What makes the volume: the report of `armorstack noise`, and what its parts mean.

Invariant: a number beside a suggestion is what its filter would have removed of these very events,
counted with the compiled filter (`noise_count`), never derived from a table of the most frequent.
Nothing that was blocked, and no alert of a policy, is ever suggested to be dropped.
Must not go here: reading events, printing.
"""

from typing import Literal

from msgspec import Struct

from armorstack.config import Filter

Kind = Literal["preset", "drop", "fold", "command"]

LOGS = "kubearmor.log"
ALERTS = "kubearmor.alert"
POSTURE = "DefaultPosture"

MIN_SHARE = 0.01
"""Of all events: what removes less is not worth a filter."""


class Group(Struct, frozen=True):
    """Events that have these values in common."""

    values: dict[str, str | None]
    """By column; `path` is the resource or its folder, `name` the owner or the pod."""
    events: int


class Stream(Struct, frozen=True):
    """How much came on one stream."""

    stream: str
    events: int
    bytes: int
    """Length of all texts of its events, UTF-8: about what they take before compression."""


class Tables(Struct, frozen=True):
    """The most frequent of each kind, most frequent first."""

    streams: tuple[Stream, ...] = ()
    policies: tuple[Group, ...] = ()
    workloads: tuple[Group, ...] = ()
    processes: tuple[Group, ...] = ()
    paths: tuple[Group, ...] = ()
    operations: tuple[Group, ...] = ()
    makers: tuple[Group, ...] = ()
    """By namespace, process and operation."""

    @property
    def events(self) -> int:
        """All events."""
        return sum(stream.events for stream in self.streams)

    @property
    def bytes(self) -> int:
        """All text."""
        return sum(stream.bytes for stream in self.streams)


class Leads(Struct, frozen=True):
    """Where candidates are found; groups of events that a filter might let go."""

    policies: tuple[Group, ...] = ()
    """Alerts and logs by policy."""
    makers: tuple[Group, ...] = ()
    """Logs of what worked, by namespace, process and operation."""
    folders: tuple[Group, ...] = ()
    """Logs of files that were opened, by folder; a number in it is a NUL character."""
    visible: tuple[Group, ...] = ()
    """Logs of containers, by namespace and operation: all of them, not the most frequent only."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A filter or a command that may be worth suggesting."""

    kind: Kind
    title: str
    """One line; holds names that events chose."""
    filter: Filter
    """What is to be pasted; for a command: what stands for the events that it stops."""
    command: str = ""
    note: str = ""
    spares: Filter | None = None
    """Events that must not be there, or the candidate is refused for `refusal`."""
    refusal: str = ""


class Suggestion(Struct, frozen=True, kw_only=True):
    """What is told of a candidate."""

    kind: Kind
    title: str
    removes: int
    """Events that would not be there, had it been in place alone."""
    gain: int
    """The same after all suggestions before it in the list."""
    at_least: bool = False
    """Whether it may be more: a fold's interval begins with its first event."""
    sets_apart: int = 0
    """Events that get another tag, and stay."""
    toml: str = ""
    command: str = ""
    note: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """All that is found out."""

    tables: Tables
    suggestions: tuple[Suggestion, ...] = ()
    """The one that removes most first, then whichever removes most of what is left."""
    kept: tuple[str, ...] = ()
    """What is frequent but not suggested to be dropped, and why; one sentence each."""
