"""A worker that stores in an engine has nothing of the embedded store in its memory."""

import json
from pathlib import Path

from tests.support.bulk_server import BulkServer
from tests.support.frames import lines
from tests.support.running import running, until


def test_a_worker_over_an_engine_does_not_load_duckdb(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(line + b"\n" for line in lines("alerts-real.jsonl")[:20]))
    server = BulkServer()
    try:
        settings = tmp_path / "a.toml"
        settings.write_text(
            f'[sink.elastic]\nurls = ["{server.url}"]\nsetup = false\n'
            f'[[source]]\ntype = "file"\npath = {json.dumps(str(events))}\n'
        )
        with running("run", "--plain", "--config", str(settings), data_dir=tmp_path / "d") as run:
            until(lambda: run.stored() >= 20, "the events")
            worker = run.worker()
            assert worker is not None
            mapped = Path(f"/proc/{worker.pid}/maps").read_text()
            assert "libarrow" in mapped
            assert "duckdb" not in mapped
            assert run.stop() == 0, run.output()
    finally:
        server.close()
