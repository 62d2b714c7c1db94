"""The webhook's sink against a real server on loopback, however badly that behaves."""

import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from armorstack.config import Select
from armorstack.config import WebhookSink as Settings
from armorstack.core.decode import decode
from armorstack.core.gap import Gap
from armorstack.errors import ConfigError, EngineError
from armorstack.sinks.contract import Outcome
from armorstack.sinks.webhook import WebhookSink
from tests.support.certificates import Authority
from tests.support.frames import lines, row
from tests.support.stores import NOW_US, batch
from tests.support.webhook_server import (
    OK,
    Answer,
    WebhookServer,
    answer,
    drip,
    flood,
    hang,
)

LOOPBACK = ("127.0.0.0/8",)
GAP = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1, lost=3)
SHORT_S = 0.3
"""Time-out of tests in which nobody answers; a passing one waits for it."""

Serve = Callable[..., WebhookServer]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, which end with the test."""
    with ExitStack() as stack:
        yield lambda *script, **options: stack.enter_context(WebhookServer(*script, **options))


def sink_to(
    server: WebhookServer | str,
    lookup: Any = socket.getaddrinfo,
    clock: Any = None,
    **settings: Any,
) -> WebhookSink:
    url = server if isinstance(server, str) else server.url
    known = {"url": url, "allowed_networks": LOOPBACK, "timeout_s": 20.0} | settings
    sink = WebhookSink("hook", Settings(**known), Path("unused"), clock or Clock(), lookup)
    assert sink.open() is None
    return sink


def resolves_to(*addresses: str) -> Callable[..., Any]:
    """A resolver that knows only these addresses."""

    def lookup(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, port))
                for ip in addresses]  # fmt: skip

    return lookup


def told(caught: pytest.ExceptionInfo[EngineError]) -> str:
    """All that a traceback of the error would show, with its hint."""
    return "".join(traceback.format_exception(caught.value)) + caught.value.hint


def sizes(server: WebhookServer) -> list[int]:
    """How many entries each message had."""
    return [len(message["events"]) for message in server.messages()]


# What is sent


def test_a_message_is_one_post_of_json_with_the_token(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    (tmp_path / "token").write_text("my-token\n")
    sink = sink_to(server, token_file=str(tmp_path / "token"))
    assert sink.write(batch(1, "ab")) == Outcome(accepted=2)
    [(line, headers, _)] = server.requests
    assert line == "POST /hook/secret-path HTTP/1.1"
    assert headers["authorization"] == "Bearer my-token"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["content-type"].startswith("application/json")
    assert server.resources() == ["a", "b"]


def test_events_that_the_settings_leave_out_are_counted(serve: Serve) -> None:
    server = serve()
    sink = sink_to(server, min_severity=5, select=Select(namespaces=("pay*",)))
    for key, severity, namespace in [
        ("a", "5", "payments"), ("b", "4", "payments"), ("c", None, "payments"),
        ("d", "10", "kube-system"), ("e", "9 ", "payments"),
    ]:  # fmt: skip
        events = batch(1, key, severity=severity, namespace_name=namespace)
        wanted = key == "a"
        assert sink.write(events) == Outcome(accepted=wanted, left_out=not wanted)
    assert server.resources() == ["a"]


def test_a_select_with_a_wrong_glob_is_refused_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"^\$\.sink\.hook\.select\.pods"):
        sink_to("http://127.0.0.1/", select=Select(pods=("[z-a]",)))


def test_repeats_are_one_entry_and_all_of_them_accepted(serve: Serve) -> None:
    server = serve()
    assert sink_to(server).write(batch(1, range(50), resource="/etc/passwd")).accepted == 50
    [message] = server.messages()
    assert [(event["count"], event["kubearmor"]["resource"]) for event in message["events"]] == [
        (50, "/etc/passwd")
    ]


def test_a_message_has_at_most_so_many_entries(serve: Serve) -> None:
    server = serve()
    assert sink_to(server, max_events=4).write(batch(1, range(10))) == Outcome(accepted=10)
    assert sizes(server) == [4, 4, 2]


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_a_chat_never_gets_more_than_it_takes(serve: Serve, form: str) -> None:
    server = serve()
    columns = dict.fromkeys(["message", "process_name", "host_name", "pod_name"], "<{{" * 500)
    events = batch(1, (f"{key}{'&' * 500}" for key in range(120)), **columns)
    assert (
        sink_to(server, form=form, max_events=1000, per_minute=1000).write(events).accepted == 120
    )
    for _, _, body in server.requests:
        assert len(body) <= {"slack": 12_000, "teams": 27_000}[form]
        assert len(json.loads(body).get("blocks", [])) <= 50


def test_a_message_to_slack_has_at_most_fifty_blocks(serve: Serve) -> None:
    server = serve()
    sink = sink_to(server, form="slack", max_events=1000)
    assert sink.write(batch(1, range(53), stream=None)) == Outcome(accepted=53)
    assert [len(message["blocks"]) for message in server.messages()] == [50, 5]


def test_events_sent_before_are_duplicates_and_those_that_failed_are_not(serve: Serve) -> None:
    server = serve(answer(500), OK)
    sink = sink_to(server)
    with pytest.raises(EngineError):
        sink.write(batch(1, "ab"))
    assert sink.write(batch(1, "abb")) == Outcome(accepted=2, duplicates=1)
    assert sink.write(batch(2, "bc")) == Outcome(accepted=1, duplicates=1)


# How fast


def test_what_is_above_the_rate_is_given_back_and_goes_later(serve: Serve) -> None:
    server, clock = serve(), Clock()
    sink = sink_to(server, clock=clock, per_minute=2, max_events=1)
    assert sink.write(batch(1, "abcabc")) == Outcome(accepted=2, duplicates=3, retry=(2,))
    assert sink.write(batch(1, "c")) == Outcome(retry=(0,))
    clock.now_s += 60
    assert sink.write(batch(1, "c")) == Outcome(accepted=1)
    assert server.connections == 3


@pytest.mark.parametrize(
    "asked",
    [
        answer(429, Retry_After="30"),
        answer(503, Retry_After="Mon, 23 Nov 2026 15:00:30 GMT",
               Date="Mon, 23 Nov 2026 15:00:00 GMT"),
    ],
    ids=["seconds", "date"],
)  # fmt: skip
def test_a_server_that_asks_to_wait_is_left_alone_for_so_long(serve: Serve, asked: Answer) -> None:
    server, clock = serve(OK, asked, OK), Clock()
    sink = sink_to(server, clock=clock, max_events=1)
    assert sink.write(batch(1, "abc")) == Outcome(accepted=1, retry=(1, 2))
    clock.now_s += 29
    assert sink.write(batch(1, "bc")) == Outcome(retry=(0, 1))
    assert server.connections == 2
    clock.now_s += 1
    assert sink.write(batch(1, "bc")) == Outcome(accepted=2)


def slowly(clock: Clock) -> Answer:
    """Yes, after 8 s of this clock."""

    def step(connection: socket.socket, _: WebhookServer) -> None:
        clock.now_s += 8
        connection.sendall(OK)

    return step


def test_no_message_begins_after_the_time_of_one_call(serve: Serve) -> None:
    clock = Clock()
    sink = sink_to(serve(slowly(clock)), clock=clock, max_events=1)
    assert sink.write(batch(1, "abcdef")) == Outcome(accepted=3, retry=(3, 4, 5))


def test_gaps_that_take_longer_than_one_call_go_on_with_the_next(serve: Serve) -> None:
    clock = Clock()
    server = serve(slowly(clock))
    sink = sink_to(server, clock=clock, max_events=1)
    gaps = [replace(GAP, lost=count) for count in range(4)]
    with pytest.raises(EngineError, match="some gaps are still to be told"):
        sink.write(batch(1, "a", gaps=gaps))
    assert sink.write(batch(1, "a", gaps=gaps)) == Outcome(accepted=1)
    told_of = [gap["lost"] for message in server.messages() for gap in message["gaps"]]
    assert told_of == [0, 1, 2, 3]


# Servers that refuse


def test_a_failure_after_some_messages_gives_the_rest_back(serve: Serve) -> None:
    sink = sink_to(serve(OK, answer(500), answer(500), OK), max_events=2)
    assert sink.write(batch(1, "abcd")) == Outcome(accepted=2, retry=(2, 3))
    with pytest.raises(EngineError, match="answers 500"):
        sink.write(batch(1, "cd"))
    assert sink.write(batch(1, "cd")) == Outcome(accepted=2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(serve: Serve, status: int) -> None:
    other = serve()
    there = answer(status, Location=f"{other.url}?token=hidden")
    with pytest.raises(
        EngineError, match=rf"redirects to http://127.0.0.1:{other.port} "
    ) as caught:
        sink_to(serve(there)).write(batch(1, "a"))
    assert other.connections == 0
    assert "hidden" not in told(caught)


def takes_at_most(count: int) -> Answer:
    def step(connection: socket.socket, server: WebhookServer) -> None:
        connection.sendall(OK if sizes(server)[-1] <= count else answer(413))

    return step


def test_a_message_that_is_too_large_is_halved_until_it_fits(serve: Serve) -> None:
    server = serve(takes_at_most(3))
    sink = sink_to(server, max_events=8)
    assert sink.write(batch(1, range(8))) == Outcome(accepted=8)
    assert sizes(server) == [8, 4, 2, 3, 3]
    assert sink.write(batch(2, "a")) == Outcome(accepted=1)


def test_a_single_event_that_is_too_large_is_a_dead_letter(serve: Serve) -> None:
    outcome = sink_to(serve(takes_at_most(0))).write(batch(1, "a"))
    assert [letter.error_type for letter in outcome.rejected] == ["webhook_refused"]


def refuses(key: str, status: int) -> Answer:
    def step(connection: socket.socket, server: WebhookServer) -> None:
        events = server.messages()[-1]["events"]
        bad = any(event["kubearmor"]["resource"] == key for event in events)
        connection.sendall(answer(status, b"cannot \x1b[31m read this") if bad else OK)

    return step


@pytest.mark.parametrize("status", [400, 422])
def test_the_one_event_that_is_refused_is_a_dead_letter_and_all_others_arrive(
    serve: Serve, status: int
) -> None:
    server = serve(refuses("bad", status))
    keys = [*"abcdefghij", "bad", *"klmnopqrst"]
    events = batch(1, keys, from_source="relay/a")
    outcome = sink_to(server).write(events)
    assert (outcome.accepted, outcome.retry) == (20, ())
    [letter] = outcome.rejected
    assert json.loads(letter.frame)["Resource"] == "bad"
    assert (letter.encoding, letter.source, letter.stream) == ("json", "relay/a", "alert")
    assert letter.received_us == NOW_US
    assert letter.reason == (
        f"http://127.0.0.1:{server.port} answers {status}: cannot \\x1b[31m read this"
    )


def test_a_refused_event_is_found_even_at_one_message_a_minute(serve: Serve) -> None:
    server, clock = serve(refuses("bad", 400)), Clock()
    sink = sink_to(server, clock=clock, per_minute=1)
    waiting, letters = ["a", "bad", "c", "d"], 0
    for _ in range(10):
        outcome = sink.write(batch(1, waiting))
        waiting = [waiting[index] for index in outcome.retry]
        letters += len(outcome.rejected)
        clock.now_s += 60
    assert (waiting, letters) == ([], 1)


def test_every_event_of_a_refused_entry_is_a_dead_letter(serve: Serve) -> None:
    outcome = sink_to(serve(answer(400))).write(batch(1, range(3), resource="same"))
    assert (outcome.accepted, len(outcome.rejected)) == (0, 3)


def test_dead_letters_are_read_again_as_the_same_events(serve: Serve) -> None:
    decoded = decode([row(lines("alerts-real.jsonl")[:20])]).batch
    outcome = sink_to(serve(answer(400)), per_minute=1000).write(decoded)
    assert len(outcome.rejected) == 20
    again = decode([row([letter.frame for letter in outcome.rejected], "alert")]).batch
    assert set(again.rows.column("id").to_pylist()) == set(decoded.rows.column("id").to_pylist())


# Servers that misbehave


@pytest.mark.parametrize("behaviour", [hang, drip])
def test_nobody_can_make_it_wait_for_ever(serve: Serve, behaviour: Answer) -> None:
    server = serve(behaviour)
    with pytest.raises(EngineError, match=r"^http://127.0.0.1:\d+ did not answer within 0.3 s$"):
        sink_to(server, timeout_s=SHORT_S).write(batch(1, "a"))


def test_a_handshake_that_hangs_ends_in_time(serve: Serve) -> None:
    server = serve(hang)
    with pytest.raises(EngineError, match=r"did not answer within 0.3 s$"):
        sink_to(f"https://127.0.0.1:{server.port}/", timeout_s=SHORT_S).write(batch(1, "a"))


def test_a_server_that_reads_nothing_cannot_make_it_wait_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        sink = sink_to(url, timeout_s=SHORT_S, max_events=1)
        with pytest.raises(EngineError, match=r"did not answer within 0.3 s$"):
            sink.write(batch(1, "a", message="x" * 20_000_000))


def test_a_name_that_is_not_resolved_in_time_blocks_nothing_and_is_asked_once() -> None:
    asked: list[str] = []
    over = threading.Event()

    def lookup(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        over.wait(20)
        raise socket.gaierror(-2, "Name or service not known")

    sink = sink_to("https://hooks.test/x", lookup=lookup, timeout_s=SHORT_S)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"^https://hooks.test did not answer within 0.3 s$"):
            sink.write(batch(1, "a"))
    assert asked == ["hooks.test"]
    over.set()
    patient = sink_to("https://hooks.test/x", lookup=lookup)
    with pytest.raises(EngineError, match=r"cannot be reached: Name or service not known$"):
        patient.write(batch(1, "a"))


def test_a_body_of_a_gigabyte_costs_nothing(serve: Serve) -> None:
    server = serve(flood)
    assert sink_to(server).write(batch(1, "a")) == Outcome(accepted=1)
    server.close()
    assert server.flooded_mib < 100


def test_a_body_that_never_ends_does_not_take_back_a_yes(serve: Serve) -> None:
    def yes_but(connection: socket.socket, server: WebhookServer) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        hang(connection, server)

    server = serve(yes_but)
    assert sink_to(server, timeout_s=SHORT_S).write(batch(1, "a")) == Outcome(accepted=1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"\x1b[31mhello\r\n\r\n", "does not answer as HTTP: BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000 + b"\r\n", "does not answer as HTTP: HTTPExc"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "does not answer as HTTP: LineTooLong"),
        (b"", "cannot be reached: Remote end closed connection"),
    ],
)
def test_an_answer_that_is_no_http_is_told_without_its_text(
    serve: Serve, said: bytes, reason: str
) -> None:
    with pytest.raises(EngineError, match=reason) as caught:
        sink_to(serve(said)).write(batch(1, "a"))
    assert "\x1b" not in told(caught)
    assert "yyyy" not in told(caught)


def test_a_server_may_refuse_before_it_has_read_all() -> None:
    with socket.socket() as listener:
        # A small window: our side is then still sending when the server ends the connection.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def refuse() -> None:
            with listener.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(answer(413))

        thread = threading.Thread(target=refuse)
        thread.start()
        sink = sink_to(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        assert len(sink.write(batch(1, "a", message="x" * 8_000_000)).rejected) == 1
        thread.join()


def test_answers_that_never_become_final_are_not_read_for_ever(serve: Serve) -> None:
    def not_yet(connection: socket.socket, server: WebhookServer) -> None:
        while not server.closing.is_set():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    with pytest.raises(EngineError, match="cannot be reached: Remote end closed connection"):
        sink_to(serve(not_yet)).write(batch(1, "a"))


def test_opening_asks_no_server_and_one_that_comes_back_gets_everything(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook/secret-path"
    sink = sink_to(url)
    with pytest.raises(EngineError, match=r"cannot be reached: Connection refused$") as caught:
        sink.write(batch(1, "a"))
    assert "secret-path" not in told(caught)


# Who is spoken to


@pytest.mark.parametrize("networks", [(), ("10.0.0.0/8", "::1/128")])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_private_address_is_not_even_connected_to(
    serve: Serve, scheme: str, networks: tuple[str, ...]
) -> None:
    server = serve()
    url = f"{scheme}://127.0.0.1:{server.port}/hook"
    with pytest.raises(EngineError, match=r"127.0.0.1 is not a public address$") as caught:
        sink_to(url, allowed_networks=networks).write(batch(1, "a"))
    assert server.connections == 0
    assert "allowed_networks" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "169.254.169.254", "0.0.0.0"]
)
def test_a_name_that_resolves_to_a_private_address_is_refused(serve: Serve, address: str) -> None:
    server = serve()
    sink = sink_to(f"https://hooks.test:{server.port}/", resolves_to(address), allowed_networks=())
    with pytest.raises(EngineError, match=r"is not a public address$"):
        sink.write(batch(1, "a"))
    assert server.connections == 0


def test_only_the_allowed_ones_of_several_addresses_are_connected_to(serve: Serve) -> None:
    server, other = serve(), serve()
    lookup = resolves_to("10.255.255.1", "127.0.0.1")
    assert sink_to(f"http://hooks.test:{server.port}/x", lookup).write(batch(1, "a")).accepted == 1
    mapped = sink_to(f"http://hooks.test:{other.port}/x", resolves_to("::1", "::ffff:127.0.0.1"))
    assert mapped.write(batch(1, "a")).accepted == 1


def test_an_address_that_takes_no_connection_leaves_the_next_one_its_chance(serve: Serve) -> None:
    server = serve()
    lookup = resolves_to("127.0.0.2", "127.0.0.1")
    assert sink_to(f"http://hooks.test:{server.port}/x", lookup).write(batch(1, "a")).accepted == 1


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(serve: Serve) -> None:
    server = serve()
    answers = iter([resolves_to("127.0.0.1"), resolves_to("10.0.0.1")])
    sink = sink_to(f"http://hooks.test:{server.port}/x", lambda *a, **kw: next(answers)(*a, **kw))
    assert sink.write(batch(1, "a")).accepted == 1
    assert server.requests[0][1]["host"] == f"hooks.test:{server.port}"


def test_plain_text_goes_only_to_allowed_networks() -> None:
    sink = sink_to("http://hooks.test/x", resolves_to("93.184.216.34"))
    with pytest.raises(EngineError, match=r"93.184.216.34 would be spoken to in plain text$"):
        sink.write(batch(1, "a"))


def test_proxies_of_the_environment_are_not_asked(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = serve(), serve()
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert sink_to(server).write(batch(1, "a")).accepted == 1
    assert (server.connections, proxy.connections) == (1, 0)


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_server_is_verified_by_the_name_in_the_url(serve: Serve, authority: Authority) -> None:
    server = serve(tls=authority.issue("hooks.test"))
    url = f"https://hooks.test:{server.port}/x"
    sink = sink_to(url, resolves_to("127.0.0.1"), ca_file=authority.ca_file)
    assert sink.write(batch(1, "a")) == Outcome(accepted=1)
    assert server.resources() == ["a"]


@pytest.mark.parametrize(
    ("host", "days", "reason"),
    [("other.test", 10, "Hostname mismatch"), ("hooks.test", -1, "certificate has expired")],
)
def test_a_certificate_that_is_not_right_is_refused(
    serve: Serve, authority: Authority, host: str, days: float, reason: str
) -> None:
    server = serve(tls=authority.issue(host, days=days))
    url = f"https://hooks.test:{server.port}/secret-path"
    sink = sink_to(url, resolves_to("127.0.0.1"), ca_file=authority.ca_file)
    with pytest.raises(EngineError, match=f"its certificate is refused: {reason}") as caught:
        sink.write(batch(1, "a"))
    assert server.requests == []
    assert "secret-path" not in told(caught)


@pytest.mark.parametrize("knows_another", [False, True])
def test_a_certificate_of_an_unknown_authority_is_refused(
    serve: Serve, authority: Authority, tmp_path: Path, knows_another: bool
) -> None:
    other = Authority(tmp_path, "other")
    server = serve(tls=authority.issue("127.0.0.1"))
    with pytest.raises(EngineError, match=r"its certificate is refused: .*local issuer"):
        sink_to(server, ca_file=other.ca_file if knows_another else "").write(batch(1, "a"))
    assert server.requests == []


def test_a_new_authority_in_the_file_is_trusted_at_once(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    file, other = tmp_path / "trusted.pem", Authority(tmp_path, "other")
    file.write_bytes(Path(other.ca_file).read_bytes())
    sink = sink_to(serve(tls=authority.issue("127.0.0.1")), ca_file=str(file))
    with pytest.raises(EngineError):
        sink.write(batch(1, "a"))
    Path(authority.ca_file).replace(file)
    assert sink.write(batch(1, "a")).accepted == 1


def test_a_file_without_certificates_is_told_at_opening(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(EngineError, match=r"^ca_file: .*no certificates in PEM"):
        sink_to("https://127.0.0.1/", ca_file=str(tmp_path / "ca.pem"))


# Secrets


def test_a_url_in_a_file_is_read_again_when_it_changes(serve: Serve, tmp_path: Path) -> None:
    first, second = serve(), serve()
    file = tmp_path / "url"
    file.write_text(first.url)
    sink = sink_to("", url_file=str(file))
    sink.write(batch(1, "a"))
    file.write_text(f"{second.url}-2\n")
    sink.write(batch(2, "b"))
    assert [first.resources(), second.resources()] == [["a"], ["b"]]
    assert second.requests[0][0] == "POST /hook/secret-path-2 HTTP/1.1"


def test_a_missing_file_of_the_url_is_told_at_opening(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^url_file: .*cannot be read: No such file"):
        sink_to("", url_file=str(tmp_path / "missing"))


def test_a_wrong_url_is_refused_without_being_quoted() -> None:
    secret = "services-abcdef"
    with pytest.raises(ConfigError, match=r"^\$\.sink\.hook\.url: ") as caught:
        sink_to(f"https://a:port/{secret}")
    assert secret not in "".join(traceback.format_exception(caught.value))


def echo(connection: socket.socket, server: WebhookServer) -> None:
    """404 that repeats what it was asked, as many frameworks do."""
    line, headers, _ = server.requests[-1]
    connection.sendall(answer(404, f"Cannot {line} ({headers['authorization']})".encode()))


def test_secrets_that_a_server_repeats_are_struck_out(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("my-token")
    sink = sink_to(serve(echo), token_file=str(tmp_path / "token"))
    with pytest.raises(
        EngineError, match=r"answers 404: Cannot POST … HTTP/1.1 \(Bearer …\)$"
    ) as caught:
        sink.write(batch(1, "a"))
    assert "secret-path" not in told(caught)
    assert "my-token" not in told(caught)


# Gaps


def test_gaps_are_told_once_in_a_message_of_their_own(serve: Serve) -> None:
    server = serve()
    sink = sink_to(server)
    for last in (1, 2):
        sink.write(batch(last, [last], gaps=[GAP, GAP]))
    assert [len(message["gaps"]) for message in server.messages()] == [1, 0, 0]
    assert server.resources() == ["1", "2"]


def test_gaps_that_cannot_be_told_now_keep_the_whole_batch(serve: Serve) -> None:
    server, clock = serve(OK, answer(429, Retry_After="5"), OK), Clock()
    sink = sink_to(server, clock=clock, per_minute=2)
    sink.write(batch(1, "a"))
    for reason in ("answers 429", "may be written to again in 60 s"):
        with pytest.raises(EngineError, match=reason):
            sink.write(batch(2, "b", gaps=[GAP]))
    clock.now_s += 60
    assert sink.write(batch(2, "b", gaps=[GAP])) == Outcome(accepted=1)
    assert [len(message["gaps"]) for message in server.messages()] == [0, 1, 1, 0]


def test_gaps_that_a_server_refuses_are_counted_and_hold_nothing_up(serve: Serve) -> None:
    def step(connection: socket.socket, server: WebhookServer) -> None:
        connection.sendall(answer(400) if server.messages()[-1]["gaps"] else OK)

    sink = sink_to(serve(step))
    assert sink.write(batch(1, "a", gaps=[GAP])) == Outcome(accepted=1)
    assert sink.gaps_refused == 1
