"""Sinks of type file, and what lies in their folder."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from armorstack.config import FileSink
from armorstack.sinks.file import LineFileSink
from tests.support.stores import Clock

FILE = "events.ndjson"
LARGE_S = 1e6


def make_sink(folder: Path, clock: Clock | None = None, **settings: Any) -> LineFileSink:
    """A sink into `events.ndjson` of this folder, not open; syncs and rotates only when told."""
    settings = {
        "path": str(folder / FILE), "sync_interval_s": LARGE_S, "rotate_interval_s": LARGE_S,
        "compress": False, "form": "kubearmor",
    } | settings  # fmt: skip
    return LineFileSink("lines", FileSink(**settings), folder, clock or Clock())


def open_sink(folder: Path, clock: Clock | None = None, **settings: Any) -> LineFileSink:
    """The same, open."""
    sink = make_sink(folder, clock, **settings)
    sink.open()
    return sink


def read_lines(file: Path) -> list[bytes]:
    """The lines of a file, compressed or not; fails where the last one has no end."""
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    assert not data or data.endswith(b"\n"), f"{file} ends within a line"
    return data.splitlines()


def keys(files: Iterable[Path]) -> list[str]:
    """The keys of the events in these files (form `kubearmor`), in their order."""
    return [json.loads(line)["Resource"] for file in files for line in read_lines(file)]


def rotated(folder: Path) -> list[Path]:
    """The rotated files, by name."""
    return sorted(folder.glob("events-*"))


def all_keys(folder: Path) -> list[str]:
    """The keys of all events in the folder, sorted; one that is there twice is listed twice."""
    return sorted(keys([*rotated(folder), folder / FILE]))
