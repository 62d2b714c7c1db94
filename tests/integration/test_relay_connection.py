"""The relay source when the relay goes away, stalls, or is none: gaps, errors, and going on."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from armorstack import config
from armorstack.config import RelaySource
from armorstack.core.backoff import delay_s
from armorstack.errors import RelayRefused
from armorstack.sources import relay_stream
from armorstack.sources.relay import Relay
from armorstack.sources.relay_stream import RelayStream
from armorstack.spool.reader import Reader
from armorstack.spool.rows import frames_of
from armorstack.spool.work import Work
from tests.support.receiving import Receiving
from tests.support.relay_server import RawServer, RelayServer

STREAMS = ("alert", "log", "message")
ANY_PINGS = [["grpc.http2.max_ping_strikes", 0]]
LIKE_KUBEARMOR = [
    ["grpc.keepalive_time_ms", 500],
    ["grpc.http2.max_pings_without_data", 0],
]
"""The relay pings often itself, and takes it ill when clients ping more than every 5 minutes."""
HTTP_1 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
SETTINGS_THEN_GARBAGE = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xde\xad\xbe\xef" * 300


def source_at(address: str, **more: Any) -> Relay:
    base: dict[str, Any] = {"backoff_initial_s": 0.05, "backoff_max_s": 0.3}
    return Relay(RelaySource(address=address, **(base | more)))


def now_us() -> int:
    return time.time_ns() // 1000


def as_a_sink_takes(folder: Path, count: int) -> list[bytes]:
    """So many frames from the spool, which is freed behind them."""
    taken: list[bytes] = []
    reader, work = Reader.open(folder), Work.open(folder)
    last, deadline = 0, time.monotonic() + 30
    while len(taken) < count and time.monotonic() < deadline:
        for row in reader.read(last, 1024 * 1024):
            taken += frames_of(row)
            last = row.seq
        work.commit("sink", last, True)
    reader.close()
    work.close()
    return taken


@pytest.fixture
def relay() -> Iterator[RelayServer]:
    with RelayServer() as server:
        yield server


def test_a_restarted_relay_is_read_again_and_each_stream_tells_one_gap_over_the_outage(
    tmp_path: Path,
) -> None:
    first = RelayServer()
    with Receiving(source_at(first.address), tmp_path) as receiving:
        first.wait_attached(*STREAMS)
        before = first.number("alert", 0, 100)
        receiving.wait_frames(before, "alert")
        receiving.wait_connected()
        killed_us = now_us()
        first.stop()
        receiving.wait(lambda: not receiving.source.state().connected)
        hint = receiving.wait_error("nothing listens")
        assert "32767" in hint
        back_us = now_us()
        with RelayServer(port=first.port) as second:
            second.wait_attached(*STREAMS)
            after = second.number("alert", 100, 200)
            receiving.wait_frames(before + after, "alert")
            receiving.wait(lambda: len(receiving.gaps()) == 3, "three gaps")
            receiving.wait_connected()
            state = receiving.source.state()
        gaps = receiving.gaps()
    assert (state.error, state.reconnects) == ("", 1)
    assert {gap.stream for gap in gaps} == set(STREAMS)
    for gap in gaps:
        assert (gap.reason, gap.source) == ("disconnect", receiving.source.name)
        assert killed_us <= gap.start_us < back_us < gap.end_us
        assert gap.detail


def test_an_outage_that_is_not_over_when_we_stop_is_told_all_the_same(
    relay: RelayServer, tmp_path: Path
) -> None:
    with Receiving(source_at(relay.address), tmp_path) as receiving:
        receiving.wait_connected()
        relay.stop()
        receiving.wait_error("nothing listens")
        receiving.end()
    assert {gap.stream for gap in receiving.gaps()} == set(STREAMS)


def test_the_time_before_the_relay_is_there_is_no_gap(tmp_path: Path) -> None:
    with RelayServer() as gone:
        port = gone.port
    with Receiving(source_at(f"127.0.0.1:{port}"), tmp_path) as receiving:
        receiving.wait_error("nothing listens")
        with RelayServer(port=port):
            receiving.wait_connected()
            receiving.end()
    assert receiving.gaps() == []


def test_a_relay_that_answers_no_pings_is_noticed_and_the_gap_begins_with_the_silence(
    tmp_path: Path,
) -> None:
    with RelayServer(args=ANY_PINGS) as relay:
        source = source_at(relay.address, keepalive_s=0.5, health_interval_s=600)
        with Receiving(source, tmp_path) as receiving:
            receiving.wait_connected()
            frozen_us = now_us()
            relay.freeze()
            receiving.wait_error("answers no pings")
            receiving.wait(lambda: not any(one.presence.connected for one in source._streams))
            noticed_us = now_us()
            relay.thaw()
            receiving.wait_connected()
            receiving.wait(lambda: len(receiving.gaps()) == 3, "three gaps")
            for gap in receiving.gaps():
                # The last sign of life may be one ping interval older than the silence.
                assert frozen_us - 1_500_000 <= gap.start_us < noticed_us - 500_000
                assert gap.end_us > noticed_us


def test_a_relay_that_answers_pings_but_no_health_check_is_dialled_anew(
    relay: RelayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("armorstack.sources.relay_link.HEALTH_TIMEOUT_S", 0.5)
    with Receiving(source_at(relay.address, health_interval_s=0.2), tmp_path) as receiving:
        receiving.wait_connected()
        relay.set(stall_health=True)
        receiving.wait_error("does not answer")
        relay.set(stall_health=False)
        receiving.wait_connected()
        receiving.wait(lambda: len(receiving.gaps()) >= 3, "three gaps")
        assert all(len(relay.requests(stream)) >= 2 for stream in STREAMS)


def test_a_relay_that_changes_into_something_else_is_left_and_told(
    relay: RelayServer, tmp_path: Path
) -> None:
    with Receiving(source_at(relay.address, health_interval_s=0.2), tmp_path) as receiving:
        receiving.wait_connected()
        relay.set(echo_wrong=True)
        hint = receiving.wait_error("answered but is not a KubeArmor relay")
        receiving.wait(lambda: not receiving.source.state().connected)
        relay.send("alert", b"not to be trusted")
        relay.set(echo_wrong=False)
        receiving.wait_connected()
        assert receiving.frames() == []
    assert "32767" in hint


def test_a_healthy_relay_is_asked_again_and_again_and_its_streams_stay(
    relay: RelayServer, tmp_path: Path
) -> None:
    with Receiving(source_at(relay.address, health_interval_s=0.05), tmp_path) as receiving:
        receiving.wait(lambda: len(relay.seen()["nonces"]) > 20, "20 health checks")
        assert [len(relay.requests(stream)) for stream in STREAMS] == [1, 1, 1]
    assert receiving.gaps() == []


def test_no_stream_is_asked_for_where_the_echo_is_wrong(tmp_path: Path) -> None:
    with RelayServer(echo_wrong=True) as relay:
        with Receiving(source_at(relay.address), tmp_path) as receiving:
            receiving.wait_error(f"the peer at {relay.address} answered but is not")
            receiving.wait(lambda: len(relay.seen()["nonces"]) > 6, "further attempts")
        assert [relay.requests(stream) for stream in STREAMS] == [[], [], []]


def test_a_server_without_health_check_is_refused_with_a_hint(tmp_path: Path) -> None:
    with (
        RelayServer(no_health=True) as relay,
        Receiving(source_at(relay.address), tmp_path) as receiving,
    ):
        hint = receiving.wait_error("is not a KubeArmor relay")
        errors = [one.error for one in receiving.source._streams]  # type: ignore[attr-defined]
    assert "gRPC service" in hint
    assert any(isinstance(error, RelayRefused) for error in errors)


def test_a_stream_that_ends_at_once_in_good_order_means_a_refused_filter(tmp_path: Path) -> None:
    with RelayServer(end_at_once=True) as relay:
        source = source_at(relay.address, logs="off", messages="off", alerts="policy")
        with Receiving(source, tmp_path) as receiving:
            hint = receiving.wait_error("ends the alert stream at once")
            assert "'policy'" in hint
            assert not receiving.source.state().connected
            relay.set(end_at_once=False)
            receiving.wait_connected()
        assert receiving.gaps() == []


def test_a_stream_that_the_relay_ends_later_is_a_gap_and_is_read_again(
    relay: RelayServer, tmp_path: Path
) -> None:
    with Receiving(source_at(relay.address), tmp_path) as receiving:
        receiving.wait_connected()
        relay.end("log")
        receiving.wait(receiving.gaps, "a gap")
        receiving.wait_connected()
        receiving.wait_frames(relay.number("log", 0, 10), "log")
        assert [len(relay.requests(stream)) for stream in STREAMS] == [1, 2, 1]
    assert [gap.stream for gap in receiving.gaps()] == ["log"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        pytest.param(HTTP_1, "speaks HTTP/1", id="HTTP/1"),
        pytest.param(b"\xff\x00" * 100, "speaks something else than gRPC", id="noise"),
        pytest.param(SETTINGS_THEN_GARBAGE, "speaks something else than gRPC", id="later noise"),
    ],
)
def test_a_port_that_speaks_no_http_2_is_told_and_tried_again(
    answer: bytes, sentence: str, tmp_path: Path
) -> None:
    with RawServer(answer) as server, Receiving(source_at(server.address), tmp_path) as receiving:
        receiving.wait_error(sentence)
        receiving.wait(lambda: server.connections > 6, "further attempts")
        assert receiving.frames() == []
        assert receiving.error is None


def test_a_port_that_says_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("armorstack.sources.relay_link.HEALTH_TIMEOUT_S", 0.5)
    with RawServer(b"") as server, Receiving(source_at(server.address), tmp_path) as receiving:
        receiving.wait_error("does not answer")


def test_a_relay_that_refuses_frequent_pings_is_pinged_less_from_then_on(tmp_path: Path) -> None:
    strict = [["grpc.http2.min_ping_interval_without_data_ms", 300_000]]
    with RelayServer(args=strict) as relay:
        source = source_at(relay.address, keepalive_s=0.2, health_interval_s=600)
        with Receiving(source, tmp_path) as receiving:
            receiving.wait(lambda: len(receiving.gaps()) == 3, "the first interruption")
            assert "pings as frequent as ours" in receiving.gaps()[0].detail
            receiving.wait_connected()
            streams = source._streams
            assert [one._keepalive_s for one in streams] == [relay_stream.RARE_PINGS_S] * 3


def test_a_broken_spool_ends_the_source_loudly(relay: RelayServer, tmp_path: Path) -> None:
    with Receiving(source_at(relay.address), tmp_path) as receiving:
        relay.wait_attached("alert")
        receiving.intake.close(5)
        relay.number("alert", 0, 10)
        receiving.wait(lambda: receiving.error is not None, "the end")
        assert "broke down: the spool is closed" in str(receiving.error)


def test_a_full_spool_holds_the_relay_back_and_keeps_the_connection(tmp_path: Path) -> None:
    small = config.Spool(
        max_bytes=1024 * 1024, max_memory_bytes=1024 * 1024, flush_bytes=64 * 1024,
        reserve_bytes=64 * 1024,
    )  # fmt: skip
    with RelayServer(args=LIKE_KUBEARMOR) as relay:
        source = source_at(relay.address, keepalive_s=1.5, health_interval_s=0.5)
        with Receiving(source, tmp_path, small) as receiving:
            relay.wait_attached(*STREAMS)
            sent = relay.number("alert", 0, 20_000, 1000)
            receiving.wait(lambda: receiving.intake.stats().blocked_s > 4.0, "four seconds")
            assert source.state().connected
            assert receiving.gaps() == []
            assert as_a_sink_takes(tmp_path, len(sent)) == sent
        assert [len(relay.requests(stream)) for stream in STREAMS] == [1, 1, 1]


def test_idle_streams_survive_a_relay_that_pings_and_demands_rare_pings(tmp_path: Path) -> None:
    with RelayServer(args=LIKE_KUBEARMOR) as relay:
        source = source_at(relay.address, keepalive_s=1.2, health_interval_s=600)
        with Receiving(source, tmp_path) as receiving:
            receiving.wait_connected()
            time.sleep(7)
            assert receiving.gaps() == []
            assert source.state().connected


def test_a_stop_that_comes_while_nothing_is_dialled_is_seen_by_the_next_dial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("armorstack.sources.relay_link.HEALTH_TIMEOUT_S", 600)
    stop = threading.Event()
    with RelayServer(stall_health=True) as relay:
        source = source_at("127.0.0.1:1")
        with Receiving(source, tmp_path) as receiving:
            settings = RelaySource(address=relay.address)
            stream = RelayStream(settings, "alert", "all", receiving.intake)
            stop.set()
            stream.close()
            stream._attempt(receiving.intake.lane("a", "alert", "protobuf"), stop)
    assert stream.error is None


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how many failures in a row each wait was made, as they come."""
    seen: list[int] = []

    def noting(attempt: int, initial_s: float, longest_s: float, chance: float) -> float:
        seen.append(attempt)
        return delay_s(attempt, initial_s, longest_s, chance)

    monkeypatch.setattr(relay_stream, "delay_s", noting)
    return seen


def test_waits_grow_while_attempts_fail(attempts: list[int], tmp_path: Path) -> None:
    source = source_at("127.0.0.1:1", logs="off", messages="off", backoff_initial_s=0.001)
    with Receiving(source, tmp_path) as receiving:
        receiving.wait(lambda: len(attempts) > 8, "attempts")
    assert attempts == list(range(1, len(attempts) + 1))


@pytest.mark.parametrize("lived", [True, False])
def test_waits_are_short_again_only_after_a_stream_that_lived(
    attempts: list[int], lived: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_stream, "LIVED_S", 0.0 if lived else 600.0)
    with RelayServer() as relay:
        source = source_at(relay.address, logs="off", messages="off")
        with Receiving(source, tmp_path) as receiving:
            for number in range(3):
                receiving.wait_connected()
                relay.end("alert")
                receiving.wait(lambda number=number: len(attempts) > number, "an attempt")
            assert attempts == ([1, 1, 1] if lived else [1, 2, 3])
