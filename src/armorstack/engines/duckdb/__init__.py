"""The embedded store: Parquet parts by event day, a catalogue of them, and a tail in memory.

What belongs here: how events lie on disk, which parts exist, what has been stored already, and
SQL over all of it. Forbidden: spool, sources, the web; anything that retries or waits.

    STORE/
    ├── lock               flock of the one process that has the store open
    ├── catalog.duckdb     schema version, durable cursor, parts, gaps
    ├── parts/day=2026-11-23/CURSOR-N.parquet
    ├── parts/day=late/…   events dated outside the retention or more than a day ahead
    ├── place-key          seals places in the order of arrival; made anew where it is lost
    ├── reserve            given up when the disk is full and something is to be removed
    └── tmp/               where large queries spill

The way of a batch: rows that are not in the store yet enter the tail, where queries see them. A
flush writes the tail as parts, syncs them, and then, in one transaction of the catalogue, lists
them and moves the cursor. What the tail held when a process dies lies behind the cursor, so the
spool still has it. Ids make the second coming of an event harmless.

Why Parquet and not DuckDB's own table: a tenth of the processor time to write and two thirds of
the disk (figures in `ARCHITECTURE.md`). Why a catalogue: nobody may see half of a change that
takes more than one file.
"""
