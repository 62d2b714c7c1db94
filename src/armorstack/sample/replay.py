"""Which event comes next, and after how long: recorded ones with bursts, the incident between.

Invariant: the same seed and rate give the same events after the same waits, for ever. The
incident takes `STEP_EVENTS` events from step to step and begins anew every `TURN_EVENTS` events,
which is a minute at the default rate. Must not go here: clocks, sockets, the times of events.
"""

import random
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from typing import Any

from msgspec import Struct

from armorstack.core.fields import STREAMS, Stream
from armorstack.sample import incident, recorded
from armorstack.sample.recorded import Values

STEP_EVENTS = 15
TURN_EVENTS = 1_200
SHARES: dict[Stream, float] = {"alert": 0.35, "log": 0.57, "message": 0.08}
BURST_CHANCE = 1 / 150
BURST_EVENTS = (20, 60)
BURST_SPEED = 20.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Planned(Struct, frozen=True):
    """An event to come."""

    wait_s: float
    """Seconds after the one before."""
    stream: Stream
    values: Values


def waits(rate: float, chance: random.Random) -> Iterator[float]:
    """Seconds between events: Poisson, bursts `BURST_SPEED` times as fast, `rate` in the mean."""
    calm, burst = 1 / BURST_CHANCE, sum(BURST_EVENTS) / 2
    mean = (calm + burst) / (calm + burst / BURST_SPEED) / rate
    left = 0
    while True:
        if left == 0 and chance.random() < BURST_CHANCE:
            left = chance.randint(*BURST_EVENTS)
        if left:
            left -= 1
        yield chance.expovariate(1 / mean) / (BURST_SPEED if left else 1)


def plan(rate: float, seed: int) -> Iterator[Planned]:
    """Events without end."""
    chance = random.Random(seed)
    gaps = waits(rate, random.Random(seed + 1))
    replays = {stream: cycle(recorded.events(stream)) for stream in STREAMS}
    names, weights = list(SHARES), list(SHARES.values())
    due: deque[incident.Step] = deque()
    for number in count():
        if number % TURN_EVENTS == STEP_EVENTS:
            due.extend(incident.steps(number // TURN_EVENTS))
        if due and number % STEP_EVENTS == 0:
            step = due.popleft()
            yield Planned(next(gaps), step.stream, step.values)
        else:
            stream = chance.choices(names, weights)[0]
            yield Planned(next(gaps), stream, next(replays[stream]))


def stamped(values: Values, now_us: int) -> dict[str, Any]:
    """The event as if it had happened now (microseconds since 1970)."""
    moment = EPOCH + timedelta(microseconds=now_us)
    return {
        **values,
        "Timestamp": now_us // 1_000_000,
        "UpdatedTime": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
    }
