"""A process that writes lines to a file until it is killed.

`python -m tests.support.line_writer FOLDER`

It goes on where the cursor stands, rotates and compresses often, and prints one line per batch:
its number and the cursor.
"""

import itertools
import sys
from pathlib import Path

from tests.support.line_files import open_sink
from tests.support.stores import SECOND_US, Clock, batch

PER_BATCH = 5
SETTINGS = {"rotate_bytes": 5000, "keep": 0, "compress": True, "sync_interval_s": 0.02}


def keys_of(number: int) -> list[str]:
    """The keys of the events in batch `number`."""
    return [f"{number}-{index}" for index in range(PER_BATCH)]


def write(folder: Path) -> None:
    """Write batches for ever."""
    clock = Clock()
    sink = open_sink(folder, clock, **SETTINGS)
    for number in itertools.count((sink.cursor() or 0) + 1):
        sink.write(batch(number, keys_of(number)))
        clock.now_us += SECOND_US
        sink.tick()
        print(number, sink.cursor(), flush=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
