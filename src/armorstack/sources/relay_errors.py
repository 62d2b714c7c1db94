"""What gRPC says when a relay cannot be read, as one sentence and what to do about it.

gRPC's core tells causes only in prose, so the table below looks for its words (grpcio 1.80 to
1.85); what it does not know is passed on as it came. Invariant: the peer's text is made printable
and cut. Deciding what to do next must not go here.
"""

import grpc
from msgspec import Struct

from armorstack.config import RelaySource
from armorstack.core.text import printable
from armorstack.errors import RelayRefused, SourceError

DETAIL_LIMIT = 300
OVERSIZE = "received message larger than max"
TOO_MANY_PINGS = "too many pings"
PING_TIMEOUT = ("ping timeout", "keepalive timeout")


class Cause(Struct, frozen=True):
    """One row: words of gRPC's, our sentence, our hint. `{at}` is the address."""

    words: tuple[str, ...]
    sentence: str
    hint: str


_NO_HANDSHAKE = ("socket closed", "unwrap failed")
"""After "failed to connect": what a server in C++ or in Go looks like that ends a handshake."""

CAUSES: tuple[Cause, ...] = (
    Cause(
        (OVERSIZE,),
        "the relay at {at} sent a message longer than max_message_bytes ({size})",
        "raise max_message_bytes of this source",
    ),
    Cause(
        (TOO_MANY_PINGS,),
        "the relay at {at}, or a proxy before it, refuses pings as frequent as ours",
        "pings are sent less often from now on; a longer keepalive_s avoids the interruption",
    ),
    Cause(
        PING_TIMEOUT,
        "the relay at {at} answers no pings any more",
        "is it stopped or overloaded, or does a firewall drop idle connections?",
    ),
    Cause(
        ("connection refused",),
        "nothing listens at {at}",
        "is the relay running, and is this its port? KubeArmor's default is 32767",
    ),
    Cause(
        ("errors resolving",),
        "the host name in {at} cannot be resolved",
        "is the name right, and can it be looked up from here?",
    ),
    Cause(
        ("http1.x",),
        "{at} speaks HTTP/1, a relay speaks gRPC",
        "is this the port of a web page or of metrics? The relay's default is 32767",
    ),
    Cause(
        ("wrong_version_number",),
        "{at} does not speak TLS",
        "remove this source's tls table, or start the relay with -tlsEnabled",
    ),
    Cause(
        ("parsing http/2",),
        "{at} speaks something else than gRPC",
        "is this the relay's port? KubeArmor's default is 32767",
    ),
    Cause(
        ("certificate has expired",),
        "the certificate of {at} has expired",
        "renew the relay's certificate; this source then goes on by itself",
    ),
    Cause(
        ("certificate is not yet valid",),
        "the certificate of {at} is not valid yet",
        "compare the clocks of this machine and of the relay's",
    ),
    Cause(
        ("hostname verification",),
        "the certificate of {at} is for another name than {name}",
        "if that is the right server, set tls.server_name to the name in its certificate",
    ),
    Cause(
        ("certificate_verify_failed",),
        "the certificate of {at} is signed by an authority that is not trusted here",
        "set tls.ca_file to the relay's authority; if its certificate was replaced, so must be "
        "this file",
    ),
    Cause(
        ("_alert_",),
        "{at} refused our certificate or lack of one",
        "set tls.cert_file and tls.key_file to a certificate that the relay accepts",
    ),
)

_CLOSED_PLAIN = Cause(
    _NO_HANDSHAKE,
    "{at} closes the connection at once",
    "does it speak TLS? Then give this source a tls table",
)
_CLOSED_TLS = Cause(
    _NO_HANDSHAKE,
    "{at} ended the TLS handshake; it may want a client certificate",
    "set tls.cert_file and tls.key_file to a certificate that the relay accepts",
)
_CLOSED_MTLS = Cause(
    _NO_HANDSHAKE,
    "{at} ended the TLS handshake; it may not accept our certificate",
    "has the certificate in tls.cert_file expired, and does the relay trust its authority?",
)
_LOST = Cause(
    ("socket closed", "connection reset", "goaway", "broken pipe", "eof"),
    "the relay at {at} closed the connection",
    "was it restarted? This source dials again by itself",
)

_REFUSALS = {
    grpc.StatusCode.UNIMPLEMENTED: "it knows no {details}",
    grpc.StatusCode.UNAUTHENTICATED: "it asks for credentials: {details}",
    grpc.StatusCode.PERMISSION_DENIED: "it denies access: {details}",
}


def explain(error: grpc.RpcError, settings: RelaySource) -> SourceError:
    """The error as one of ours, with a hint."""
    said = str(error.details() or "")
    details, code = printable(said, DETAIL_LIMIT), error.code()
    if code in _REFUSALS:
        return refusal(settings, _REFUSALS[code].format(details=details or "HealthCheck"))
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        hint = "is it a KubeArmor relay, and is the network between here and there whole?"
        return SourceError(f"the relay at {settings.address} does not answer", hint=hint)
    cause = _find(said.lower(), settings)
    if cause is None:
        return SourceError(f"the relay at {settings.address}: {code.name}: {details}")
    return _error(cause, details, settings)


def refusal(settings: RelaySource, why: str) -> RelayRefused:
    """The error for a peer that answers, but not as a relay does."""
    return RelayRefused(
        f"the peer at {settings.address} answered but is not a KubeArmor relay: {why}",
        hint="the address must be that of the relay's gRPC service; its default port is 32767",
    )


def ended_at_once(settings: RelaySource, stream: str, filter_name: str) -> RelayRefused:
    """The error for a stream that a relay ends, in good order, as soon as it was asked for."""
    return RelayRefused(
        f"the relay at {settings.address} ends the {stream} stream at once",
        hint=f"it does not know the filter {filter_name!r}, or is not ready yet",
    )


def says(error: grpc.RpcError, *any_words: str) -> bool:
    """Whether gRPC's own words for the error hold any of these."""
    details = str(error.details() or "").lower()
    return any(words in details for words in any_words)


def _find(details: str, settings: RelaySource) -> Cause | None:
    for cause in CAUSES:
        if any(words in details for words in cause.words):
            return cause
    if "failed to connect" in details and any(words in details for words in _NO_HANDSHAKE):
        if settings.tls is None:
            return _CLOSED_PLAIN
        return _CLOSED_MTLS if settings.tls.cert_file else _CLOSED_TLS
    return _LOST if any(words in details for words in _LOST.words) else None


def _error(cause: Cause, details: str, settings: RelaySource) -> SourceError:
    name = (settings.tls.server_name if settings.tls else "") or settings.address
    _, _, size = details.rpartition("(")
    sentence = cause.sentence.format(at=settings.address, name=name, size=size.rstrip(") "))
    return SourceError(sentence, hint=cause.hint)
