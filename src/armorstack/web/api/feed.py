"""One poller for all streams of this process.

It asks the store what arrived, twenty times a second, as long as somebody listens, and makes each
message once for all streams that ask the same (`Audience`). Nobody listening, nothing runs.

Invariants: streams see events in the order in which they came. Matching and encoding happen in the
poller's thread; listeners are touched in the event loop only. A stream whose token has run out or
was revoked is ended within a second.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import islice

import structlog
from starlette.concurrency import run_in_threadpool

from armorstack.core.query.evaluate import evaluator
from armorstack.errors import ArmorstackError
from armorstack.store.contract import Arrivals, EventStore
from armorstack.web.api import messages
from armorstack.web.api.listener import Listener
from armorstack.web.api.messages import Audience, Message, Piece

POLL_S = 0.05
BUSY_S = 0.02
"""Between polls while there is more: who listens must be able to send what came."""
RETRY_S = 1.0
ALIVE_S = 15.0
CHECK_S = 1.0
LIMIT = 1000
NOT_ALLOWED = "the token has run out or was revoked"
BROKEN = "the stream broke; connect again"

log = structlog.get_logger()


class Group:
    """The streams of one audience."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.listeners: set[Listener] = set()
        self._test = evaluator(audience.tree)

    def messages(self, before: str, arrivals: Arrivals, given: str = "") -> list[Message]:
        """What this audience is told of these arrivals, without those that were `given`."""
        rows = [row for row in arrivals.rows if self.audience.may_see(row)]
        skipped = messages.given_of(rows, given) if given else 0
        placed = messages.places(before, rows, arrivals.place)
        return [
            messages.message(row, self.audience.columns, place)
            for row, place in islice(placed, skipped, None)
            if self.audience.spans(row) and self._test(row)
        ]

    def missed(self, count: int) -> Piece:
        """So many events of all were missed; who sees some namespaces only is told no number."""
        return messages.gap(count if self.audience.namespaces is None else None, "missed")


class Feed:
    """The poller, and who listens to it. Belongs to one event loop."""

    def __init__(self, store: Callable[[], EventStore]) -> None:
        self._store = store
        self._groups: dict[Audience, Group] = {}
        self._task: asyncio.Task[None] | None = None
        self._place = ""
        self._begun = 0
        self._settling: list[tuple[int, Listener]] = []
        self._polled = asyncio.Event()
        self._is_failing = False
        self._alive_at = self._checked_at = 0.0

    async def join(self, audience: Audience, listener: Listener) -> str:
        """Tell this listener from now on; return the place where that begins.

        To be left with `leave`, whatever comes of it.
        """
        self._groups.setdefault(audience, Group(audience)).listeners.add(listener)
        if self._task is None:
            self._place = ""
            self._task = asyncio.create_task(self._run())
        while not self._place and not listener.has_ended:
            await self._polled.wait()
        return self._place

    def leave(self, audience: Audience, listener: Listener) -> None:
        """Tell this listener nothing more."""
        listener.leave()
        group = self._groups.get(audience)
        if group is not None:
            group.listeners.discard(listener)
            if not group.listeners:
                del self._groups[audience]

    async def since(
        self, place: str, group: Group, listener: Listener, store: EventStore
    ) -> AsyncIterator[bytes]:
        """What came since this place; at the end the listener, who has joined and holds, goes on.

        What is given here and found by the poller besides is told once.
        """
        before, passed = messages.parted(place)
        given: set[bytes] = set()
        is_behind = True
        while is_behind:
            found = await run_in_threadpool(store.arrivals, before, limit=LIMIT)
            if found.missed:
                yield group.missed(found.missed).text
            told = await run_in_threadpool(group.messages, before, found, passed)
            for piece in messages.pieces(told):
                yield piece.text
            given.update(row["id"] for row in found.rows)
            before, passed, is_behind = found.place, "", len(found.rows) >= LIMIT
        yield messages.alive(before).text
        listener.release(given)
        self._settling.append((self._begun, listener))

    def group(self, audience: Audience) -> Group:
        """The group of an audience somebody of which has joined."""
        return self._groups[audience]

    async def _run(self) -> None:
        threads = ThreadPoolExecutor(1, thread_name_prefix="arrivals")
        self._alive_at = asyncio.get_running_loop().time()
        try:
            while self._groups:
                pause_s = await self._poll(threads)
                self._look_after()
                self._tell_polled()
                await asyncio.sleep(pause_s)
        except Exception:
            log.exception("the poller of the live stream ended")
            self._finish(self._listeners(), BROKEN)
        finally:
            self._task = None
            self._tell_polled()
            threads.shutdown(wait=False)

    async def _poll(self, threads: Executor) -> float:
        """Ask once, tell everybody; return how long to wait until the next time."""
        self._begun += 1
        number, before, groups = self._begun, self._place, tuple(self._groups.values())
        try:
            found, made = await asyncio.get_running_loop().run_in_executor(
                threads, self._ask, before, groups
            )
        except ArmorstackError as error:
            self._tell_failure(error)
            return RETRY_S
        self._is_failing = False
        self._place = found.place
        for group in self._groups.values():
            # Whoever came first while the thread was at work is told, too.
            told = made[group] if group in made else group.messages(before, found)
            self._tell(group, told, found.missed)
        if len(found.rows) >= LIMIT:
            return BUSY_S
        self._settle(number)
        return POLL_S

    def _ask(
        self, before: str, groups: Sequence[Group]
    ) -> tuple[Arrivals, dict[Group, list[Message]]]:
        found = self._store().arrivals(before, limit=LIMIT)
        if not found.rows:
            return found, {group: [] for group in groups}
        return found, {group: group.messages(before, found) for group in groups}

    def _tell(self, group: Group, told: Sequence[Message], missed: int) -> None:
        if not told and not missed:
            return
        packed = messages.pieces(told)
        for listener in group.listeners:
            if missed:
                listener.push(group.missed(missed))
            listener.give(told, packed)

    def _tell_polled(self) -> None:
        """Wake who waits for a poll that ends; who comes now waits for the next."""
        polled, self._polled = self._polled, asyncio.Event()
        polled.set()

    def _settle(self, number: int) -> None:
        """The poll of this number has passed all that was there when it began."""
        for begun, listener in self._settling:
            if begun < number:
                listener.settle()
        self._settling = [each for each in self._settling if each[0] >= number]

    def _look_after(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._checked_at + CHECK_S:
            self._checked_at = now
            self._finish([each for each in self._listeners() if not each.is_allowed()], NOT_ALLOWED)
        if now >= self._alive_at + ALIVE_S:
            self._alive_at = now
            piece = messages.alive(self._place)
            for listener in self._listeners():
                listener.keep_alive(piece)

    def _listeners(self) -> list[Listener]:
        return [each for group in self._groups.values() for each in group.listeners]

    def _finish(self, listeners: Sequence[Listener], reason: str) -> None:
        for listener in listeners:
            listener.finish(reason)

    def _tell_failure(self, error: ArmorstackError) -> None:
        if not self._is_failing:
            log.warning("the live stream waits for the store", reason=str(error))
        self._is_failing = True
