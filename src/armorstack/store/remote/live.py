"""Events as they arrive elsewhere, for as long as wanted: also across cut connections and restarts.

Invariant: an event is given once, and none is left out that the server can still give; what it
cannot give is told as lost. Who waits is told why. Must not go here: what is shown.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from armorstack.core.gap import Gap
from armorstack.errors import StoreError
from armorstack.store.budget import Budget
from armorstack.store.contract import Row
from armorstack.store.event_json import row_of
from armorstack.store.remote import wire
from armorstack.store.remote.link import Link

SILENCE_S = 45.0
"""The server says every 15 s that it is alive; after so long it is not."""
FIRST_REST_S = 0.25
LONGEST_REST_S = 5.0
EVER_S = 10 * 366 * 86_400.0
_REMEMBERED = 20_000
"""Ids of the newest events, so that none is repeated where a place is understood in part only."""


class Told(Struct, frozen=True):
    """Something that happened."""

    kind: Literal["event", "gap", "lost", "ready", "away"]
    """An event · a gap · some are missing here · the stream is up to date · nobody answers."""
    row: Row | None = None
    gap: Gap | None = None
    lost: int | None = None
    """How many are missing; None: nobody knows."""
    reason: str = ""


class Follower:
    """One stream, which may take several connections."""

    def __init__(
        self,
        find: Callable[[], Link | None],
        pairs: Sequence[tuple[str, str]],
        rest: Callable[[float], object],
        *,
        patient: bool = False,
        budget: Budget | None = None,
    ) -> None:
        """`find` gives the link to ask next; None: there is none yet. `patient`: wait also for the
        first answer, instead of raising what is wrong. Cancelling the budget ends it."""
        self._find, self._pairs, self._rest = find, pairs, rest
        self._patient = patient
        self._budget = budget or Budget(EVER_S)
        self._place = ""
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def follow(self) -> Iterator[Told]:
        """Everything that happens, without an end. Raises AccessError and QueryError, StoreError
        where nothing has ever answered, and QueryStopped when the budget ends."""
        pause_s, away = FIRST_REST_S, False
        while True:
            try:
                for told in self._connected():
                    self._patient, pause_s, away = True, FIRST_REST_S, False
                    yield told
                reason = "the connection has ended"
            except StoreError as error:
                self._budget.check()
                if not self._patient:
                    raise
                reason = str(error)
            if not away:
                yield Told("away", reason=reason)
                away = True
            self._rest(pause_s)
            pause_s = min(LONGEST_REST_S, pause_s * 2)

    def know(self, id_: bytes) -> bool:
        """Note that this event was given; whether it had been before."""
        if id_ in self._known:
            return True
        self._known[id_] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return False

    def _connected(self) -> Iterator[Told]:
        """What one connection tells."""
        link = self._find()
        if link is None:
            raise StoreError("no worker runs here yet", hint="start `armorstack run`")
        headers = {"Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": self._place} if self._place else {}
        with link.open(
            "stream", self._pairs, self._budget, headers=headers, silence_s=SILENCE_S
        ) as answer:  # fmt: skip
            for message in messages(answer.readline):
                self._place = message.get("id") or self._place
                yield from self._told(message.get("event", ""), message.get("data", ""))

    def _told(self, event: str, data: str) -> Iterator[Told]:
        if not data:
            return
        document = _decoded(data)
        with wire.Answer(document):
            if event == "gap":
                yield Told("lost", lost=document["lost"], reason=str(document["reason"]))
            elif event == "alive":
                yield Told("ready")
            elif not event:
                row = row_of(document)
                if not self.know(row["id"]):
                    yield Told("event", row)


def messages(readline: Callable[[], bytes]) -> Iterator[dict[str, str]]:
    """Server-sent events (WHATWG HTML, 9.2): `event`, `data` and `id` of each, as far as said."""
    said: dict[str, str] = {}
    while line := readline():
        text = line.decode(errors="replace").rstrip("\r\n")
        if not text:
            if said:
                yield said
            said = {}
            continue
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in said:
            value = f"{said['data']}\n{value}"
        if name in ("event", "data", "id"):
            said[name] = value


def _decoded(data: str) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise StoreError("the stream is not of the shape that was expected") from error
