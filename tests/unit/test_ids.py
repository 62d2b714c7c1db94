"""Ids are what Fluentd's elasticsearch_genid makes of the same record."""

import base64
import hashlib
import json
from typing import Any

import pytest

from armorstack.core import ids
from armorstack.core.decode import decode
from armorstack.core.fields import STREAMS, Stream
from tests.support.frames import lines, protobuf, recorded, row

KEYS = [
    "UpdatedTime",
    "HostName",
    "ContainerID",
    "HostPID",
    "Type",
    "Operation",
    "Resource",
    "Data",
    "PolicyName",
    "Action",
    "Result",
]


def genid(record: dict[str, Any], keys: list[str]) -> str:
    """The filter's rule, said again: values of the record's keys joined, nil as nothing."""
    seed = "_".join("" if record.get(key) is None else str(record[key]) for key in keys)
    return base64.b64encode(hashlib.sha256(seed.encode()).digest()).decode()


@pytest.mark.parametrize("stream", STREAMS)
def test_ids_equal_those_that_fluentd_makes_of_the_relays_stdout(stream: Stream) -> None:
    keys = KEYS + (["Level", "Message"] if stream == "message" else [])
    frames = [protobuf(e, stream) for e in recorded(stream)]
    made = decode([row(frames, stream, "protobuf")]).batch.rows.column("id").to_pylist()
    assert [ids.text(each) for each in made] == [genid(e, keys) for e in recorded(stream)]


def test_an_event_in_kubearmors_own_file_has_the_id_it_has_on_the_relay() -> None:
    pascal = next(e for e in recorded("alert") if e["Operation"] == "File")
    camel = {name[0].lower() + name[1:]: value for name, value in pascal.items()}
    camel["hostPid"], camel["hostPPid"] = pascal["HostPID"], pascal["HostPPID"]
    made = decode([row([json.dumps(pascal).encode(), json.dumps(camel).encode()])])
    first, second = made.batch.rows.column("id").to_pylist()
    assert first == second


def test_recorded_events_of_all_files_have_distinct_ids_but_for_the_same_event() -> None:
    seen: dict[str, tuple[Any, ...]] = {}
    for name in ("alerts-real", "logs-real", "messages-real", "relay-stdout-real"):
        for event in decode([row(lines(f"{name}.jsonl"))]).batch.rows.to_pylist():
            body = (event["time"], event["resource"], event["host_pid"], event["message"])
            assert seen.setdefault(ids.text(event["id"]), body) == body


def test_a_written_id_is_read_back() -> None:
    raw = hashlib.sha256(b"x").digest()
    assert ids.digest(ids.text(raw)) == raw


@pytest.mark.parametrize("written", ["", "abc", "!" * 44, base64.b64encode(b"short").decode()])
def test_what_is_no_id_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="not an event id"):
        ids.digest(written)
