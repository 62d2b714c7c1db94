"""What happens to events between decoding and the sinks: one class per type of filter.

What belongs here: pure filters over batches, `contract.py` says what they promise, and `BUILDERS`,
which makes each of its settings. A new filter is one class, one struct in `config/filters.py`, one
entry here. Forbidden: I/O, clocks; order and routing (`core/rules.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from armorstack import config
from armorstack.core.field_names import field_named
from armorstack.core.filters.changing import Remove, Rename, Set
from armorstack.core.filters.contract import Filter, Scope
from armorstack.core.filters.fold import Fold
from armorstack.core.filters.passing import Drop, Keep, Sample
from armorstack.core.filters.redact import TEXTUAL, Patterns, Redact
from armorstack.core.filters.throttle import Throttle
from armorstack.core.tags import check_tag
from armorstack.errors import ConfigError

TAG_FIELD = "tag"
"""What `set` calls the event's own tag."""

Builder = Callable[[Any, Scope, str], Filter]
"""Settings, scope, path of the settings → the filter; raises `ConfigError`."""


def _text_column(path: str, name: str) -> str:
    field = field_named(path, name)
    if field.kind != "text":
        raise ConfigError(f"{path}: {name} holds no text", hint="only text can be put there")
    return field.column


def _set(settings: config.SetFilter, scope: Scope, path: str) -> Filter:
    tag = settings.fields.get(TAG_FIELD)
    if tag is not None:
        check_tag(f"{path}.fields.{TAG_FIELD}", tag)
    values = {
        _text_column(f"{path}.fields", name): text
        for name, text in settings.fields.items()
        if name != TAG_FIELD
    }
    if not settings.fields:
        raise ConfigError(f"{path}.fields: nothing to set", hint='such as { cluster = "prod" }')
    return Set(settings.name, scope, values, tag)


def _remove(settings: config.RemoveFilter, scope: Scope, path: str) -> Filter:
    fields = [field_named(f"{path}.fields", name) for name in settings.fields]
    if not fields:
        raise ConfigError(f"{path}.fields: nothing to remove", hint='such as ["user"]')
    return Remove(settings.name, scope, fields)


def _rename(settings: config.RenameFilter, scope: Scope, path: str) -> Filter:
    moves = {
        _text_column(f"{path}.fields", old): _text_column(f"{path}.fields", new)
        for old, new in settings.fields.items()
    }
    if not moves:
        raise ConfigError(f"{path}.fields: nothing to rename", hint='such as { data = "cwd" }')
    return Rename(settings.name, scope, moves)


def _redact(settings: config.RedactFilter, scope: Scope, path: str) -> Filter:
    if not settings.patterns:
        raise ConfigError(f"{path}.patterns: no pattern", hint="such as ['password=\\S+']")
    for index, pattern in enumerate(settings.patterns):
        _check_pattern(path, index, pattern, settings.replacement)
    columns = []
    for name in settings.fields:
        field = field_named(f"{path}.fields", name)
        if field.kind not in TEXTUAL:
            raise ConfigError(f"{path}.fields: {name} holds no text", hint="leave it out")
        columns.append(field.column)
    return Redact(settings.name, scope, Patterns(settings.patterns, settings.replacement), columns)


def _check_pattern(path: str, index: int, pattern: str, replacement: str) -> None:
    place = f"{path}.patterns[{index}]"
    try:
        matches_nothing = Patterns([pattern], "").matches("")
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        hint = "RE2's syntax has no look-around and no back reference inside a pattern"
        raise ConfigError(f"{place}: {pattern!r}: {reason}", hint=hint) from error
    if matches_nothing:
        hint = "use + in place of *, so that something must be there"
        raise ConfigError(f"{place}: {pattern!r} matches an empty text", hint=hint)
    try:
        Patterns([pattern], replacement)
    except pa.ArrowInvalid as error:
        sentence = f"{path}.replacement: {replacement!r} does not fit {pattern!r}"
        hint = r"\1 is the first group of the pattern, a backslash itself is \\"
        raise ConfigError(sentence, hint=hint) from error


def _single_columns(path: str, names: Sequence[str]) -> list[str]:
    """The columns of fields that hold one value each, which can be compared."""
    fields = [field_named(path, name) for name in names]
    for name, field in zip(names, fields, strict=True):
        if field.kind in ("texts", "map"):
            raise ConfigError(f"{path}: {name} holds many values", hint="name a single one")
    return [field.column for field in fields]


def _throttle(settings: config.ThrottleFilter, scope: Scope, path: str) -> Filter:
    columns = _single_columns(f"{path}.by", settings.by)
    interval_us = max(1, round(settings.interval_s * 1e6))
    return Throttle(settings.name, scope, settings.events, interval_us, columns)


def _fold(settings: config.FoldFilter, scope: Scope, path: str) -> Filter:
    if not settings.by:
        raise ConfigError(f"{path}.by: no field", hint="leave it out, or name what must be equal")
    columns = _single_columns(f"{path}.by", settings.by)
    return Fold(settings.name, scope, round(settings.interval_s * 1e6), columns)


BUILDERS: Mapping[type[Any], Builder] = {
    config.DropFilter: lambda settings, scope, _: Drop(settings.name, scope),
    config.KeepFilter: lambda settings, scope, _: Keep(settings.name, scope),
    config.SampleFilter: lambda s, scope, _: Sample(s.name, scope, s.one_in),
    config.SetFilter: _set,
    config.RemoveFilter: _remove,
    config.RenameFilter: _rename,
    config.RedactFilter: _redact,
    config.ThrottleFilter: _throttle,
    config.FoldFilter: _fold,
}
"""Settings struct → what makes a filter of it."""
