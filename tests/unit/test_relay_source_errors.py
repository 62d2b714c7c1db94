"""gRPC's words for what went wrong, as one sentence and a hint.

The texts are those of grpcio 1.85; the integration tests meet most of them alive.
"""

import grpc
import pytest

from armorstack.config import RelaySource, Tls
from armorstack.errors import RelayRefused, SourceError
from armorstack.sources.relay_errors import explain

CONNECT = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "
PLAIN = RelaySource(address="relay:32767")
TLS = RelaySource(address="relay:32767", tls=Tls(ca_file="ca.pem"))
MTLS = RelaySource(address="relay:32767", tls=Tls(cert_file="c.pem", key_file="k.pem"))


class Failed(grpc.RpcError):
    """An error as a call raises it."""

    def __init__(self, details: str, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self._details, self._code = details, code

    def details(self) -> str:
        return self._details

    def code(self) -> grpc.StatusCode:
        return self._code


@pytest.mark.parametrize(
    ("details", "settings", "sentence", "hint"),
    [
        (CONNECT + "Failed to connect to remote host: Connection refused", PLAIN,
         "nothing listens at relay:32767", "32767"),
        ("errors resolving relay:32767: [field:hostname lookup error]", PLAIN,
         "the host name in relay:32767 cannot be resolved", "looked up"),
        (CONNECT + "Failed parsing HTTP/2 (Trying to connect an http1.x server)", PLAIN,
         "speaks HTTP/1", "web page"),
        (CONNECT + "Failed parsing HTTP/2 (Expected SETTINGS frame)", PLAIN,
         "speaks something else than gRPC", "port"),
        (CONNECT + "error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", TLS,
         "does not speak TLS", "-tlsEnabled"),
        (CONNECT + "CERTIFICATE_VERIFY_FAILED: certificate has expired: OK", TLS,
         "has expired", "renew"),
        (CONNECT + "CERTIFICATE_VERIFY_FAILED: certificate is not yet valid", TLS,
         "not valid yet", "clocks"),
        (CONNECT + "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate", TLS,
         "authority that is not trusted", "tls.ca_file"),
        (CONNECT + "Hostname Verification Check failed.", TLS,
         "is for another name than relay:32767", "tls.server_name"),
        (CONNECT + "SSLV3_ALERT_BAD_CERTIFICATE", MTLS, "refused our certificate", "tls.cert_file"),
        (CONNECT + "Socket closed", PLAIN, "closes the connection at once", "does it speak TLS?"),
        (CONNECT + "Socket closed", TLS, "may want a client certificate", "tls.cert_file"),
        (CONNECT + "Socket closed", MTLS, "may not accept our certificate", "expired"),
        (CONNECT + "Unwrap failed (TSI_DATA_CORRUPTED)", TLS, "may want a client", "key"),
        ("Stream removed (Socket closed)", MTLS, "closed the connection", "restarted"),
        ("Stream removed (ping timeout)", PLAIN, "answers no pings", "stopped or overloaded"),
        ("Too many pings", PLAIN, "refuses pings as frequent as ours", "keepalive_s"),
    ],
)  # fmt: skip
def test_each_cause_has_its_sentence_and_its_hint(
    details: str, settings: RelaySource, sentence: str, hint: str
) -> None:
    error = explain(Failed(details), settings)
    assert sentence in str(error)
    assert hint in error.hint


def test_the_size_of_a_message_that_is_too_long_is_told() -> None:
    details = "Stream removed (CLIENT: Received message larger than max (8388608 vs. 4194304))"
    error = explain(Failed(details, grpc.StatusCode.RESOURCE_EXHAUSTED), PLAIN)
    assert "longer than max_message_bytes (8388608 vs. 4194304)" in str(error)


def test_a_quota_of_the_server_is_not_taken_for_a_message_that_is_too_long() -> None:
    error = explain(Failed("too many streams", grpc.StatusCode.RESOURCE_EXHAUSTED), PLAIN)
    assert "RESOURCE_EXHAUSTED: too many streams" in str(error)


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    ],
)
def test_a_peer_that_knows_no_such_call_is_no_relay(code: grpc.StatusCode) -> None:
    error = explain(Failed("unknown service feeder.LogService", code), PLAIN)
    assert isinstance(error, RelayRefused)
    assert "answered but is not a KubeArmor relay" in str(error)
    assert error.hint


def test_silence_is_told_as_silence() -> None:
    error = explain(Failed("Deadline Exceeded", grpc.StatusCode.DEADLINE_EXCEEDED), PLAIN)
    assert type(error) is SourceError
    assert "does not answer" in str(error)


def test_what_the_peer_says_is_made_printable_and_cut() -> None:
    error = explain(Failed("\x1b[2J{} %s" + "x" * 10_000, grpc.StatusCode.INTERNAL), PLAIN)
    assert "\x1b" not in str(error)
    assert "{} %s" in str(error)
    assert len(str(error)) < 500
