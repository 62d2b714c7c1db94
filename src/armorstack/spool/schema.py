"""The tables of `spool.db`.

Invariant: `ordinal`, `frames_total` and `bytes_total` run through without a jump over all rows of
a file, and rows are deleted from the front only. So what waits is the difference between the last
row and the first, at no cost, and a row missing in between is noticed.
A change here needs a new version, an upgrade and a fixture of the old one.
"""

from armorstack.spool.database import Schema

PAGE_BYTES = 16 * 1024
"""Measured with rows of 150 to 600 kB: 4 KiB costs half as much again, beyond 16 KiB small rows
get dearer and large ones hardly cheaper."""

SPOOL = Schema(
    application_id=0x41535350,  # "ASSP"
    version=1,
    create=(
        # Small columns first: the sizes of the blobs are then known without reading the blobs.
        """CREATE TABLE rows (
            seq INTEGER PRIMARY KEY,
            ordinal INTEGER NOT NULL,
            frames_total INTEGER NOT NULL,
            bytes_total INTEGER NOT NULL,
            received_us INTEGER NOT NULL,
            count INTEGER NOT NULL,
            crc32 INTEGER NOT NULL,
            source TEXT NOT NULL,
            stream TEXT NOT NULL,
            encoding TEXT NOT NULL,
            cluster TEXT NOT NULL,
            lengths BLOB NOT NULL,
            payload BLOB NOT NULL
        )""",
        """CREATE TABLE positions (
            key TEXT PRIMARY KEY,
            position BLOB NOT NULL
        ) WITHOUT ROWID""",
        # Gaps that have to be told and are not yet.
        """CREATE TABLE owed (
            reason TEXT NOT NULL,
            source TEXT NOT NULL,
            stream TEXT NOT NULL,
            start_us INTEGER NOT NULL,
            end_us INTEGER NOT NULL,
            lost INTEGER,
            PRIMARY KEY (reason, source, stream)
        ) WITHOUT ROWID""",
        """CREATE TABLE facts (
            name TEXT PRIMARY KEY,
            value INTEGER NOT NULL
        ) WITHOUT ROWID""",
        # trimmed: highest position ever deleted; dropped: frames deleted unread, in all;
        # touched: written when something has to be.
        "INSERT INTO facts VALUES ('trimmed', 0), ('dropped', 0), ('touched', 0)",
    ),
)

ROW_COLUMNS = "seq, source, stream, encoding, cluster, received_us, lengths, payload, crc32, count"
"""In the order of `Row`."""
BYTES = "length(lengths) + length(payload)"
MARK_COLUMNS = f"seq, ordinal, frames_total, bytes_total, received_us, count, {BYTES}"
"""In the order of `Mark`."""
