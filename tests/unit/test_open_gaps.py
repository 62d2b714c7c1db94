"""What the receiver's report says of losses that go on just now."""

import pytest
from msgspec.structs import replace

from armorstack.core.gap import Gap
from armorstack.open_gaps import FullSpool, open_gaps
from armorstack.state import ReceiverState, SourceState, SpoolState

SECOND = 1_000_000
NOW = 1_795_443_000 * SECOND
RELAY = SourceState("relay/a:1", "relay", connected=True, since_us=NOW - 500 * SECOND)
FILE = SourceState("file/x", "file", connected=True)
STDIN = SourceState("stdin", "stdin", connected=True)
LIVE = ReceiverState(
    pid=1, started_us=NOW - 900 * SECOND, updated_us=NOW, phase="running",
    sources=(RELAY, FILE, STDIN), last_commit_us=NOW - 7 * SECOND,
)  # fmt: skip


def told(receiver: ReceiverState | None) -> list[tuple[str, str, float]]:
    """Reason, source and length in seconds."""
    found = open_gaps(receiver, NOW)
    assert all(gap.end_us == NOW and gap.lost is None for gap in found)
    return [(gap.reason, gap.source, (NOW - gap.start_us) / SECOND) for gap in found]


def down(**changes: object) -> ReceiverState:
    source = replace(RELAY, connected=False, error="connection refused", **changes)
    return replace(LIVE, sources=(source, replace(FILE, connected=False, since_us=NOW - SECOND)))


def test_while_all_is_well_or_there_never_was_a_receiver_no_gap_is_open() -> None:
    assert told(LIVE) == []
    assert told(None) == []


def test_a_relay_that_is_not_connected_is_an_open_gap_and_a_file_is_none() -> None:
    assert told(down(since_us=NOW - 90 * SECOND)) == [("disconnect", "relay/a:1", 90)]
    assert open_gaps(down(since_us=1), NOW)[0].detail == "connection refused"


def test_a_gap_begins_with_the_last_frame_where_a_stream_was_never_there() -> None:
    assert told(down(since_us=0, last_frame_us=NOW - 4 * SECOND)) == [
        ("disconnect", "relay/a:1", 4)
    ]


def test_a_relay_that_was_never_connected_has_lost_nothing() -> None:
    assert told(down(since_us=0)) == []


def test_a_spool_that_takes_nothing_is_a_gap_since_its_last_commit() -> None:
    full = replace(LIVE, spool=SpoolState(full="the disk is full"))
    assert told(full) == [("spool_overflow", "relay/a:1", 7)]
    assert open_gaps(full, NOW)[0].detail == "the disk is full"
    assert told(replace(full, last_commit_us=0)) == [("spool_overflow", "relay/a:1", 900)]


@pytest.mark.parametrize(
    ("phase", "age_s", "expected"),
    [
        ("stopped", 1, [("stop", "relay/a:1", 7)]),
        ("stopped", 900, [("stop", "relay/a:1", 7)]),
        ("running", 900, [("crash", "relay/a:1", 7), ("crash", "stdin", 7)]),
        ("stopping", 4, []),
    ],
)
def test_a_receiver_that_does_not_run_is_a_gap_since_its_last_commit(
    phase: str, age_s: int, expected: list[tuple[str, str, float]]
) -> None:
    report = replace(LIVE, phase=phase, updated_us=NOW - age_s * SECOND)
    assert told(report) == expected


def test_a_receiver_that_never_committed_anything_leaves_no_gap() -> None:
    assert told(replace(LIVE, phase="stopped", last_commit_us=0)) == []


def test_a_finished_standard_input_is_no_gap_after_a_crash() -> None:
    done = replace(STDIN, connected=False, finished=True)
    assert told(replace(LIVE, sources=(done,), updated_us=1)) == []


def report(at_s: int, full: str = "", blocked_s: float = 0.0, commit_s: int = 0) -> ReceiverState:
    return replace(
        LIVE, updated_us=NOW + at_s * SECOND, spool=SpoolState(full=full), blocked_s=blocked_s,
        last_commit_us=NOW + commit_s * SECOND,
    )  # fmt: skip


def test_a_full_spool_that_made_sources_wait_is_told_once_when_it_ends() -> None:
    watch = FullSpool()
    assert watch.ended(report(0, blocked_s=1.0)) == ()
    assert watch.ended(report(1, "full", 1.0, commit_s=1)) == ()
    assert watch.ended(report(9, "full still", 5.0, commit_s=2)) == ()
    assert watch.ended(report(10, "", 9.0, commit_s=10)) == (
        Gap("spool_overflow", "relay/a:1", NOW + SECOND, NOW + 10 * SECOND, detail="full"),
    )
    assert watch.ended(report(11, "", 9.0)) == ()


def test_a_full_spool_that_made_nobody_wait_is_no_gap() -> None:
    watch = FullSpool()
    for at_s, full in enumerate(("", "full", "full", "")):
        assert watch.ended(report(at_s, full, 3.0)) == ()
