"""Pages, tail and export over a store with a past, while events go on coming.

Invariant: everything is asked over HTTP as a browser would ask it, of a worker that `armorstack
run` started. A page counts as warm after it was asked for a few times. Times are of the wall, since
that is what a person waits for; on another machine they are others.
"""

import contextlib
import gzip
import http.client
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import corpus, past
from bench.children import LoadSource, peak_rss_mb
from bench.stages import Whole

INGEST_PER_S = 2_000
WARM = 3
TAIL_S = 10.0
FETCH_S = 600.0
SETTLE_S = 60.0
PAGES = {"overview": "/", "events": "/events"}
"""Name in the figures → path; its default span is 24 h."""
ASSET = re.compile(r'(?:href|src)="(/static/[^"]+)"')


def measure(
    events: int, rounds: int, ready: Path | None, note: Callable[[str], None]
) -> dict[str, Any]:
    """All figures. `ready` is a folder that `bench.past` made; without one it is made now."""
    with tempfile.TemporaryDirectory(
        prefix="armorstack-bench-", dir=ready and ready.parent
    ) as folder:
        data_dir = Path(folder)
        if ready:
            # Parts never change, so links will do; the catalogue does.
            shutil.copytree(ready, data_dir / "store", copy_function=_linked)
        else:
            note(f"making a store of {events:,} events over {past.DAYS} days")
            past.build(data_dir / "store", events)
        with _running(data_dir) as whole:
            note("pages")
            return _measured(whole, rounds, note)


def _linked(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        Path(target).hardlink_to(source)
    else:
        shutil.copy2(source, target)


@contextmanager
def _running(data_dir: Path) -> Iterator[Whole]:
    path = data_dir / "corpus"
    corpus.save(corpus.build({"alert": 20_000}), path)
    with LoadSource(path, 1 << 40, INGEST_PER_S, "--hold", "--drop") as source:
        whole = Whole(data_dir, source)
        try:
            whole.wait_ready()
            source.go()
            # The worker asks the first pages once by itself.
            time.sleep(SETTLE_S)
            yield whole
        finally:
            whole.process.end()


def _measured(whole: Whole, rounds: int, note: Callable[[str], None]) -> dict[str, Any]:
    client = Client(whole)
    found: dict[str, Any] = {"first_load_kib": client.first_load_bytes("/") / 1024}
    for name, path in PAGES.items():
        times = client.times_ms(path, 10 * rounds)
        found |= {f"{name}_p95_ms": _p95(times), f"{name}_median_ms": median(times)}
        found[f"{name}_all_time_s"] = max(client.times_ms(f"{path}?from=all", rounds, warm=1)) / 1e3
    note("live tail")
    waits = client.tail_waits_ms()
    found |= {"tail_events": len(waits), "tail_p95_ms": _p95(waits), "tail_worst_ms": max(waits)}
    before = peak_rss_mb(whole.pids["worker"])
    note("export")
    for form in ("csv", "parquet"):
        began = time.monotonic()
        size, lines = client.drain(f"/api/v1/export?format={form}&from=all")
        found[f"export_{form}_s"] = time.monotonic() - began
        found[f"export_{form}_mb"] = size / 1e6
        found[f"export_{form}_lines"] = lines
    found["worker_rss_before_export_mb"] = before
    found["worker_rss_mb"] = peak_rss_mb(whole.pids["worker"])
    return found


class Client:
    """Asks the worker as its owner."""

    def __init__(self, whole: Whole) -> None:
        self._address = whole.worker().http
        self._token = (whole.data_dir / "web" / "token").read_text().strip()

    def get(self, path: str) -> tuple[bytes, bytes]:
        """The answer's body, and as it came."""
        connection, answer = self._ask(path)
        with contextlib.closing(connection):
            raw = answer.read()
            if answer.status != 200:
                raise ValueError(f"{path}: {answer.status} {raw[:300]!r}")
            is_packed = answer.getheader("content-encoding") == "gzip"
            return gzip.decompress(raw) if is_packed else raw, raw

    def times_ms(self, path: str, count: int, warm: int = WARM) -> list[float]:
        """How long the whole answer takes, each time."""
        for _ in range(warm):
            self.get(path)
        found = []
        for _ in range(count):
            began = time.monotonic()
            self.get(path)
            found.append((time.monotonic() - began) * 1e3)
        return found

    def first_load_bytes(self, path: str) -> int:
        """Bytes over the wire for a page and all that it names, packed."""
        page, raw = self.get(path)
        found = {asset: len(self.get(asset)[1]) for asset in _assets(page)}
        for asset in [name for name in found if name.endswith(".js")]:
            for module in re.findall(
                r'from "(\./[^"]+|/static/[^"]+)"', self.get(asset)[0].decode()
            ):
                name = module if module[0] == "/" else asset.rsplit("/", 1)[0] + module[1:]
                found.setdefault(name, len(self.get(name)[1]))
        return len(raw) + sum(found.values())

    def tail_waits_ms(self) -> list[float]:
        """From an event's arrival to its coming out of the live stream."""
        connection, answer = self._ask("/api/v1/stream")
        ends = time.monotonic() + TAIL_S
        found = []
        with contextlib.closing(connection):
            while time.monotonic() < ends and (line := answer.readline()):
                if line.startswith(b"data: {") and b'"received"' in line:
                    received = datetime.fromisoformat(json.loads(line[6:])["received"])
                    found.append((time.time() - received.timestamp()) * 1e3)
        return found

    def drain(self, path: str) -> tuple[int, int]:
        """Read all of a large answer; its bytes and lines."""
        connection, answer = self._ask(path)
        size = lines = 0
        with contextlib.closing(connection):
            while piece := answer.read(1 << 16):
                size += len(piece)
                lines += piece.count(b"\n")
        return size, lines

    def _ask(self, path: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self._address, timeout=FETCH_S)
        headers = {"Authorization": f"Bearer {self._token}", "Accept-Encoding": "gzip"}
        if "export" in path or "stream" in path:
            del headers["Accept-Encoding"]
        connection.request("GET", path, headers=headers)
        return connection, connection.getresponse()


def _assets(page: bytes) -> set[str]:
    return set(ASSET.findall(page.decode()))


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)] if values else float("nan")
