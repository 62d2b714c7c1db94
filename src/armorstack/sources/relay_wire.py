"""What goes over the wire to a relay: three small messages of `feeder.LogService`, by hand.

Hand-made because the receiver then needs no protobuf library; events are never taken apart here.
Facts: KubeArmor's `protobuf/kubearmor.proto`: RequestMessage{string Filter=1},
NonceMessage{int32 nonce=1}, ReplyMessage{int32 Retval=1}.
"""

from typing import Literal

Stream = Literal["alert", "log", "message"]

HEALTH_CHECK = "/feeder.LogService/HealthCheck"
WATCH: dict[Stream, str] = {
    "alert": "/feeder.LogService/WatchAlerts",
    "log": "/feeder.LogService/WatchLogs",
    "message": "/feeder.LogService/WatchMessages",
}

_TEXT_1 = b"\x0a"
"""Tag of field 1, length-delimited."""
_INT_1 = b"\x08"
"""Tag of field 1, varint."""
_LONGEST_VARINT = 10


def encode_request(filter_name: str) -> bytes:
    """RequestMessage. KubeArmor's filters are short names."""
    text = filter_name.encode()
    return _TEXT_1 + _varint(len(text)) + text


def encode_nonce(nonce: int) -> bytes:
    """NonceMessage; the nonce is positive and fits an int32."""
    return _INT_1 + _varint(nonce)


def decode_reply(reply: bytes) -> int | None:
    """Retval of a ReplyMessage, 0 where it is absent; None where the bytes are something else."""
    if not reply:
        return 0
    if not reply.startswith(_INT_1) or not 2 <= len(reply) <= 1 + _LONGEST_VARINT:
        return None
    *rest, last = reply[1:]
    if last > 0x7F or any(byte < 0x80 for byte in rest):
        return None
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(reply[1:]))


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
