"""Event text that attackers chose, through every way that leads out: it stays text, whole."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from armorstack.core.batch import Batch
from armorstack.core.text import UNSAFE
from armorstack.store.cursor import encode_id
from tests.support import hostile
from tests.support.markup import Page
from tests.support.stores import id_of
from tests.support.web import Site, now_us, serving

EVERY = "from=all"
PAGES = (
    "/", "/events", "/events?fold=1", "/events?cols=time,label,event_data,tag,resource,message",
    "/policies", "/pods", "/namespaces", "/nodes", "/status", "/executed",
)  # fmt: skip
FORMULA = re.compile(r"""^\s*"?[=+\-@\uff1d\t\r]""")
NUMBERS = range(len(hostile.TEXTS))
NAMES = [*NUMBERS[:12], *NUMBERS[12::5]]
"""Of these the pages of names are asked for, since each asks five."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("hostile"), events=0) as served:
        served.store.write(Batch(hostile.rows(now_us()), (), 1))
        yield served


def faults_of(site: Site, path: str) -> list[str]:
    answer = site.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
    return Page(answer.text).faults


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_hostile_text_as_text(site: Site, path: str) -> None:
    joined = f"{path}{'&' if '?' in path else '?'}{EVERY}"
    assert faults_of(site, joined) == []


@pytest.mark.parametrize("number", NUMBERS)
def test_the_page_of_one_hostile_event_shows_it_as_text(site: Site, number: int) -> None:
    path = f"/events/{encode_id(id_of(('hostile', number)))}"
    answer = site.get(path)
    page = Page(answer.text)
    assert answer.status_code == 200
    assert page.faults == []
    assert f"hostile-{number}" in page.text


@pytest.mark.parametrize("number", NAMES)
def test_pages_of_hostile_names_answer_and_show_them_as_text(site: Site, number: int) -> None:
    text = hostile.marked(number)
    picked = f"\\{text}" if text.startswith(("!", "\\")) else text
    for path, names in (
        ("/policy", ("policy",)), ("/pod", ("namespace", "pod")), ("/namespace", ("namespace",)),
        ("/node", ("node",)), ("/events", ("process", "resource")),
    ):  # fmt: skip
        asked = urlencode([(name, picked) for name in names])
        answer = site.get(f"{path}?{asked}&{EVERY}")
        page = Page(answer.text)
        assert answer.status_code == 200, f"{path} {text!r}: {answer.text[:300]}"
        assert page.faults == []
        assert f"hostile-{number}" in page.text


def test_links_of_a_page_lead_where_they_say(site: Site) -> None:
    links = [link for link in Page(site.get(f"/policies?{EVERY}").text).links if "policy?" in link]
    assert len(links) >= len(hostile.TEXTS) // 2
    for link in links[:20]:
        assert site.get(link).status_code == 200, link


def test_the_api_gives_every_hostile_text_back_as_it_was(site: Site) -> None:
    for number in NUMBERS:
        answer = site.get(f"/api/v1/events/{encode_id(id_of(('hostile', number)))}")
        assert answer.status_code == 200
        assert hostile.marked(number) in json.dumps(answer.json(), ensure_ascii=False) or any(
            hostile.marked(number) == value for value in _values(answer.json())
        )


def _values(tree: object) -> Iterator[object]:
    if isinstance(tree, dict):
        for value in tree.values():
            yield from _values(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _values(value)
    else:
        yield tree


@pytest.mark.parametrize("number", NUMBERS)
def test_a_hostile_text_is_found_by_an_exact_pick_and_by_nothing_else(
    site: Site, number: int
) -> None:
    text = hostile.marked(number)
    picked = f"\\{text}" if text.startswith(("!", "\\")) else text
    found = site.get(f"/api/v1/seen?{EVERY}&{urlencode({'resource': picked})}")
    assert found.status_code == 200, found.text
    assert found.json()["count"] == 1
    other = site.get(f"/api/v1/seen?{EVERY}&{urlencode({'resource': picked + 'x'})}")
    assert other.json()["count"] == 0


def test_csv_has_no_formula_and_no_broken_row(site: Site) -> None:
    answer = site.get(f"/api/v1/export?format=csv&{EVERY}")
    assert answer.status_code == 200
    csv.field_size_limit(1 << 24)
    header, *rows = csv.reader(io.StringIO(answer.content.decode(), newline=""))
    assert len(rows) == len(hostile.TEXTS) + 1
    assert {len(row) for row in rows} == {len(header)}
    assert [cell for row in rows for cell in row if FORMULA.match(cell)] == []
    assert b"\x00" not in answer.content


@pytest.mark.parametrize("form", ["ndjson", "json"])
def test_json_exports_hold_every_hostile_event(site: Site, form: str) -> None:
    answer = site.get(f"/api/v1/export?format={form}&{EVERY}")
    text = answer.content.decode()
    events = json.loads(text) if form == "json" else [json.loads(x) for x in text.splitlines()]
    if isinstance(events, dict):
        events = events["events"]
    assert len(events) == len(hostile.TEXTS) + 1


@pytest.mark.parametrize(
    "words",
    [
        ["query", "--since", "24h", "-n", "200"],
        ["query", "--since", "24h", "--top", "process,policy"],
        ["tail", "--no-follow", "-n", "200"],
        ["stats"],
        ["query", "--since", "24h", "-n", "200", "--json"],
    ],
)
def test_a_terminal_gets_nothing_but_text(site: Site, words: list[str]) -> None:
    done = armorstack(site, *words)
    assert done.returncode == 0, done.stderr
    assert "hostile-" in done.stdout
    assert UNSAFE.search(done.stdout.replace("\n", "").replace("\t", "")) is None


def test_an_error_quotes_a_hostile_query_as_text(site: Site) -> None:
    done = armorstack(site, "query", "nofield\x1b[2J:x \u202e(")
    assert done.returncode == 2
    assert UNSAFE.search(done.stderr.replace("\n", "")) is None


def test_a_report_shows_hostile_text_as_text(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = armorstack(site, "report", "--since", "24h", "--out", str(out))
    assert done.returncode == 0, done.stderr
    page = Page(out.read_text(), is_alone=True)
    assert page.faults == []
    assert "hostile-" in page.text


def test_log_lines_quote_hostile_requests_as_text(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in hostile.TEXTS:
        site.get(f"/events?q={quote(text, safe='')}", token="as_" + quote(text, safe=""))
    told = capfd.readouterr().err
    assert UNSAFE.search(told.replace("\n", "")) is None
    assert all(json.loads(line) for line in told.splitlines())


def armorstack(site: Site, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command as a person starts it, against the site."""
    token = site.data_dir / "hostile.token"
    token.write_text(site.token)
    return subprocess.run(
        [sys.executable, "-m", "armorstack", words[0], "--url", site.url, "--token-file",
         str(token), *words[1:]],
        capture_output=True, text=True, timeout=50, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
