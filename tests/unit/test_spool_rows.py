"""Rows: frames in, the same frames out, damage seen."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from armorstack.spool.rows import frames_of, is_whole, pack
from tests.support.spool_rows import row

FRAMES = st.lists(st.binary(max_size=50), max_size=20)


@given(FRAMES)
def test_frames_come_out_as_they_went_in(frames: list[bytes]) -> None:
    assert list(frames_of(row(*frames))) == frames


@given(FRAMES)
def test_lengths_and_payload_are_arrows_layout(frames: list[bytes]) -> None:
    lengths, payload = pack(frames)
    found = pa.Array.from_buffers(pa.uint32(), len(frames), [None, pa.py_buffer(lengths)])
    assert found.to_pylist() == [len(frame) for frame in frames]
    assert payload == b"".join(frames)


@given(FRAMES.filter(any), st.data())
def test_any_flipped_bit_is_seen(frames: list[bytes], data: st.DataObject) -> None:
    whole = row(*frames)
    assert is_whole(whole)
    blob = data.draw(st.sampled_from(["lengths", "payload"]))
    value = bytearray(getattr(whole, blob))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not is_whole(replace(whole, **{blob: bytes(value)}))


@pytest.mark.parametrize("change", [{"count": 1}, {"crc32": 0}, {"lengths": None}, {"count": "x"}])
def test_a_column_that_does_not_fit_the_rest_is_seen(change: dict[str, object]) -> None:
    assert not is_whole(replace(row(b"a", b"bc"), **change))
