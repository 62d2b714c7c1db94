"""What the page of one event shows, without a store."""

import re

import pytest
from starlette.requests import Request

from armorstack.core.query.asked import Asked
from armorstack.core.text import UNSAFE
from armorstack.store.contract import Row
from armorstack.web.pages.event import original, shown
from armorstack.web.pages.event_around import Around
from armorstack.web.pages.event_fields import groups
from armorstack.web.render import page
from tests.support import hostile
from tests.support.stores import NOW_US, id_of

ALONE = Around(None, None, (), (), None, ())
ROW: Row = {"id": id_of(1), "time": NOW_US, "stream": "alert", "spelling": "pascal",
            "host_pid": 7, "host_ppid": 3, "operation": "File"}  # fmt: skip


def request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/events/x", "query_string": b"",
                    "headers": [], "scheme": "http", "server": ("localhost", 1)})  # fmt: skip


def text_of(row: Row, near: Around = ALONE) -> str:
    return bytes(page(request(), "event.html", **shown(row, near, Asked())).body).decode()


def rows() -> list[Row]:
    """The hostile ones, as a store gives them."""
    found = []
    for each in hostile.rows().to_pylist():
        row = {name: value for name, value in each.items() if value is not None}
        row |= {name: NOW_US for name in ("time", "received")}
        found.append(row | {"event_data": dict(row["event_data"])})
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["id"].hex()[:8]))
def test_no_text_of_an_event_leaves_its_place(row: Row) -> None:
    near = Around(row, row, (row,), (row,), None, ())
    text = text_of(row, near)
    assert not UNSAFE.search(text.replace("\n", ""))
    for tag in ("<script>", "<img", "<svg onload", "<b>", "</b>", "<!--"):
        assert tag not in text
    urls = re.findall(r'(?:href|src|action)="([^"]*)"', text)
    assert all(url.startswith(("/", "#")) and not url.startswith("//") for url in urls)
    assert len(text) < 600_000


def test_fields_that_the_event_does_not_have_are_not_shown() -> None:
    names = [entry.name for group in groups(ROW, Asked(), Asked().zone) for entry in group.entries]
    assert names == ["time", "stream", "operation", "pid", "ppid", "id", "spelling"]


def test_a_number_that_is_none_cannot_be_picked() -> None:
    (group,) = [g for g in groups(ROW | {"severity": "high"}, Asked(), Asked().zone)
                if g.title == "Policy"]  # fmt: skip
    assert group.entries[0].values[0].only_url == ""


def test_the_original_says_whether_it_is_the_bytes_that_came() -> None:
    line = b'{"b":1, "a":"\xff"}'
    kept = original(ROW | {"original": line}).kept
    assert kept is not None
    assert kept.text == '{"b":1, "a":"\ufffd"}'
    assert "byte for byte" in text_of(ROW | {"original": line})
    assert "bytes are not kept" in text_of(ROW)
    message = original(ROW | {"original": b"\x08\x01", "spelling": "protobuf"}).kept
    assert message is not None
    assert message.text == "CAE="
