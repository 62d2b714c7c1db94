"""The tree of settings as it is shown: complete or only what was changed, without secrets.

Invariant: what is shown loads as the same tree, but for a webhook's URL, which is cut behind its
host; `checks.py` refuses one that was cut. Reading settings must not go here.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from armorstack.config import toml
from armorstack.config.checks import CUT, check
from armorstack.config.filters import Filter
from armorstack.config.select import Globs, Select
from armorstack.config.sinks import WebhookSink
from armorstack.config.tree import Config

Expand = Callable[[tuple[Filter, ...]], tuple[Filter, ...]]
"""`core.presets.expand`: presets replaced by what they stand for, each filter with its name."""

SPARSE = (Select, Globs)
"""Structs whose keys have no value of their own where they are not given."""


def resolved(config: Config, expand: Expand) -> Config:
    """The tree that runs: presets expanded, each filter with the name that counters use."""
    result = replace(config, filter=expand(config.filter))
    check(result)
    return result


def plain(config: Config, *, only_changes: bool = False, data_dir: str = "") -> dict[str, Any]:
    """The tree as plain values; with `only_changes` without what equals its default.

    `data_dir`: the default folder here.
    """
    tree: dict[str, Any] = _plain(config, only_changes)
    if only_changes and config.data_dir == data_dir:
        tree.pop("data_dir", None)
    return tree


def as_toml(config: Config, *, only_changes: bool = False, data_dir: str = "") -> str:
    """The same as a settings file, with a comment for what is not shown."""
    notes = "".join(f"# {note}\n" for note in _notes(config))
    text = toml.document(plain(config, only_changes=only_changes, data_dir=data_dir)).lstrip("\n")
    return f"{notes}\n{text}" if notes and text else notes + text


def _notes(config: Config) -> list[str]:
    notes = [
        f"$.sink.{toml.key(name)}.url is a secret, cut behind its host; better: url_file"
        for name, sink in config.sink.items()
        if isinstance(sink, WebhookSink) and sink.url
    ]
    if not config.source:
        notes.append("no [[source]]: `armorstack run` needs an option that names one")
    return notes


def _plain(value: Any, sparse: bool) -> Any:
    if isinstance(value, Struct):
        return _table(value, sparse)
    if isinstance(value, dict):
        return {key: _plain(each, sparse) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each, sparse) for each in value]
    return value


def _table(struct: Struct, sparse: bool) -> dict[str, Any]:
    tag = struct.__struct_config__.tag
    table: dict[str, Any] = {"type": tag} if tag else {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        is_default = value == default_of(field)
        if value is None or (is_default and (sparse or isinstance(struct, SPARSE))):
            continue
        if isinstance(struct, WebhookSink) and field.name == "url":
            value = _cut(value)
        table[field.encode_name] = _plain(value, sparse)
    return table


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """What the setting is where it is not given; NODEFAULT where it has to be."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _cut(url: str) -> str:
    if not url:
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{CUT}"
