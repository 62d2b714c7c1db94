"""Requests to the API of one armorstack, each on a connection of its own.

Invariants: certificates are always verified; redirects are not followed; an answer that is not
armorstack's is an error, never an empty result. Must not go here: what the answers mean.
"""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from armorstack import __version__
from armorstack.errors import AccessError, ArmorstackError, QueryError, QueryStopped, StoreError
from armorstack.store.budget import Budget

Pairs = Sequence[tuple[str, str]]

CONNECT_S = 10.0
PIECE_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 256 * 1024 * 1024
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_HINT = "is armorstack running there? Its address is printed when it starts"


class NotThere(StoreError):
    """The API knows no such thing."""


class Address(Struct, frozen=True):
    """Where an armorstack answers, and by which right."""

    url: str
    """`http://127.0.0.1:7780` or `https://…`, perhaps with a path that a proxy has put before."""
    token: str = ""
    ca_file: str = ""
    """Authorities to trust instead of the system's."""
    pinned: str = ""
    """The one certificate that the server must show, whatever name it is for."""

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


class Link:
    """Asks the API below `address`. May be used from several threads."""

    def __init__(self, address: Address) -> None:
        """Raises StoreError where the address cannot be used."""
        self.url = address.url.rstrip("/")
        self._address = address
        self._parts = _checked(address)
        self._tls = _tls(address) if self._parts.scheme == "https" else None

    def ask(self, path: str, pairs: Pairs, budget: Budget) -> Any:
        """What the JSON at this path of the API says. Raises errors of ours alone."""
        body = self.fetch(path, pairs, budget)
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise self._strange() from error

    def fetch(self, path: str, pairs: Pairs, budget: Budget) -> bytes:
        """The bytes of the answer, which must not be endless."""
        body = bytearray()
        with self.open(path, pairs, budget) as answer:
            for piece in pieces(answer):
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise StoreError(f"{self.url} answered more than can be held")
        return bytes(body)

    @contextlib.contextmanager
    def open(
        self, path: str, pairs: Pairs, budget: Budget, *,
        headers: Mapping[str, str] | None = None, silence_s: float | None = None,
    ) -> Iterator[http.client.HTTPResponse]:  # fmt: skip
        """The answer while it comes; what goes wrong while it is read is raised as StoreError.

        `silence_s`: how long nothing may come before the connection is taken for dead; without it
        as long as the budget has.
        """
        connection = self._connection()
        with contextlib.closing(connection), self._wrapped():
            connection.connect()
            wire: socket.socket = connection.sock
            wire.settimeout(silence_s or max(1.0, budget.left_s()))
            target = f"{self._parts.path.rstrip('/')}/api/v1/{path}"
            asked = f"{target}?{urlencode(pairs)}" if pairs else target
            with budget.running(lambda: _cut(wire)):
                connection.request("GET", asked, headers=self._headers() | dict(headers or {}))
                with contextlib.closing(connection.getresponse()) as answer:
                    if answer.status != http.client.OK:
                        raise self._refusal(answer)
                    yield answer

    def expect(self, answer: http.client.HTTPResponse, media_type: str) -> None:
        """Raise StoreError where the answer is of another kind."""
        if answer.headers.get_content_type() != media_type.partition(";")[0]:
            raise self._strange()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=CONNECT_S)
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=self._tls)

    def _headers(self) -> dict[str, str]:
        known = {"User-Agent": f"armorstack/{__version__}", "Connection": "close"}
        token = self._address.token
        return known | ({"Authorization": f"Bearer {token}"} if token else {})

    @contextlib.contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            hint = "name the authority that signed it with --ca"
            told = f"the certificate of {self.url} cannot be trusted: {error.verify_message}"
            raise StoreError(told, hint=hint) from error
        except TimeoutError as error:
            raise StoreError(f"{self.url} does not answer", hint=_HINT) from error
        except http.client.IncompleteRead as error:
            raise StoreError(f"{self.url} ended its answer before it was whole") from error
        except (OSError, http.client.HTTPException) as error:
            told = str(error) or type(error).__name__
            raise StoreError(f"{self.url} cannot be asked: {told}", hint=_HINT) from error

    def _refusal(self, answer: http.client.HTTPResponse) -> ArmorstackError:
        """The error of ours that the answer stands for."""
        told: Any = None
        with contextlib.suppress(msgspec.DecodeError, http.client.HTTPException):
            told = msgspec.json.decode(answer.read(1 << 20))
        if isinstance(told, dict) and isinstance(told.get("error"), dict):
            return refusal(answer.status, told["error"])
        return self._strange(f" ({answer.status} {answer.reason})")

    def _strange(self, told: str = "") -> StoreError:
        hint = "give the address of armorstack's pages, such as http://127.0.0.1:7780"
        return StoreError(f"{self.url} does not answer as armorstack does{told}", hint=hint)


def pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it comes. Raises IncompleteRead where it ends before it is whole, also where
    that could not be known because neither a length nor chunks were promised."""
    if answer.length is None and not answer.chunked:
        raise http.client.IncompleteRead(b"")
    while piece := answer.read1(PIECE_BYTES):
        yield piece
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)


def refusal(status: int, told: Mapping[str, Any]) -> ArmorstackError:
    """The error that stands behind the JSON of a refusal."""
    message, hint = str(told.get("message") or f"refused ({status})"), str(told.get("hint") or "")
    column, length = told.get("column"), told.get("length")
    if status in (401, 403):
        return AccessError(message, hint=hint)
    if isinstance(column, int):
        return QueryError(message, column=column, length=int(length or 1), hint=hint)
    kinds: dict[int, Callable[..., ArmorstackError]] = {
        400: ArmorstackError, 404: NotThere, 504: QueryStopped,
    }  # fmt: skip
    return kinds.get(status, StoreError)(message, hint=hint)


def _checked(address: Address) -> Any:
    try:
        parts = urlsplit(address.url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        usable = usable and not (parts.query or parts.fragment or parts.username is not None)
    except ValueError:
        parts, usable = urlsplit(""), False
    if not usable:
        hint = "say https://HOST or http://127.0.0.1:7780; the token goes into a file: --token-file"
        raise StoreError(f"{address.url!r} is no address of armorstack", hint=hint)
    if not address.token.isascii() or not address.token.isprintable() or " " in address.token:
        raise StoreError("the token has characters that no token has", hint="is it the right file?")
    if address.token and parts.scheme == "http" and not _is_here(parts.hostname):
        hint = "say https://…, or reach it by `kubectl port-forward` or an SSH tunnel"
        raise StoreError(f"a token is not sent in the clear to {parts.hostname}", hint=hint)
    return parts


def _is_here(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _tls(address: Address) -> ssl.SSLContext:
    try:
        pinned = _first_certificate(address.pinned) if address.pinned else None
        context = ssl.create_default_context(cafile=address.ca_file or None, cadata=pinned)
    except (OSError, ssl.SSLError) as error:
        file = address.pinned or address.ca_file
        raise StoreError(f"{file} cannot be read as certificates: {error}") from error
    if address.pinned:
        # The certificate itself is trusted, which says more than any name in it.
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _first_certificate(file: str) -> str:
    """The server's own: those behind it are authorities, which may have signed others."""
    text = Path(file).read_text("ascii", "replace")
    start, end = text.find(_BEGIN), text.find(_END)
    return text[start : end + len(_END)] + "\n" if 0 <= start < end else ""


def _cut(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
