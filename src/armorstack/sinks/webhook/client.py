"""One POST: name, connection, TLS, request and answer, all under one deadline.

Every wait on the socket gets only what is left of the deadline, so a server that sends a byte a
second gains nothing. The address that was checked is the one that is connected to; redirects are
not followed, proxies of the environment not asked, and certificates always verified. What an
answer means must not go here, nor trying again.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime

from msgspec import Struct

from armorstack.core.text import printable
from armorstack.errors import EngineError
from armorstack.sinks.webhook.address import Network, is_allowed, is_public
from armorstack.sinks.webhook.resolve import Endpoint, Lookup, Resolver
from armorstack.sinks.webhook.target import Target

MAX_ANSWER_BYTES = 64 * 1024


class Answer(Struct, frozen=True):
    """What a server said."""

    status: int
    body: bytes = b""
    """Its beginning, as far as it came in time."""
    location: str = ""
    retry_after_s: float | None = None


class Deadline:
    """A moment that nothing may pass."""

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Seconds until then; raises TimeoutError when it has passed."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Incoming(io.RawIOBase):
    """What comes in on a socket, each read under the deadline, and not more than enough."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline
        self._room = 2 * MAX_ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        size = min(len(buffer), self._room)
        if not size:
            return 0
        self._connection.settimeout(self._deadline.left_s())
        got = self._connection.recv_into(memoryview(buffer)[:size])
        self._room -= got
        return got

    def makefile(self, *_: object) -> io.BufferedReader:
        """What `HTTPResponse` asks a socket for."""
        return io.BufferedReader(self)


class Client:
    """Posts to one server at a time; used by one thread."""

    def __init__(
        self, networks: Sequence[Network], timeout_s: float,
        trust: Callable[[], ssl.SSLContext], lookup: Lookup = socket.getaddrinfo,
    ) -> None:  # fmt: skip
        self._networks, self._timeout_s, self._trust = networks, timeout_s, trust
        self._resolver = Resolver(lookup)

    def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer; raises EngineError when none came, whose text names only the origin."""
        deadline = Deadline(self._timeout_s)
        try:
            with self._connect(target, deadline) as connection:
                return _exchange(connection, _request(target, headers, body), deadline)
        except TimeoutError as error:
            # Not only ours: the system gives up on some connections by itself.
            took = f"did not answer within {self._timeout_s:g} s"
            raise EngineError(f"{target.origin} {took}") from error
        except ssl.SSLCertVerificationError as error:
            why = printable(error.verify_message or str(error))
            hint = "name its authority in ca_file, or use the name that the certificate is for"
            raise EngineError(f"{target.origin}: its certificate is refused: {why}",
                              hint=hint) from error  # fmt: skip
        except (OSError, UnicodeError) as error:
            reason = printable(getattr(error, "strerror", None) or str(error) or "no reason given")
            raise EngineError(f"{target.origin} cannot be reached: {reason}") from error
        except http.client.HTTPException as error:
            kind = type(error).__name__
        # Outside the handler: such an error quotes what the server sent.
        raise EngineError(f"{target.origin} does not answer as HTTP: {kind}")

    def _connect(self, target: Target, deadline: Deadline) -> socket.socket:
        found = self._resolver.resolve(target.host, target.port, deadline.left_s())
        connection = _connect_any(self._admit(target, found), deadline)
        if not target.is_tls:
            return connection
        try:
            return self._secure(connection, target, deadline)
        except BaseException:
            connection.close()
            raise

    def _secure(
        self, connection: socket.socket, target: Target, deadline: Deadline
    ) -> ssl.SSLSocket:
        secured = self._trust().wrap_socket(
            connection, server_hostname=target.host, do_handshake_on_connect=False
        )
        try:
            secured.settimeout(deadline.left_s())
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def _admit(self, target: Target, found: Sequence[Endpoint]) -> list[Endpoint]:
        """The addresses that may be spoken to; raises EngineError where there are none."""
        admitted = [each for each in found if is_allowed(each.ip, self._networks)
                    or (target.is_tls and is_public(each.ip))]  # fmt: skip
        if admitted or not found:
            return admitted
        ip = printable(found[0].ip)
        if not target.is_tls and is_public(ip):
            raise EngineError(f"{target.origin} is refused: {ip} would be spoken to in plain text",
                              hint="use https://")  # fmt: skip
        hint = "add its network to allowed_networks if that is where messages should go"
        raise EngineError(f"{target.origin} is refused: {ip} is not a public address", hint=hint)


def _connect_any(endpoints: Sequence[Endpoint], deadline: Deadline) -> socket.socket:
    """The first that takes a connection; each gets its share of the time that is left."""
    failure: OSError = OSError("the name has no address")
    for tried, endpoint in enumerate(endpoints):
        connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            connection.settimeout(deadline.left_s() / (len(endpoints) - tried))
            connection.connect(endpoint.sockaddr)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """Head and body; the values hold visible characters only, as `target.py` sees to."""
    fields = {"Host": target.authority, **headers, "Content-Length": str(len(body)),
              "Connection": "close"}  # fmt: skip
    lines = [
        f"POST {target.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in fields.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _exchange(connection: socket.socket, request: bytes, deadline: Deadline) -> Answer:
    connection.settimeout(deadline.left_s())
    # A server may refuse a large body before it has read it all, and say why.
    with suppress(ConnectionError):
        connection.sendall(request)
    incoming = _Incoming(connection, deadline)
    response = http.client.HTTPResponse(incoming, method="POST")  # type: ignore[arg-type]
    response.begin()
    body = b""
    # The status is the answer; the body only explains it.
    with suppress(OSError, http.client.HTTPException, ValueError):
        body = response.read(MAX_ANSWER_BYTES)
    return Answer(
        response.status, body, response.headers.get("Location", ""), _retry_after_s(response)
    )


def _retry_after_s(response: http.client.HTTPResponse) -> float | None:
    """Retry-After (RFC 9110, 10.2.3): seconds, or a date, read against the server's own Date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
        return (then - parsedate_to_datetime(response.headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
