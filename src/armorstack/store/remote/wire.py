"""Questions as parameters of the API, and its answers as the shapes that stores give.

Invariant: what the API's own `shapes` wrote is read back as it was; anything else raises
StoreError. Must not go here: connections.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from armorstack.core.gap import Gap, Reason
from armorstack.core.query.asked import ALL, DEFAULT_TO, Asked
from armorstack.core.query.format import format_query
from armorstack.core.query.question import Question
from armorstack.core.times import parse_time
from armorstack.errors import StoreError
from armorstack.store import cursor
from armorstack.store.contract import Facet, FieldFacts, Group, Histogram, Page, Row, Series, Top
from armorstack.store.event_json import NAMES, row_of, time_text

Pairs = list[tuple[str, str]]
Known = TypeVar("Known")


def question_pairs(question: Question) -> Pairs:
    """The parameters that ask this. Raises StoreError where the API has no words for it."""
    return Asked(
        q=format_query(question.where), picks=question.picks,
        start=ALL if question.start_us is None else time_text(question.start_us),
        end=DEFAULT_TO if question.end_us is None else time_text(question.end_us),
    ).pairs()  # fmt: skip


def span_pairs(start_us: int | None, end_us: int | None) -> Pairs:
    """The parameters of a span alone."""
    return question_pairs(Question(start_us=start_us, end_us=end_us))


def column_pairs(columns: Sequence[str] | None) -> Pairs:
    """The parameter that names these columns of `SCHEMA`, as far as the API gives them."""
    if columns is None:
        return []
    return [("cols", ",".join(NAMES[column] for column in columns if column in NAMES))]


def page(told: Any) -> Page:
    """A page of events."""
    with Answer(told):
        return Page(rows(told["events"]), _cursor(told["older"]), _cursor(told["newer"]))


def rows(documents: Iterable[Mapping[str, Any]]) -> tuple[Row, ...]:
    """The events of these objects. Raises ValueError or KeyError."""
    return tuple(row_of(document) for document in documents)


def histogram(told: Any) -> Histogram:
    """Counts over time."""
    with Answer(told):
        return Histogram(
            start_us=_time(told["start"]), interval_us=int(told["interval_us"]),
            buckets=int(told["buckets"]), series=_as(tuple[Series, ...], told["series"]),
            gaps=gaps(told), approximate=bool(told["approximate"]),
        )  # fmt: skip


def facets(told: Any) -> tuple[Facet, ...]:
    """Facets in the order asked for."""
    with Answer(told):
        return _as(tuple[Facet, ...], told["facets"])


def top(told: Any) -> Top:
    """Groups."""
    with Answer(told):
        groups = tuple(
            Group(
                tuple(map(str, each["values"])), int(each["count"]), _time(each["first"]),
                _time(each["last"]), int(each["measure"]),
            )
            for each in told["groups"]
        )  # fmt: skip
        return Top(groups, int(told["distinct"]), int(told["total"]), bool(told["approximate"]))


def gap(told: Mapping[str, Any]) -> Gap:
    """One gap. Raises ValueError, KeyError or msgspec.ValidationError."""
    words = {name: str(told[name]) for name in ("source", "stream", "node", "detail")}
    return Gap(
        reason=msgspec.convert(told["reason"], Reason), start_us=_time(told["start"]),
        end_us=_time(told["end"]), lost=told["lost"], **words,
    )  # fmt: skip


def gaps(told: Any) -> tuple[Gap, ...]:
    """The gaps of an answer."""
    with Answer(told):
        return tuple(gap(each) for each in told["gaps"])


def fields(told: Any) -> tuple[FieldFacts, ...]:
    """The fields that can be asked for."""
    with Answer(told):
        return _as(tuple[FieldFacts, ...], told["fields"])


class Answer:
    """Within it, what an answer lacks is told as StoreError."""

    def __init__(self, told: Any) -> None:
        self._told = type(told).__name__

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (KeyError, TypeError, ValueError, AttributeError)):
            hint = "is it another version of armorstack? Both should be of one version"
            raise StoreError(
                "the answer is not of the shape that was expected", hint=hint
            ) from error


def _as(type_: type[Known], told: Any) -> Known:
    return msgspec.convert(told, type_)


def _cursor(text: str | None) -> cursor.Cursor | None:
    return None if text is None else cursor.parse(text)


def _time(text: str) -> int:
    time_us = parse_time(text)
    if time_us is None:
        raise ValueError(f"{text!r} is no time")
    return time_us
