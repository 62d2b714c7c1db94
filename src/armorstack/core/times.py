"""The time of an event, from what KubeArmor says of it.

UpdatedTime is UTC with exactly six fraction digits and a Z (quirk 1); other spellings are read
too, and their text kept. Without it, Timestamp's whole seconds; without both (old USB events),
the time of arrival. Times are microseconds since 1970 and lie between 1970 and the year 9999.
"""

import re
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

LAST_SECOND = 253_402_300_799
_CANONICAL_LENGTH = len("2026-11-23T14:10:38.891126Z")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(written: str) -> int | None:
    """Microseconds of an ISO 8601 time with offset or Z; None where it is none."""
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", written.strip()))
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    try:
        delta = moment - _EPOCH
    except OverflowError:
        return None
    micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return micros if 0 <= micros <= LAST_SECOND * 1_000_000 + 999_999 else None


def is_canonical(written: str) -> bool:
    """Whether the text is just how KubeArmor writes the time that `parse_time` reads from it."""
    return (
        len(written) == _CANONICAL_LENGTH
        and written.isascii()
        and written[10] == "T"
        and written[-1] == "Z"
        and written[19] == "."
        and written[20:26].isdigit()
        and parse_time(written) is not None
    )


def _fast(written: pa.Array) -> pa.Array | None:
    """All the times at once when every text is canonical, else None."""
    shape = pc.and_(
        pc.equal(pc.binary_length(written), _CANONICAL_LENGTH),
        pc.and_(
            pc.match_substring(pc.utf8_slice_codeunits(written, 10, 20), "T"),
            pc.ends_with(written, "Z"),
        ),
    )
    if written.null_count or not pc.all(shape).as_py():
        return None
    try:
        times = pc.cast(pc.cast(written, pa.timestamp("us", "UTC")), pa.int64())
    except pa.ArrowInvalid:
        return None
    return times if pc.min(times).as_py() >= 0 else None


def seconds_to_micros(seconds: int | None) -> int | None:
    """Timestamp as microseconds; None where there is none or it lies outside the calendar."""
    if seconds is None or not 0 <= seconds <= LAST_SECOND:
        return None
    return seconds * 1_000_000


def _slow(written: str | None, seconds: int | None, received: int) -> tuple[int, str | None]:
    micros = parse_time(written) if written else None
    if micros is not None:
        assert written is not None
        return micros, None if is_canonical(written) else written
    whole = seconds_to_micros(seconds)
    return received if whole is None else whole, written or None


def event_times(
    written: pa.Array, seconds: pa.Array, received: pa.Array
) -> tuple[pa.Array, pa.Array]:
    """Times (int64, µs) and the texts to keep (null where the time gives the text back).

    `written` is UpdatedTime, `seconds` Timestamp, `received` µs; all of one length.
    """
    fast = _fast(written) if len(written) else None
    if fast is not None:
        return fast, pa.nulls(len(written), pa.string())
    rows = [
        _slow(w, s, r)
        for w, s, r in zip(
            written.to_pylist(), seconds.to_pylist(), received.to_pylist(), strict=True
        )
    ]
    return (
        pa.array([time for time, _ in rows], pa.int64()),
        pa.array([text for _, text in rows], pa.string()),
    )
