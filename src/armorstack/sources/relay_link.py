"""One connection to a relay: how it is dialled, checked and cut.

Invariant: a link is one channel with one TCP connection of its own, shared with nobody. The files
of TLS are read when it is dialled, so a renewed certificate works from the next dial on. `close`
may be called from any thread and ends whatever the link is doing; what runs on it then raises.
When to dial again must not go here.
"""

import random
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.experimental

from armorstack.config import RelaySource, Tls
from armorstack.errors import SourceError
from armorstack.sources.relay_errors import explain, refusal
from armorstack.sources.relay_wire import (
    HEALTH_CHECK,
    WATCH,
    Stream,
    decode_reply,
    encode_nonce,
    encode_request,
)

HEALTH_TIMEOUT_S = 10.0
LARGEST_INT = 2**31 - 1
"""gRPC's options are C ints, a nonce is an int32."""

Option = tuple[str, int | str]


class Link:
    """A channel to a relay."""

    def __init__(self, settings: RelaySource, keepalive_s: float) -> None:
        """Dial; raises `SourceError` where a file of TLS cannot be used."""
        self._settings = settings
        options = [*_single_threaded(), *_options(settings, keepalive_s)]
        if settings.tls is None:
            self._channel = grpc.insecure_channel(settings.address, options)
        else:
            trust = _credentials(settings.tls)
            self._channel = grpc.secure_channel(settings.address, trust, options)

    def check_health(self) -> None:
        """Have a random nonce echoed; raises `SourceError`, or `RelayRefused` on a wrong echo."""
        nonce = random.randint(1, LARGEST_INT)
        call = self._channel.unary_unary(HEALTH_CHECK)
        try:
            reply = call(encode_nonce(nonce), timeout=HEALTH_TIMEOUT_S)
        except grpc.RpcError as error:
            raise explain(error, self._settings) from error
        except ValueError as error:
            raise self._closed() from error
        if decode_reply(reply) != nonce:
            raise refusal(self._settings, "HealthCheck echoed something else than our nonce")

    def watch(self, stream: Stream, filter_name: str) -> Iterator[bytes]:
        """The messages of a stream, as they come; iterating raises `grpc.RpcError`."""
        call = self._channel.unary_stream(WATCH[stream])
        try:
            messages: Iterator[bytes] = call(encode_request(filter_name))
        except ValueError as error:
            raise self._closed() from error
        return messages

    def close(self) -> None:
        """End what runs on the link, and the link."""
        self._channel.close()

    def _closed(self) -> SourceError:
        return SourceError(f"the connection to {self._settings.address} was cut here")


def _single_threaded() -> list[Option]:
    """The option that makes one thread do a stream's whole work, where this grpcio has it.

    It is experimental, and saves nine tenths of the CPU per message. Without it the same code
    runs in grpcio's plain mode.
    """
    known: Any = getattr(grpc.experimental, "ChannelOptions", None)
    name = getattr(known, "SingleThreadedUnaryStream", None)
    return [(name, 1)] if name else []


def _options(settings: RelaySource, keepalive_s: float) -> list[Option]:
    keepalive_ms = min(max(int(keepalive_s * 1000), 1), LARGEST_INT)
    options: list[Option] = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        # A relay lies in the same cluster; a proxy meant for the Internet would be in the way.
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", min(settings.max_message_bytes, LARGEST_INT)),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms),
        # The timeout above does nothing by itself (grpcio 1.85): this one does, else a minute.
        ("grpc.http2.ping_timeout_ms", keepalive_ms),
        ("grpc.keepalive_permit_without_calls", 0),
        # By default pings on a connection that we send nothing on are held back to one a minute.
        ("grpc.http2.max_pings_without_data", 0),
    ]
    if settings.tls and settings.tls.server_name:
        options.append(("grpc.ssl_target_name_override", settings.tls.server_name))
    return options


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    # Empty: where OpenSSL of this machine looks, or else what gRPC brings along.
    ca_file = tls.ca_file or ssl.get_default_verify_paths().cafile or ""
    try:
        _check_files(tls)
        return grpc.ssl_channel_credentials(
            _read(ca_file), _read(tls.key_file), _read(tls.cert_file)
        )
    except OSError as error:
        files = ", ".join(filter(None, (tls.ca_file, tls.cert_file, tls.key_file)))
        raise SourceError(
            f"the files of tls cannot be used: {error}",
            hint=f"they must be readable PEM files, and key and certificate a pair: {files}",
        ) from error


def _check_files(tls: Tls) -> None:
    """Let OpenSSL look at the files: gRPC would only say that there is no handshaker."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca_file:
        context.load_verify_locations(tls.ca_file)
    if tls.cert_file:
        # A key with a password must fail, not ask on the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")


def _read(path: str) -> bytes | None:
    return Path(path).read_bytes() if path else None
