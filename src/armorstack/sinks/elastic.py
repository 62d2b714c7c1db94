"""Events and gaps into Elasticsearch or OpenSearch, each once.

A document's index follows from the event's own time and its `_id` from the event's id, with op
`create`: what is sent twice is there already, and that is success. When `write` returns, what it
took is in the engine's translog, which is synced to disk before a request is answered
(`index.translog.durability: request`, the default of both engines), on as many copies as are in
sync; so the sink needs no cursor of its own. It can be searched after the next refresh.

Gaps go first, into `PREFIX-gaps-…`, and are not told as rows: where they cannot be written, the
whole batch comes again.

Must not go here: what a document looks like, how requests are sent, what an answer means.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from armorstack.config import ElasticSink as Settings
from armorstack.core.batch import Batch, Rejected
from armorstack.core.ecs.alike import alike
from armorstack.core.ecs.printed import Printer, print_document
from armorstack.core.ecs.verdict import DATASETS, stream_of
from armorstack.core.fields import Stream
from armorstack.core.gap import Gap
from armorstack.core.ids import text
from armorstack.core.rebuild import rebuild
from armorstack.engines.elastic.answers import Never
from armorstack.engines.elastic.bulk import head
from armorstack.engines.elastic.connection import Engine
from armorstack.engines.elastic.delivery import Delivery, Sent
from armorstack.engines.elastic.periods import (
    DAY_US,
    INDEX_STREAMS,
    index_of,
    kept_between,
    late_index,
)
from armorstack.engines.elastic.retention import retain
from armorstack.engines.elastic.setup import apply, plan
from armorstack.errors import EngineError
from armorstack.sinks.contract import Outcome
from armorstack.sinks.lines import gap_document, gap_id

Row = Mapping[str, Any]

_DAY = pa.scalar(DAY_US, pa.int64())
RETENTION_INTERVAL_US = 600 * 1_000_000


def wall_clock_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class ElasticSink:
    """A `Sink` over a cluster."""

    def __init__(
        self, name: str, settings: Settings, data_dir: Path,
        now_us: Callable[[], int] = wall_clock_us,
    ) -> None:  # fmt: skip
        """Connects to nothing yet; nothing of it lies in `data_dir`."""
        del data_dir
        self.name, self.required, self.prefix = name, settings.required, settings.prefix
        self._settings, self._now_us = settings, now_us
        self.engine = Engine(settings)
        self._delivery = Delivery(self.engine, settings)
        self._printer = Printer()
        self._is_prepared = not settings.setup
        self._next_retention_us = 0
        self._removed: dict[str, int] = {}

    def open(self) -> int | None:
        """See `Sink`. Applies index templates where the settings want that. Raises EngineError."""
        self._prepare()
        return None

    def write(self, batch: Batch) -> Outcome:
        """See `Sink`. Raises EngineError where the cluster refuses, or is silent."""
        self._prepare()
        self._write_gaps(batch.gaps)
        if not len(batch.rows):
            return Outcome()
        sent = self._send(self._entries(batch.rows))
        return Outcome(
            accepted=len(sent.taken),
            duplicates=len(sent.there),
            retry=tuple(sorted(sent.again)),
            rejected=tuple(rejected(batch.rows, *each) for each in sorted(sent.never, key=_place)),
        )

    def cursor(self) -> int | None:
        """See `Sink`: none; the engine has what `write` took."""
        return None

    def tick(self) -> None:
        """See `Sink`: what is not to be kept any more is deleted. Raises EngineError."""
        now = self._now_us()
        if now < self._next_retention_us:
            return
        self._next_retention_us = now + RETENTION_INTERVAL_US
        for reason, events in retain(self.engine, self._settings, now).items():
            self._removed[reason] = self._removed.get(reason, 0) + events

    def flush(self) -> None:
        """See `Sink`: what `write` took is durable."""

    def removed(self) -> dict[str, int]:
        """See `Sink`."""
        return dict(self._removed)

    def close(self) -> None:
        """See `Sink`."""
        self.engine.close()

    def _prepare(self) -> None:
        """Nothing is written before the templates are there: an index keeps what it was made by."""
        if not self._is_prepared:
            apply(self.engine, plan(self.engine, self._settings))
            self._is_prepared = True

    def _send(self, portions: Iterable[Sequence[bytes]]) -> Sent:
        try:
            return self._delivery.send(portions)
        except EngineError:
            # What comes back may be another cluster, or one that was restored.
            self._is_prepared = not self._settings.setup
            raise

    def _entries(self, rows: pa.RecordBatch) -> Iterator[list[bytes]]:
        indices, ids = self._indices(rows, self._now_us()), rows.column("id").to_pylist()
        heads = [head(index, text(id_)) for index, id_ in zip(indices, ids, strict=True)]
        return self._printer.lines(rows, heads)

    def _indices(self, rows: pa.RecordBatch, now_us: int) -> Iterable[str]:
        """Of each row its index; a batch has few days."""
        times = rows.column("time").cast(pa.int64())
        days = alike([pc.divide(times, _DAY), rows.column("stream"), rows.column("type")])
        first = rows.take(days.firsts)
        kinds = [
            INDEX_STREAMS[_stream(row)] for row in first.select(["stream", "type"]).to_pylist()
        ]
        starts = times.take(days.firsts).to_pylist()
        named = [
            index_of(self.prefix, kind, max(0, at), self._settings.period)
            for kind, at in zip(kinds, starts, strict=True)
        ]
        late = [late_index(self.prefix, kind) for kind in kinds]
        oldest_us, newest_us = kept_between(now_us, self._settings.max_age_days)
        is_kept = pc.and_(
            pc.greater_equal(times, oldest_us), pc.less_equal(times, newest_us)
        ).to_pylist()
        return [
            named[day] if kept else late[day]
            for day, kept in zip(days.groups, is_kept, strict=True)
        ]

    def _write_gaps(self, gaps: Iterable[Gap]) -> None:
        entries = [self._gap_entry(gap) for gap in gaps]
        sent = self._send([entries]) if entries else Sent()
        if sent.never:
            _, why = sent.never[0]
            told = f"gaps are refused: {why.error_type}: {why.reason}"
            raise EngineError(told, hint="apply the index templates: `armorstack setup`")
        if sent.again:
            raise EngineError(sent.told)

    def _gap_entry(self, gap: Gap) -> bytes:
        index = index_of(self.prefix, "gaps", gap.end_us, self._settings.period)
        document = print_document(gap_document(gap))
        return b"%b%b\n" % (head(index, text(gap_id(gap))), document)


def _stream(row: Row) -> Stream:
    """The stream whose index takes the row; one that says nothing lies among the logs."""
    stream = stream_of(row)
    return stream if stream in DATASETS else "log"  # type: ignore[return-value]


def _place(never: tuple[int, Never]) -> int:
    return never[0]


def rejected(rows: pa.RecordBatch, at: int, why: Never) -> Rejected:
    """The event as a dead letter, in the spelling it came in."""
    row = rows.slice(at, 1).to_pylist()[0]
    received: Sequence[int | None] = rows.column("received").slice(at, 1).cast("int64").to_pylist()
    return Rejected(
        frame=json.dumps(rebuild(row), ensure_ascii=False).encode(), error_type=why.error_type,
        reason=why.reason, source=row["from_source"] or "", stream=row["stream"] or "",
        encoding="json", received_us=received[0] or 0,
    )  # fmt: skip
