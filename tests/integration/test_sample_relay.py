"""The sample relay as a client sees it: a real process, real gRPC."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.unknown_fields import UnknownFieldSet

from armorstack.core.fields import STREAMS, Stream
from armorstack.core.proto import message_class
from armorstack.sample.relay import METHODS

SERVICE = "/feeder.LogService/"
ALL = b"\n\x03all"
DEADLINE_S = 30.0


class Relay:
    """The handle of `armorstack sample-relay`."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "armorstack", "sample-relay", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.address: str = self.line()["address"]

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line


@contextmanager
def sample_relay(*options: str) -> Iterator[Relay]:
    relay = Relay(*options)
    try:
        yield relay
    finally:
        relay.process.kill()
        relay.process.wait()
        for pipe in (relay.process.stdin, relay.process.stdout):
            assert pipe is not None
            pipe.close()


class Client:
    """Watches streams with one channel, a thread for each."""

    def __init__(self, address: str, *streams: Stream, pause_s: float = 0.0) -> None:
        self.channel = grpc.insecure_channel(address)
        self.frames: dict[Stream, list[bytes]] = {stream: [] for stream in streams}
        self.codes: dict[Stream, grpc.StatusCode] = {}
        self._pause_s = pause_s
        self._threads = [threading.Thread(target=self._watch, args=(s,)) for s in streams]
        for thread in self._threads:
            thread.start()

    def _watch(self, stream: Stream) -> None:
        call = self.channel.unary_stream(SERVICE + METHODS[stream])(ALL, wait_for_ready=True)
        try:
            for frame in call:
                self.frames[stream].append(frame)
                time.sleep(self._pause_s)
        except grpc.RpcError:
            pass
        self.codes[stream] = call.code()

    @property
    def count(self) -> int:
        return sum(map(len, self.frames.values()))

    def events(self) -> Iterator[tuple[Stream, Any]]:
        for stream, frames in self.frames.items():
            for frame in frames:
                yield stream, message_class(stream).FromString(frame)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
        self.channel.close()

    def leave(self) -> None:
        self.channel.close()
        self.join()


def wait_for(client: Client, count: int) -> None:
    end = time.monotonic() + DEADLINE_S
    while client.count < count:
        assert time.monotonic() < end, f"only {client.count} events came"
        time.sleep(0.02)


def test_exactly_as_many_events_as_promised_reach_the_client_and_the_relay_ends_well() -> None:
    with sample_relay("--count", "3000", "--rate", "20000") as relay:
        client = Client(relay.address, *STREAMS)
        client.join()
        assert relay.process.wait(DEADLINE_S) == 0
        told = relay.line()
    assert client.count == 3000
    assert told["sent"] == {stream: len(frames) for stream, frames in client.frames.items()}
    assert set(client.codes.values()) == {grpc.StatusCode.OK}


def test_a_slow_client_gets_every_event_of_a_promised_number() -> None:
    with sample_relay("--count", "4000", "--rate", "1000000") as relay:
        client = Client(relay.address, *STREAMS, pause_s=0.0005)
        client.join()
        assert relay.process.wait(DEADLINE_S) == 0
    assert client.count == 4000


def test_only_attached_streams_count_towards_the_promised_number() -> None:
    with sample_relay("--count", "300", "--rate", "20000") as relay:
        client = Client(relay.address, "alert")
        client.join()
        assert relay.process.wait(DEADLINE_S) == 0
    assert client.count == 300


def test_an_endless_relay_drops_what_a_slow_client_leaves_no_room_for_and_counts_it() -> None:
    with sample_relay("--rate", "1000000") as relay:
        client = Client(relay.address, "alert", pause_s=0.01)
        wait_for(client, 100)
        client.leave()
        relay.process.send_signal(signal.SIGTERM)
        assert relay.line()["sent"]["alert"] > 100
        assert relay.line()["dropped"] > 0
        assert relay.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(
    ("stream", "asked"),
    [("alert", "system"), ("log", "policy"), ("alert", "nonsense"), ("alert", "")],
)
def test_a_filter_of_another_stream_ends_it_at_once_with_ok(stream: Stream, asked: str) -> None:
    request = b"\n" + bytes([len(asked)]) + asked.encode()
    with sample_relay() as relay, grpc.insecure_channel(relay.address) as channel:
        call = channel.unary_stream(SERVICE + METHODS[stream])(request, timeout=DEADLINE_S)
        assert list(call) == []
        assert call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize(("stream", "asked"), [("alert", b"policy"), ("log", b"system")])
def test_kubearmors_own_filters_are_served(stream: Stream, asked: bytes) -> None:
    request = b"\n" + bytes([len(asked)]) + asked
    with (
        sample_relay("--count", "50", "--rate", "20000") as relay,
        grpc.insecure_channel(relay.address) as channel,
    ):
        frames = list(channel.unary_stream(SERVICE + METHODS[stream])(request, timeout=DEADLINE_S))
    assert len(frames) == 50


def test_the_nonce_comes_back_from_the_health_check() -> None:
    with sample_relay() as relay, grpc.insecure_channel(relay.address) as channel:
        answer = channel.unary_unary(SERVICE + "HealthCheck")(b"\x08\xd2\x09", timeout=DEADLINE_S)
    assert answer == b"\x08\xd2\x09"


def test_events_parse_by_the_field_table_and_the_whole_incident_is_among_them() -> None:
    with sample_relay("--count", "600", "--rate", "20000") as relay:
        client = Client(relay.address, *STREAMS)
        client.join()
    kinds = Counter()
    for _, event in client.events():
        assert len(UnknownFieldSet(event)) == 0
        if event.HostName.startswith("synthetic-"):
            kinds[event.Type if event.DESCRIPTOR.name == "Message" else event.Operation] += 1
    assert set(kinds) == {
        "Process", "File", "Network", "Syscall", "Capabilities", "Device", "NetworkFirewall",
        "AlertThreshold", "Message",
    }  # fmt: skip


def test_times_are_current_distinct_and_as_kubearmor_writes_them() -> None:
    began = time.time()
    with sample_relay("--count", "400", "--rate", "20000") as relay:
        client = Client(relay.address, *STREAMS)
        client.join()
    seen = [event for _, event in client.events()]
    texts = [event.UpdatedTime for event in seen]
    assert len(set(texts)) == 400
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text) for text in texts)
    moments = [datetime.fromisoformat(text).timestamp() for text in texts]
    assert began - 1 <= min(moments) <= max(moments) <= time.time() + 1
    assert [event.Timestamp for event in seen] == [int(moment) for moment in moments]


def test_the_same_seed_replays_the_same_events() -> None:
    def replay() -> list[tuple[Stream, str]]:
        with sample_relay("--count", "200", "--rate", "20000", "--seed", "7") as relay:
            client = Client(relay.address, *STREAMS)
            client.join()
        return [(stream, event.ExecEvent.ExecID) for stream, event in client.events()
                if stream != "message"]  # fmt: skip

    assert replay() == replay()


def test_events_do_not_come_much_faster_than_asked_for() -> None:
    with sample_relay("--rate", "200") as relay:
        client = Client(relay.address, *STREAMS)
        wait_for(client, 50)
        began, before = time.monotonic(), client.count
        wait_for(client, before + 400)
        rate = (client.count - before) / (time.monotonic() - began)
        client.leave()
    assert rate < 600


def test_nothing_is_kept_for_clients_that_come_later() -> None:
    with sample_relay("--rate", "500") as relay:
        first = Client(relay.address, *STREAMS)
        wait_for(first, 200)
        late = Client(relay.address, *STREAMS)
        began = time.time()
        wait_for(late, 50)
        first.leave()
        late.leave()
    oldest = min(datetime.fromisoformat(event.UpdatedTime) for _, event in late.events())
    assert oldest.timestamp() >= began - 1


def test_it_ends_when_its_standard_input_closes() -> None:
    with sample_relay("--while-stdin") as relay:
        assert relay.process.stdin is not None
        relay.process.stdin.close()
        assert relay.process.wait(DEADLINE_S) == 0


def test_streams_stay_open_after_the_last_event_while_standard_input_is_open() -> None:
    with sample_relay("--while-stdin", "--count", "200", "--rate", "20000") as relay:
        client = Client(relay.address, *STREAMS)
        assert sum(relay.line()["sent"].values()) == 200
        wait_for(client, 200)
        assert client.codes == {}
        assert relay.process.poll() is None
        assert relay.process.stdin is not None
        relay.process.stdin.close()
        client.join()


def test_no_orphan_is_left_when_whoever_started_it_is_killed() -> None:
    parent = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-m', 'armorstack', 'sample-relay', '--while-stdin']\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    child = psutil.Process(int(starter.stdout.readline()))
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    child.wait(DEADLINE_S)
    assert not child.is_running()


def test_sigterm_ends_it_well() -> None:
    with sample_relay() as relay:
        relay.process.send_signal(signal.SIGTERM)
        assert relay.process.wait(DEADLINE_S) == 0
