"""Nodes whose clocks are a day off: everything is stored, once, each under the day it claims."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.running import running, stored_ids, stored_rows

SKEWS = {"behind": -timedelta(days=1), "right": timedelta(0), "ahead": timedelta(hours=23)}
FAR = {"far-behind": -timedelta(days=400), "far-ahead": timedelta(days=3)}
EACH = 200


def lines(now: datetime) -> list[str]:
    """Events of all nodes in turn, as one relay would send them."""
    return [
        json.dumps(
            {
                "Timestamp": int(moment.timestamp()),
                "UpdatedTime": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "HostName": node, "Type": "HostLog", "Operation": "File",
                "Resource": f"/etc/{number}", "Result": "Passed",
            }
        )
        for number in range(EACH)
        for node, skew in (SKEWS | FAR).items()
        for moment in [now + skew + timedelta(milliseconds=number)]
    ]  # fmt: skip


def test_events_of_nodes_with_wrong_clocks_are_stored_once_though_they_come_twice(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    written = lines(now)
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(written + written) + "\n")
    data_dir = tmp_path / "data"
    with running("run", "--file", str(file), "--no-follow", data_dir=data_dir) as run:
        assert run.wait() == 0, run.output()
    ids = stored_ids(data_dir)
    assert len(ids) == len(set(ids)) == len(written)
    assert f"received {2 * len(written)}, stored {len(written)}" in run.output()
    found = {part.parent.name for part in (data_dir / "store" / "parts").rglob("*.parquet")}
    days = {(now + skew).date().isoformat() for skew in SKEWS.values()}
    # Two hundred milliseconds may cross midnight.
    days |= {(now + skew + timedelta(seconds=1)).date().isoformat() for skew in SKEWS.values()}
    assert "day=late" in found
    assert found - {"day=late"} <= {f"day={day}" for day in days}
    per_node = stored_rows(data_dir).column("host_name").value_counts().to_pylist()
    assert {each["values"]: each["counts"] for each in per_node} == dict.fromkeys(SKEWS | FAR, EACH)
