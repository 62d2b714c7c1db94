"""Connections that are slow, many, from elsewhere, or under TLS."""

import asyncio
import itertools
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from armorstack.config import Web, WebTls
from armorstack.errors import ConfigError
from armorstack.web import connection
from armorstack.web.access import signing
from armorstack.web.access.streams import LIMITS
from armorstack.web.connection import Connection
from armorstack.web.server import tls_context
from tests.support.certificates import Authority
from tests.support.web import TRUST, Site, sample_events, serving

QUICK_S = 0.5
PATIENCE_S = 40.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads, bodies and handshakes may take only so long."""
    monkeypatch.setattr(Connection, "head_s", QUICK_S)
    monkeypatch.setattr(connection, "HEAD_S", QUICK_S)
    monkeypatch.setattr(signing, "BODY_S", QUICK_S)


@pytest.fixture
def site(tmp_path: Path, quick: None) -> Iterator[Site]:
    with serving(tmp_path, events=5) as site:
        yield site


def connect(site: Site) -> socket.socket:
    url = httpx.URL(site.url)
    found = socket.create_connection((url.host, url.port), timeout=PATIENCE_S)
    return found


def rest(peer: socket.socket) -> bytes:
    """What comes until the other side closes; fails where it never does."""
    found = b""
    try:
        while piece := peer.recv(65536):
            found += piece
    except ConnectionResetError:
        return found
    return found


def dribble(peer: socket.socket, pieces: Iterator[bytes]) -> int:
    """Send a piece now and then until the other side has had enough; how many it took."""
    end = time.monotonic() + PATIENCE_S
    for number, piece in enumerate(pieces):
        assert time.monotonic() < end, "it is taken for ever"
        try:
            peer.sendall(piece)
        except OSError:
            return number
        time.sleep(QUICK_S / 5)
    raise AssertionError("it was taken to its end")


def test_a_connection_that_says_nothing_is_closed(site: Site) -> None:
    with connect(site) as peer:
        assert rest(peer) == b""


def test_a_head_that_comes_by_bytes_is_closed_and_pages_go_on(site: Site) -> None:
    head = b"GET /events HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 8000
    with connect(site) as peer:
        assert dribble(peer, (head[n : n + 1] for n in range(len(head)))) < len(head)
    assert site.get("/api/v1/count").status_code == 200


def test_the_second_request_of_a_connection_may_be_no_slower(site: Site) -> None:
    whole = b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(site) as peer:
        peer.sendall(whole)
        assert peer.recv(65536).startswith(b"HTTP/1.1 200")
        assert dribble(peer, (whole[:-1][n % 40 : n % 40 + 1] for n in range(10_000)))


def test_a_connection_that_is_used_stays_open(site: Site) -> None:
    with connect(site) as peer:
        for _ in range(8):
            peer.sendall(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert peer.recv(65536).startswith(b"HTTP/1.1 200")
            time.sleep(QUICK_S / 4)


def test_a_body_that_nobody_waits_for_holds_no_connection(site: Site) -> None:
    head = b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"
    with connect(site) as peer:
        peer.sendall(head)
        assert peer.recv(65536).startswith(b"HTTP/1.1 405")
        assert dribble(peer, itertools.repeat(b"a", 60_000)) < 60_000


def test_a_form_that_comes_by_bytes_is_refused(site: Site) -> None:
    head = (
        "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
        "Content-Length: 9000\r\n\r\ntoken="
    )
    with connect(site) as peer:
        peer.sendall(head.encode())
        assert b" 408 " in rest(peer).splitlines()[0]


def test_an_answer_without_end_goes_on_meanwhile(site: Site) -> None:
    headers = {"authorization": f"Bearer {site.token}"}
    with httpx.stream(
        "GET", f"{site.url}/api/v1/stream", headers=headers, timeout=PATIENCE_S, trust_env=False,
        verify=TRUST,
    ) as stream:  # fmt: skip
        lines = stream.iter_lines()
        next(lines)
        for _ in range(3):
            with connect(site) as peer:
                assert rest(peer) == b""
        site.write(sample_events(2))
        assert any('"stream":' in line for line in itertools.islice(lines, 50))


def test_a_thousand_idle_streams_do_not_stop_pages(tmp_path: Path) -> None:
    each = LIMITS["/api/v1/stream"]
    with serving(tmp_path, events=5) as site, ExitStack() as stack:
        for number in range(10):
            token = site.make_token(f"reader-{number}")
            ask = (
                f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {token}\r\n\r\n"
            )
            peers = [stack.enter_context(connect(site)) for _ in range(each)]
            for peer in peers:
                peer.sendall(ask.encode())
            for peer in peers:
                assert peer.recv(64).startswith(b"HTTP/1.1 200")
        idle = [stack.enter_context(connect(site)) for _ in range(200)]
        assert len(idle) == 200
        assert site.get("/health", "").status_code == 200
        assert site.get("/api/v1/count").status_code == 200
        assert site.get("/events").status_code in (200, 504)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_under_tls_the_cookie_is_for_tls_alone(
    tmp_path: Path, authority: Authority, quick: None
) -> None:
    cert, key = authority.issue("localhost", ("localhost", "127.0.0.1"))
    trust = ssl.create_default_context(cafile=authority.ca_file)
    with serving(tmp_path, events=5, tls=WebTls(cert_file=cert, key_file=key)) as site:
        assert site.url.startswith("https://")
        assert site.get("/api/v1/count", verify=trust).status_code == 200
        answer = site.get(f"/?token={site.token}", "", verify=trust)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"__Host-armorstack_{httpx.URL(site.url).port}=")
        assert "; Secure" in cookie
        with httpx.Client(base_url=site.url, verify=trust, trust_env=False) as client:
            client.get("/", params={"token": site.token})
            assert client.get("/api/v1/count").status_code == 200
            form = {"token": site.token}
            assert client.post("/sign-in", data=form).status_code == 403
            origin = {"origin": site.url}
            assert client.post("/sign-in", data=form, headers=origin).status_code == 303
            origin = {"origin": site.url.replace("https", "http")}
            assert client.post("/sign-in", data=form, headers=origin).status_code == 403
        with pytest.raises(httpx.HTTPError):
            httpx.get(site.url.replace("https", "http"), trust_env=False, timeout=PATIENCE_S)
        with connect(site) as peer:
            assert rest(peer) == b""


def test_files_that_are_no_certificate_are_told(tmp_path: Path, authority: Authority) -> None:
    cert, key = authority.issue("a")
    other, _ = authority.issue("b")
    (tmp_path / "empty").touch()
    for files in ((other, key), (cert, cert), (str(tmp_path / "empty"), key)):
        with pytest.raises(ConfigError, match=r"\$\.web\.tls"):
            tls_context(WebTls(*files))
    assert tls_context(WebTls()) is None


def ask_from(
    site: Site, address: str, path: str = "/api/v1/count", **headers: str
) -> httpx.Response:
    """What the application answers to this address, on its socket for all of them."""
    said = {"host": "192.0.2.1:7780", "authorization": f"Bearer {site.token}"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(site.app, client=(address, 5))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get(path, headers=said)

    return asyncio.run(ask())


def test_elsewhere_without_tls_only_probes_are_answered(tmp_path: Path) -> None:
    with serving(tmp_path, events=5, web=Web(listen="0.0.0.0:0")) as site:
        for path in ("/health", "/ready", "/metrics"):
            assert ask_from(site, "203.0.113.9", path).status_code == 200
        for path in ("/", "/events", "/api/v1/count", "/sign-in", "/static/0/base.css"):
            answer = ask_from(site, "203.0.113.9", path)
            assert answer.status_code == 403
            assert "only over TLS" in answer.text
            assert "--behind-proxy" in answer.text
        assert ask_from(site, "127.0.0.1", host="localhost").status_code == 200
        assert ask_from(site, "127.0.0.1", host="evil.example").status_code == 421
        assert ask_from(site, "127.0.0.1", host="localhost", x_forwarded_for="127.0.0.1") \
            .status_code == 403  # fmt: skip


def test_only_a_listed_proxy_speaks_for_others(tmp_path: Path) -> None:
    web = Web(listen="0.0.0.0:0", hosts=("logs.example",), proxies=("10.0.0.0/8",))
    with serving(tmp_path, events=5, web=web) as site:
        sent = {
            "host": "logs.example", "x_forwarded_for": "203.0.113.9", "x_forwarded_proto": "https",
        }  # fmt: skip
        answer = ask_from(site, "10.1.2.3", f"/?token={site.token}", **sent, authorization="")
        assert answer.status_code in (303, 401)
        assert ask_from(site, "10.1.2.3", **sent).status_code == 200
        assert ask_from(site, "203.0.113.9", **sent).status_code == 403
        assert ask_from(site, "203.0.113.9").status_code == 403
        plain = sent | {"x_forwarded_proto": "http"}
        assert ask_from(site, "10.1.2.3", **plain).status_code == 403
        other = sent | {"host": "evil.example"}
        assert ask_from(site, "10.1.2.3", **other).status_code == 421


def test_failures_behind_a_proxy_count_for_each_client(tmp_path: Path) -> None:
    web = Web(listen="0.0.0.0:0", hosts=("logs.example",), proxies=("10.0.0.0/8",))
    with serving(tmp_path, events=0, web=web) as site:

        def wrong(client: str) -> Any:
            return ask_from(
                site, "10.1.2.3", host="logs.example", x_forwarded_for=client,
                x_forwarded_proto="https", authorization="Bearer as_wrong",
            ).status_code  # fmt: skip

        assert [wrong("203.0.113.9") for _ in range(11)] == [401] * 10 + [429]
        assert wrong("203.0.113.10") == 401
