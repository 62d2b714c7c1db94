"""The relay's three small messages, against protobuf's own encoder."""

import pytest
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from armorstack.sources.relay_wire import decode_reply, encode_nonce, encode_request

NONCES = [1, 127, 128, 300, 16_383, 16_384, 2**31 - 1]


@pytest.mark.parametrize("filter_name", ["all", "policy", "system", "x" * 200, "ü"])
def test_a_request_is_what_protobuf_writes_for_a_string_in_field_one(filter_name: str) -> None:
    assert encode_request(filter_name) == StringValue(value=filter_name).SerializeToString()


@pytest.mark.parametrize("nonce", NONCES)
def test_a_nonce_is_what_protobuf_writes_for_an_int32_in_field_one(nonce: int) -> None:
    assert encode_nonce(nonce) == Int32Value(value=nonce).SerializeToString()


@pytest.mark.parametrize("value", [0, *NONCES])
def test_a_reply_is_read_as_protobuf_writes_it(value: int) -> None:
    assert decode_reply(Int32Value(value=value).SerializeToString()) == value


@pytest.mark.parametrize(
    "reply",
    [b"\x08", b"\x10\x01", b"\x08\x81", b"\x08\x01\x01", b"hello", b"\x08" + b"\xff" * 20],
)
def test_other_bytes_are_no_reply(reply: bytes) -> None:
    assert decode_reply(reply) is None
