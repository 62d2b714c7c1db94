"""The settings tree: defaults, then one TOML file, then `ARMORSTACK_…`, then flags.

Invariant: the tree is frozen and complete; nothing else reads the environment or a settings file.
Unknown keys are refused with their path. Secrets are given as files, never as values.

A variable's name is the path in capitals: `ARMORSTACK_SPOOL_MAX_BYTES` is `$.spool.max_bytes`,
`ARMORSTACK_SINK_DUCKDB_MAX_AGE_DAYS` is `$.sink.duckdb.max_age_days`. `ARMORSTACK_SOURCE` takes
the list of sources as JSON; `ARMORSTACK_LOG` is short for `ARMORSTACK_LOG_FORMAT`.
"""

import difflib
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct, field

from armorstack.errors import ConfigError

MIB = 1024 * 1024

PREFIX = "ARMORSTACK_"

Seconds = Annotated[float, Meta(gt=0)]
PerSecond = Annotated[float, Meta(gt=0)]
Positive = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]


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


class DuckdbSink(Struct, frozen=True, forbid_unknown_fields=True, tag="duckdb", tag_field="type"):
    """The embedded store: Parquet parts by event day, a catalogue and a tail in memory."""

    path: str = ""
    """Folder of the store; empty: `store` in the data folder."""
    required: bool = True
    """Whether the spool keeps what this sink has not stored yet."""
    max_age_days: Annotated[float, Meta(ge=0)] = 30.0
    """Days of events kept, by event time; 0: for ever."""
    max_bytes: Count = 0
    """Disk that the store may take; the oldest day goes first; 0: no limit."""
    part_rows: Positive = 100_000
    """Rows in the tail that are written out as a part."""
    part_interval_s: Seconds = 300.0
    """Longest time a row stays in the tail (it is searchable there, and durable in the spool)."""
    memory_bytes: Positive = 128 * MIB
    """DuckDB's own `memory_limit`."""
    keep_original: bool = False
    """Keep each event's bytes as they came, besides the columns."""


Sink = DuckdbSink


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    """Health, metrics and pages."""

    listen: str = "127.0.0.1:7780"
    """`HOST:PORT`; port 0 takes a free one."""
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
    spool: Spool = field(default_factory=Spool)
    sink: dict[str, Sink] = field(default_factory=lambda: {"duckdb": DuckdbSink()})
    web: Web = field(default_factory=Web)
    log: Log = field(default_factory=Log)


Tree = dict[str, Any]

RESERVED = frozenset({"ARMORSTACK_CONFIG", "ARMORSTACK_DEBUG"})
"""Variables that are no settings: the settings file itself, and tracebacks."""

FROM_KUBERNETES = re.compile(r"_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$")
"""Kubernetes sets such names in every pod beside a Service called `armorstack…`."""


def load(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The tree, with `data_dir` filled in; raises `ConfigError` that names the fault's path."""
    tree: Tree = _read(path) if path else {}
    _merge(tree, _from_environment(environ, tree))
    _merge(tree, dict(overrides or {}))
    config = _convert(tree)
    _check(config)
    return msgspec.structs.replace(config, data_dir=config.data_dir or _default_data_dir(environ))


def parse_address(path: str, text: str) -> tuple[str, int]:
    """`HOST:PORT` (IPv6 in brackets) as a pair; raises `ConfigError` that begins with `path`."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})", text)
    if match is None or int(match[3]) > 65535:
        hint = f"write a host and a port, such as {text or '127.0.0.1'}:32767"
        raise ConfigError(f"{path}: {text!r} is not HOST:PORT", hint=hint)
    return match[1] or match[2], int(match[3])


def source_name(source: Source) -> str:
    """How events, metrics and gaps call the source."""
    if source.name:
        return source.name
    what = {RelaySource: "address", FileSource: "path"}.get(type(source))
    tag = str(source.__struct_config__.tag)
    return f"{tag}/{getattr(source, what)}" if what else tag


def _read(path: Path) -> Tree:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _merge(tree: Tree, over: Tree) -> None:
    """Lay `over` onto `tree`: tables are merged, everything else is replaced."""
    for key, value in over.items():
        below = tree.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            _merge(below, value)
        else:
            tree[key] = value


def _from_environment(environ: Mapping[str, str], tree: Tree) -> Tree:
    sinks = tree.get("sink")
    known = dict(_variables(Config, (), tuple(sinks) if isinstance(sinks, dict) else ("duckdb",)))
    known["ARMORSTACK_LOG"] = known["ARMORSTACK_LOG_FORMAT"]
    result: Tree = {}
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        if name in known:
            path, type_ = known[name]
            _merge(result, _nested(path, _value(name, environ[name], type_)))
        elif name not in RESERVED and not FROM_KUBERNETES.search(name):
            raise ConfigError(f"{name}: no such setting", hint=_nearest(name, known))
    return result


def _variables(
    type_: type[Struct], path: tuple[str, ...], sinks: tuple[str, ...]
) -> Iterator[tuple[str, tuple[tuple[str, ...], Any]]]:
    """Each variable's name with the path and the type of what it sets."""
    for item in msgspec.structs.fields(type_):
        here = (*path, item.name)
        if isinstance(item.type, type) and issubclass(item.type, Struct):
            yield from _variables(item.type, here, sinks)
        elif here == ("sink",):
            for name in sinks:
                yield from _variables(Sink, (*here, name), sinks)
        else:
            yield PREFIX + "_".join(here).upper(), (here, item.type)


def _nested(path: tuple[str, ...], value: object) -> Tree:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _value(name: str, text: str, type_: Any) -> object:
    try:
        if name == "ARMORSTACK_SOURCE":
            return msgspec.json.decode(text)
        return msgspec.convert(text, type_, strict=False)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{name}: {error}") from error


def _convert(tree: Tree) -> Config:
    sinks = tree.get("sink")
    for name, sink in sinks.items() if isinstance(sinks, dict) else ():
        _convert_part(sink, Sink, f"$.sink.{name}")
    config: Config = _convert_part(tree, Config, "$")
    return config


def _convert_part(part: object, type_: Any, path: str) -> Any:
    try:
        return msgspec.convert(part, type_)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        where = path + where.rstrip("`")
        unknown = re.search(r"unknown field `(.*)`", what)
        if unknown is None:
            raise ConfigError(f"{where}: {what}") from error
        hint = _nearest(unknown[1], {item.name: 0 for item in _all_fields()})
        raise ConfigError(f"{where}.{unknown[1]}: no such setting", hint=hint) from error


def _all_fields() -> Iterator[msgspec.structs.FieldInfo]:
    for type_ in (Config, Spool, Sink, Web, Log, Tls, *get_args(Source)):
        yield from msgspec.structs.fields(type_)


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "remove it; docs/configuration.md has them all"


def _check(config: Config) -> None:
    """Faults that lie between settings, each with its path."""
    parse_address("$.web.listen", config.web.listen)
    for index, source in enumerate(config.source):
        if isinstance(source, RelaySource):
            _check_relay(f"$.source[{index}]", source)
    for name, count in Counter(map(source_name, config.source)).items():
        if count > 1:
            hint = "give each source a name of its own: positions and metrics go by it"
            raise ConfigError(f"$.source: {count} sources are called {name!r}", hint=hint)
    if not config.sink:
        raise ConfigError("$.sink: no sink", hint="remove the empty table: DuckDB is the default")


def _check_relay(path: str, source: RelaySource) -> None:
    parse_address(f"{path}.address", source.address)
    tls = source.tls
    if tls and bool(tls.cert_file) != bool(tls.key_file):
        missing = "key_file" if tls.cert_file else "cert_file"
        raise ConfigError(f"{path}.tls.{missing}: missing; mTLS needs certificate and key")
    for name in ("ca_file", "cert_file", "key_file"):
        file = getattr(tls, name) if tls else ""
        if file and not os.access(file, os.R_OK):
            raise ConfigError(f"{path}.tls.{name}: {file} cannot be read")
    if source.backoff_max_s < source.backoff_initial_s:
        raise ConfigError(f"{path}.backoff_max_s: less than backoff_initial_s")


def _default_data_dir(environ: Mapping[str, str]) -> str:
    """Root: /var/lib/armorstack; others: $XDG_DATA_HOME or ~/.local/share, /armorstack."""
    if os.geteuid() == 0:
        return "/var/lib/armorstack"
    base = environ.get("XDG_DATA_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return str(folder / "armorstack")
