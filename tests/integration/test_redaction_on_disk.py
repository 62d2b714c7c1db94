"""Redacted text is on no disk but the spool's: looked for in every file that a run leaves."""

import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq

from armorstack.spool.work import Filter, Work
from tests.support.running import alert, running, until

SECRET = "hunter2-s3cr3t"
SETTINGS = r"""
[[source]]
type = "file"
path = "{folder}/events.jsonl"
follow = {follow}

[[filter]]
type = "redact"
patterns = ['(?i)(password|token)[=: ]+[^\s"\\]+', 'hunter2\S{{7}}']

[sink.duckdb]
keep_original = true

[sink.ecs]
type = "file"
path = "{folder}/ecs.jsonl"

[sink.plain]
type = "file"
path = "{folder}/plain.jsonl"
form = "kubearmor"
rotate_bytes = 2000
"""


def events() -> Iterator[str]:
    """Secrets wherever an event can hold one, and where it cannot be read."""
    places: list[dict[str, object]] = [
        {"Resource": f"/usr/bin/mysql --password={SECRET}"},
        {"Source": f"curl -H token:{SECRET}", "Message": f"see {SECRET}"},
        {"EventData": {"Syscall": "SYS_EXECVE", "Argv": f"token={SECRET}"}},
        {"ATags": ["MITRE", f"token={SECRET}"], "Tags": f"MITRE,token={SECRET}"},
        {"Labels": f"app=a,token={SECRET}", "PodName": f"pod-{SECRET}"},
        {"NewMember": {"deep": [f"password={SECRET}"]}},
        {"Data": "", "Cwd": f"/home/{SECRET}"},
        {"UserName": SECRET, "NamespaceName": SECRET, "PolicyName": SECRET},
    ]
    for number, more in enumerate(places):
        yield json.dumps(alert(number) | more)
    yield f'{{"Timestamp": 1, "Type": "MatchedPolicy", "Resource": "password={SECRET}'
    yield '{"Timestamp": tru, "Resource": "\\u0070assword=' + SECRET.replace("h", "\\u0068") + '"}'
    yield json.dumps({"HostName": "n", "Type": 7, "Resource": f"token={SECRET}"})
    yield json.dumps({"not": "an event", "token": f"token={SECRET}"})


def texts(file: Path) -> Iterator[bytes]:
    """What a file holds, compressed or not."""
    yield file.read_bytes()
    if file.suffix == ".gz":
        yield gzip.decompress(file.read_bytes())
    if file.suffix == ".parquet":
        yield str(pq.read_table(file).to_pylist()).encode()
    if file.name == "work.db":
        with closing(sqlite3.connect(file)) as database:
            yield "\n".join(database.iterdump()).encode()


def guilty(folder: Path) -> list[str]:
    """The files that hold the secret, but for the spool itself and what was read."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    kept = [f for f in files if not f.name.startswith(("spool.db", "events.jsonl"))]
    assert len(kept) > 5
    needles = (SECRET.encode(), SECRET.encode()[4:])
    return sorted(
        str(file.relative_to(folder))
        for file in kept
        if any(needle in text for text in texts(file) for needle in needles)
    )


def test_redacted_text_is_on_no_disk_but_the_spools_also_after_a_replay(tmp_path: Path) -> None:
    lines = list(events())
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    settings = tmp_path / "armorstack.toml"
    settings.write_text(SETTINGS.format(folder=tmp_path, follow="false"))
    data = tmp_path / "data"
    with running("run", "--config", str(settings), data_dir=data) as run:
        assert run.wait() == 0, run.output()
    assert guilty(tmp_path) == []
    found = b"".join(text for file in tmp_path.glob("plain*.jsonl*") for text in texts(file))
    assert found.count(b"[redacted]") >= 8
    with closing(Work.open(data / "spool")) as work:
        letters = work.list()
        assert len({letter.frame for letter in letters}) == 4
        assert work.mark_replay(Filter()) == len(letters)
    settings.write_text(SETTINGS.format(folder=tmp_path, follow="true"))
    with running("run", "--config", str(settings), data_dir=data, name="again") as run:
        with closing(Work.open(data / "spool")) as work:
            until(lambda: all(each.attempts == 2 for each in work.list()), "the replay")
        assert guilty(tmp_path) == []
        assert run.stop() == 0
    assert guilty(tmp_path) == []
    mode = (data / "spool" / "spool.db").stat().st_mode & 0o777
    assert mode == 0o600
