"""What every store must answer, whatever its engine."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from armorstack.core.batch import SCHEMA
from armorstack.core.gap import Gap
from armorstack.core.query.evaluate import matches
from armorstack.core.query.names import FACETS, QUERY_FIELDS
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Pick, Question
from armorstack.core.query.tree import Node
from armorstack.errors import QueryStopped
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, FacetValue, Histogram, Row
from armorstack.store.cursor import Cursor
from tests.support.event_stores import (
    RIGS,
    Event,
    Rig,
    event,
    keys,
    newest_first,
    patience,
    varied,
)
from tests.support.stores import HOUR_US, NOW_US, SECOND_US, id_of

GAP = Gap(
    reason="throttled", source="relay", start_us=NOW_US - HOUR_US, end_us=NOW_US - HOUR_US // 2,
    stream="alert", node="node-1", lost=7, detail="node-1 was silent",
)  # fmt: skip
LATER = Gap(reason="disconnect", source="relay", start_us=NOW_US - 9, end_us=NOW_US - 5)
EVENTS = [each for group in varied() for each in group]
Make = Callable[..., EventStore]


@pytest.fixture(params=RIGS, ids=lambda rig: rig.name, scope="module")
def rig(request: pytest.FixtureRequest) -> Rig:
    """The implementation."""
    found: Rig = request.param
    return found


@pytest.fixture
def make(rig: Rig, tmp_path: Path) -> Iterator[Make]:
    """Makes a store of these groups of events."""
    with ExitStack() as opened:
        made = 0

        def filled(*groups: Sequence[Event], gaps: Sequence[Gap] = ()) -> EventStore:
            nonlocal made
            made += 1
            store: AbstractContextManager[EventStore]
            store = rig.filled(tmp_path / f"store-{made}", groups, gaps)
            return opened.enter_context(store)

        yield filled


@pytest.fixture(scope="module")
def store(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStore]:
    """One with all of `EVENTS`; no test changes it."""
    with rig.filled(tmp_path_factory.mktemp("store"), varied(), [LATER, GAP]) as filled:
        yield filled


SHOP = [[each for each in group if each["namespace_name"] == "shop"] for group in varied()]


@pytest.fixture(scope="module")
def shop(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStore]:
    """One with the events of namespace shop alone."""
    with rig.filled(tmp_path_factory.mktemp("shop"), SHOP, []) as filled:
        yield filled


@pytest.fixture(scope="module")
def empty(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStore]:
    """One without events."""
    with rig.filled(tmp_path_factory.mktemp("empty"), [], []) as filled:
        yield filled


def asked(query: str = "", *picks: Pick, **span: int) -> Question:
    return Question(parse(query, NOW_US), picks, **span)


def meant(question: Question, events: Sequence[Event] = EVENTS) -> list[Event]:
    """The same by plain evaluation, newest first."""
    node: Node = question.tree()
    after, before = question.start_us, question.end_us
    return newest_first([
        each
        for each in events
        if matches(node, each)
        and (after is None or each["time"] >= after)
        and (before is None or each["time"] < before)
    ])  # fmt: skip


def weight(events: Sequence[Event]) -> int:
    return sum(each.get("fold_count") or 1 for each in events)


QUESTIONS = {
    "everything": asked(),
    "a query": asked("severity>=7 and not namespace:shop"),
    "a span": asked(start_us=NOW_US - 12 * SECOND_US, end_us=NOW_US - 5 * SECOND_US),
    "picks": asked("", Pick("namespace", ("shop", "")), Pick("severity", exclude=("10",))),
    "a word": asked("action:block"),
    "a free text": asked('"pod-3"'),
    "a tag": asked("tag:NIST or label:app=db"),
    "a key": asked("event_data.Syscall:SYS_1"),
    "nothing": asked("pod:none"),
    "what was done": asked("stream:alert and action:audit"),
    "most of them": asked("stream:alert and not namespace:shop and not severity=7"),
    "those with a name": asked("pod:* and (action:block or action:audit)"),
}
every_question = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())


@every_question
@pytest.mark.parametrize("size", [1, 4, 200])
def test_pages_lead_through_all_events_once_newest_first(
    store: EventStore, question: Question, size: int
) -> None:
    seen: list[Row] = []
    page = store.events(question, patience(), size=size)
    seen += page.rows
    assert page.newer is None
    while page.older:
        page = store.events(question, patience(), size=size, before=page.older)
        assert 0 < len(page.rows) <= size
        seen += page.rows
    assert keys(seen) == keys(meant(question))


@pytest.mark.parametrize("size", [1, 4])
def test_pages_lead_back_the_same_way(store: EventStore, size: int) -> None:
    question = QUESTIONS["a query"]
    expected = keys(meant(question))
    oldest = meant(question)[-1]
    page = store.events(question, patience(), size=size, after=Cursor(oldest["time"], oldest["id"]))
    seen = keys(page.rows)
    while page.newer:
        assert page.older
        page = store.events(question, patience(), size=size, after=page.newer)
        seen = keys(page.rows) + seen
    assert seen == expected[:-1]


def test_a_page_in_the_middle_knows_both_neighbours(store: EventStore) -> None:
    first = store.events(asked(), patience(), size=10)
    second = store.events(asked(), patience(), size=10, before=first.older)
    assert second.newer
    back = store.events(asked(), patience(), size=10, after=second.newer)
    assert keys(back.rows) == keys(first.rows)
    assert back.older == first.older


def test_a_page_within_a_span_stays_within_it(store: EventStore) -> None:
    question = QUESTIONS["a span"]
    newest = Cursor(NOW_US + HOUR_US, b"\0" * 32)
    oldest = Cursor(NOW_US - HOUR_US, b"\0" * 32)
    down = store.events(question, patience(), size=200, before=newest)
    up = store.events(question, patience(), size=200, after=oldest)
    assert keys(down.rows) == keys(up.rows) == keys(meant(question))


def test_asked_columns_come_with_id_time_and_stream_and_no_others(store: EventStore) -> None:
    page = store.events(asked("pod:*"), patience(), size=200, columns=("pod_name", "atags"))
    assert {name for row in page.rows for name in row} == {
        "id", "time", "stream", "pod_name", "atags",
    }  # fmt: skip


def test_a_column_that_does_not_exist_is_refused(store: EventStore) -> None:
    with pytest.raises(ValueError, match="no columns"):
        store.events(asked(), patience(), columns=("x; DROP TABLE events",))


FULL: Event = event(
    "full", received=NOW_US + 5, namespace_name="shop", host_pid=7, uid=0, severity="7",
    atags=["NIST", "a,b", ""], event_data={"Syscall": "openat", "Empty": ""}, user_name="",
    labels="a=1,b=2", fold_count=3, fold_first=NOW_US - 2, fold_last=NOW_US - 1,
    data="x" * 1_000_000, message="'; DROP TABLE events; --\n\u202e\0", original=b"\x00\xff",
    extra='{"x":1}',
)  # fmt: skip


def test_an_event_comes_with_every_value_that_it_has_and_nothing_else(make: Make) -> None:
    filled = make([FULL], [event("other")])
    assert filled.event(FULL["id"], patience()) == FULL
    assert filled.event(id_of("other"), patience()) == event("other")
    [row] = filled.events(asked("namespace:shop"), patience()).rows
    assert row == FULL


@pytest.mark.parametrize("near_us", [None, NOW_US, NOW_US - 40 * HOUR_US, 0])
def test_an_event_is_found_whatever_time_was_guessed(
    store: EventStore, near_us: int | None
) -> None:
    found = store.event(id_of(0), patience(), near_us=near_us)
    assert found is not None
    assert found["resource"] == "0"


def test_there_is_no_event_of_an_unknown_id(store: EventStore) -> None:
    assert store.event(b"\0" * 32, patience(), near_us=NOW_US) is None


@every_question
def test_folded_events_count_as_all_of_them(store: EventStore, question: Question) -> None:
    assert store.count(question, patience()) == weight(meant(question))


@every_question
@pytest.mark.parametrize("by", ["", "severity", "namespace", "action", "pod"])
def test_the_bars_of_a_histogram_are_what_lies_in_their_buckets(
    store: EventStore, question: Question, by: str
) -> None:
    found = store.histogram(question, patience(), by=by, size=20)
    assert bars(found) == expected_bars(found, question, by)
    assert sum(bars(found).values()) == weight(meant(question))


def bars(found: Histogram) -> dict[tuple[str, int], int]:
    return {
        (series.value, found.start_us + n * found.interval_us): count
        for series in found.series
        for n, count in enumerate(series.counts)
        if count
    }


def expected_bars(found: Histogram, question: Question, by: str) -> dict[tuple[str, int], int]:
    counts: Counter[tuple[str, int]] = Counter()
    for each in meant(question):
        start_us = each["time"] // found.interval_us * found.interval_us
        counts[one_value(each, by), start_us] += weight([each])
    return dict(counts)


def one_value(each: Event, field: str) -> str:
    """The value by which it is counted, of a field that has one at most."""
    if field == "action":
        return (each.get("action") or "").partition(" (")[0]
    value = each.get(QUERY_FIELDS[field].columns[0]) if field else ""
    return "" if value is None else str(value)


def test_buckets_are_aligned_and_as_many_as_were_wanted(store: EventStore) -> None:
    span = {"start_us": NOW_US - 7 * HOUR_US - 13, "end_us": NOW_US - 17}
    found = store.histogram(asked(**span), patience(), buckets=60)
    assert found.start_us % found.interval_us == 0
    assert found.start_us <= span["start_us"] < found.start_us + found.interval_us
    end_us = found.start_us + found.buckets * found.interval_us
    assert end_us - found.interval_us < span["end_us"] <= end_us
    assert 30 <= found.buckets <= 61
    assert all(len(series.counts) == found.buckets for series in found.series)


def test_an_interval_that_was_asked_for_is_kept_unless_it_makes_too_many(
    store: EventStore,
) -> None:
    span = {"start_us": NOW_US - HOUR_US, "end_us": NOW_US + 1}
    asked_us = 7 * SECOND_US
    assert store.histogram(asked(**span), patience(), interval_us=asked_us).interval_us == asked_us
    fine = store.histogram(asked(**span), patience(), interval_us=1000)
    assert fine.buckets <= 2000
    assert sum(map(sum, (series.counts for series in fine.series))) == weight(EVENTS)


def test_a_span_without_an_end_reaches_to_now(make: Make) -> None:
    filled = make([event("old", NOW_US - 5 * HOUR_US)])
    found = filled.histogram(asked(start_us=NOW_US - 6 * HOUR_US), patience())
    assert 0 <= found.start_us + found.buckets * found.interval_us - NOW_US < found.interval_us
    assert [sum(series.counts) for series in found.series] == [1]


@pytest.mark.parametrize("by", ["", "pod", "severity"])
def test_a_clock_that_runs_ahead_does_not_stretch_what_reaches_to_now(make: Make, by: str) -> None:
    filled = make([event("now"), event("ahead", NOW_US + HOUR_US), event("far", 4 * NOW_US)])
    found = filled.histogram(asked(start_us=NOW_US - HOUR_US), patience(), by=by)
    assert found.start_us + found.buckets * found.interval_us <= NOW_US + 26 * HOUR_US
    assert [sum(series.counts) for series in found.series] == [2]


def test_what_lies_behind_the_last_bucket_is_no_frequent_value(make: Make) -> None:
    far = [event(n, 4 * NOW_US, pod_name="far") for n in range(3)]
    filled = make([event("now", pod_name="here"), *far])
    for by, value in (("pod", "here"), ("severity", "")):
        found = filled.histogram(asked(start_us=NOW_US - HOUR_US), patience(), by=by, size=1)
        assert [(each.value, sum(each.counts)) for each in found.series] == [(value, 1)]


def test_rarer_values_of_a_histogram_are_one_series(store: EventStore) -> None:
    found = store.histogram(asked(), patience(), by="pod", size=2)
    assert [series.is_rest for series in found.series] == [False, False, True]
    assert found.series[-1].value == ""
    assert sum(map(sum, (series.counts for series in found.series))) == weight(EVENTS)


def test_numbers_in_a_histogram_stand_from_high_to_low(store: EventStore) -> None:
    found = store.histogram(asked(), patience(), by="severity")
    assert [series.value for series in found.series] == ["10", "7", "1", ""]


def test_an_event_with_several_tags_is_in_the_bars_of_each(store: EventStore) -> None:
    found = store.histogram(asked(), patience(), by="tag")
    totals = {series.value: sum(series.counts) for series in found.series}
    assert totals == {
        tag: weight([e for e in EVENTS if tag in (e.get("atags") or [""])])
        for tag in ("NIST", "CIS", "")
    }


def test_a_histogram_comes_with_the_gaps_that_touch_it(rig: Rig, store: EventStore) -> None:
    if not rig.has_gaps:
        pytest.skip("lines tell of no gaps")
    early = asked(start_us=NOW_US - 2 * HOUR_US, end_us=NOW_US - HOUR_US // 2)
    assert store.histogram(early, patience()).gaps == (GAP,)
    assert store.histogram(asked(start_us=NOW_US - 2 * HOUR_US), patience()).gaps == (GAP, LATER)


@every_question
def test_facets_count_every_value(store: EventStore, question: Question) -> None:
    fields = [*FACETS, "label", "host_pid"[5:], "intended"]
    found = store.facets(question, patience(), fields=fields, size=100)
    assert [facet.field for facet in found] == fields
    for facet in found:
        others = Question(
            question.where, tuple(p for p in question.picks if p.field != facet.field),
            question.start_us, question.end_us,
        )  # fmt: skip
        counts = counted(meant(others), facet.field)
        assert {value.value: value.count for value in facet.values} == counts, facet.field
        assert (facet.distinct, facet.rest) == (len(counts), 0)


def counted(events: Sequence[Event], field: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for each in events:
        for value in values_of(each, field):
            counts[value] += weight([each])
    return dict(counts)


def values_of(each: Event, field: str) -> set[str]:
    if field == "tag":
        return set(each.get("atags") or [""])
    if field == "label":
        return set((each.get("labels") or "").split(","))
    if field == "intended":
        return {"Block" if each.get("action") == "Audit (Block)" else ""}
    return {one_value(each, field)}


def test_a_facet_is_counted_without_its_own_picks_but_with_those_of_others(
    store: EventStore,
) -> None:
    picks = (Pick("namespace", ("shop",)), Pick("severity", ("7",)))
    namespaces, severities = store.facets(
        asked("", *picks), patience(), fields=("namespace", "severity")
    )
    assert {value.value for value in namespaces.values} == {"shop", "billing", ""}
    assert {value.value for value in severities.values} == {"10", "7", "1", ""}
    of_sevens = [each for each in EVENTS if each.get("severity") == "7"]
    assert sum(value.count for value in namespaces.values) == weight(of_sevens)


def test_facet_values_stand_by_count_then_by_value_and_the_rest_is_counted(make: Make) -> None:
    names = ["b"] * 2 + ["a"] * 2 + ["c"] * 3 + ["d", "e"]
    filled = make([event(n, pod_name=name) for n, name in enumerate(names)])
    [facet] = filled.facets(asked(), patience(), fields=("pod",), size=3)
    assert facet.values == (FacetValue("c", 3), FacetValue("a", 2), FacetValue("b", 2))
    assert (facet.distinct, facet.rest) == (5, 2)


def test_a_tag_that_an_event_has_twice_counts_once(make: Make) -> None:
    filled = make([event(1, atags=["x", "x", "", "y"]), event(2, atags=[""]), event(3, atags=[])])
    [facet] = filled.facets(asked(), patience(), fields=("tag",))
    assert facet.values == (FacetValue("", 2), FacetValue("x", 1), FacetValue("y", 1))


@every_question
@pytest.mark.parametrize("fields", [("namespace", "severity"), ("namespace", "pod")])
def test_groups_agree_in_all_their_fields(
    store: EventStore, question: Question, fields: tuple[str, ...]
) -> None:
    found = store.top(question, patience(), fields=fields, size=100)
    groups: dict[tuple[str, ...], list[Event]] = {}
    for each in meant(question):
        key = tuple(one_value(each, field) for field in fields)
        groups.setdefault(key, []).append(each)
    assert {group.values for group in found.groups} == set(groups)
    for group in found.groups:
        members = groups[group.values]
        assert group.count == group.measure == weight(members)
        assert group.first_us == min(each["time"] for each in members)
        assert group.last_us == max(each["time"] for each in members)
    assert (found.distinct, found.total) == (len(groups), weight(meant(question)))


def test_the_largest_groups_come_first_and_the_rarest_if_asked(make: Make) -> None:
    names = ["b"] * 2 + ["a"] * 2 + ["c"] * 3 + ["d"]
    filled = make([event(n, pod_name=name) for n, name in enumerate(names)])
    most = filled.top(asked(), patience(), fields=("pod",), size=2)
    assert [group.values for group in most.groups] == [("c",), ("a",)]
    assert (most.distinct, most.total) == (4, 8)
    rarest = filled.top(asked(), patience(), fields=("pod",), size=2, smallest=True)
    assert [group.values for group in rarest.groups] == [("d",), ("a",)]


@pytest.mark.parametrize("distinct", ["pod", "tag"])
def test_groups_are_measured_by_the_values_of_another_field(
    store: EventStore, distinct: str
) -> None:
    found = store.top(asked(), patience(), fields=("namespace",), distinct=distinct)
    for group in found.groups:
        members = [e for e in EVENTS if one_value(e, "namespace") == group.values[0]]
        values = {value for each in members for value in values_of(each, distinct)} - {""}
        assert group.measure == len(values)
        assert group.count == weight(members)
    measures = [group.measure for group in found.groups]
    assert measures == sorted(measures, reverse=True)


@every_question
def test_first_and_last_are_whole_events(store: EventStore, question: Question) -> None:
    found = store.seen(question, patience())
    events = meant(question)
    assert found.count == weight(events)
    if not events:
        assert found.first is found.last is None
        return
    assert found.last == {name: v for name, v in events[0].items() if v is not None}
    assert found.first == {name: v for name, v in events[-1].items() if v is not None}


@every_question
@pytest.mark.parametrize("columns", [None, ("namespace_name",)])
def test_a_stream_gives_every_event_once(
    store: EventStore, question: Question, columns: Sequence[str] | None
) -> None:
    batches = list(store.stream(question, patience(), columns=columns))
    names = SCHEMA.names if columns is None else ["id", "time", "stream", *columns]
    assert all(batch.schema.equals(schema_of(names)) for batch in batches)
    ids = [id_ for batch in batches for id_ in batch.column("id").to_pylist()]
    assert Counter(ids) == Counter(each["id"] for each in meant(question))


def schema_of(names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.schema([SCHEMA.field(name) for name in names])


@pytest.mark.parametrize("newest_first_", [False, True])
def test_a_stream_of_one_part_stands_in_the_order_of_time(make: Make, newest_first_: bool) -> None:
    filled = make(EVENTS)
    found = [
        id_
        for batch in filled.stream(asked(), patience(), newest_first=newest_first_)
        for id_ in batch.column("id").to_pylist()
    ]
    expected = [each["id"] for each in newest_first(EVENTS)]
    assert found == (expected if newest_first_ else expected[::-1])


def test_a_stream_that_is_left_early_lets_go(store: EventStore) -> None:
    stream = store.stream(asked(), patience())
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert store.count(asked(), patience()) == weight(EVENTS)


def test_gaps_that_touch_the_span_stand_by_their_start(rig: Rig, store: EventStore) -> None:
    if not rig.has_gaps:
        assert store.gaps(None, None) == []
        return
    assert store.gaps(None, None) == [GAP, LATER]
    assert store.gaps(GAP.end_us, LATER.start_us) == [GAP]
    assert store.gaps(GAP.end_us + 1, LATER.start_us) == []
    assert store.gaps(None, GAP.start_us) == []


def test_answers_of_one_moment_are_those_of_the_store(store: EventStore) -> None:
    question = QUESTIONS["what was done"]
    with store.at_one_moment() as moment:
        for _ in range(2):
            assert moment.count(question, patience()) == store.count(question, patience())
            shown = moment.events(question, patience(), size=200)
            assert keys(shown.rows) == keys(meant(question))
            assert moment.gaps(None, None) == store.gaps(None, None)
        inside = moment.within(["shop"])
        assert inside.count(asked(), patience()) == store.within(["shop"]).count(
            asked(), patience()
        )


def test_the_fields_are_those_of_the_language(store: EventStore) -> None:
    assert [field.name for field in store.fields()] == list(QUERY_FIELDS)
    assert all(field.doc and field.column for field in store.fields())


def test_the_newest_event_says_when_it_was(store: EventStore) -> None:
    assert store.newest() == max(each["time"] for each in EVENTS)


@every_question
def test_an_empty_store_has_nothing_of_anything(empty: EventStore, question: Question) -> None:
    assert empty.count(question, patience()) == 0
    assert empty.top(question, patience(), fields=("namespace", "pod")).groups == ()
    found = empty.facets(question, patience(), fields=FACETS)
    assert {(facet.values, facet.distinct) for facet in found} == {((), 0)}


def test_an_empty_store_answers_everything(empty: EventStore) -> None:
    assert empty.events(asked(), patience()).rows == ()
    assert empty.event(b"\0" * 32, patience()) is None
    assert empty.count(asked(), patience()) == 0
    assert empty.histogram(asked(), patience(), by="pod").series == ()
    assert empty.facets(asked(), patience(), fields=("pod",))[0].values == ()
    assert empty.top(asked(), patience(), fields=("pod", "tag")).groups == ()
    assert empty.seen(asked(), patience()).count == 0
    assert list(empty.stream(asked(), patience())) == []
    assert empty.arrivals(empty.arrivals().place).rows == ()
    assert empty.newest() is None


ASKING: dict[str, Callable[[EventStore, Budget], Any]] = {
    "events": lambda s, b: s.events(asked(), b, size=1000),
    "a page back": lambda s, b: s.events(asked(), b, after=Cursor(0, b"\0" * 32)),
    "a page of a query": lambda s, b: s.events(asked("not pod:*"), b, size=1000),
    "its own event": lambda s, b: s.event(id_of(0), b),
    "a foreign event": lambda s, b: s.event(id_of(1), b, near_us=NOW_US),
    "an event without namespace": lambda s, b: s.event(id_of(2), b),
    "count": lambda s, b: s.count(asked(), b),
    "count of others": lambda s, b: s.count(asked("not namespace:shop or namespace:billing"), b),
    "count of a foreign pick": lambda s, b: s.count(
        asked("", Pick("namespace", ("", "billing"))), b
    ),
    "histogram": lambda s, b: s.histogram(asked(), b, by="policy").series,
    "facets": lambda s, b: s.facets(asked(), b, fields=(*FACETS, "label", "event_data"), size=1000),
    "facets with a pick": lambda s, b: s.facets(
        asked("", Pick("namespace", ("billing",))), b, fields=("namespace", "pod")
    ),
    "top": lambda s, b: s.top(asked(), b, fields=("node", "tag"), distinct="process", size=1000),
    "the rarest": lambda s, b: s.top(asked(), b, fields=("namespace",), smallest=True),
    "seen": lambda s, b: s.seen(asked(), b),
    "stream": lambda s, b: sorted(
        id_ for batch in s.stream(asked(), b) for id_ in batch.column("id").to_pylist()
    ),
    "newest": lambda s, b: s.newest(),
    "fields": lambda s, b: s.fields(),
}  # fmt: skip
every_asking = pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING.keys())


@every_asking
def test_within_a_namespace_all_answers_are_as_if_there_were_no_other(
    store: EventStore, shop: EventStore, ask: Callable[[EventStore, Budget], Any]
) -> None:
    # Whoever sees everything asks first: what is kept of his answer must not be given to others.
    everything = ask(store, patience())
    inside = ask(store.within(["shop"]), patience())
    assert inside == ask(shop, patience())
    assert ask(store, patience()) == everything


@every_asking
def test_within_no_namespace_there_is_nothing(
    store: EventStore, empty: EventStore, ask: Callable[[EventStore, Budget], Any]
) -> None:
    assert ask(store.within([]), patience()) == ask(empty, patience())


@pytest.mark.parametrize("name", ["shop' OR true --", "sho*", "SHOP", "%", ""])
def test_a_namespace_is_taken_as_it_is(store: EventStore, name: str) -> None:
    assert store.within([name]).count(asked(), patience()) == 0


def test_a_view_within_a_view_is_no_wider(store: EventStore) -> None:
    narrow = store.within(["shop"]).within(["billing"])
    assert narrow.count(asked(), patience()) == 0


def test_gaps_seen_from_within_say_neither_where_nor_how_many(rig: Rig, store: EventStore) -> None:
    if not rig.has_gaps:
        pytest.skip("lines tell of no gaps")
    inside = store.within(["shop"])
    found = [*inside.gaps(None, None), *inside.histogram(asked(), patience(), by="pod").gaps]
    assert [gap.start_us for gap in found[:2]] == [GAP.start_us, LATER.start_us]
    assert not any(gap.node or gap.detail or gap.lost for gap in found)


BUDGETED = {name: ask for name, ask in ASKING.items() if name not in ("newest", "fields")}


@pytest.mark.parametrize("ask", BUDGETED.values(), ids=BUDGETED.keys())
def test_nothing_is_answered_when_the_budget_is_spent(
    store: EventStore, ask: Callable[[EventStore, Budget], Any]
) -> None:
    with pytest.raises(QueryStopped, match="took longer"):
        ask(store, Budget(0.0))


def test_nothing_is_answered_when_nobody_waits(store: EventStore) -> None:
    budget = patience()
    budget.cancel()
    with pytest.raises(QueryStopped, match="nobody waits"):
        store.count(asked(), budget)


def test_a_stream_ends_when_nobody_waits_any_more(make: Make) -> None:
    many = [event(n, NOW_US + n) for n in range(20_000)]
    budget = patience()
    stream = make(many).stream(asked(), budget)
    next(stream)
    budget.cancel()
    with pytest.raises(QueryStopped):
        list(stream)


def test_a_place_that_nobody_gave_begins_now(store: EventStore) -> None:
    for place in ("", "x", "1.2.3", "AAAA" * 14, "é"):
        assert store.arrivals(place).rows == ()


def test_several_threads_may_ask_at_once(store: EventStore) -> None:
    found: list[int] = []

    def work() -> None:
        found.extend(store.count(asked(), patience()) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [weight(EVENTS)] * 20
