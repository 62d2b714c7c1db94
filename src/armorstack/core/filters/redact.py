"""Redaction: text that matches a pattern is replaced, wherever it would be kept.

It reaches the columns, lists and maps among them, what `extra` holds, and the kept original, which
is let go where the pattern is in it (the columns rebuild it). `redact_frame.py` does the same for
frames that become dead letters. What the spool holds is not touched: it is the only copy until
stored. Numbers are no texts. What lies in no column is looked into whatever fields are named.

The expressions are RE2's, which cannot be made slow by an event's text.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from armorstack.core.fields import FIELDS
from armorstack.core.filters.changing import emptied, mapped
from armorstack.core.filters.contract import Flow, Plain, Scope
from armorstack.core.filters.redact_frame import (
    Redactor,
    in_one_go,
    redact_frame,
    redact_json,
    text_of,
)

FEW = 4
"""Where a column has so many times fewer distinct values than rows, only those are looked at."""
TEXTUAL = ("text", "texts", "map")
EVERY_COLUMN = tuple(field.column for field in FIELDS if field.kind in TEXTUAL)


class Patterns:
    """Expressions with what stands in place of a match."""

    def __init__(self, patterns: Sequence[str], replacement: str) -> None:
        """Raises `pa.ArrowInvalid` with RE2's reason for a wrong one."""
        self._patterns, self._replacement = tuple(patterns), replacement
        for pattern in patterns:
            pc.match_substring_regex(pa.array(["x"]), pattern)
            pc.replace_substring_regex(pa.array(["x"]), pattern, replacement)

    def array(self, values: pa.Array) -> pa.Array | None:
        """The strings with every match replaced; None where there is none."""
        changed = None
        for pattern in self._patterns:
            if pc.any(pc.match_substring_regex(values, pattern)).as_py():
                values = changed = pc.replace_substring_regex(values, pattern, self._replacement)
        return changed

    def matches(self, text: str) -> bool:
        """Whether there is anything to replace."""
        return self.array(pa.array([text], pa.string())) is not None

    def texts(self, texts: list[str]) -> list[str]:
        """Texts with every match replaced."""
        changed = self.array(pa.array(texts, pa.string()))
        return texts if changed is None else list(changed.to_pylist())

    def text(self, text: str) -> str:
        """One text with every match replaced."""
        (text,) = self.texts([text])
        return text


class Redact(Plain):
    """Replaces what matches in some columns, or in all that hold text."""

    def __init__(self, name: str, scope: Scope, patterns: Patterns, columns: Sequence[str]) -> None:
        super().__init__(name, scope)
        self.patterns = patterns
        self._columns = tuple(columns) or EVERY_COLUMN

    def apply(self, flow: Flow, now_us: int) -> Flow:
        """All rows, those of the scope without what matches."""
        hit = self.scope.mask(flow)
        if not hit.true_count:
            return flow
        changed: dict[str, pa.Array] = {}
        for name in self._columns:
            column = flow.rows.column(name)
            new = _redacted(column, self.patterns.array)
            if new is not None:
                changed[name] = new if hit.true_count == len(hit) else _choose(hit, new, column)
        changed["extra"] = in_one_go(
            lambda redact: mapped(
                flow.rows.column("extra"), hit, lambda extra: _redacted_extra(extra, redact)
            ),
            self.patterns.texts,
        )
        touched = self._touched(flow, changed)
        guilty = pc.or_(touched, self._guilty_originals(flow, hit))
        changed["original"] = emptied(flow.rows.column("original"), guilty)
        self.changed += guilty.true_count
        return flow.with_columns(changed)

    def _touched(self, flow: Flow, changed: dict[str, pa.Array]) -> pa.BooleanArray:
        """The rows that now say something else."""
        result = pa.repeat(pa.scalar(False), len(flow.rows))
        for name, new in changed.items():
            old = flow.rows.column(name)
            if pa.types.is_string(old.type):
                differs = pc.fill_null(pc.not_equal(old, new), False)
            else:
                pairs = zip(old.to_pylist(), new.to_pylist(), strict=True)
                differs = pa.array([before != after for before, after in pairs], pa.bool_())
            result = pc.or_(result, differs)
        return result

    def _guilty_originals(self, flow: Flow, hit: pa.BooleanArray) -> pa.BooleanArray:
        """Which originals hold what is redacted, though maybe no column does."""
        columns = [flow.rows.column(name) for name in ("original", "spelling", "stream")]
        if columns[0].null_count == len(hit):
            return pa.repeat(pa.scalar(False), len(hit))
        rows = list(zip(*(column.to_pylist() for column in columns), hit.to_pylist(), strict=True))

        def guilty(redact: Redactor) -> list[bool]:
            return [
                is_hit and frame is not None and _is_guilty(frame, spelling, stream, redact)
                for frame, spelling, stream, is_hit in rows
            ]

        return pa.array(in_one_go(guilty, self.patterns.texts), pa.bool_())


def _is_guilty(frame: bytes, spelling: str, stream: str, redact: Redactor) -> bool:
    encoding = "protobuf" if spelling == "protobuf" else "json"
    return redact_frame(frame, encoding, stream, redact) != frame


def _redacted_extra(extra: str, redact: Redactor) -> str:
    """The members that columns cannot hold, without what is redacted."""
    told = msgspec.json.decode(extra, type=dict[str, msgspec.Raw])
    if "set" in told:
        told["set"] = msgspec.Raw(redact_json(bytes(told["set"]), redact))
    if "protobuf" in told:
        fields = msgspec.json.decode(told["protobuf"])
        for field in fields:
            field["value"] = _redacted_value(field["value"], redact)
        told["protobuf"] = msgspec.Raw(msgspec.json.encode(fields))
    return msgspec.json.encode(told).decode()


def _redacted_value(value: Any, redact: Redactor) -> Any:
    """The value of a field that the table does not know: base64 where it is bytes, an object where
    it is a group of fields."""
    if isinstance(value, dict):
        return {number: _redacted_value(each, redact) for number, each in value.items()}
    if not isinstance(value, str):
        return value
    text = text_of(base64.b64decode(value))
    redacted = redact(text)
    return value if redacted == text else base64.b64encode(redacted.encode()).decode()


def _choose(where: pa.BooleanArray, new: pa.Array, old: pa.Array) -> pa.Array:
    """`new` where the mask is true; Arrow has no `if_else` for lists and maps of every kind."""
    if pa.types.is_string(old.type):
        return pc.if_else(where, new, old)
    both = pa.concat_arrays([old, new])
    count = len(old)
    return both.take(
        pa.array(
            [i + count if chosen else i for i, chosen in enumerate(where.to_pylist())], pa.int64()
        )
    )


def _redacted(column: pa.Array, redact: Callable[[pa.Array], pa.Array | None]) -> pa.Array | None:
    """The column with every match replaced; None where nothing matches."""
    if column.null_count == len(column):
        return None
    if pa.types.is_string(column.type):
        return _redacted_texts(column, redact)
    if pa.types.is_list(column.type):
        if redact(column.flatten()) is None:
            return None
        return _remade(column, redact)
    if redact(column.items) is None and redact(column.keys) is None:
        return None
    return _remade(column, redact)


def _redacted_texts(
    column: pa.Array, redact: Callable[[pa.Array], pa.Array | None]
) -> pa.Array | None:
    encoded = column.dictionary_encode()
    if len(encoded.dictionary) * FEW > len(column):
        return redact(column)
    new = redact(encoded.dictionary)
    return None if new is None else new.take(encoded.indices)


def _remade(column: pa.Array, redact: Callable[[pa.Array], pa.Array | None]) -> pa.Array:
    """A list or map column made anew from its redacted values."""
    column = column.take(pa.array(range(len(column)), pa.int64()))

    def all_of(values: pa.Array) -> Iterator[str | None]:
        new = redact(values)
        return iter((values if new is None else new).to_pylist())

    if pa.types.is_list(column.type):
        texts = all_of(column.flatten())
        return _rows(column, lambda length: list(islice(texts, length)))
    keys, items = all_of(column.keys), all_of(column.items)
    pairs = zip(keys, items, strict=True)
    return _rows(column, lambda length: list(islice(pairs, length)))


def _rows(column: pa.Array, next_values: Callable[[int], list[Any]]) -> pa.Array:
    """A column of the same type and lengths, its values taken one row after the other."""
    rows = column.to_pylist()
    return pa.array([row and next_values(len(row)) for row in rows], column.type)
