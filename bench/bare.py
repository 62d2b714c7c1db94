"""The yardstick: a gRPC client that receives raw bytes and counts them, nothing else.

`python -m bench.bare ADDRESS` prints `ready` when it watches alerts, one JSON line when the stream
ends, and goes when standard input closes. Invariant: the fastest way that grpcio offers (one
thread, no deserialiser) and not one instruction more per event.
"""

import json
import sys

import grpc
from grpc.experimental import ChannelOptions

OPTIONS = [
    (ChannelOptions.SingleThreadedUnaryStream, 1),
    ("grpc.max_receive_message_length", -1),
]


def main() -> None:
    """Receive until the stream ends."""
    with grpc.insecure_channel(sys.argv[1], options=OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        watch = channel.unary_stream("/feeder.LogService/WatchAlerts", None, None)
        stream = watch(b"\n\x03all")
        print("ready", flush=True)
        count = 0
        for _ in stream:
            count += 1
    print(json.dumps({"events": count}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
