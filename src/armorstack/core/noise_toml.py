"""Filters as TOML to be pasted: what `config.load` reads back as the very same filter.

Invariant: settings that have their default are left out; nothing an event is called can end a
text early or reach a terminal as it came. How TOML is written is `config/toml.py`.
"""

from typing import Any

import msgspec
from msgspec import Struct

from armorstack.config import Filter
from armorstack.config.toml import document


def filter_toml(settings: Filter) -> str:
    """The filter as a `[[filter]]` table."""
    return document({"filter": [{"type": settings.__struct_config__.tag} | _given(settings)]})


def _given(settings: Struct) -> dict[str, Any]:
    """Settings that differ from their default."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if field.required or value != field.default:
            found[field.name] = _given(value) if isinstance(value, Struct) else _plain(value)
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
