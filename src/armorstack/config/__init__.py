"""The settings tree, and how it is read: frozen, complete, with a path for every fault.

What belongs here: structs with a docstring on each field (unit, default, why), reading of file and
environment, faults between settings. Nothing else reads the environment or a settings file.
Secrets are given as files, never as values. Forbidden: what needs a field table or an engine.

A variable's name is the path in capitals: `ARMORSTACK_SPOOL_MAX_BYTES` is `$.spool.max_bytes`,
`ARMORSTACK_SINK_DUCKDB_MAX_AGE_DAYS` is `$.sink.duckdb.max_age_days`. `ARMORSTACK_SOURCE`,
`…_FILTER` and `…_MATCH` take lists as JSON; `ARMORSTACK_LOG` is short for `ARMORSTACK_LOG_FORMAT`.
"""

from armorstack.config.checks import check, filter_name, parse_address, sinks_of
from armorstack.config.filters import (
    DropFilter,
    Filter,
    FoldFilter,
    KeepFilter,
    Match,
    Preset,
    PresetFilter,
    RedactFilter,
    RemoveFilter,
    RenameFilter,
    SampleFilter,
    SetFilter,
    ThrottleFilter,
)
from armorstack.config.loading import load, structs
from armorstack.config.scalars import MIB
from armorstack.config.select import EVERY_TAG, Globs, Select, SeverityRange
from armorstack.config.sinks import (
    DuckdbSink,
    ElasticSink,
    FileSink,
    Form,
    Sink,
    StdoutSink,
    WebhookSink,
)
from armorstack.config.sources import (
    FileSource,
    RelaySource,
    SampleSource,
    Source,
    StdinSource,
    Tls,
    source_name,
)
from armorstack.config.tree import (
    POLICIES,
    Config,
    Log,
    Policies,
    Spool,
    Web,
    WebTls,
    changes_file,
    own_sources,
)

__all__ = [
    "EVERY_TAG",
    "MIB",
    "POLICIES",
    "Config",
    "DropFilter",
    "DuckdbSink",
    "ElasticSink",
    "FileSink",
    "FileSource",
    "Filter",
    "FoldFilter",
    "Form",
    "Globs",
    "KeepFilter",
    "Log",
    "Match",
    "Policies",
    "Preset",
    "PresetFilter",
    "RedactFilter",
    "RelaySource",
    "RemoveFilter",
    "RenameFilter",
    "SampleFilter",
    "SampleSource",
    "Select",
    "SetFilter",
    "SeverityRange",
    "Sink",
    "Source",
    "Spool",
    "StdinSource",
    "StdoutSink",
    "ThrottleFilter",
    "Tls",
    "Web",
    "WebTls",
    "WebhookSink",
    "changes_file",
    "check",
    "filter_name",
    "load",
    "own_sources",
    "parse_address",
    "sinks_of",
    "source_name",
    "structs",
]
