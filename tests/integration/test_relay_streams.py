"""The relay source against a real gRPC server: what is asked, what arrives, how it stops."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from armorstack.config import RelaySource
from armorstack.errors import ConfigError
from armorstack.sources import relay_link
from armorstack.sources.relay import Relay
from armorstack.sources.relay_wire import decode_reply, encode_request
from tests.support.grpc_modes import without_option
from tests.support.receiving import Receiving
from tests.support.relay_server import RelayServer

STREAMS = ("alert", "log", "message")
MIB = 1024 * 1024


def settings(relay: RelayServer, **more: Any) -> RelaySource:
    base: dict[str, Any] = {"backoff_initial_s": 0.05, "backoff_max_s": 0.3}
    return RelaySource(address=relay.address, **(base | more))


@pytest.fixture
def relay() -> Iterator[RelayServer]:
    with RelayServer() as server:
        yield server


@pytest.fixture(params=["single-threaded", "plain"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both modes of grpcio, the fast one and the one that is left if its option goes away."""
    if request.param == "plain":
        without_option(monkeypatch)
    return str(request.param)


def test_alerts_logs_and_messages_arrive_untouched_and_in_order(
    relay: RelayServer, tmp_path: Path, mode: str
) -> None:
    with Receiving(Relay(settings(relay, cluster="west")), tmp_path) as receiving:
        relay.wait_attached(*STREAMS)
        sent = {stream: relay.number(stream, 0, 2000, 100) for stream in STREAMS}
        for stream in STREAMS:
            receiving.wait_frames(sent[stream], stream)
        lanes = receiving.by_lane()
    name = f"relay/{relay.address}"
    assert lanes == {(name, stream, "protobuf", "west"): sent[stream] for stream in STREAMS}


def test_filters_are_sent_as_configured_and_streams_that_are_off_are_not_asked_for(
    relay: RelayServer, tmp_path: Path
) -> None:
    source = Relay(settings(relay, alerts="policy", logs="system", messages="off"))
    with Receiving(source, tmp_path) as receiving:
        receiving.wait_connected()
    assert relay.requests("alert") == [encode_request("policy")]
    assert relay.requests("log") == [encode_request("system")]
    assert relay.requests("message") == []


def test_a_source_with_everything_off_is_refused(relay: RelayServer) -> None:
    with pytest.raises(ConfigError, match="all off"):
        Relay(settings(relay, alerts="off", logs="off", messages="off"))


def test_each_stream_is_preceded_by_a_health_check_with_a_nonce_of_its_own(
    relay: RelayServer, tmp_path: Path
) -> None:
    with Receiving(Relay(settings(relay)), tmp_path) as receiving:
        receiving.wait_connected()
    nonces = [decode_reply(base64.b64decode(text)) for text in relay.seen()["nonces"]]
    assert len(nonces) == len(set(nonces)) == 3
    assert all(nonces)


def test_each_stream_has_a_connection_of_its_own(relay: RelayServer, tmp_path: Path) -> None:
    with Receiving(Relay(settings(relay)), tmp_path) as receiving:
        receiving.wait_connected()
    assert len(relay.seen()["peers"]) == 3


def test_a_proxy_meant_for_the_internet_is_not_used(
    relay: RelayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("grpc_proxy", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Receiving(Relay(settings(relay)), tmp_path) as receiving:
        receiving.wait_connected()


def test_a_quiet_relay_counts_as_connected(relay: RelayServer, tmp_path: Path) -> None:
    with Receiving(Relay(settings(relay)), tmp_path) as receiving:
        receiving.wait_connected()
        state = receiving.source.state()
        assert (state.name, state.kind) == (f"relay/{relay.address}", "relay")
        assert state.since_us > 0
        assert (state.last_frame_us, state.reconnects, state.error) == (0, 0, "")
        relay.send("log", b"one")
        receiving.wait(lambda: receiving.source.state().last_frame_us > state.since_us)
    assert receiving.gaps() == []


def test_bytes_that_are_no_event_pass_through_untouched(relay: RelayServer, tmp_path: Path) -> None:
    garbage = [b"\xff\xff\xff\xff", b"\x00", b"", b"\n\x80", bytes(range(256)), b"{}\n"]
    with Receiving(Relay(settings(relay)), tmp_path) as receiving:
        relay.wait_attached("alert")
        relay.send("alert", *garbage)
        receiving.wait_frames(garbage, "alert")


def test_messages_of_8_mib_pass(relay: RelayServer, tmp_path: Path, mode: str) -> None:
    with Receiving(Relay(settings(relay)), tmp_path) as receiving:
        relay.wait_attached("alert")
        receiving.wait_frames(relay.number("alert", 0, 3, 8 * MIB), "alert")


def test_a_message_over_the_limit_is_a_gap_and_the_stream_goes_on(
    relay: RelayServer, tmp_path: Path, mode: str
) -> None:
    source = Relay(settings(relay, max_message_bytes=MIB, logs="off", messages="off"))
    with Receiving(source, tmp_path) as receiving:
        relay.wait_attached("alert")
        before = relay.number("alert", 0, 10)
        relay.number("alert", 10, 11, MIB + 1)
        receiving.wait(receiving.gaps, "a gap")
        relay.wait_attached("alert")
        after = relay.number("alert", 11, 20)
        receiving.wait_frames(before + after, "alert")
        gaps = receiving.gaps()
    assert [(gap.reason, gap.stream) for gap in gaps] == [("oversize", "alert")]
    assert gaps[0].start_us <= gaps[0].end_us
    assert f"({MIB + 1} vs. {MIB})" in gaps[0].detail


def test_a_message_over_the_limit_is_a_gap_even_when_it_is_the_first(
    relay: RelayServer, tmp_path: Path
) -> None:
    source = Relay(settings(relay, max_message_bytes=MIB, logs="off", messages="off"))
    with Receiving(source, tmp_path) as receiving:
        relay.wait_attached("alert")
        relay.number("alert", 0, 1, MIB + 1)
        receiving.wait(receiving.gaps, "a gap")
    assert [gap.reason for gap in receiving.gaps()] == ["oversize"]


def test_two_relays_at_once_do_not_mix(relay: RelayServer, tmp_path: Path) -> None:
    with RelayServer() as other:
        sources = [
            Relay(settings(relay, name="east", cluster="c-east")),
            Relay(settings(other, name="west", cluster="c-west")),
        ]
        with Receiving(Both(sources), tmp_path) as receiving:  # type: ignore[arg-type]
            for server in (relay, other):
                server.wait_attached(*STREAMS)
            east = relay.number("alert", 0, 500)
            west = other.number("alert", 1000, 1700)
            receiving.wait(lambda: len(receiving.frames("alert")) == 1200)
            lanes = receiving.by_lane()
    assert lanes == {
        ("east", "alert", "protobuf", "c-east"): east,
        ("west", "alert", "protobuf", "c-west"): west,
    }


class Both:
    """Several sources under one stop, as the receiver runs them."""

    def __init__(self, sources: list[Relay]) -> None:
        self._sources = sources

    def run(self, intake: Any, stop: threading.Event) -> None:
        threads = [threading.Thread(target=one.run, args=(intake, stop)) for one in self._sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def state(self) -> Any:
        return self._sources[0].state()


@pytest.mark.parametrize("moment", ["quiet", "under load", "before the answer", "unreachable"])
def test_stopping_ends_every_thread_whatever_it_waits_for(
    relay: RelayServer, tmp_path: Path, mode: str, moment: str
) -> None:
    before = set(threading.enumerate())
    relay.set(stall_health=moment == "before the answer")
    address = "127.0.0.1:1" if moment == "unreachable" else relay.address
    source = Relay(RelaySource(address=address, backoff_initial_s=100, backoff_max_s=100))
    with Receiving(source, tmp_path) as receiving:
        if moment in ("quiet", "under load"):
            receiving.wait_connected()
        elif moment == "unreachable":
            receiving.wait_error("nothing listens")
        else:
            receiving.wait(lambda: len(relay.seen()["nonces"]) == 3)
        if moment == "under load":
            relay.number("alert", 0, 50_000, 500)
        receiving.end()
    left = [
        thread.name
        for thread in set(threading.enumerate()) - before
        if thread.name.startswith(("relay/", "receiving"))
    ]
    assert left == []
    assert receiving.error is None
    assert receiving.gaps() == []


def test_the_installed_grpcio_still_has_the_option_that_saves_the_threads() -> None:
    assert relay_link._single_threaded() == [("SingleThreadedUnaryStream", 1)]


def test_plain_mode_asks_for_no_option_that_grpcio_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_option(monkeypatch)
    assert relay_link._single_threaded() == []
