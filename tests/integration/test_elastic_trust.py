"""Which servers a connection to an engine trusts, and what it says of those it does not."""

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from armorstack.config import ElasticSink as Settings
from armorstack.engines.elastic.connection import Engine
from armorstack.errors import EngineError
from tests.support.certificates import Authority

HOST = "127.0.0.1"
Serve = Callable[..., str]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that do not trust us leave."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Servers with these certificates; their URLs."""
    servers: list[Server] = []

    def one(cert_file: str, key_file: str, clients_of: str = "") -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert_file, key_file)
        if clients_of:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients_of)
        server = Server((HOST, 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"https://{HOST}:{server.server_port}"

    yield one
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(url: str, **settings: Any) -> int:
    engine = Engine(Settings(urls=(url,), timeout_s=10.0, **settings))
    try:
        return engine.ask("GET", "/").status
    finally:
        engine.close()


def fingerprint(file: str) -> str:
    """SHA-256 of the first certificate in the file."""
    first = Path(file).read_text().partition("-----END CERTIFICATE-----")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first[0] + first[1])).hexdigest()


def test_a_fingerprint_is_of_the_server_s_own_certificate(
    authority: Authority, serve: Serve
) -> None:
    cert_file, key_file = authority.issue("engine", (HOST,))
    assert ask(serve(cert_file, key_file), fingerprint=fingerprint(cert_file)) == 200


def test_an_authority_that_somebody_sends_along_proves_nothing(
    authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    """A certificate of an authority is public, and so is its name."""
    (tmp_path / "elsewhere").mkdir()
    forger = Authority(tmp_path / "elsewhere")
    cert_file, key_file = forger.issue("engine", (HOST,))
    with Path(cert_file).open("a") as chain:
        chain.write(Path(authority.ca_file).read_text())
    with pytest.raises(EngineError, match="Fingerprints did not match"):
        ask(serve(cert_file, key_file), fingerprint=fingerprint(authority.ca_file))


@pytest.mark.parametrize(
    ("hosts", "days", "trusted", "reason", "hint"),
    [((HOST,), -1, True, "certificate has expired", "renew the certificate of the engine"),
     (("example.org",), 9, True, "not valid for '127.0.0.1'", "urls must name the host"),
     ((HOST,), 9, False, "certificate verify failed", "in ca_file")],
)  # fmt: skip
def test_a_certificate_that_is_refused_is_told_with_what_mends_it(
    authority: Authority, serve: Serve, tmp_path: Path, hosts: tuple[str, ...], days: int,
    trusted: bool, reason: str, hint: str,
) -> None:  # fmt: skip
    url = serve(*authority.issue("engine", hosts, days))
    known = authority if trusted else Authority(tmp_path, "other")
    with pytest.raises(EngineError, match=reason) as caught:
        ask(url, ca_file=known.ca_file)
    assert str(caught.value).startswith(f"{url} cannot be reached: ")
    assert "_ssl" not in str(caught.value)
    assert hint in caught.value.hint


def test_a_server_that_wants_our_certificate_gets_it(authority: Authority, serve: Serve) -> None:
    url = serve(*authority.issue("engine", (HOST,)), authority.ca_file)
    cert_file, key_file = authority.issue("we")
    assert ask(url, ca_file=authority.ca_file, cert_file=cert_file, key_file=key_file) == 200
    with pytest.raises(EngineError, match="cannot be reached"):
        ask(url, ca_file=authority.ca_file)
