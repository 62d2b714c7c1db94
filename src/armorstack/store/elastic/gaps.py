"""Gaps as an engine keeps them: documents of their own, dated by their end.

Must not go here: when a gap is noted, and what its document looks like; the sink does both.
"""

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from armorstack.core.gap import Gap
from armorstack.store.elastic.inquiry import Inquiry
from armorstack.store.elastic.pages import hits
from armorstack.store.elastic.query import all_of

MOST = 10_000
"""Gaps that one answer has, the newest; no chart shows more."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST = 250_000_000_000_000
"""Milliseconds since 1970 up to which engines read dates."""


def between(inquiry: Inquiry, start_us: int | None, end_us: int | None) -> list[Gap]:
    """Those noted gaps that touch the span, the end exclusive."""
    bounds = {"event.end": ("gte", start_us), "event.start": ("lte", end_us)}
    # Dates are searched by the millisecond; which gaps are meant is said by what was written.
    query = all_of(
        {"range": {path: {way: min(max(0, us // 1000), _LATEST), "format": "epoch_millis"}}}
        for path, (way, us) in bounds.items()
        if us is not None
    )
    newest = [{"event.end": {"order": "desc", "unmapped_type": "date"}}]
    found = inquiry.search_gaps({"query": query, "size": MOST, "sort": newest})
    read = [gap for hit in hits(found) if (gap := _gap(hit["_source"])) is not None]
    return touching(read, start_us, end_us)


def _gap(document: dict[str, Any]) -> Gap | None:
    """The gap; None where the document is none of ours."""
    event, ours = document.get("event", {}), document.get("armorstack", {}).get("gap", {})
    with contextlib.suppress(KeyError, TypeError, ValueError, msgspec.ValidationError):
        told = {
            "reason": event["reason"], "source": ours.get("source", ""),
            "start_us": _micros(event["start"]), "end_us": _micros(event["end"]),
        }  # fmt: skip
        more = {name: ours[name] for name in ("stream", "node", "lost", "detail") if name in ours}
        return msgspec.convert(told | more, Gap)
    return None


def _micros(written: str) -> int:
    return (datetime.fromisoformat(written) - _EPOCH) // _MICROSECOND


def touching(gaps: Iterable[Gap], start_us: int | None, end_us: int | None) -> list[Gap]:
    """Those of them that touch the span, the end exclusive."""
    return [
        gap
        for gap in gaps
        if (start_us is None or gap.end_us >= start_us)
        and (end_us is None or gap.start_us < end_us)
    ]


def nameless(gap: Gap) -> Gap:
    """What somebody may know of a gap who may not see the whole: neither where, nor how many."""
    return Gap(gap.reason, gap.source, gap.start_us, gap.end_us, gap.stream)
