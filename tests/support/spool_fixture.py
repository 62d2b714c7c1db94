"""Makes a spool of the present schema version for later versions to upgrade.

Run as `python -m tests.support.spool_fixture FOLDER` when a schema version is released, into
`tests/fixtures/spool-vN`; what lies there is never made anew.
"""

import sys
from pathlib import Path

from armorstack.spool.history import GapNote, Seen
from armorstack.spool.owed import OVERFLOW
from armorstack.spool.place import LOCK_FILE, RESERVE_FILE
from armorstack.spool.work import DeadLetter, Filter, Work
from tests.support.spool_rows import START_US, numbered, open_spool, row

ROWS = 12
DROPPED = 2
TRIMMED = 3
LETTERS = ("malformed_protobuf", "mapper_parsing")
NEVER_OLD_US = 1 << 60
GAP = GapNote(b'{"reason":"stop"}', START_US, NEVER_OLD_US)
NODE = Seen("c", "node-1", START_US, START_US + 1, 7)


def make(folder: Path) -> None:
    """Twelve rows of two sources; two dropped and owed, three trimmed; cursors; two letters;
    a gap and a node (from version 2 on)."""
    spool = open_spool(folder)
    for number in range(ROWS):
        source, stream = [("relay/a", "alert"), ("file/x", "auto")][number % 2]
        frames = [numbered(number, 50), b"", numbered(number + 100, 20)]
        appended = row(*frames, source=source, stream=stream, at_us=START_US + number)
        spool.append([appended], {"file/x": b"%d" % number})
    spool.append([], {}, drop_bytes=DROPPED * 80)
    assert {(o.reason, o.lost) for o in spool.owed()} == {(OVERFLOW, 3)}
    spool.trim(START_US + DROPPED + TRIMMED - 1)
    spool.close()
    work = Work.open(folder)
    work.enroll({"duckdb": True, "webhook": False})
    work.commit("duckdb", START_US + DROPPED + TRIMMED - 1, True)
    work.set_aside([_letter(number, kind) for number, kind in enumerate(LETTERS, 1)])
    work.mark_replay(Filter(ids=(2,)))
    work.note([GAP], [NODE])
    work.close()
    for name in (LOCK_FILE, RESERVE_FILE):
        (folder / name).unlink()


def _letter(number: int, kind: str) -> DeadLetter:
    return DeadLetter(
        frame=numbered(number), error_type=kind, reason="why", encoding="protobuf",
        source="relay/a", stream="alert", cluster="c", attempts=number, seq=START_US,
        first_seen_us=START_US, sink="duckdb",
    )  # fmt: skip


if __name__ == "__main__":
    make(Path(sys.argv[1]))
