"""Where events come from: relays, files, standard input, a sample.

What belongs here: turning what is read into whole, untouched frames, and telling interruptions as
gaps. Forbidden: decoding events, waiting for the disk, imports from sinks, stores or engines.

A new source is one module with one class (see `contract.py`), its struct in `config/` and its
line in `SOURCES`; the contract suite picks it up from there.
"""

from collections.abc import Callable
from typing import Any

from armorstack import config
from armorstack.sources.contract import Source
from armorstack.sources.file import File
from armorstack.sources.relay import Relay
from armorstack.sources.sample import SampleRelaySource
from armorstack.sources.stdin import Stdin

SOURCES: dict[type[Any], Callable[[Any], Source]] = {
    config.RelaySource: Relay,
    config.FileSource: File,
    config.StdinSource: Stdin,
    config.SampleSource: SampleRelaySource,
}
"""Type of the settings → what makes a source of them."""


def make_source(settings: config.Source) -> Source:
    """The source that these settings describe; raises `ConfigError` where they cannot work."""
    return SOURCES[type(settings)](settings)
