"""Who gets what: every route with every kind of token, and every way around that was thought of."""

import itertools
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from armorstack.web.access.attempts import Attempts
from armorstack.web.access.streams import LIMITS
from armorstack.web.access.token import make
from tests.support.policies import BOOK
from tests.support.running import until
from tests.support.web import TRUST, Site, sample_events, serving

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PROBE, OPEN, PAGE, API, ADMIN, FORM = "probe", "open", "page", "api", "admin", "form"
ROUTES: dict[str, tuple[str, str]] = {
    "/health": (PROBE, "/health"),
    "/ready": (PROBE, "/ready"),
    "/metrics": (PROBE, "/metrics"),
    "/static/{hash}/{name}": (OPEN, "/static/0/base.css"),
    "/sign-in": (OPEN, "/sign-in"),
    "/sign-out": (FORM, "/sign-out"),
    "/": (PAGE, "/"),
    "/events": (PAGE, "/events"),
    "/events/{id}": (PAGE, "/events/{event}"),
    "/policies": (PAGE, "/policies"),
    "/coverage": (PAGE, "/coverage"),
    "/policy": (PAGE, "/policy?policy=ksp-wordpress-block-shells"),
    "/pods": (PAGE, "/pods"),
    "/pod": (PAGE, "/pod?namespace=wordpress-mysql&pod=a"),
    "/namespaces": (PAGE, "/namespaces"),
    "/namespace": (PAGE, "/namespace?namespace=wordpress-mysql"),
    "/nodes": (PAGE, "/nodes"),
    "/node": (PAGE, "/node?node=synthetic-node-1"),
    "/executed": (PAGE, "/executed?what=/bin/sh"),
    "/status": (PAGE, "/status"),
    "/api/v1/events": (API, "/api/v1/events?size=1"),
    "/api/v1/events/{id}": (API, "/api/v1/events/{event}"),
    "/api/v1/count": (API, "/api/v1/count"),
    "/api/v1/histogram": (API, "/api/v1/histogram"),
    "/api/v1/facets": (API, "/api/v1/facets?f=namespace"),
    "/api/v1/top": (API, "/api/v1/top?f=namespace"),
    "/api/v1/seen": (API, "/api/v1/seen"),
    "/api/v1/gaps": (API, "/api/v1/gaps"),
    "/api/v1/fields": (API, "/api/v1/fields"),
    "/api/v1/health": (API, "/api/v1/health"),
    "/api/v1/policies": (API, "/api/v1/policies"),
    "/api/v1/coverage": (API, "/api/v1/coverage"),
    "/api/v1/stream": (API, "/api/v1/stream"),
    "/api/v1/export": (API, "/api/v1/export?format=ndjson"),
    "/api/v1/snapshot": (ADMIN, "/api/v1/snapshot"),
    "/api/v1/openapi.json": (API, "/api/v1/openapi.json"),
    "/api/{rest:path}": (API, "/api/v1/nothing"),
}
"""Route → what it is for whom, and an address of it. Whoever adds a route says so here."""
TOKENS = ("none", "wrong", "cut", "expired", "revoked", "read", "namespaces", "admin")
LET_IN = {200, 504}
"""504: the machine was too busy to answer within the time of a question, but it let in."""
EVENT = '"stream":'
"""Stands in every event's JSON."""
VOID = ("wrong", "cut", "expired", "revoked")


class Forgiving(Attempts):
    """Forgives at once: one client is wrong a thousand times here."""

    def __init__(self) -> None:
        super().__init__(itertools.count(0, 1000).__next__)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with serving(folder, events=80, attempts=Forgiving(), book=BOOK) as site:
        yield site


@pytest.fixture(scope="module")
def tokens(site: Site) -> dict[str, str]:
    made = {
        "none": "", "wrong": make(), "cut": site.token[:-1],
        "expired": site.make_token("expired", expires_s=1), "revoked": site.make_token("revoked"),
        "read": site.make_token("reader"), "namespaces": site.make_token("team", "wordpress-mysql"),
        "admin": site.make_token("admin", admin=True),
    }  # fmt: skip
    site.register.remove("revoked")
    return made


@pytest.fixture(scope="module")
def event(site: Site) -> str:
    """The id of an event in the namespace that the restricted token may read."""
    found = site.get("/api/v1/events?size=1&namespace=wordpress-mysql").json()["events"]
    return str(found[0]["id"])


def status(site: Site, method: str, path: str, **headers: str) -> int:
    """The status, without waiting for the end of an answer that has none."""
    with httpx.stream(
        method, site.url + path, headers=headers, timeout=30, trust_env=False, verify=TRUST
    ) as answer:
        return answer.status_code


def refused(route: str, kind: str, token: str, method: str, methods: set[str]) -> set[int]:
    """What may be answered to a token of this kind."""
    is_safe = method in ("GET", "HEAD", "OPTIONS")
    allowed = LET_IN if method in methods else {405}
    if kind == PROBE:
        return allowed
    if token == "none" and not is_safe:
        # Nobody brings no token but a browser, whose page is then another site's.
        return {403}
    if kind == OPEN:
        return {*LET_IN, 303} if method in methods else {405}
    if token == "none":
        return {401} if kind in (API, ADMIN) or method == "OPTIONS" else {303}
    if token in VOID:
        return {401}
    if kind == ADMIN and token in ("read", "namespaces"):
        return {403} if method in methods else {405}
    if kind == FORM:
        return {303} if method in methods else {405}
    return {404} if route == "/api/{rest:path}" and method in methods else allowed


def test_every_route_is_in_the_table_and_no_other(site: Site) -> None:
    assert all(isinstance(route, Route) for route in site.app.routes)
    found = {route.path for route in site.app.routes}
    assert found - ROUTES.keys() == set(), "say in ROUTES who may have these"
    assert ROUTES.keys() - found == set()


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_answers_each_token_and_method_as_it_may(
    site: Site, tokens: dict[str, str], event: str, route: str
) -> None:
    methods: set[str] = set()
    for each in site.app.routes:
        methods |= each.methods if each.path == route else set()
    kind, path = ROUTES[route]
    wrong = []
    for token, method in itertools.product(TOKENS, METHODS):
        if method == "HEAD" and token not in ("none", *VOID):
            continue  # the same as GET, once more
        headers = {"authorization": f"Bearer {tokens[token]}"} if tokens[token] else {}
        found = status(site, method, path.format(event=event), **headers)
        may = refused(route, kind, token, method, methods)
        wrong += [] if found in may else [f"{token} {method}: {found}, not {may}"]
    assert not wrong, wrong


def test_a_token_of_namespaces_sees_nothing_of_others_anywhere(
    site: Site, tokens: dict[str, str]
) -> None:
    token = tokens["namespaces"]
    mine = site.get("/api/v1/top?f=namespace", token).json()
    every = site.get("/api/v1/top?f=namespace").json()
    assert {group["values"][0] for group in mine["groups"]} == {"wordpress-mysql"}
    assert len(every["groups"]) > 1
    lines = site.get("/api/v1/export?format=ndjson", token).text.splitlines()
    assert lines
    assert all('"wordpress-mysql"' in line for line in lines)
    hidden = site.get("/api/v1/events?size=1&namespace=!wordpress-mysql").json()["events"][0]["id"]
    assert site.get(f"/api/v1/events/{hidden}", token).status_code == 404
    assert site.get(f"/events/{hidden}", token).status_code == 404
    assert site.get("/events?namespace=!wordpress-mysql", token).status_code == 200


@contextmanager
def signed_in(site: Site, token: str | None = None) -> Iterator[httpx.Client]:
    """A browser that has opened the printed address."""
    with httpx.Client(base_url=site.url, timeout=30, trust_env=False, verify=TRUST) as client:
        answer = client.get("/", params={"token": token or site.token})
        assert answer.status_code == 303
        yield client


def test_the_printed_address_becomes_a_cookie_and_an_address_without_token(site: Site) -> None:
    answer = site.get(f"/events?q=pod%3Aweb&token={site.token}&cols=time", "")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/events?q=pod%3Aweb&cols=time"
    said = answer.headers["set-cookie"]
    cookie = SimpleCookie(said)
    (name,) = cookie
    assert name == f"armorstack_{httpx.URL(site.url).port}"
    assert cookie[name]["httponly"]
    assert cookie[name]["samesite"].lower() == "strict"
    assert cookie[name]["path"] == "/"
    assert not cookie[name]["secure"]
    assert not cookie[name]["domain"]
    assert site.token not in said


def test_a_wrong_token_in_the_address_leads_to_the_form(site: Site) -> None:
    answer = site.get(f"/events?token={make()}&q=a", "")
    assert answer.headers["location"] == "/sign-in?next=%2Fevents%3Fq%3Da&failed=wrong"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["//evil.example/", "/%5C/evil.example", "/\\evil.example"])
def test_signing_in_leads_nowhere_else(site: Site, path: str) -> None:
    with signed_in(site) as client:
        origin = {"sec-fetch-site": "same-origin"}
        form = {"token": site.token, "next": path}
        answer = client.post("/sign-in", data=form, headers=origin)
        place = httpx.URL(site.url).join(answer.headers["location"])
        assert place.host == "127.0.0.1"
    raw = httpx.URL(site.url).copy_with(raw_path=f"{path}?token={site.token}".encode())
    answer = httpx.get(raw, timeout=30, trust_env=False, verify=TRUST)
    place = httpx.URL(site.url).join(answer.headers.get("location", "/"))
    assert place.host == "127.0.0.1"


def test_with_a_cookie_pages_and_api_answer_and_after_signing_out_no_more(site: Site) -> None:
    with signed_in(site) as client:
        assert client.get("/events").status_code == 200
        assert client.get("/api/v1/count").status_code == 200
        answer = client.post("/sign-out", headers={"sec-fetch-site": "same-origin"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert not client.cookies
        assert client.get("/events").headers["location"] == "/sign-in?next=%2Fevents"
        assert client.get("/api/v1/count").status_code == 401


def test_the_form_signs_in_without_javascript(site: Site) -> None:
    origin = {"origin": site.url}
    form = {"token": f" {site.token}\n", "next": "/events?q=a"}
    answer = site.ask("POST", "/sign-in", "", headers=origin, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?q=a")
    assert "set-cookie" in answer.headers
    wrong = form | {"token": make()}
    answer = site.ask("POST", "/sign-in", "", headers=origin, data=wrong)
    assert answer.headers["location"] == "/sign-in?next=%2Fevents%3Fq%3Da&failed=wrong"
    assert "set-cookie" not in answer.headers


def test_a_form_is_read_only_so_far(site: Site) -> None:
    origin = {"origin": site.url}
    answer = site.ask("POST", "/sign-in", "", headers=origin, content=b"a" * 20_000)
    assert answer.status_code == 413
    answer = site.ask("POST", "/sign-in", "", headers=origin, content=b"a" * 100_000)
    assert answer.status_code == 413
    chunks = itertools.repeat(b"a" * 1000, 100)
    answer = site.ask("POST", "/sign-in", "", headers=origin, content=chunks)
    assert answer.status_code == 413


def test_a_page_of_another_site_changes_and_reads_nothing_with_the_cookie(site: Site) -> None:
    with signed_in(site) as client:
        for said in (
            {"origin": "https://evil.example"}, {"origin": "null"}, {},
            {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
        ):  # fmt: skip
            assert client.post("/sign-out", headers=said).status_code == 403
        site_of = {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}
        assert client.get("/api/v1/count", headers=site_of).status_code == 403
        assert client.get("/events", headers=site_of).status_code == 403
        answer = client.get("/api/v1/count", headers={"origin": "http://localhost:9"})
        assert answer.status_code == 403
        assert answer.json()["error"]["message"] == "a page of another site asked for this"
        assert "access-control-allow-origin" not in answer.headers
        assert client.get("/events").status_code == 200


def test_a_link_on_another_site_leads_in_though_the_cookie_stays_behind_at_first(
    site: Site,
) -> None:
    visit = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    first = site.get("/events?q=a", "", headers=visit | {"sec-fetch-site": "cross-site"})
    assert first.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in first.text
    # What the browser then asks by itself comes from our own page.
    second = site.get("/events?q=a", "", headers=visit | {"sec-fetch-site": "same-origin"})
    assert second.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("path", ["/", "/events", "/api/v1/events", "/sign-in", "/metrics"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.nip.io:7780", "localhost@evil"])
def test_a_name_that_was_rebound_to_this_machine_is_not_answered(
    site: Site, host: str, path: str
) -> None:
    answer = site.get(path, headers={"host": host})
    assert answer.status_code == 421
    assert "event" not in answer.json() if path.startswith("/api") else True


def test_credentials_that_contradict_themselves_are_refused(site: Site) -> None:
    def ask(*headers: tuple[str, str], path: str = "/api/v1/count") -> int:
        return httpx.get(
            site.url + path, headers=list(headers), timeout=30, trust_env=False, verify=TRUST
        ).status_code

    good = ("authorization", f"Bearer {site.token}")
    assert ask(good) == 200
    assert ask(("authorization", f"bearer  {site.token}")) == 200
    assert ask(good, good) == 400
    assert ask(good, ("authorization", f"Bearer {make()}")) == 400
    assert ask(("authorization", f"Bearer {make()}"), good) == 400
    assert ask(("authorization", site.token)) == 401
    assert ask(("authorization", f"Basic {site.token}")) == 401
    assert ask(("authorization", "Bearer")) == 401
    assert ask(("authorization", f"Bearer {site.token}, Bearer {site.token}")) == 401
    assert ask(("x-forwarded-for", "127.0.0.1"), good) == 403
    assert ask(("cookie", f"armorstack_1={site.token}")) == 401
    assert ask(("cookie", "a=" + "b" * 8000), good) == 200
    assert ask(good) == 200


def test_a_head_without_end_is_refused(site: Site) -> None:
    url = httpx.URL(site.url)
    with socket.create_connection((url.host, url.port), timeout=30) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 60_000)
        assert b" 400 " in peer.recv(65536).splitlines()[0]


def test_a_wrong_token_is_not_made_up_for_by_a_cookie(site: Site) -> None:
    with signed_in(site) as client:
        wrong = {"authorization": f"Bearer {make()}"}
        assert client.get("/api/v1/count", headers=wrong).status_code == 401
        assert client.get("/events", headers=wrong).status_code == 401


def test_a_cookie_that_another_program_set_does_not_sign_out(site: Site) -> None:
    with signed_in(site) as client:
        (name, value) = next(iter(client.cookies.items()))
        for cookies in (f"{name}=x; {name}={value}", f"{name}={value}; {name}=v1.a.b.c"):
            answer = site.get("/api/v1/count", "", headers={"cookie": cookies})
            assert answer.status_code == 200
        many = "; ".join([f"{name}=x"] * 4 + [f"{name}={value}"])
        assert site.get("/api/v1/count", "", headers={"cookie": many}).status_code == 401


def test_a_token_in_the_address_of_the_api_is_not_taken(site: Site) -> None:
    assert site.get(f"/api/v1/count?token={site.token}", "").status_code == 401


def test_each_answer_carries_the_headers(site: Site) -> None:
    paths = ("/", "/sign-in", "/nothing", "/api/v1/count", "/api/nothing", "/health", "/static/0/a")
    answers = [site.get(path) for path in paths]
    answers += [site.get(path, "") for path in paths]
    answers += [site.get("/", headers={"host": "evil"}), site.ask("POST", "/", "")]
    for answer in answers:
        policy = answer.headers["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in str(policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert "server" not in answer.headers


def test_a_revoked_token_ends_what_is_under_way(tmp_path: Path) -> None:
    with serving(tmp_path, events=5) as site:
        token = site.make_token("leaver")
        with signed_in(site, token) as client:
            with client.stream("GET", "/api/v1/stream") as stream:
                lines = stream.iter_lines()
                site.write(sample_events(1))
                assert any(EVENT in line for line in lines)
                assert client.get("/api/v1/count").status_code == 200
                site.register.remove("leaver")
                site.write(sample_events(3)[1:])
                got: list[str] = []
                with pytest.raises(httpx.RemoteProtocolError):
                    got += lines
            assert not any(EVENT in line for line in got)
            assert client.get("/events").headers["location"].startswith("/sign-in")
            assert client.get("/api/v1/count").status_code == 401


def test_one_that_is_wrong_too_often_waits_and_locks_out_nobody(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, events=0) as site:
        wrong = [make() for _ in range(15)]
        found = [site.get("/api/v1/count", token).status_code for token in wrong]
        assert found == [401] * 10 + [429] * 5
        limited = site.get("/api/v1/count", make())
        assert 1 <= int(limited.headers["retry-after"]) <= 6
        assert site.get("/api/v1/count").status_code == 200
        form = {"token": make()}
        answer = site.ask("POST", "/sign-in", "", headers={"origin": site.url}, data=form)
        assert answer.headers["location"] == "/sign-in?failed=limited"
        denied = site.porter.denied()
    assert (denied["wrong"], denied["limited"]) == (10, 7)
    told = capfd.readouterr().err
    assert told.count('"reason":"wrong"') == 10
    assert "limited" not in told
    assert not any(token in told for token in [*wrong, site.token])


def test_what_an_audit_asks_for_is_in_the_log_and_no_token(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, events=5) as site:
        ci, wrong = site.make_token("ci"), make()
        site.get("/api/v1/export?format=ndjson", ci)
        site.get("/api/v1/count", wrong)
        site.get(f"/?token={site.token}", "")
        site.get("/%1b[31m", ci, headers={"host": "evil.example"})
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    told = {line["event"]: line for line in lines}
    assert told["events exported"]["bearer"] == "ci"
    assert told["events exported"]["client"] == "127.0.0.1"
    assert told["signed in"]["bearer"] == "owner"
    reasons = {line["reason"] for line in lines if line["event"] == "request refused"}
    assert reasons == {"wrong", "host"}
    assert {line["path"] for line in lines} >= {"/\\x1b[31m"}
    for text in (ci, wrong, site.token, "\x1b"):
        assert text not in json.dumps(lines, ensure_ascii=False)


def test_one_bearer_has_so_many_streams_and_no_more(tmp_path: Path) -> None:
    limit = LIMITS["/api/v1/stream"]
    with serving(tmp_path, events=5) as site, ExitStack() as stack:
        headers = {"authorization": f"Bearer {site.token}"}
        client = stack.enter_context(httpx.Client(timeout=30, trust_env=False, verify=TRUST))
        url = f"{site.url}/api/v1/stream"
        streams = [
            stack.enter_context(client.stream("GET", url, headers=headers)) for _ in range(limit)
        ]
        assert {stream.status_code for stream in streams} == {200}
        assert site.get("/api/v1/stream").status_code == 429
        assert site.get("/api/v1/count").status_code == 200
        assert status(site, "GET", "/api/v1/stream", authorization=bearer(site, "another")) == 200
        streams[0].close()
        until(
            lambda: status(site, "GET", "/api/v1/stream", **headers) == 200, "a place for one more"
        )


def bearer(site: Site, name: str) -> str:
    return f"Bearer {site.make_token(name)}"
