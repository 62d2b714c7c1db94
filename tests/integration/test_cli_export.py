"""`armorstack export`: whole files, or none."""

import csv
import io
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from armorstack.core.query.question import Question
from armorstack.store.budget import Budget
from armorstack.store.cursor import encode_id
from armorstack.store.duckdb import LiveStore
from tests.support.commands import in_terminal, run, started
from tests.support.running import synthetic_lines, until
from tests.support.web import Site, serving

ALL = ("--since", "all")
OLD = b"the old file\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with the sample's events, all of them in parts."""
    with serving(tmp_path_factory.mktemp("site")) as served:
        served.store.flush()
        yield served


@pytest.fixture(scope="module")
def there(site: Site) -> dict[str, str]:
    """The environment that has commands ask the server."""
    return {"ARMORSTACK_URL": site.url, "ARMORSTACK_TOKEN": site.token}


@pytest.fixture(scope="module")
def ids(site: Site) -> set[str]:
    """Of every event."""
    rows = LiveStore(site.store).events(Question(), Budget(), size=1000).rows
    return {encode_id(row["id"]) for row in rows}


def ids_in(body: bytes, format_: str) -> list[str]:
    if format_ == "parquet":
        found: list[str] = pq.read_table(io.BytesIO(body)).column("id").to_pylist()
        return found
    if format_ == "csv":
        rows = csv.DictReader(io.StringIO(body.decode(), newline=""))
        # An id that begins with a minus could be a formula.
        return [row["id"].removeprefix("'") for row in rows]
    lines = json.loads(body) if format_ == "json" else map(json.loads, body.splitlines())
    return [each["id"] for each in lines]


@pytest.mark.parametrize("format_", ["csv", "json", "ndjson", "parquet"])
def test_every_event_is_in_the_file_once_with_and_without_a_worker(
    site: Site, there: dict[str, str], ids: set[str], tmp_path: Path, format_: str
) -> None:
    remote, local = tmp_path / f"remote.{format_}", tmp_path / "local"
    told = run("export", *ALL, "--out", str(remote), **there).stderr
    assert told.endswith(f" in {remote}\n")
    run("export", *ALL, "--format", format_, "--out", str(local),
        "--data-dir", str(site.data_dir))  # fmt: skip
    for file in (remote, local):
        found = ids_in(file.read_bytes(), format_)
        assert len(found) == 400
        assert set(found) == ids
        assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["local", remote.name]


def test_the_question_columns_and_form_are_heeded(there: dict[str, str]) -> None:
    text = run("export", "action:Block", *ALL, "--format", "csv", "--columns", "policy,action",
               **there).stdout  # fmt: skip
    assert text.splitlines()[0] == "policy,action"
    assert {line.split(",")[1] for line in text.splitlines()[1:]} == {"Block"}
    lines = run("export", "stream:alert", *ALL, "--form", "kubearmor", **there).stdout.splitlines()
    assert all("NamespaceName" in each or "HostName" in each for each in map(json.loads, lines))
    (ecs, *_) = run("export", *ALL, "--form", "ecs", **there).stdout.splitlines()
    assert json.loads(ecs)["ecs"]["version"]


@pytest.mark.parametrize(
    "words",
    [
        ["--form", "ecs", "--format", "csv"],
        ["--form", "kubearmor", "--format", "parquet"],
        ["--form", "ecs", "--columns", "pod"],
        ["--format", "xml"],
    ],
)
def test_what_no_format_can_do_is_refused(there: dict[str, str], words: list[str]) -> None:
    run("export", *words, code=2, **there)


def test_lines_become_a_file_without_a_store(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(synthetic_lines(0, 20))
    out = tmp_path / "out.parquet"
    run("export", *ALL, "--file", str(tmp_path / "events.jsonl"), "--out", str(out))
    assert len(ids_in(out.read_bytes(), "parquet")) == 20


WHOLE = b'{"id":"x"}\n' * 50
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(WHOLE), WHOLE)
CUT = {
    "within a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK[:-100],
    "between chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK,
    "before the length": HEAD + b"Content-Length: 1000\r\n\r\n" + WHOLE,
    "without any length": HEAD + b"\r\n" + WHOLE,
    "within the head": HEAD[:60],
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.2\r\n",
    "another page": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html",
    "an error": b"HTTP/1.1 503 Not now\r\nContent-Length: 54\r\n\r\n"
    b'{"error":{"type":"store","message":"m","hint":"wait"}}',
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
    b"Content-Length: 0\r\n\r\n",
}


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that answers so to every request; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    while b"\r\n\r\n" not in connection.recv(65536):
                        pass
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("how", CUT)
def test_a_broken_answer_is_an_error_and_leaves_the_old_file(tmp_path: Path, how: str) -> None:
    out = tmp_path / "out.ndjson"
    out.write_bytes(OLD)
    with answering(CUT[how]) as url:
        words = ("export", "--url", url, "--out", str(out))
        result = run(*words, code=1, ARMORSTACK_TOKEN="t")
    assert result.stderr.startswith("armorstack: ")
    assert out.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["out.ndjson"]


def test_a_whole_answer_in_either_framing_is_written(tmp_path: Path) -> None:
    for answer in (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK + b"0\r\n\r\n",
        HEAD + b"Content-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE,
    ):
        with answering(answer) as url:
            run("export", "--url", url, "--out", str(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == WHOLE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_it_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    out = tmp_path / "out.ndjson"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = started("export", "--url", url, "--out", str(out))
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK)
            until(lambda: os.listdir(tmp_path), "the file that is not whole yet")
            process.send_signal(number)
            _, told = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert told == ""
    assert os.listdir(tmp_path) == []


def test_a_terminal_sees_progress_and_the_file_is_the_same(
    there: dict[str, str], tmp_path: Path
) -> None:
    code, written = in_terminal(["export", *ALL, "--out", str(tmp_path / "seen.csv")], **there)
    assert code == 0
    assert b"exporting" in written
    run("export", *ALL, "--out", str(tmp_path / "unseen.csv"), **there)
    assert (tmp_path / "seen.csv").read_bytes() == (tmp_path / "unseen.csv").read_bytes()
