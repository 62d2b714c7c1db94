"""Whatever bytes come, decoding ends, loses no neighbour and gives back what was sent."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from armorstack.core.batch import SCHEMA
from armorstack.core.decode import Decoded, decode
from armorstack.core.fields import FIELDS, STREAMS, Stream
from armorstack.core.rebuild import rebuild
from tests.support.frames import RECORDED, lines, protobuf, recorded, row

SOUND = {stream: [protobuf(e, stream) for e in recorded(stream)[:20]] for stream in STREAMS}
LINES = [line for name in RECORDED.values() for line in lines(name)[:20]]
streams = st.sampled_from(STREAMS)
text = st.text(st.characters(codec="utf-8"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


def fates(decoded: Decoded) -> int:
    return len(decoded.batch.rows) + len(decoded.rejected) + sum(decoded.skipped.values())


def numbers(event: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in event.items() if not isinstance(each, dict)}


@given(streams, st.lists(st.binary(max_size=200), max_size=8))
def test_random_bytes_as_protobuf_each_have_one_fate(stream: Stream, frames: list[bytes]) -> None:
    decoded = decode([row(frames, stream, "protobuf")])
    assert fates(decoded) == len(frames)
    assert decoded.batch.rows.schema.equals(SCHEMA)
    decoded.batch.rows.validate(full=True)


@given(streams, st.data())
def test_a_damaged_message_never_harms_its_neighbours(stream: Stream, data: st.DataObject) -> None:
    frames = list(SOUND[stream])
    at = data.draw(st.integers(0, len(frames) - 1))
    damaged = bytearray(frames[at])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    frames[at] = bytes(damaged)
    decoded = decode([row(frames, stream, "protobuf")])
    assert fates(decoded) == len(frames)
    rebuilt = [rebuild(event) for event in decoded.batch.rows.to_pylist()]
    others = [e for i, e in enumerate(recorded(stream)[:20]) if i != at]
    assert [e for e in rebuilt if e in others] == others


@given(st.lists(st.binary(max_size=200) | st.sampled_from(LINES), max_size=8))
def test_random_bytes_as_lines_each_have_one_fate(frames: list[bytes]) -> None:
    decoded = decode([row(frames)])
    assert fates(decoded) == len(frames)
    decoded.batch.rows.validate(full=True)
    wanted = [json.loads(f) for f in frames if f in LINES]
    rebuilt = [rebuild(event) for event in decoded.batch.rows.to_pylist()]
    assert [e for e in rebuilt if e in wanted] == wanted


MEMBERS = [f.name for f in FIELDS if not f.parent] + ["Owner", "ExecEvent", "Novel"]
CAMEL = [f.camel for f in FIELDS if f.camel and not f.parent] + ["owner", "execEvent", "novel"]


@given(
    st.sampled_from(LINES),
    st.dictionaries(st.sampled_from(MEMBERS + CAMEL), json_values, max_size=5),
    st.sets(st.sampled_from(MEMBERS), max_size=5),
)
def test_any_object_that_decodes_is_rebuilt_equal_as_json(
    line: bytes, changed: dict[str, Any], removed: set[str]
) -> None:
    written = json.loads(line) | changed
    written = {k: v for k, v in written.items() if k not in removed}
    decoded = decode([row([json.dumps(written).encode()])])
    assert fates(decoded) == 1
    for event in decoded.batch.rows.to_pylist():
        assert _same_json(rebuild(event), written)


def _same_json(left: Any, right: Any) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True) or (
        isinstance(left, float) and isinstance(right, float) and math.isclose(left, right)
    )


@given(streams, st.data())
def test_any_values_of_known_fields_come_back_the_same_through_protobuf(
    stream: Stream, data: st.DataObject
) -> None:
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "text": text,
        "int32": st.integers(-(2**31), 2**31 - 1),
        "int64": st.integers(-(2**63), 2**63 - 1),
        "texts": st.lists(text, max_size=3),
        "map": st.dictionaries(text, text, max_size=3),
    }
    fields = [f for f in FIELDS if f.number(stream) and not f.parent]
    event = {f.name: data.draw(kinds[f.kind], label=f.name) for f in fields}
    (back,) = decode([row([protobuf(event, stream)], stream, "protobuf")]).batch.rows.to_pylist()
    always = {f.name for f in fields if f.always}
    wanted = {k: v for k, v in event.items() if v or k in always}
    assert rebuild(back) == wanted
