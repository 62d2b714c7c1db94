"""Events for tests of `armorstack noise`, reports on them, and what pasted filters do to them."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from armorstack import config
from armorstack.core.batch import SCHEMA
from armorstack.core.noise import Report
from armorstack.core.rules import compile_rules
from armorstack.store.events import BatchEvents, Session
from armorstack.store.lines import Lines
from armorstack.store.noise import examine
from tests.support.frames import EVENTS

SECOND_US = 1_000_000
START_US = 1_795_446_000_000_000
FILES = ("alerts-real", "logs-real", "messages-real", "kubearmor-file-camelcase-real")


def events(*told: dict[str, Any], step_us: int = 0) -> pa.RecordBatch:
    """Events as they are stored, each `step_us` after the one before."""
    rows = []
    for number, values in enumerate(told):
        at_us = START_US + number * step_us
        known = {"id": number.to_bytes(32), "time": at_us, "received": at_us, "stream": "log"}
        rows.append({name: (known | values).get(name) for name in SCHEMA.names})
    columns = [pa.array([row[f.name] for row in rows], f.type) for f in SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def log(**values: Any) -> dict[str, Any]:
    known = {
        "type": "ContainerLog",
        "operation": "File",
        "result": "Passed",
        "namespace_name": "shop",
        "process_name": "/bin/cat",
        "resource": "/srv/data/x",
    }
    return known | values  # fmt: skip


def alert(policy: str = "ksp-a", action: str = "Audit", **values: Any) -> dict[str, Any]:
    result = "Permission denied" if action == "Block" else "Passed"
    return log(stream="alert", type="MatchedPolicy", policy_name=policy, action=action,
               result=result) | values  # fmt: skip


def report_on(*batches: pa.RecordBatch, top: int = 10) -> Report:
    """The report on these events."""
    with Session(64 * 1024 * 1024) as session:
        return examine(BatchEvents(session, batches), top, lambda rows: None)


def recorded() -> pa.RecordBatch:
    """All recorded events, in the order in which they happened."""
    told = [line for file in FILES for line in (EVENTS / f"{file}.jsonl").read_bytes().split(b"\n")]
    batches = list(Lines(io.BytesIO(b"\n".join(told)), START_US).batches())
    return pa.concat_batches(batches).sort_by("received")


def removed(tomls: Iterable[str], rows: pa.RecordBatch, folder: Path) -> int:
    """How many of these events the pasted filters let go or fold, as a worker would."""
    file = folder / "noise.toml"
    file.write_text("\n".join(tomls))
    rules = compile_rules(config.load(file, environ={}))
    rules.apply(rows, 0)
    rules.finish()
    return sum(each.dropped for each in rules.counts())
