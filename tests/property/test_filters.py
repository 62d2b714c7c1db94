"""Each filter does what a plain loop over single events does, however the events are cut up."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from armorstack.config import (
    DropFilter,
    FoldFilter,
    KeepFilter,
    RedactFilter,
    RemoveFilter,
    RenameFilter,
    SampleFilter,
    Select,
    SetFilter,
    ThrottleFilter,
)
from armorstack.core.batch import SCHEMA, Rejected
from armorstack.core.decode import NOTHING, decode
from armorstack.core.fields import FIELDS, STREAMS, Stream
from armorstack.core.gap import Gap
from armorstack.core.rules import Passed, Rules
from tests.support.frames import protobuf, row
from tests.support.rules import at, event_id, events, micros, rules, serialized, split
from tests.support.selects import Case, cases, is_selected, means_nothing

INTERVAL_S = 10
cuts = st.lists(st.integers(0, 40), max_size=6)
patterns = {
    "kubearmor.**": set(STREAMS), "kubearmor.alert": {"alert"},
    "*.{log,message}": {"log", "message"},
}  # fmt: skip


def batches(rows: pa.RecordBatch, places: Iterable[int]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows in pieces, each with the number of rows before it as its position."""
    before = 0
    for piece in split(rows, places):
        yield before, piece
        before += len(piece)


def ids(rows: pa.RecordBatch) -> list[bytes]:
    return list(rows["id"].to_pylist())


# --- row by row ---


@settings(max_examples=60)
@given(cases(), st.sampled_from(list(patterns)), st.lists(st.sampled_from(STREAMS), min_size=12))
def test_drop_and_keep_do_what_the_select_and_the_tag_say(
    case: Case, tag: str, streams: list[str]
) -> None:
    if means_nothing(case.select):
        return
    place = SCHEMA.get_field_index("stream")
    names = pa.array(streams[: len(case.rows)] + ["log"] * (len(case.rows) - len(streams)))
    rows = case.rows.set_column(place, SCHEMA.field(place), names.cast(pa.string()))
    dropped, kept = [], []
    for event in rows.to_pylist():
        tagged, selected = event["stream"] in patterns[tag], is_selected(case.select, event)
        dropped += [] if tagged and selected else [event["id"]]
        kept += [] if tagged and not selected else [event["id"]]
    for filter_, wanted in ((DropFilter, dropped), (KeepFilter, kept)):
        compiled = rules(filter_(select=case.select, tag=tag))
        assert ids(compiled.apply(rows, 0).rows) == wanted
        assert compiled.counts()[0].dropped == len(rows) - len(wanted)


ROWWISE = (
    SampleFilter(one_in=3), SampleFilter(one_in=2, select=Select(pods=("a",))),
    SetFilter(fields={"cluster": "x", "tag": "kubearmor.y"}, select=Select(pods=("a",))),
    RemoveFilter(fields=("pod", "tag", "event_data"), tag="*.log"),
    RenameFilter(fields={"pod": "cwd", "cwd": "pod"}, select=Select(namespaces=("", "n"))),
    RedactFilter(patterns=("a",), select=Select(pods=("a", "b"))),
    DropFilter(select=Select(tags=("a",))),
)  # fmt: skip
maybe = st.sampled_from((None, "a", "b"))
some_events = st.lists(
    st.fixed_dictionaries({
        "stream": st.sampled_from(STREAMS), "pod_name": maybe, "cwd": maybe,
        "namespace_name": maybe, "extra": st.sampled_from((None, '{"set":{"N":"a"}}')),
        "atags": st.none() | st.lists(st.sampled_from("ab"), max_size=2),
        "event_data": st.none() | st.just([("a", "b")]),
    }),
    max_size=12,
)  # fmt: skip


@settings(max_examples=60)
@given(some_events, cuts, st.permutations(ROWWISE))
def test_filters_of_single_events_do_not_see_how_they_are_cut(
    rows: list[dict[str, Any]], places: list[int], filters: Sequence[Any]
) -> None:
    whole = events(rows)
    at_once, in_pieces = rules(*filters), rules(*filters)
    wanted = at_once.apply(whole, 0)
    pieces = [in_pieces.apply(piece, before).rows for before, piece in batches(whole, places)]
    got = [event for piece in pieces for event in piece.to_pylist()]
    assert got == wanted.rows.to_pylist()
    assert at_once.counts() == in_pieces.counts()
    assert set(ids(wanted.rows)) <= set(ids(whole))


# --- throttle ---

arrivals = st.lists(
    st.tuples(st.sampled_from((0, 0, 1, 1, 4, 12, -3)), st.sampled_from("aabx")),
    max_size=30,
)


@settings(max_examples=100)
@given(arrivals, cuts, st.integers(1, 3), st.booleans(), st.lists(st.integers(0, 60), max_size=30))
def test_a_throttle_decides_by_the_rows_alone_and_tells_all_it_let_go(
    told: list[tuple[int, str]], places: list[int], limit: int, by_pod: bool, clock: list[int]
) -> None:
    rows, seconds = [], 0
    for step, pod in told:
        seconds = max(0, seconds + step)
        rows.append({"pod_name": pod, "received": at(seconds)})
    whole = events(rows)
    filter_ = ThrottleFilter(
        events=limit, interval_s=INTERVAL_S, by=("pod",) if by_pod else (), name="t",
        select=Select(pods=("a", "b")),
    )  # fmt: skip
    compiled = rules(filter_)
    passed, gaps = [], list[Gap]()
    for before, piece in batches(whole, places):
        results = [compiled.apply(piece, before)]
        if clock:
            results.append(compiled.apply(NOTHING, before, micros(at(clock.pop()))))
        passed += [id_ for each in results for id_ in ids(each.rows)]
        gaps += [gap for each in results for gap in each.gaps]
    gaps += compiled.finish().gaps
    assert passed == [event_id(n) for n in model_throttle(rows, limit, by_pod)]
    lost = len(whole) - len(passed)
    assert sum(gap.lost or 0 for gap in gaps) == compiled.counts()[0].dropped == lost
    assert all(gap.lost for gap in gaps)
    for gap in gaps:
        assert (gap.reason, gap.source) == ("filter_throttle", "t")
        assert gap.start_us % (INTERVAL_S * 1_000_000) == 0
        assert gap.end_us == gap.start_us + INTERVAL_S * 1_000_000


def model_throttle(rows: list[dict[str, Any]], limit: int, by_pod: bool) -> Iterator[int]:
    newest, shares = -1, Counter[str]()
    for number, event in enumerate(rows):
        if event["pod_name"] == "x":
            yield number
            continue
        interval = micros(event["received"]) // (INTERVAL_S * 1_000_000)
        if interval > newest:
            newest, shares = interval, Counter()
        share = event["pod_name"] if by_pod else ""
        shares[share] += 1
        if shares[share] <= limit:
            yield number


# --- fold ---

FOLD = FoldFilter(
    interval_s=INTERVAL_S, by=("pod", "container"), select=Select(namespaces=("",))
)  # fmt: skip
steps = st.lists(
    st.tuples(
        st.sampled_from((0, 0, 1, 1, 3, 9, 11, 25)), st.sampled_from("aab"),
        st.sampled_from((None, "c")), st.sampled_from(("alert", "alert", "log")),
        st.integers(0, 5), st.sampled_from((False, False, False, True)), st.integers(-99, 99),
    ),
    max_size=30,
)  # fmt: skip


def arriving(told: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Events in the order of their arrival; some come a second time, within the interval."""
    rows: list[dict[str, Any]] = []
    seconds = 0
    for number, (step, pod, container, stream, back, outside, when) in enumerate(told):
        seconds += step
        event = {
            "id": event_id(number), "pod_name": pod, "container_name": container, "stream": stream,
            "namespace_name": "n" if outside else None, "time": at(when), "received": at(seconds),
        }  # fmt: skip
        if 0 < back <= len(rows) and at(seconds - INTERVAL_S) <= rows[-back]["received"]:
            event = rows[-back] | {"received": at(seconds)}
        rows.append(event)
    return rows


class Told:
    """What a run of rules gave, in order."""

    def __init__(self, compiled: Rules) -> None:
        self.compiled = compiled
        self.events: list[dict[str, Any]] = []
        self.held: list[int | None] = []

    def take(self, passed: Passed) -> None:
        self.events += passed.rows.to_pylist()
        self.held.append(passed.held_from)

    def counted(self) -> int:
        return sum(event["fold_count"] or 1 for event in self.events)


@settings(max_examples=120)
@given(steps, cuts, st.booleans())
def test_a_fold_makes_of_any_cut_what_a_plain_loop_makes(
    told: list[tuple[Any, ...]], places: list[int], rests: bool
) -> None:
    rows = arriving(told)
    whole, run, positions = events(rows), Told(rules(FOLD)), dict[bytes, int]()
    wanted = model_fold(rows)
    for before, piece in batches(whole, places):
        for id_ in ids(piece):
            positions.setdefault(id_, before)
        run.take(run.compiled.apply(piece, before))
        if rests:
            run.take(run.compiled.apply(NOTHING, before + len(piece)))
        out = {event["id"] for event in run.events}
        kept = [positions[i] for i in wanted if i in positions and i not in out]
        held = run.held[-1]
        assert (held is None) == (not kept)
        assert held is None or held <= min(kept)
    run.take(run.compiled.finish())
    known = [each for each in run.held if each is not None]
    assert known == sorted(known)
    assert run.held[-1] is None
    got = {
        event["id"]: (event["fold_count"], event["fold_first"], event["fold_last"])
        for event in run.events
        if event["namespace_name"] is None
    }
    assert got == wanted
    assert run.counted() == len({row["id"] for row in rows}) + repeats_outside(rows)
    assert run.compiled.counts()[0].dropped == len(rows) - len(run.events)


def repeats_outside(rows: list[dict[str, Any]]) -> int:
    """Second comings of events that the fold does not look at."""
    outside = [row["id"] for row in rows if row["namespace_name"]]
    return len(outside) - len(set(outside))


def model_fold(rows: list[dict[str, Any]]) -> dict[bytes, tuple[Any, Any, Any]]:
    """Id of the first of each group → count, first and last; nulls for one that stayed alone."""
    groups: dict[tuple[Any, ...], list[list[dict[str, Any]]]] = defaultdict(list)
    seen = set()
    for event in rows:
        if event["namespace_name"] or event["id"] in seen:
            continue
        seen.add(event["id"])
        mine = groups[event["stream"], event["pod_name"], event["container_name"]]
        if mine and (event["received"] - mine[-1][0]["received"]).total_seconds() < INTERVAL_S:
            mine[-1].append(event)
        else:
            mine.append([event])
    return {
        group[0]["id"]: (
            len(group), min(each["time"] for each in group), max(each["time"] for each in group)
        ) if len(group) > 1 else (None, None, None)
        for mine in groups.values() for group in mine
    }  # fmt: skip


@settings(max_examples=60)
@given(steps, cuts, st.lists(st.integers(0, 80), max_size=30), st.randoms(use_true_random=False))
def test_a_fold_loses_and_doubles_nothing_whatever_the_clock_and_the_order(
    told: list[tuple[Any, ...]], places: list[int], clock: list[int], chance: Any
) -> None:
    rows = [row | {"id": event_id(number)} for number, row in enumerate(arriving(told))]
    chance.shuffle(rows)
    whole, run = events(rows), Told(rules(FOLD, FoldFilter(interval_s=3, by=("pod",))))
    for before, piece in batches(whole, places):
        run.take(run.compiled.apply(piece, before))
        if clock:
            run.take(run.compiled.apply(NOTHING, before, micros(at(clock.pop()))))
    run.take(run.compiled.finish())
    assert run.counted() == len(rows)
    assert len({event["id"] for event in run.events}) == len(run.events)
    times = [row["time"] for row in rows]
    firsts = [event["fold_first"] or event["time"] for event in run.events]
    lasts = [event["fold_last"] or event["time"] for event in run.events]
    assert not rows or (min(firsts), max(lasts)) == (min(times), max(times))


# --- redact ---

SECRET = re.compile(r"s3cr3t-\w+", re.ASCII)
letters = st.text(st.sampled_from('ab "\\/\n{}[]:,é😀\x00'), max_size=6)
secrets = st.sampled_from(("s3cr3t-x1", "", ""))
with_secrets = st.tuples(letters, secrets, letters).map(
    lambda parts: f"{parts[0]} {parts[1]} {parts[2]}"
)
REDACT = RedactFilter(patterns=(r"s3cr3t-\w+",), replacement="-")


def gone(text: str) -> str:
    return SECRET.sub("-", text)


def any_value(kind: str) -> st.SearchStrategy[Any]:
    return {
        "text": with_secrets,
        "texts": st.lists(with_secrets, max_size=2),
        "map": st.dictionaries(with_secrets, with_secrets, max_size=2).map(
            lambda told: list(told.items())
        ),
    }[kind]


TEXTUAL = [field for field in FIELDS if field.kind in ("text", "texts", "map")]
VALUES = {field.column: any_value(field.kind) for field in TEXTUAL}
told_events = st.lists(
    st.lists(st.sampled_from(TEXTUAL), max_size=3, unique=True).flatmap(
        lambda fields: st.fixed_dictionaries({f.column: VALUES[f.column] for f in fields})
    ),
    max_size=8,
)


def model_redacted(value: Any) -> Any:
    if isinstance(value, str):
        return gone(value)
    if isinstance(value, list | tuple):
        return type(value)(model_redacted(each) for each in value)
    if isinstance(value, dict):
        return {gone(key): model_redacted(each) for key, each in value.items()}
    return value


@settings(max_examples=80)
@given(told_events, st.booleans(), st.booleans())
def test_redaction_leaves_no_secret_in_any_column_of_the_selected_events(
    rows: list[dict[str, Any]], narrow: bool, sliced: bool
) -> None:
    whole = events([row | {"cluster_name": "in" if n % 2 else "out"} for n, row in enumerate(rows)])
    if sliced:
        whole = pa.concat_batches([whole, whole]).slice(len(whole) // 2, len(whole))
    filter_ = RedactFilter(
        patterns=REDACT.patterns, replacement="-",
        select=Select(clusters=("in",)) if narrow else Select(),
    )  # fmt: skip
    compiled = rules(filter_)
    result = compiled.apply(whole, 0).rows
    result.validate(full=True)
    before, after = whole.to_pylist(), result.to_pylist()
    hit = [not narrow or event["cluster_name"] == "in" for event in before]
    wanted = [model_redacted(e) if is_hit else e for e, is_hit in zip(before, hit, strict=True)]
    assert after == wanted
    changed = sum(a != b for a, b in zip(before, after, strict=True))
    assert compiled.counts()[0].changed == changed
    selected = result.filter(pa.array(hit, pa.bool_()))
    assert not re.search(SECRET.pattern.encode(), serialized(selected))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | with_secrets,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(with_secrets, inner, max_size=3),
    max_leaves=6,
)


def cleaned(frame: bytes, encoding: str, stream: str) -> bytes:
    letter = Rejected(frame, "x", "y", encoding=encoding, stream=stream)
    return rules(REDACT).redact(letter).frame


def escaped(text: str) -> str:
    """JSON with a character of each secret written as an escape."""
    return text.replace("s3cr3t", "s3\\u0063r3t")


@settings(max_examples=60)
@given(json_values, st.booleans(), st.booleans())
def test_a_json_frame_means_the_same_but_for_the_secrets(
    value: Any, ascii_only: bool, hidden: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    frame = (escaped(text) if hidden else text).encode()
    result = cleaned(frame, "json", "auto")
    assert json.loads(result) == model_redacted(value)
    assert (result == frame) is ("s3cr3t" not in text)


def plain(frame: bytes) -> str:
    """What the frame says to someone who undoes its escapes."""
    text = frame.decode("latin-1")
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)


damage = st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=1)), min_size=1, max_size=3)


def damaged(frame: bytes, places: list[tuple[int, bytes]]) -> bytes:
    for place, byte in places:
        place %= len(frame) + 1
        frame = frame[:place] + byte + frame[place + 1 :]
    return frame


@settings(max_examples=100)
@given(json_values, damage, st.booleans(), st.sampled_from(("json", "")))
def test_a_damaged_json_frame_keeps_no_secret(
    value: Any, places: list[tuple[int, bytes]], hidden: bool, encoding: str
) -> None:
    text = json.dumps(value)
    result = cleaned(damaged((escaped(text) if hidden else text).encode(), places), encoding, "x")
    assert not SECRET.search(result.decode("latin-1"))
    assert not SECRET.search(plain(result))


def frames(stream: Stream) -> st.SearchStrategy[bytes]:
    fields = {f.name: VALUES[f.column] for f in TEXTUAL if f.number(stream) and not f.parent}
    one = st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in names})
    )
    return one.map(lambda event: protobuf(event, stream))


@settings(max_examples=100)
@given(st.sampled_from(STREAMS), st.data())
def test_a_protobuf_frame_keeps_no_secret_whole_or_damaged(
    stream: Stream, data: st.DataObject
) -> None:
    frame = data.draw(frames(stream))
    whole = cleaned(frame, "protobuf", stream)
    assert not SECRET.search(whole.decode("latin-1"))
    assert (whole == frame) is (b"s3cr3t" not in frame)
    (before,) = decode([row([frame], stream, "protobuf")]).batch.rows.to_pylist()
    (after,) = decode([row([whole], stream, "protobuf")]).batch.rows.to_pylist()
    assert as_dicts(model_redacted(before)) == as_dicts(after) | {"id": before["id"]}
    broken = cleaned(damaged(frame, data.draw(damage)), "protobuf", stream)
    assert not SECRET.search(broken.decode("latin-1"))


def as_dicts(event: dict[str, Any]) -> dict[str, Any]:
    """The map as one, since the order of its entries means nothing."""
    return event | {"event_data": dict(event["event_data"] or ())}
