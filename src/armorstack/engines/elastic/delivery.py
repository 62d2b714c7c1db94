"""Entries sent to a cluster, several requests at once, until each has its fate or all have to wait.

Invariant: `send` returns with one fate for each entry, or raises EngineError after the last request
has ended; nothing is under way between two calls. It never sends the same entry twice, but in a
smaller piece. Must not go here: what an entry holds, waiting before another try.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from msgspec import Struct

from armorstack.config.sinks import ElasticSink
from armorstack.engines.elastic.answers import Fates, Never, Refused, TooLarge, read_answer
from armorstack.engines.elastic.bulk import ANSWERED, Piece, pieces
from armorstack.engines.elastic.connection import HINTS, Engine
from armorstack.engines.elastic.pace import Pace
from armorstack.errors import EngineError

TOO_LARGE = Never("request_too_large", "the server takes no request as large as this event")
SMALLEST = 64 * 1024
"""Bytes that a piece may always have, whatever a server refused."""

Verdict = Fates | Refused | TooLarge


class Sent(Struct):
    """What became of all entries, by their places; grows while requests are answered."""

    taken: list[int] = []
    there: list[int] = []
    again: list[int] = []
    never: list[tuple[int, Never]] = []
    told: str = ""
    """Why the first of `again` was not taken."""

    def add(self, piece: Piece, fates: Fates) -> None:
        """The fates of a piece's entries."""
        self.taken += [piece.places[at] for at in fates.taken]
        self.there += [piece.places[at] for at in fates.there]
        self.again += [piece.places[at] for at in fates.again]
        self.never += [(piece.places[at], why) for at, why in fates.never]
        self.told = self.told or fates.told

    def is_all_again(self) -> bool:
        """Whether there was something, and nothing of it has its fate."""
        return bool(self.again) and not (self.taken or self.there or self.never)


class _Work:
    """What is still to be sent: halves of pieces that were too large, then what comes."""

    def __init__(self, coming: Iterator[Piece]) -> None:
        self._halves: deque[Piece] = deque()
        self._coming = coming

    def next(self) -> Piece | None:
        """None: there is nothing just now."""
        return self._halves.popleft() if self._halves else next(self._coming, None)

    def first(self, *some: Piece) -> None:
        """These come before all others, in this order."""
        self._halves.extendleft(reversed(some))

    def end(self) -> None:
        """Nothing comes any more."""
        self._halves.clear()
        self._coming = iter(())


class Delivery:
    """Sends to one cluster; to be used by one thread."""

    def __init__(
        self, engine: Engine, settings: ElasticSink,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """The engine stays the caller's."""
        self._engine, self._settings, self._monotonic = engine, settings, monotonic
        self._pace = Pace(settings.concurrency)
        self._max_bytes = settings.batch_bytes

    def send(self, portions: Iterable[Sequence[bytes]]) -> Sent:
        """One fate for each entry of all portions, which are asked for as they can be sent. Raises
        EngineError where the cluster refuses or is silent; the rest is not asked for then."""
        sent = Sent()
        work = _Work(pieces(portions, self._max_bytes, self._settings.batch_events))
        refused: list[EngineError] = []
        for piece, verdict in self._verdicts(work):
            if isinstance(verdict, EngineError):
                refused.append(verdict)
                work.end()
            elif isinstance(verdict, TooLarge):
                self._halve(piece, work, sent)
            else:
                sent.add(piece, verdict)
        if refused:
            raise refused[0]
        if sent.is_all_again():
            raise EngineError(sent.told)
        return sent

    def _halve(self, piece: Piece, work: "_Work", sent: Sent) -> None:
        if len(piece.places) == 1:
            sent.never.append((piece.places[0], TOO_LARGE))
            return
        # What comes after it need not find out again.
        self._max_bytes = min(self._max_bytes, max(piece.size // 2, SMALLEST))
        work.first(*piece.halves())

    def _verdicts(self, work: "_Work") -> Iterator[tuple[Piece, Fates | TooLarge | EngineError]]:
        """Sends what is in `work`, and what is put there meanwhile; ends when all is answered."""
        running: dict[Future[tuple[Verdict, float]], Piece] = {}
        while True:
            while len(running) < self._pace.limit and (piece := work.next()):
                running[self._start(piece)] = piece
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                piece = running.pop(future)
                yield piece, self._verdict(piece, future)

    def _start(self, piece: Piece) -> Future[tuple[Verdict, float]]:
        """In a thread of its own that no end of the process waits for: what it sent may arrive or
        not, and comes again."""
        future: Future[tuple[Verdict, float]] = Future()

        def run() -> None:
            try:
                future.set_result(self._post(piece))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name="bulk", daemon=True).start()
        return future

    def _verdict(
        self, piece: Piece, future: Future[tuple[Verdict, float]]
    ) -> Fates | TooLarge | EngineError:
        """The verdict as it counts for the whole: a busy cluster's documents go again."""
        try:
            verdict, seconds = future.result()
        except EngineError as error:
            self._pace.note_busy()
            return error
        is_busy = isinstance(verdict, Refused) or (isinstance(verdict, Fates) and verdict.again)
        if is_busy:
            self._pace.note_busy()
        else:
            self._pace.note(seconds, piece.size)
        if not isinstance(verdict, Refused):
            return verdict
        if verdict.is_busy:
            return Fates(again=range(len(piece.places)), told=self._shown(verdict))
        return EngineError(self._shown(verdict), hint=HINTS.get(verdict.status, ""))

    def _shown(self, refused: Refused) -> str:
        return f"{self._engine.origins}: {refused.told}"

    def _post(self, piece: Piece) -> tuple[Verdict, float]:
        began = self._monotonic()
        compress = self._settings.compress
        answer = self._engine.ask(
            "POST", "/_bulk", piece.body(compress), params={"filter_path": ANSWERED},
            headers={"content-encoding": "gzip"} if compress else {},
        )  # fmt: skip
        verdict = read_answer(answer.status, answer.body, len(piece.places))
        return verdict, self._monotonic() - began
