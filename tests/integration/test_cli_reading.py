"""`armorstack query` and `stats`: over HTTP, beside no worker, and over lines."""

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from armorstack.config import Config, Web, WebTls
from armorstack.core.batch import Batch
from armorstack.core.gap import Gap, encode_gap
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Question
from armorstack.errors import StoreError
from armorstack.spool.history import GapNote
from armorstack.spool.work import Work
from armorstack.store.budget import Budget
from armorstack.store.cursor import encode_id
from armorstack.store.duckdb import LiveStore
from armorstack.store.place import own_address
from armorstack.store.remote import Link, RemoteStore
from tests.support import hostile
from tests.support.certificates import Authority
from tests.support.commands import in_terminal, objects, run, started, table_of
from tests.support.running import synthetic_lines, until
from tests.support.stores import open_store
from tests.support.web import Site, now_us, serving

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]")
STYLES = re.compile(r"\x1b\[[0-9;]*m")
ALL = ("--since", "all")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with the sample's events."""
    with serving(tmp_path_factory.mktemp("site")) as served:
        yield served


@pytest.fixture(scope="module")
def there(site: Site) -> dict[str, str]:
    """The environment that has commands ask the server."""
    return {"ARMORSTACK_URL": site.url, "ARMORSTACK_TOKEN": site.token}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that no worker runs on, with 50 events, gaps and hostile texts."""
    root = tmp_path_factory.mktemp("data")
    with closing(open_store(root / "store")) as store:
        store.write(Batch(hostile.rows(now_us() - 1_000_000), (), 1))
    gap = Gap("disconnect", "relay/\x1b]0;x\x07", now_us() - 9_000_000, now_us() - 5_000_000)
    work = Work.open(root / "spool")
    work.note([GapNote(encode_gap(gap), gap.start_us, gap.end_us)], ())
    work.close()
    return root


def count(site: Site, query: str) -> int:
    question = Question(parse(query, now_us()))
    return LiveStore(site.store).count(question, Budget())


def test_events_come_newest_first_with_a_cell_per_column(site: Site, there: dict[str, str]) -> None:
    rows = table_of("query", "-n", "1500", *ALL, **there)
    assert len(rows) == count(site, "") == 400
    assert {len(row) for row in rows} == {9}
    times = [row[0] for row in rows]
    assert times == sorted(times, reverse=True)


def test_json_is_what_the_api_gives(site: Site, there: dict[str, str]) -> None:
    answer = site.get("/api/v1/events?from=all&size=20").json()
    assert objects("query", "-n", "20", *ALL, **there) == answer["events"]


def test_more_events_than_a_page_come_without_loss_or_repeat(
    monkeypatch: pytest.MonkeyPatch, there: dict[str, str]
) -> None:
    monkeypatch.setattr("armorstack.store.paging.PAGE", 7)
    found = [each["id"] for each in objects("query", "-n", "95", *ALL, **there)]
    monkeypatch.undo()
    assert found == [each["id"] for each in objects("query", "-n", "95", *ALL, **there)]


@pytest.mark.parametrize(
    ("words", "query"),
    [
        (["--namespace", "web"], 'namespace:"web"'),
        (["--pod", "word*"], "pod:word*"),
        (["--pod", "word*", "--pod", "!wordpress-6*"], "pod:word* and not pod:wordpress-6*"),
        (["--severity", "8.."], "severity>=8"),
        (["--severity", "2", "--severity", "5..7"], "severity:2 or severity:5..7"),
        (["--operation", "!File"], "not operation:File"),
        (["--log-filter", "policy"], "stream:alert"),
        (["--logFilter", "system"], "stream:log"),
        (["--type", "HostLog"], "type:HostLog"),
        (["--node", "node-1", "--action", "Block"], "node:node-1 and action:Block"),
        (["resource:*/shadow", "or", "severity>=8", "--source", "*bash*"],
         "(resource:*/shadow or severity>=8) and source:*bash*"),
        (["--resource", "/etc/passwd", "--process", "*"], "resource:/etc/passwd and process:*"),
        (["not", "exists:policy", '"bash"'], 'not exists:policy and "bash"'),
        (["time>=now-2h"], "time>=now-2h"),
    ],
)  # fmt: skip
def test_words_and_flags_ask_what_the_language_asks(
    site: Site, there: dict[str, str], words: list[str], query: str
) -> None:
    found = int(run("query", "--count", *ALL, *words, **there).stdout)
    assert found == count(site, query)
    assert found < 400, "a question that everything answers shows nothing"


def test_a_span_is_heeded(there: dict[str, str]) -> None:
    since, until = now_us() - 9 * 3600_000_000, now_us() - 5 * 3600_000_000
    found = objects("query", "-n", "500", "--since", "9h", "--until", "5h", **there)
    stamps = [each["time"] for each in found]
    assert 50 < len(stamps) < 150
    text = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(since / 1e6))
    assert min(stamps) >= text
    assert max(stamps) <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until / 1e6 + 60))


def test_groups_and_histograms_are_the_stores(site: Site, there: dict[str, str]) -> None:
    top = LiveStore(site.store).top(Question(), Budget(), fields=("policy", "action"), size=4)
    found = objects("query", "--top", "PolicyName,action", "-n", "4", *ALL, **there)
    assert [(each["values"]["policy"], each["count"]) for each in found] == [
        (group.values[0], group.count) for group in top.groups
    ]
    (histogram,) = objects("query", "--histogram", *ALL, **there)
    assert sum(histogram["counts"]) == 400
    assert any(histogram["gap"])
    folded = table_of("query", "--fold", "-n", "3", *ALL, **there)
    assert [len(row) for row in folded] == [10] * 3
    assert int(folded[0][0]) >= int(folded[1][0]) >= int(folded[2][0])


def test_stats_tell_totals_and_the_most_frequent_values(site: Site, there: dict[str, str]) -> None:
    (found,) = objects("stats", *ALL, "--by", "ns,node", "-n", "2", **there)
    facets = LiveStore(site.store).facets(
        Question(), Budget(), fields=("namespace", "node"), size=2
    )
    assert found["total"] == 400
    assert list(found["fields"]) == ["namespace", "node"]
    assert found["fields"]["namespace"]["values"] == [
        {"value": each.value, "count": each.count} for each in facets[0].values
    ]
    assert found["fields"]["namespace"]["rest"] == facets[0].rest
    text = run("stats", *ALL, **there).stdout
    assert text.startswith("400 events\n")
    assert "! a gap" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pood:x", "and", "severity>=7"], ["  pood:x and severity>=7\n  ^^^^\n", "mean pod"]),
        (["severity>high"], ["severity>high", "^^^^"]),
        (["--since", "2x"], ["'2x' is no time"]),
        (["--since", "1h", "--until", "2h"], ["--since is not before --until"]),
        (["--severity", "x"], ["'x' is no number", "--severity"]),
        (["--columns", "tme"], ["no column 'tme'", "did you mean time"]),
        (["--top", "polcy"], ["no field 'polcy'", "did you mean policy"]),
        (["--tz", "Mars/Olympus"], ["no zone 'Mars/Olympus'"]),
        (["--csv"], ["armorstack export"]),
    ],
)
def test_what_is_wrong_is_told_with_the_place_and_the_mend(
    there: dict[str, str], words: list[str], told: list[str]
) -> None:
    result = run("query", *words, code=2, **there)
    assert result.stdout == ""
    for sentence in told:
        assert sentence in result.stderr


def test_a_wrong_token_and_a_wrong_address_are_a_sentence(site: Site, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(site.token[:-1] + "x")
    wrong = run("query", "--url", site.url, "--token-file", str(tmp_path / "token"), code=1)
    assert "armorstack: " in wrong.stderr
    assert site.token[:20] not in wrong.output
    nobody = run("query", "--url", "http://127.0.0.1:9", code=1)
    assert "cannot be asked" in nobody.stderr
    clear = run("query", "--url", "http://armorstack.example", code=1, ARMORSTACK_TOKEN="x")
    assert "not sent in the clear" in clear.stderr
    assert "go with --url" in run("query", "--ca", "x", code=2).stderr


def test_certificates_are_always_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("own", ("127.0.0.1",))
    other = authority.issue("other", ("127.0.0.1",))
    tls = WebTls(cert_file=own[0], key_file=own[1])
    with serving(tmp_path / "data", events=5, tls=tls) as site:
        there = {"ARMORSTACK_URL": site.url, "ARMORSTACK_TOKEN": site.token}
        words = ("query", "--count", *ALL)
        assert run(*words, "--ca", authority.ca_file, **there).stdout == "5\n"
        wrong = run(*words, code=1, **there).stderr
        assert "cannot be trusted" in wrong
        assert "--ca" in wrong
        # The worker here is known by its certificate, not by who signed it or for which name.
        for file, _ in (own, other):
            config = Config(data_dir=str(site.data_dir), web=Web(tls=WebTls(file, own[1])))
            link = Link(own_address(config, site.url.removeprefix("https://")))
            if file == own[0]:
                assert RemoteStore(link).count(Question(), Budget()) == 5
            else:
                with pytest.raises(StoreError, match="cannot be trusted"):
                    RemoteStore(link).count(Question(), Budget())


def test_without_a_worker_the_parts_on_disk_answer(folder: Path) -> None:
    found = objects("query", "-n", "500", "--data-dir", str(folder))
    assert len(found) == len(hostile.TEXTS) + 1
    assert {each["resource"] for each in found} >= set(map(hostile.marked, range(10)))
    (stats,) = objects("stats", "--data-dir", str(folder))
    assert stats["total"] == len(found)
    assert any(stats["histogram"]["gap"])


def test_a_folder_that_is_typed_goes_before_an_address_that_is_set(folder: Path) -> None:
    words = ("query", "--count", "--data-dir", str(folder))
    expected = f"{len(hostile.TEXTS) + 1}\n"
    assert run(*words, ARMORSTACK_URL="http://127.0.0.1:9").stdout == expected
    run(*words, "--url", "http://127.0.0.1:9", code=1)


def test_a_folder_without_a_store_is_told(tmp_path: Path) -> None:
    result = run("query", "--data-dir", str(tmp_path), code=1)
    assert "there is no store" in result.stderr
    assert "hint: start `armorstack run`" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["query", "-n", "500"],
        ["query", "-n", "500", "--columns", "tag,event_data,message,label,user"],
        ["query", "--fold", "-n", "500"],
        ["query", "--top", "policy,tag", "-n", "500"],
        ["query", "--histogram"],
        ["stats", "-n", "500"],
        ["tail", "--no-follow", "-n", "500"],
        ["query", "--sql", "SELECT * FROM events"],
        ["query", "--sql", 'SELECT pod_name, event_data, tags AS "\x1b[2J" FROM events'],
    ],
)
def test_nothing_that_an_event_says_reaches_a_terminal_raw(folder: Path, words: list[str]) -> None:
    code, written = in_terminal([*words, "--data-dir", str(folder)], 200)
    text = STYLES.sub("", written.decode()).replace("\r\n", "\n")
    assert code == 0, text
    assert not RAW.search(text)
    assert "\t" not in text
    plain = run(*words, "--data-dir", str(folder)).stdout
    assert not RAW.search(plain.replace("\t", ""))
    if words[0] == "query" and "--histogram" not in words:
        assert "hostile-7" in plain


def test_a_terminal_gets_a_coloured_table_unless_it_wants_none(there: dict[str, str]) -> None:
    words = ["query", "severity>=8", "-n", "3", *ALL]
    _, coloured = in_terminal(words, 140, **there)
    assert b"\x1b[31m" in coloured
    assert coloured.count(b"\n") == 4
    _, plain = in_terminal(words, 140, NO_COLOR="1", **there)
    assert b"\x1b" not in plain
    _, never = in_terminal([*words, "--color", "never"], 140, **there)
    assert never == plain
    assert "\x1b" not in run(*words, **there).stdout


def test_lines_of_a_file_answer_without_a_store(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(synthetic_lines(0, 30) + "no event\n")
    words = ("--file", str(file), *ALL)
    result = run("query", "--count", "namespace:ns-1", *words)
    assert (result.stdout, result.stderr) == ("10\n", "1 lines are no events; not counted.\n")
    rows = table_of("query", "--pod", "pod", "-n", "5", "--columns", "resource,pid", *words)
    assert rows[0] == ["/etc/file-29", "29"]
    (stats,) = objects("stats", *words)
    assert stats["fields"]["namespace"]["distinct"] == 3


def test_whoever_stops_reading_is_not_told_of_it(site: Site, there: dict[str, str]) -> None:
    process = started("query", "-n", "5000", "--json", *ALL, **there)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(30)
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("wait_s", [0.0, 0.1, 1.0])
def test_ctrl_c_ends_a_long_answer_quietly(folder: Path, wait_s: float) -> None:
    """While it is being prepared, and while DuckDB is deep in it."""
    statement = "SELECT count(*) FROM range(100000000000) a"
    process = started("query", "--sql", statement, "--data-dir", str(folder))
    score = Path(f"/proc/{process.pid}/oom_score_adj")
    until(lambda: score.read_text().strip() == "1000", "the statement to begin")
    time.sleep(wait_s)
    process.send_signal(signal.SIGINT)
    output, told = process.communicate(timeout=30)
    assert (process.returncode, output, told) == (130, "", "")


def test_one_event_is_found_by_its_id(site: Site, there: dict[str, str]) -> None:
    row = LiveStore(site.store).events(Question(), Budget(), size=5).rows[4]
    (found,) = objects("query", f"id:{encode_id(row['id'])}", *ALL, **there)
    assert found["id"] == encode_id(row["id"])


def test_columns_and_zone_are_as_asked(there: dict[str, str]) -> None:
    words = ("query", "-n", "1", "--columns", "time,NamespaceName", *ALL)
    ((utc, _),) = table_of(*words, **there)
    ((berlin, _),) = table_of(*words, "--tz", "Europe/Berlin", **there)
    assert utc.endswith("Z")
    assert berlin.endswith(("+01:00", "+02:00"))
    (found,) = objects(*words, **there)
    assert set(found) <= {"time", "namespace"}


def completions(words: str) -> list[str]:
    environ = {"_ARMORSTACK_COMPLETE": "bash_complete", "COMP_WORDS": words}
    process = started(**environ, COMP_CWORD=str(words.count(" ")))
    text, _ = process.communicate(timeout=30)
    return [line.partition(",")[2] for line in text.splitlines()]


def test_shells_complete_fields_values_and_columns() -> None:
    assert "namespace:" in completions("armorstack query name")
    assert "action:Block" in completions("armorstack query action:B")
    assert "time,policy" in completions("armorstack query --columns time,pol")
    assert completions("armorstack export --format par") == ["parquet"]
    assert "severity" in completions("armorstack stats --by sev")


def test_help_has_examples_that_are_understood() -> None:
    for name in ("query", "tail", "export", "stats"):
        text = run(name, "--help").stdout
        assert "Examples:" in text
        assert max(map(len, text.splitlines())) <= 100


def test_json_of_no_events_is_empty_and_exits_well(there: dict[str, str]) -> None:
    assert objects("query", "pod:nobody", **there) == []
    assert json.loads(run("query", "--count", "--json", "pod:nobody", **there).stdout) == {
        "count": 0
    }


def test_nothing_is_made_or_changed_in_the_store(folder: Path) -> None:
    def listed() -> list[tuple[str, Any]]:
        return sorted((str(path), path.stat().st_mtime_ns) for path in store.rglob("*"))

    store = folder / "store"
    before = listed()
    run("query", "--data-dir", str(folder))
    run("stats", "--data-dir", str(folder))
    assert listed() == before
