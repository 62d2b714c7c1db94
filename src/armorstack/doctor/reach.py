"""The way to a relay: its name, its port, its TLS. Each step is told apart from the next.

Invariant: nothing is sent but what TLS itself sends, and verification is never off: that a server
speaks TLS shows also in a certificate that is refused. gRPC must not go here.
"""

import errno
import socket
import ssl
import time
from collections.abc import Iterator

from armorstack.config import RelaySource, Tls, parse_address
from armorstack.core.text import printable
from armorstack.doctor.finding import Finding, failure, ok, warning
from armorstack.doctor.words import number, span

CONNECT_S = 3.0
ALERT_S = 1.0
"""In TLS 1.3 a server says only after the handshake that it wants a certificate of ours."""
EXPIRES_SOON_S = 14 * 86_400.0
PORT_FORWARD = "kubectl -n kubearmor port-forward deploy/kubearmor-relay 32767:32767"
RELAY_STATE = "kubectl -n kubearmor get deploy/kubearmor-relay svc/kubearmor -o wide"
CA_FILE = (
    r"kubectl -n kubearmor get secret kubearmor-ca -o jsonpath='{.data.tls\.crt}'"
    " | base64 -d > ca.pem"
)
USE_CA = "then --tls-ca ca.pem, or ca_file in this source's tls table"
_CLIENT_SECRET = "kubectl -n kubearmor get secret kubearmor-client-certs -o jsonpath="
CLIENT_CERT = (
    _CLIENT_SECRET + r"'{.data.tls\.crt}' | base64 -d > client.pem",
    _CLIENT_SECRET + r"'{.data.tls\.key}' | base64 -d > client.key",
    "then --tls-cert client.pem --tls-key client.key, or cert_file and key_file in its tls table",
)
NO_TLS = (
    "give no --tls option, or remove this source's tls table; or start the relay with -tlsEnabled"
)

_EXPIRED, _NOT_YET, _WRONG_NAME, _WRONG_ADDRESS = 10, 9, 62, 64
"""OpenSSL's X509_V_ERR_… (x509_vfy.h)."""
_PLAIN = ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER", "HTTP_REQUEST")
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def resolve(settings: RelaySource) -> tuple[Finding, list[str]]:
    """The addresses behind the name."""
    at, check = settings.address, "relay.name"
    host, port = parse_address("address", at)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        told = f"the name {host} cannot be resolved: {why}"
        mend = (
            f"getent hosts {host}",
            f"{PORT_FORWARD}   # names of services exist inside a cluster only",
        )
        return failure(check, told, *mend, subject=at), []
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    return ok(check, f"{host} is {', '.join(addresses)}", at), addresses


def connect(settings: RelaySource, addresses: list[str]) -> tuple[Finding, str]:
    """The first address that takes a connection; empty where none does."""
    at, check = settings.address, "relay.tcp"
    _, port = parse_address("address", at)
    faults: list[OSError] = []
    for address in addresses:
        try:
            socket.create_connection((address, port), CONNECT_S).close()
        except OSError as error:
            faults.append(error)
            continue
        told = f"{address} port {port} takes connections"
        if faults:
            told += f"; {number(len(faults), 'other address', 'other addresses')} before it did not"
            return warning(
                check, told, f"getent ahosts {at.rpartition(':')[0]}", subject=at
            ), address
        return ok(check, told, at), address
    sentence, mend = _why_not(faults[0], at)
    return failure(check, sentence, *mend, subject=at), ""


def _why_not(error: OSError, at: str) -> tuple[str, tuple[str, ...]]:
    if isinstance(error, ConnectionRefusedError):
        told = f"{at} refuses connections: the machine is there, but nothing listens on that port"
        return told, (RELAY_STATE, PORT_FORWARD)
    policies = "kubectl get networkpolicy -A"
    if isinstance(error, TimeoutError):
        told = f"{at} does not answer within {span(CONNECT_S)}: a firewall drops it, or it is down"
        return told, (RELAY_STATE, policies)
    if error.errno in _UNREACHABLE:
        host = at.rpartition(":")[0]
        return f"there is no way to {at}: {error.strerror}", (f"ip route get {host}", policies)
    if error.errno in _FORBIDDEN:
        told = f"this machine does not let us connect to {at}: {error.strerror}"
        return told, ("sudo nft list ruleset", policies)
    return f"{at} cannot be connected: {error}", (RELAY_STATE,)


def check_tls(settings: RelaySource, tls: Tls, address: str) -> Iterator[Finding]:
    """One handshake with the trust and the identity of the settings."""
    at, check = settings.address, "relay.tls"
    try:
        context = _context(tls)
    except OSError as error:  # ssl's own errors are among them
        files = ", ".join(filter(None, (tls.ca_file, tls.cert_file, tls.key_file)))
        told = f"the files of tls cannot be used: {error.strerror or error}"
        yield failure(check, told, f"they must be readable PEM files: {files}", subject=at)
        return
    try:
        with _handshake(settings, tls, context, address) as peer:
            protocol, certificate = peer.selected_alpn_protocol(), peer.getpeercert()
            version = peer.version()
            _hear_alert(peer)
    except OSError as error:
        sentence, mend = explain(error, settings, tls)
        yield failure(check, sentence, *mend, subject=at)
        return
    if protocol != "h2":
        told = f"{at} speaks TLS but not HTTP/2: it is no relay, or a proxy that cannot do gRPC"
        yield failure(check, told, f"give the relay's own address: {PORT_FORWARD}", subject=at)
        return
    yield ok(check, f"{version}; its certificate is trusted and fits the name", at)
    yield from _check_expiry(at, certificate)


def speaks_tls(settings: RelaySource, address: str) -> bool:
    """Whether a server that is dialled without TLS asks for it."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    try:
        _handshake(settings, Tls(), context, address).close()
    except ssl.SSLCertVerificationError:
        return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False
    return True


def explain(error: OSError, settings: RelaySource, tls: Tls) -> tuple[str, tuple[str, ...]]:
    """Why a handshake failed, and what to do."""
    at = settings.address
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, settings, tls)
    if isinstance(error, TimeoutError):
        return f"{at} takes connections and does not answer TLS's greeting", (RELAY_STATE, NO_TLS)
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if any(words in reason for words in _PLAIN):
        return f"{at} does not speak TLS, and this source asks for it", (NO_TLS,)
    which = (
        "our certificate" if tls.cert_file else "us without a certificate of ours: it asks for mTLS"
    )
    if "ALERT" in reason:
        return f"{at} refuses {which} ({printable(reason, 80)})", CLIENT_CERT
    if tls.cert_file:
        return f"{at} ends the TLS handshake; it may not accept our certificate", CLIENT_CERT
    return f"{at} ends the TLS handshake; it may want a certificate of ours", CLIENT_CERT


def _explain_certificate(
    error: ssl.SSLCertVerificationError, settings: RelaySource, tls: Tls
) -> tuple[str, tuple[str, ...]]:
    at = settings.address
    if error.verify_code == _EXPIRED:
        renew = "kubectl -n kubearmor get secret kubearmor-relay-server-certs -o yaml"
        return f"the certificate of {at} has expired", (
            f"{renew}   # renew what is in it, and start the relay again",
        )
    if error.verify_code == _NOT_YET:
        return f"the certificate of {at} is not valid yet", (
            "date -u   # here and there: compare the clocks",
        )
    if error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
        name = tls.server_name or parse_address("address", at)[0]
        told = f"the certificate of {at} is for another name than {name}"
        show = (
            f"openssl s_client -connect {at} </dev/null | openssl x509 -noout -ext subjectAltName"
        )
        return told, (show, "then --tls-server-name NAME, or server_name in its tls table")
    told = f"the certificate of {at} is signed by an authority that is not trusted here"
    return f"{told}: {printable(error.verify_message, 80)}", (CA_FILE, USE_CA)


def _check_expiry(at: str, certificate: object) -> Iterator[Finding]:
    end = certificate.get("notAfter") if isinstance(certificate, dict) else None
    left_s = ssl.cert_time_to_seconds(end) - time.time() if isinstance(end, str) else EXPIRES_SOON_S
    if left_s < EXPIRES_SOON_S:
        told = f"the certificate of {at} expires in {span(left_s)}"
        yield warning("relay.expiry", told, "renew the relay's certificate", subject=at)


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    context.set_alpn_protocols(["h2"])
    if tls.cert_file:
        # A key with a password must fail, not ask on the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    return context


def _handshake(
    settings: RelaySource, tls: Tls, context: ssl.SSLContext, address: str
) -> ssl.SSLSocket:
    host, port = parse_address("address", settings.address)
    plain = socket.create_connection((address, port), CONNECT_S)
    try:
        return context.wrap_socket(plain, server_hostname=tls.server_name or host)
    except BaseException:
        plain.close()
        raise


def _hear_alert(peer: ssl.SSLSocket) -> None:
    """Raise what a server says that let us in only to refuse us; silence is consent."""
    peer.settimeout(ALERT_S)
    try:
        if not peer.recv(1):
            raise ConnectionResetError("it closed the connection")
    except TimeoutError:
        return
