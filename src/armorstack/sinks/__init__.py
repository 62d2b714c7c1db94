"""Where events go: one module, one settings struct and one entry in `SINKS` per kind of sink.

What belongs here: handing batches to an engine and saying what became of each row; `contract.py`
has the promises. Forbidden: retrying (the worker does, once for all), decoding, reading.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from armorstack import config
from armorstack.sinks.contract import Sink

Factory = Callable[[str, Any, Path], Sink]
"""The sink's name, its settings, the data folder → the sink, not yet open."""

SINKS: Mapping[type[Any], tuple[str, str]] = {
    config.DuckdbSink: ("duckdb", "StoreSink"),
    config.ElasticSink: ("elastic", "ElasticSink"),
    config.FileSink: ("file", "LineFileSink"),
    config.StdoutSink: ("stdout", "LineStdoutSink"),
    config.WebhookSink: ("webhook", "WebhookSink"),
}
"""Settings struct → module and class. Only what is asked for is loaded: each brings an engine's
client, and some 20 MB."""


def factory_of(settings: type[Any]) -> Factory:
    """What makes a sink of such settings."""
    module, name = SINKS[settings]
    found: Factory = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def make_sink(name: str, settings: config.Sink, data_dir: Path) -> Sink:
    """The sink that these settings describe."""
    return factory_of(type(settings))(name, settings, data_dir)
