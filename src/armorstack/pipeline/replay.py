"""Dead letters that a person marked to be tried again.

One letter at a time, so that each has its own fate: stored letters are deleted once the sink calls
them durable, refused ones go back under their id with one more attempt. A crash in between offers
them again; ids make the second writing harmless. The spool's cursor does not move.
"""

import structlog
from msgspec.structs import replace

from armorstack.core.batch import Batch, Rejected
from armorstack.errors import EngineError
from armorstack.pipeline.decoding import decode_surely
from armorstack.pipeline.delivery import REFUSALS
from armorstack.pipeline.job import Job
from armorstack.spool.rows import row_of
from armorstack.spool.work import DeadLetter, Filter, Work

PER_TURN = 100


class Replays:
    """The replaying of one sink's letters."""

    def __init__(self, work: Work, job: Job) -> None:
        self._work, self._sink, self._decode, self._rules = work, job.sink, job.decode, job.rules
        self._waiting: tuple[DeadLetter, ...] = ()
        self._written: list[int] = []

    def run(self, position: int) -> None:
        """Try some marked letters; `position` is how far the sink has come."""
        letters = self._waiting or tuple(self._work.take_replays(self._sink.name, PER_TURN))
        self._waiting = ()
        for at, letter in enumerate(letters):
            try:
                self._try(letter, position)
            except REFUSALS as error:
                self._waiting = letters[at:]
                structlog.get_logger().warning("replay waits", reason=str(error))
                break
        if self._written:
            self._sink.flush()
            self.confirm()

    def confirm(self) -> None:
        """Delete the letters that were written: the sink has made them durable."""
        if self._written:
            self._work.purge(Filter(ids=tuple(self._written)))
            self._written = []

    def _try(self, letter: DeadLetter, position: int) -> None:
        row = row_of(
            [letter.frame], source=letter.source, stream=letter.stream, encoding=letter.encoding,
            cluster=letter.cluster, received_us=letter.first_seen_us, seq=letter.seq,
        )  # fmt: skip
        decoded = decode_surely([row], self._decode)
        rejected = list(decoded.rejected)
        if not rejected:
            rows = self._rules.apply_alone(decoded.batch.rows).own
            outcome = self._sink.write(Batch(rows, decoded.batch.gaps, position))
            if outcome.retry:
                raise EngineError("the store asked to be tried again later")
            rejected = list(outcome.rejected)
        if rejected:
            self._work.set_aside([_again(letter, self._rules.redact(rejected[0]))])
        else:
            self._written.append(letter.id)


def _again(letter: DeadLetter, rejected: Rejected) -> DeadLetter:
    return replace(
        letter, error_type=rejected.error_type, reason=rejected.reason,
        attempts=letter.attempts + 1, replay=False,
    )  # fmt: skip
