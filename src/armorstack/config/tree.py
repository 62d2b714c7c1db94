"""The whole tree of settings, and the tables that are neither source, filter, match nor sink."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from armorstack.config.filters import Filter, Match
from armorstack.config.scalars import MIB, Count, Positive, Seconds
from armorstack.config.sinks import DuckdbSink, Sink
from armorstack.config.sources import FileSource, Source

POLICIES = "policies"
"""How the source of policy changes is called."""


class Spool(Struct, frozen=True, forbid_unknown_fields=True):
    """The durable buffer between receiving and storing."""

    max_bytes: Positive = 4096 * MIB
    """Disk that waiting frames may take before `when_full` applies."""
    when_full: Literal["block", "drop_oldest"] = "block"
    """`block` stops reading (the relay then drops, unseen); `drop_oldest` drops here, counted."""
    flush_interval_s: Annotated[float, Meta(gt=0, le=0.1)] = 0.05
    """Longest time a frame waits in memory for its group commit; at most 0.1."""
    flush_bytes: Positive = MIB
    """Bytes in memory that start a group commit at once."""
    max_memory_bytes: Positive = 64 * MIB
    """Bytes in memory, all sources together, past which receiving waits."""
    reserve_bytes: Count = 32 * MIB
    """Size of the file that is released when the disk is full, so that deletes can go on."""


class Policies(Struct, frozen=True, forbid_unknown_fields=True):
    """Which KubeArmor policies are deployed, and what each did."""

    files: tuple[str, ...] = ()
    """YAML files with policies, and folders of them, such as a checkout of what is deployed; none:
    policies are not watched."""
    interval_s: Seconds = 300.0
    """How often what each policy did is counted anew; a changed policy is counted at once."""
    keep_deleted_days: Annotated[float, Meta(ge=0)] = 30.0
    """How long a policy is still shown after it was deleted."""


class WebTls(Struct, frozen=True, forbid_unknown_fields=True):
    """Identity towards browsers and programs; without it plain HTTP is spoken."""

    cert_file: str = ""
    """PEM file with our certificate chain, our own certificate first."""
    key_file: str = ""
    """PEM file with its private key, without a password."""


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    """Health, metrics, pages and API."""

    listen: str = "127.0.0.1:7780"
    """`HOST:PORT`; port 0 takes a free one. Elsewhere than on loopback, pages and API need `tls` or
    `proxies`."""
    hosts: tuple[str, ...] = ()
    """Names that pages and API answer to, besides localhost and addresses."""
    proxies: tuple[str, ...] = ()
    """Networks of the proxies before us, such as `10.0.0.0/8`: what they say of clients is
    believed, and nobody else elsewhere is answered."""
    tls: WebTls = field(default_factory=WebTls)
    """Identity towards browsers and programs; without it plain HTTP is spoken."""
    series_limit: Count = 1000
    """Label sets kept per metric of events; the rest is counted as `other`."""


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """What the processes say about themselves, on standard error."""

    format: Literal["auto", "json", "text"] = "auto"
    """`auto`: key=value text on a terminal, one JSON object per line elsewhere."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least grave line that is written."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole tree."""

    data_dir: str = ""
    """Folder of the spool, the store and the state files; empty: the user's data folder."""
    source: tuple[Source, ...] = ()
    """Where events come from: `[[source]]`, as many as there are, each with a name of its own."""
    filter: tuple[Filter, ...] = ()
    """What happens to events, one `[[filter]]` after the other; none: they go on as they come."""
    match: tuple[Match, ...] = ()
    """Which sinks take which events: `[[match]]`; a sink that none names takes every event."""
    spool: Spool = field(default_factory=Spool)
    """The durable buffer between receiving and storing."""
    sink: dict[str, Sink] = field(default_factory=lambda: {"duckdb": DuckdbSink()})
    """Where events go: `[sink.NAME]`. Any such table replaces the default one, a DuckDB sink called
    `duckdb`; without a `type`, the name is the type where there is one, else `duckdb`."""
    policies: Policies = field(default_factory=Policies)
    """Which policies are watched."""
    web: Web = field(default_factory=Web)
    """Health, metrics and pages."""
    log: Log = field(default_factory=Log)
    """What the processes say about themselves, on standard error."""


def changes_file(config: Config) -> Path:
    """Where the worker writes changes of policies, for the receiver to take."""
    return Path(config.data_dir) / "policies" / "changes.jsonl"


def own_sources(config: Config) -> tuple[Source, ...]:
    """Sources that nobody has to write into the settings."""
    if not config.policies.files:
        return ()
    return (FileSource(path=str(changes_file(config)), name=POLICIES),)
