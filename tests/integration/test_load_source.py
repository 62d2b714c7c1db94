"""The load source of the benches: a relay that sends tens of thousands of events a second."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.unknown_fields import UnknownFieldSet

from armorstack.core.fields import STREAMS, Stream
from armorstack.core.proto import message_class
from bench.children import ROOT, LoadSource
from bench.corpus import build, number_of, save

SERVICE = "/feeder.LogService/"
METHODS = {"alert": "WatchAlerts", "log": "WatchLogs", "message": "WatchMessages"}
ALL = b"\n\x03all"
DEADLINE_S = 60.0


class Source:
    """The handle of `python -m bench.load_source`."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.load_source", "--distinct", "1000", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self.address: str = self.line()["address"]

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def told(self, event: str) -> dict[str, Any]:
        while (line := self.line())["event"] != event:
            pass
        return line


@contextmanager
def load_source(*options: str) -> Iterator[Source]:
    source = Source(*options)
    try:
        yield source
    finally:
        source.process.kill()
        source.process.wait()
        assert source.process.stdout is not None
        source.process.stdout.close()


@contextmanager
def watch(source: Source, stream: Stream, request: bytes = ALL) -> Iterator[Any]:
    with grpc.insecure_channel(source.address) as channel:
        yield channel.unary_stream(SERVICE + METHODS[stream])(request, timeout=DEADLINE_S)


def received(source: Source, stream: Stream) -> list[bytes]:
    with watch(source, stream) as call:
        return list(call)


def test_every_number_arrives_once_and_in_order() -> None:
    with load_source("--count", "20000", "--number") as source:
        frames = received(source, "alert")
        assert [number_of(frame) for frame in frames] == list(range(20_000))
        assert source.told("done")["sent"] == {"alert": 20_000}
        assert source.process.wait(DEADLINE_S) == 0


def test_events_are_distinct_current_and_whole() -> None:
    began = time.time()
    with load_source("--count", "5000") as source:
        frames = received(source, "alert")
    events = [message_class("alert").FromString(frame) for frame in frames]
    assert len({event.UpdatedTime for event in events}) == 5_000
    for event in events:
        assert len(UnknownFieldSet(event)) == 0
        moment = datetime.fromisoformat(event.UpdatedTime).timestamp()
        assert began - 1 <= moment <= time.time() + 1
        assert event.Timestamp == int(moment)


def test_containers_have_owners_and_labels_and_names_vary() -> None:
    with load_source("--count", "1000") as source:
        frames = received(source, "alert")
    events = [message_class("alert").FromString(frame) for frame in frames]
    pods = [event for event in events if event.PodName]
    assert all(event.Owner.Name and event.Labels for event in pods)
    assert len({event.PodName for event in pods}) > 100
    assert len({event.HostPID for event in events}) > 500


def test_three_streams_share_the_events_as_told() -> None:
    counts: dict[Stream, int] = {}
    with load_source("--count", "1000", "--mix", "5:4:1") as source:

        def read(stream: Stream) -> None:
            counts[stream] = len(received(source, stream))

        threads = [threading.Thread(target=read, args=(stream,)) for stream in STREAMS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert source.process.wait(DEADLINE_S) == 0
    assert counts == {"alert": 500, "log": 400, "message": 100}


def test_the_nonce_comes_back_from_the_health_check() -> None:
    with load_source() as source, grpc.insecure_channel(source.address) as channel:
        health = channel.unary_unary(SERVICE + "HealthCheck")
        assert health(b"\x08\xd2\x09", timeout=DEADLINE_S) == b"\x08\xd2\x09"
        with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
            channel.unary_unary(SERVICE + "Unknown")(b"", timeout=DEADLINE_S)


def test_an_unknown_filter_ends_the_stream_at_once_with_ok() -> None:
    with load_source("--count", "10") as source, watch(source, "alert", b"\n\x06system") as call:
        assert list(call) == []
        assert call.code() is grpc.StatusCode.OK


def test_paced_events_do_not_come_faster_than_asked_for() -> None:
    with load_source("--count", "2000", "--rate", "2000") as source:
        began = time.monotonic()
        assert len(received(source, "alert")) == 2_000
        assert time.monotonic() - began > 0.9


def test_what_a_stopped_client_leaves_no_room_for_is_dropped_and_counted() -> None:
    client = (
        "import grpc, sys\n"
        "with grpc.insecure_channel(sys.argv[1]) as channel:\n"
        "    call = channel.unary_stream('/feeder.LogService/WatchAlerts')(b'\\n\\x03all')\n"
        "    print(sum(1 for _ in call), flush=True)\n"
    )
    with load_source("--count", "60000", "--rate", "20000", "--drop") as source:
        reader = subprocess.Popen(
            [sys.executable, "-c", client, source.address], stdout=subprocess.PIPE
        )
        source.told("attached")
        os.kill(reader.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(reader.pid, signal.SIGCONT)
        told = source.told("done")
        assert reader.stdout is not None
        got = int(reader.stdout.readline())
        reader.wait(DEADLINE_S)
        reader.stdout.close()
    assert told["dropped"]["alert"] > 0
    assert got == told["sent"]["alert"]
    assert got + told["dropped"]["alert"] == 60_000


def test_a_controlled_source_waits_for_the_word_and_ends_with_its_standard_input(
    tmp_path: Path,
) -> None:
    save(build({"alert": 1000}), tmp_path / "corpus")
    with LoadSource(tmp_path / "corpus", 3000) as source:
        frames: list[bytes] = []
        with grpc.insecure_channel(source.address) as channel:
            call = channel.unary_stream(SERVICE + "WatchAlerts")(ALL, timeout=DEADLINE_S)
            thread = threading.Thread(target=lambda: frames.extend(call))
            thread.start()
            source.wait_attached("alert")
            time.sleep(0.3)
            assert frames == []
            source.go()
            thread.join(DEADLINE_S)
        assert len(frames) == 3_000
        assert source.done()["sent"] == {"alert": 3_000}
        assert source.end() == 0
