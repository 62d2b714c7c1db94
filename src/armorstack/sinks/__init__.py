"""Where events go: one module, one settings struct and one entry in `SINKS` per kind of sink.

What belongs here: handing batches to an engine and saying what became of each row; `contract.py`
has the promises. Forbidden: retrying (the worker does, once for all), decoding, reading.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from armorstack import config
from armorstack.sinks.contract import Sink
from armorstack.sinks.duckdb import StoreSink
from armorstack.sinks.elastic import ElasticSink
from armorstack.sinks.file import LineFileSink
from armorstack.sinks.stdout import LineStdoutSink
from armorstack.sinks.webhook import WebhookSink

Factory = Callable[[str, Any, Path], Sink]
"""The sink's name, its settings, the data folder → the sink, not yet open."""

SINKS: Mapping[type[Any], Factory] = {
    config.DuckdbSink: StoreSink,
    config.ElasticSink: ElasticSink,
    config.FileSink: LineFileSink,
    config.StdoutSink: LineStdoutSink,
    config.WebhookSink: WebhookSink,
}
"""Settings struct → what makes a sink of it."""


def make_sink(name: str, settings: config.Sink, data_dir: Path) -> Sink:
    """The sink that these settings describe."""
    return SINKS[type(settings)](name, settings, data_dir)
