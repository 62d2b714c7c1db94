"""Who is at the other end, under which name, and on behalf of which page."""

import pytest

from armorstack.config import Web, WebTls
from armorstack.web.access import crossing
from armorstack.web.access.attempts import BURST, EVERY_S, MOST_CLIENTS, Attempts
from armorstack.web.access.front import (
    Caller,
    Front,
    caller_of,
    check_host,
    check_probe,
    front_of,
    is_loopback,
)
from armorstack.web.access.invitation import invitation, page_url
from armorstack.web.access.refusal import Refusal
from armorstack.web.access.streams import LIMITS, Streams

LOCAL = front_of(Web(), ("127.0.0.1", 7780))
PLAIN = front_of(Web(hosts=("logs.example",)), ("0.0.0.0", 7780))
TLS = front_of(
    Web(hosts=("Logs.Example",), tls=WebTls(cert_file="c", key_file="k")), ("0.0.0.0", 7780)
)
PROXIED = front_of(
    Web(hosts=("logs.example",), proxies=("10.0.0.0/8", "fd00::/8")), ("0.0.0.0", 7780)
)
SENT = {"host": "logs.example", "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}


def headers(**said: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in said.items()]


def told(front: Front, peer: str, scheme: str, said: dict[str, str]) -> Caller | str:
    """The caller, or the reason why there is none."""
    try:
        return caller_of(front, peer, scheme, headers(**said))
    except Refusal as refusal:
        return refusal.reason


def test_a_browser_on_this_machine_needs_no_tls() -> None:
    found = told(LOCAL, "127.0.0.1", "http", {"host": "localhost:7780"})
    assert found == Caller("127.0.0.1", "http", "localhost:7780", is_local=True)
    # kubectl port-forward comes from the loopback address of the pod.
    assert told(PLAIN, "127.0.0.1", "http", {"host": "localhost:7780"}) == found


def test_elsewhere_without_tls_nobody_is_answered() -> None:
    assert told(PLAIN, "203.0.113.9", "http", {"host": "logs.example"}) == "plain"
    assert told(PLAIN, "", "http", {"host": "logs.example"}) == "plain"
    assert told(TLS, "203.0.113.9", "http", {"host": "logs.example"}) == "plain"


def test_with_tls_the_peer_is_the_caller() -> None:
    found = told(TLS, "203.0.113.9", "https", {"host": "Logs.example"})
    assert found == Caller("203.0.113.9", "https", "logs.example", is_local=False)
    assert isinstance(found, Caller)
    assert found.origin == "https://logs.example"


@pytest.mark.parametrize(
    "name", ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"]
)
@pytest.mark.parametrize("front", [LOCAL, PLAIN, TLS])
def test_what_an_unlisted_proxy_says_is_not_believed(front: Front, name: str) -> None:
    said = {"host": "localhost", name: "for=127.0.0.1"}
    assert told(front, "127.0.0.1", "http", said) == "proxy"
    assert told(front, "10.0.0.1", "https", said) == "proxy"


def test_of_a_listed_proxy_the_last_address_that_is_none_of_a_proxy_counts() -> None:
    said = SENT | {"x-forwarded-for": "127.0.0.1, 198.51.100.7, 10.9.9.9"}
    found = told(PROXIED, "10.1.2.3", "http", said)
    assert found == Caller("198.51.100.7", "https", "logs.example", is_local=False)


def test_the_host_that_a_listed_proxy_was_asked_for_counts() -> None:
    found = told(PROXIED, "10.1.2.3", "http", SENT | {"x-forwarded-host": "other.example"})
    assert isinstance(found, Caller)
    assert found.host == "other.example"


@pytest.mark.parametrize(
    ("peer", "said", "reason"),
    [
        ("203.0.113.1", SENT, "proxy"),
        ("10.1.2.3", {"host": "logs.example"}, "plain"),
        ("10.1.2.3", {"host": "a", "x-forwarded-for": "203.0.113.9"}, "proxy"),
        ("10.1.2.3", {"host": "a", "x-forwarded-proto": "https"}, "proxy"),
        ("10.1.2.3", {"host": "a", "forwarded": "for=203.0.113.9;proto=https"}, "proxy"),
        ("10.1.2.3", SENT | {"x-forwarded-proto": "http"}, "plain"),
        ("10.1.2.3", SENT | {"x-forwarded-proto": "https, http"}, "plain"),
        ("10.1.2.3", SENT | {"x-forwarded-for": "unknown"}, "malformed"),
        ("10.1.2.3", SENT | {"x-forwarded-for": "203.0.113.9:1234"}, "malformed"),
    ],
)
def test_a_proxy_must_say_for_whom_and_speak_tls(
    peer: str, said: dict[str, str], reason: str
) -> None:
    assert told(PROXIED, peer, "http", said) == reason


def test_beside_proxies_nobody_comes_directly() -> None:
    both = front_of(
        Web(proxies=("10.0.0.0/8",), tls=WebTls(cert_file="c", key_file="k")), ("0.0.0.0", 1)
    )
    assert told(both, "203.0.113.1", "https", {"host": "logs.example"}) == "proxy"


def test_a_request_has_one_host() -> None:
    twice = [*headers(host="localhost"), *headers(host="evil.example")]
    for said in ([], twice, headers(host="")):
        with pytest.raises(Refusal) as refused:
            caller_of(LOCAL, "127.0.0.1", "http", said)
        assert refused.value.status == 400


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:7780", "127.0.0.1:1", "[::1]:7780", "127.8.9.1", "localhost."]
)
def test_on_this_machine_its_names_are_answered(host: str) -> None:
    check_host(LOCAL, host, is_local=True)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "192.0.2.1", "[fd00::1]:7780",
        "local host", "localhost@evil.example", "localhost/", "localhost:7780:1", "0x7f.1", "",
        "evil.example#localhost", "LOCALHOST\x00",
    ],
)  # fmt: skip
def test_a_name_that_was_pointed_at_this_machine_is_not_answered(host: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_host(LOCAL, host, is_local=True)
    assert (refused.value.status, refused.value.reason) == (421, "host")


def test_elsewhere_listed_names_and_addresses_are_answered() -> None:
    ours = ("logs.example", "LOGS.example:443", "192.0.2.1:7780", "[fd00::1]", "logs.example.")
    for host in ours:
        check_host(TLS, host, is_local=False)
    for host in ("evil.example", "a.logs.example", "logs.example.evil"):
        with pytest.raises(Refusal):
            check_host(TLS, host, is_local=False)


def test_probes_elsewhere_may_use_any_name() -> None:
    check_probe(PLAIN, headers(host="armorstack.monitoring.svc:7780"))
    check_probe(LOCAL, headers(host="localhost"))
    with pytest.raises(Refusal):
        check_probe(LOCAL, headers(host="evil.example"))


def test_loopback_is_told_in_each_spelling() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.example", "")))


def caller(host: str = "localhost:7780", scheme: str = "http") -> Caller:
    return Caller("127.0.0.1", scheme, host, is_local=True)


def is_refused(method: str, path: str, cookie: bool = True, **said: str) -> bool:
    found = {name.replace("_", "-"): value for name, value in said.items()}
    try:
        crossing.check(method, path, found, caller(), has_cookie=cookie)
    except Refusal as refusal:
        return (refusal.status, refusal.reason) == (403, "cross_site")
    return False


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_what_changes_something_is_done_for_our_own_pages_only(method: str) -> None:
    for path in ("/sign-in", "/sign-out", "/api/v1/events"):
        assert not is_refused(method, path, sec_fetch_site="same-origin")
        assert not is_refused(method, path, origin="http://localhost:7780")
        assert is_refused(method, path)
        assert is_refused(method, path, origin="null")
        assert is_refused(method, path, origin="https://localhost:7780")
        assert is_refused(method, path, origin="http://localhost")
        assert is_refused(method, path, origin="http://evil.example")
        for site in ("cross-site", "same-site", "", "same-origin "):
            assert is_refused(method, path, sec_fetch_site=site, origin="http://localhost:7780")


def test_the_api_answers_a_cookie_only_where_our_own_page_asks() -> None:
    path = "/api/v1/events"
    assert not is_refused("GET", path)
    assert not is_refused("GET", path, sec_fetch_site="same-origin")
    assert not is_refused("GET", path, sec_fetch_site="none")
    assert is_refused("GET", path, sec_fetch_site="cross-site")
    assert is_refused("GET", path, sec_fetch_site="same-site")
    assert is_refused("GET", path, origin="http://localhost:9999")
    assert not is_refused("GET", path, cookie=False, sec_fetch_site="cross-site")


def test_another_site_may_lead_to_a_page_but_neither_fetch_nor_frame_it() -> None:
    visit = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert not is_refused("GET", "/events", sec_fetch_site="cross-site", **visit)
    assert is_refused("GET", "/events", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")
    assert is_refused("GET", "/events", sec_fetch_site="same-site", sec_fetch_mode="cors")
    framed = visit | {"sec_fetch_dest": "iframe"}
    assert is_refused("GET", "/events", sec_fetch_site="cross-site", **framed)


def test_a_client_may_be_wrong_some_times_and_is_forgiven_with_time() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    assert [attempts.take("192.0.2.1") for _ in range(BURST)] == [0.0] * BURST
    assert attempts.take("192.0.2.1") == EVERY_S
    assert attempts.take("192.0.2.1") == EVERY_S
    assert attempts.take("192.0.2.2") == 0.0
    now[0] = EVERY_S
    assert attempts.take("192.0.2.1") == 0.0
    assert attempts.take("192.0.2.1") == EVERY_S


def test_one_client_of_ipv6_is_its_network() -> None:
    attempts = Attempts(lambda: 0.0)
    for number in range(BURST):
        assert attempts.take(f"2001:db8::{number:x}") == 0.0
    assert attempts.take("2001:db8::ffff") > 0
    assert attempts.take("2001:db8:0:1::1") == 0.0


def test_memory_does_not_grow_with_the_number_of_clients() -> None:
    attempts = Attempts(lambda: 0.0)
    for number in range(MOST_CLIENTS + 100):
        attempts.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._clients) == MOST_CLIENTS


def test_a_bearer_has_so_many_streams_and_gets_back_what_it_ends() -> None:
    streams, path = Streams(), "/api/v1/export"
    running = [streams.entered("a", path) for _ in range(LIMITS[path])]
    for each in running:
        each.__enter__()
    with pytest.raises(Refusal) as refused, streams.entered("a", path):
        pass
    assert refused.value.status == 429
    with streams.entered("b", path), streams.entered("a", "/events"):
        pass
    running[0].__exit__(None, None, None)
    with streams.entered("a", path):
        pass
    assert sum(streams._running.values()) == LIMITS[path] - 1


def test_the_printed_address_leads_here() -> None:
    bound = ("127.0.0.1", 7780)
    assert page_url(Web(), bound, "as_1") == "http://127.0.0.1:7780/?token=as_1"
    assert page_url(Web(), ("::1", 80)) == "http://[::1]:80/"
    assert page_url(Web(), ("0.0.0.0", 7780)) == "http://127.0.0.1:7780/"
    tls = WebTls(cert_file="c", key_file="k")
    web = Web(hosts=("logs.example",), tls=tls)
    assert page_url(web, ("0.0.0.0", 7780)) == "https://logs.example:7780/"
    web = Web(hosts=("logs.example",), proxies=("10.0.0.0/8",))
    assert page_url(web, ("0.0.0.0", 7780)) == "https://logs.example/"


def test_a_token_for_everybody_is_not_written_into_a_log() -> None:
    everywhere = ("0.0.0.0", 7780)
    tls = Web(tls=WebTls(cert_file="c", key_file="k"))
    assert "as_1" in invitation(Web(), ("127.0.0.1", 1), "as_1", is_seen=False)[0]
    assert "as_1" in invitation(tls, everywhere, "as_1", is_seen=True)[0]
    (line,) = invitation(tls, everywhere, "as_1", is_seen=False)
    assert "as_1" not in line
    assert "armorstack token url" in line
    assert "--web-cert" in invitation(Web(), everywhere, "as_1", is_seen=False)[1]
