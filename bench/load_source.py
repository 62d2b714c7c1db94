"""A relay for benches and crash tests: 40,000 events/s and more over real HTTP/2 and gRPC.

`python -m bench.load_source` prints JSON lines: `{"event":"listening","address":"127.0.0.1:N"}`,
`attached` with its stream, and at the end `done` with what was sent and dropped per stream. Its
messages lie serialised in memory and many of them go out with one write, which is why one process
feeds what no gRPC server library in Python could. Flow control is respected to the byte.

With `--rate` events fall due in slices of 5 ms; with `--drop` those that the client leaves no room
for are dropped past the relay's own queue lengths, and counted. With `--hold` streams stay open
after the last event. With `--controlled` it sends nothing before a line `go` on standard input and
ends when standard input closes. Otherwise it ends when all was sent and the last client has gone.
Must not go here: measuring the receiver.
"""

import argparse
import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error

from armorstack.core.fields import Stream
from bench import corpus
from bench.feed import QUEUE_SLOTS, Feed, Pace, Stamp

SLICE_S = 0.005
OUT_BYTES = 256 * 1024
READ_BYTES = 64 * 1024
ENDLESS = 1 << 62
PREFIX = "/feeder.LogService/"
WATCHES: dict[str, tuple[Stream, tuple[bytes, ...]]] = {
    "WatchAlerts": ("alert", (b"all", b"policy")),
    "WatchLogs": ("log", (b"all", b"system")),
    "WatchMessages": ("message", (b"", b"all")),
}
"""Method → its stream and the filters that it takes; another filter ends the stream at once."""


def say(event: str, **members: Any) -> None:
    """One JSON line on standard output."""
    print(json.dumps({"event": event, **members}), flush=True)


class Call:
    """One gRPC call of a client: its request as it comes in, its events as they go out."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.request = bytearray()
        self.watching = False
        self.feed: Feed | None = None
        self.pace: Pace | None = None
        self.pending = memoryview(b"")

    def refill(self) -> bool:
        """Make `pending` hold something, if anything is due; tell whether it does."""
        if not self.pending and self.feed is not None and self.pace is not None:
            due = self.pace.due()
            if due > 0:
                before = self.feed.sent
                self.pending = memoryview(self.feed.take(due))
                self.pace.sent(self.feed.sent - before)
        return bool(self.pending)

    @property
    def exhausted(self) -> bool:
        """Whether it has, and can have, nothing more to write."""
        return not self.pending and (self.feed is None or self.feed.left <= 0)


class Client:
    """One HTTP/2 connection."""

    def __init__(self, sock: socket.socket, relay: "Relay") -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._relay = relay
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._http.initiate_connection()
        self._calls: dict[int, Call] = {}
        self._out = memoryview(b"")

    @property
    def backed_up(self) -> bool:
        """Whether the socket takes no more for now."""
        return bool(self._out)

    def read(self) -> bool:
        """Take in what the client sent; False when it has gone."""
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        try:
            events = self._http.receive_data(data)
        except H2Error:
            return False
        return all([self._handle(event) for event in events])

    def _handle(self, event: Event) -> bool:
        if isinstance(event, ConnectionTerminated):
            return False
        if isinstance(event, RequestReceived):
            path = dict(event.headers)[":path"]
            self._calls[event.stream_id] = Call(str(path).removeprefix(PREFIX))
        elif isinstance(event, DataReceived):
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self._calls:
                self._calls[event.stream_id].request += event.data
        elif isinstance(event, StreamReset):
            self._calls.pop(event.stream_id, None)
        elif isinstance(event, StreamEnded) and event.stream_id in self._calls:
            self._answer(event.stream_id, self._calls[event.stream_id])
        return True

    def _answer(self, stream_id: int, call: Call) -> None:
        headers = [(":status", "200"), ("content-type", "application/grpc")]
        self._http.send_headers(stream_id, headers)
        if call.method == "HealthCheck":
            # NonceMessage and ReplyMessage are the same bytes: an int32 with number 1.
            self._http.send_data(stream_id, bytes(call.request))
            self._end(stream_id, "0")
        elif call.method not in WATCHES:
            self._end(stream_id, "12")
        elif not self._relay.attach(call):
            self._end(stream_id, "0")

    def _end(self, stream_id: int, status: str) -> None:
        self._http.send_headers(stream_id, [("grpc-status", status)], end_stream=True)
        self._calls.pop(stream_id, None)

    def write(self) -> bool:
        """Send what is due and fits; False when the client has gone."""
        while True:
            if not self._out:
                self._fill()
                self._out = memoryview(self._http.data_to_send())
                if not self._out:
                    return True
            try:
                self._out = self._out[self.sock.send(self._out) :]
            except BlockingIOError:
                return True
            except OSError:
                return False

    def _fill(self) -> None:
        if not self._relay.started:
            return
        room = OUT_BYTES
        for stream_id, call in list(self._calls.items()):
            room -= self._fill_from(stream_id, call, room)
            if call.watching and call.exhausted and self._relay.may_end(call):
                self._end(stream_id, "0")

    def _fill_from(self, stream_id: int, call: Call, room: int) -> int:
        http, taken = self._http, 0
        while taken < room and call.refill():
            window = http.local_flow_control_window(stream_id)
            size = min(len(call.pending), window, http.max_outbound_frame_size)
            if size <= 0:
                break
            http.send_data(stream_id, call.pending[:size])
            call.pending = call.pending[size:]
            taken += size
        return taken


class Relay:
    """The server: its feeds, its clients, and the loop."""

    def __init__(
        self, feeds: dict[Stream, Feed], rates: dict[Stream, float], *, drop: bool, hold: bool
    ) -> None:
        self._feeds = feeds
        self._rates = rates
        self._drop = drop
        self._hold = hold
        self._clients: dict[int, Client] = {}
        self._waiting: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._first = self._last = 0.0
        self._reported = False
        self._open = True
        self.started = False

    def listen(self, port: int) -> None:
        """Bind loopback and tell the address."""
        listener = socket.create_server(("127.0.0.1", port))
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, "listener")
        say("listening", address=f"127.0.0.1:{listener.getsockname()[1]}")

    def obey_stdin(self) -> None:
        """Wait for `go` on standard input, and end when it closes."""
        os.set_blocking(sys.stdin.fileno(), False)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, "stdin")

    def attach(self, call: Call) -> bool:
        """Give a call its feed; False where its filter is unknown or there is nothing to send."""
        stream, filters = WATCHES[call.method]
        # gRPC prefix (5 bytes), then the field's tag and length, then its text.
        if bytes(call.request[7:]) not in filters:
            return False
        call.watching = True
        feed = self._feeds.get(stream)
        if feed is not None:
            call.feed = feed
            slots = QUEUE_SLOTS[stream] if self._drop else None
            call.pace = Pace(feed, self._rates[stream], slots)
        say("attached", stream=stream)
        return True

    def may_end(self, call: Call) -> bool:
        """Whether an exhausted stream shall end; one that never had events ends with the rest."""
        return not self._hold and (call.feed is not None or self._done)

    @property
    def _done(self) -> bool:
        return all(feed.left <= 0 for feed in self._feeds.values())

    def run(self, *, controlled: bool) -> None:
        """Serve until there is no more to do."""
        self.started = not controlled
        while self._open:
            self._serve_once()
            if self._done and not self._reported and not self._busy:
                self._report()
            if self._done and not controlled and not self._clients:
                break

    @property
    def _busy(self) -> bool:
        return any(client.backed_up for client in self._clients.values())

    def _serve_once(self) -> None:
        ready = dict(self._ready())
        for key in ready:
            if key in self._clients and not self._clients[key].read():
                self._drop_client(key)
        before = self._sent
        for key, client in list(self._clients.items()):
            if not client.write():
                self._drop_client(key)
            elif client.backed_up != (key in self._waiting):
                self._watch_for_room(key, client)
        if self._sent > before:
            self._last = time.monotonic()
            self._first = self._first or self._last

    def _watch_for_room(self, key: int, client: Client) -> None:
        write = selectors.EVENT_WRITE if client.backed_up else 0
        self._selector.modify(client.sock, selectors.EVENT_READ | write, "client")
        self._waiting ^= {key}

    @property
    def _sent(self) -> int:
        return sum(feed.sent for feed in self._feeds.values())

    @property
    def _due_soon(self) -> bool:
        """Whether there may be something to write before a client says anything."""
        if self._done:
            return not self._hold
        return self.started and any(self._rates.values())

    def _ready(self) -> Iterator[tuple[int, int]]:
        for key, events in self._selector.select(SLICE_S if self._due_soon else None):
            if key.data == "listener":
                self._accept(key.fileobj)
            elif key.data == "stdin":
                self._read_stdin()
            else:
                yield key.fd, events

    def _accept(self, listener: Any) -> None:
        sock, _ = listener.accept()
        self._clients[sock.fileno()] = Client(sock, self)
        self._selector.register(sock, selectors.EVENT_READ, "client")

    def _drop_client(self, key: int) -> None:
        client = self._clients.pop(key)
        self._waiting.discard(key)
        self._selector.unregister(client.sock)
        client.sock.close()

    def _read_stdin(self) -> None:
        text = os.read(sys.stdin.fileno(), 4096)
        self._open = bool(text)
        self.started = self.started or b"go" in text

    def _report(self) -> None:
        self._reported = True
        cpu = os.times()
        say(
            "done",
            sent={stream: feed.sent for stream, feed in self._feeds.items()},
            dropped={stream: feed.dropped for stream, feed in self._feeds.items()},
            seconds=round(self._last - self._first, 6),
            cpu_s=cpu.user + cpu.system,
        )


def shares(mix: str) -> dict[Stream, float]:
    """`ALERTS:LOGS:MESSAGES` as parts of one."""
    parts = [float(part) for part in mix.split(":")]
    return {
        stream: part / sum(parts)
        for stream, part in zip(get_args(Stream), parts, strict=True)
        if part
    }


def quotas(count: int, parts: dict[Stream, float]) -> dict[Stream, int]:
    """`count` events dealt out over the streams, exactly."""
    dealt = {stream: int(count * part) for stream, part in parts.items()}
    first = next(iter(dealt))
    dealt[first] += count - sum(dealt.values())
    return dealt


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.load_source", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--rate", type=float, default=0.0, help="events/s in all; 0: flat out")
    parser.add_argument("--count", type=int, default=0, help="events in all; 0: endless")
    parser.add_argument("--mix", default="1:0:0", help="alerts:logs:messages")
    parser.add_argument("--drop", action="store_true", help="drop as the relay does")
    parser.add_argument(
        "--hold", action="store_true", help="streams stay open after the last event"
    )
    parser.add_argument("--number", action="store_true", help="a running number in each event")
    parser.add_argument("--corpus", type=Path, help="a file that bench.corpus saved")
    parser.add_argument("--distinct", type=int, default=20_000, help="events built without one")
    parser.add_argument("--controlled", action="store_true", help="see above")
    return parser.parse_args(arguments)


def main() -> None:
    """Serve as the command line says."""
    options = parse()
    parts = shares(options.mix)
    if options.corpus:
        blocks = corpus.load(options.corpus)
    else:
        counts = quotas(max(options.distinct, 1_000), parts)
        blocks = corpus.build(counts, numbered=options.number)
    stamp = Stamp()
    limits = quotas(options.count, parts) if options.count else dict.fromkeys(parts, ENDLESS)
    feeds = {stream: Feed(blocks[stream], stamp, limits[stream]) for stream in parts}
    rates = {stream: options.rate * part for stream, part in parts.items()}
    relay = Relay(feeds, rates, drop=options.drop, hold=options.hold)
    if options.controlled:
        relay.obey_stdin()
    relay.listen(options.port)
    relay.run(controlled=options.controlled)


if __name__ == "__main__":
    main()
