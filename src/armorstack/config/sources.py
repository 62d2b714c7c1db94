"""Where events come from: one struct per kind of source."""

from typing import Literal

from msgspec import Struct

from armorstack.config.scalars import MIB, Count, PerSecond, Positive, Seconds


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """Trust and identity towards a relay. Verification cannot be switched off."""

    ca_file: str = ""
    """PEM file of the authorities to trust; empty: the system's."""
    cert_file: str = ""
    """PEM file with our certificate chain, for mTLS."""
    key_file: str = ""
    """PEM file with our private key, for mTLS."""
    server_name: str = ""
    """Name that the server's certificate must carry, where it is not the host dialled."""


class RelaySource(Struct, frozen=True, forbid_unknown_fields=True, tag="relay", tag_field="type"):
    """A KubeArmor relay, or a node's own KubeArmor, over gRPC."""

    address: str
    """`HOST:PORT`; the relay's port is 32767 unless it was told another."""
    name: str = ""
    """How events, metrics and gaps call this source; empty: `relay/ADDRESS`."""
    cluster: str = ""
    """Cluster name set on events whose own is empty or "default"."""
    alerts: Literal["policy", "all", "off"] = "all"
    """KubeArmor's filter for WatchAlerts."""
    logs: Literal["system", "all", "off"] = "all"
    """KubeArmor's filter for WatchLogs."""
    messages: Literal["all", "off"] = "all"
    """KubeArmor's filter for WatchMessages."""
    tls: Tls | None = None
    """Absent: plain text, which is what a relay speaks unless told otherwise."""
    keepalive_s: Seconds = 20.0
    """Seconds between HTTP/2 pings; a dead peer is noticed within two of them."""
    health_interval_s: Seconds = 30.0
    """Seconds between HealthCheck calls; a relay that fails one is dialled anew."""
    backoff_initial_s: Seconds = 0.5
    """First wait after a lost connection; doubles, with jitter."""
    backoff_max_s: Seconds = 30.0
    """Longest wait between two attempts."""
    max_message_bytes: Positive = 64 * MIB
    """Longest gRPC message taken; a longer one ends the stream with a gap."""


class FileSource(Struct, frozen=True, forbid_unknown_fields=True, tag="file", tag_field="type"):
    """A file of event lines in any spelling, followed through rotation."""

    path: str
    """The file; it may come into being later."""
    name: str = ""
    """How events, metrics and gaps call this source; empty: `file/PATH`."""
    cluster: str = ""
    """Cluster name set on events whose own is empty or "default"."""
    follow: bool = True
    """False: read to the end once."""
    from_start: bool = True
    """Where to begin when no position is known: the start, or the end of the file."""


class StdinSource(Struct, frozen=True, forbid_unknown_fields=True, tag="stdin", tag_field="type"):
    """Event lines in any spelling on standard input, until it ends."""

    name: str = "stdin"
    """How events, metrics and gaps call this source."""
    cluster: str = ""
    """Cluster name set on events whose own is empty or "default"."""


class SampleSource(Struct, frozen=True, forbid_unknown_fields=True, tag="sample", tag_field="type"):
    """A relay of our own in a process of its own, replaying recorded and scripted events."""

    name: str = "sample"
    """How events, metrics and gaps call this source."""
    cluster: str = "sample"
    """Cluster name set on events whose own is empty or "default"."""
    rate: PerSecond = 20.0
    """Mean events per second, with bursts."""
    count: Count = 0
    """Stop after so many events; 0: go on for ever."""


Source = RelaySource | FileSource | StdinSource | SampleSource


def source_name(source: Source) -> str:
    """How events, metrics and gaps call the source."""
    if source.name:
        return source.name
    what = {RelaySource: "address", FileSource: "path"}.get(type(source))
    tag = str(source.__struct_config__.tag)
    return f"{tag}/{getattr(source, what)}" if what else tag
