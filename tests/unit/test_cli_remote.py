"""The client's side of the API: addresses, refusals, answers, server-sent events."""

import io
from typing import Any

import pytest

from armorstack.core.gap import Gap
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Pick, Question
from armorstack.errors import (
    AccessError,
    ArmorstackError,
    QueryError,
    QueryStopped,
    StoreError,
)
from armorstack.store.contract import (
    Facet,
    FacetValue,
    FieldFacts,
    Group,
    Histogram,
    Page,
    Series,
    Top,
)
from armorstack.store.cursor import Cursor
from armorstack.store.event_json import encode
from armorstack.store.remote import Address, Link, wire
from armorstack.store.remote.link import NotThere, refusal
from armorstack.store.remote.live import messages
from armorstack.web.api import shapes
from tests.support.stores import NOW_US, id_of

GAP = Gap("throttled", "relay/a", 1_000_000, 2_000_000, "alert", "node-1", 7, "pod x")
QUESTION = Question(parse('pod:web-* and severity>=7 or "free text"', NOW_US),
                    (Pick("namespace", ("!a", "", "\\b"), ("c",)), Pick("severity", ("5..8",))),
                    1_000_001, 2_000_002)  # fmt: skip


def sent(document: Any) -> Any:
    """The document as it comes out at the other end."""
    import msgspec

    return msgspec.json.decode(encode(document))


def test_a_question_arrives_as_it_was_asked() -> None:
    from armorstack.core.query.asked import parse_asked

    for question in (QUESTION, Question(), Question(start_us=5), Question(end_us=9_999_999)):
        found = parse_asked(wire.question_pairs(question), NOW_US, parse).question
        assert found == question


def test_answers_arrive_as_they_were_given() -> None:
    row = {"id": id_of("x"), "time": 5, "stream": "alert", "severity": "7", "atags": ["a"],
           "event_data": {"k": "v"}, "fold_count": 3, "fold_first": 1}  # fmt: skip
    page = Page((row,), Cursor(5, id_of("x")), None)
    assert wire.page(sent(shapes.page(page))) == page
    series = (Series("a", (1, 2)), Series("", (0, 1), True))
    histogram = Histogram(60_000_000, 60_000_000, 2, series, (GAP,))
    assert wire.histogram(sent(shapes.histogram(histogram, "pod"))) == histogram
    facets = (Facet("pod", (FacetValue("a", 2), FacetValue("", 1)), 9, 5, True),)
    assert wire.facets(sent(shapes.facets(facets))) == facets
    top = Top((Group(("a", ""), 3, 1, 2, 3),), 5, 10, True)
    assert wire.top(sent(shapes.top(top, ("pod", "node")))) == top
    fields = (FieldFacts("pod", "text", "d", True, "pod_name"),)
    assert wire.fields(sent(shapes.fields(fields))) == fields
    gaps = (GAP, Gap("stop", "s", 1, 2))
    assert wire.gaps(sent({"gaps": [shapes.gap(each) for each in gaps]})) == gaps


@pytest.mark.parametrize(
    "told",
    [None, [], {}, {"events": 5}, {"events": [{"id": "x"}], "older": None, "newer": None},
     {"events": [], "older": "?", "newer": None}, {"events": [], "older": None}],
)  # fmt: skip
def test_an_answer_of_another_shape_is_an_error(told: Any) -> None:
    with pytest.raises(StoreError, match="not of the shape"):
        wire.page(told)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (Address("ftp://a"), "no address"),
        (Address("127.0.0.1:7780"), "no address"),
        (Address("http://"), "no address"),
        (Address("http://a:b@127.0.0.1/"), "no address"),
        (Address("http://127.0.0.1/?token=x"), "no address"),
        (Address("http://127.0.0.1:99999"), "no address"),
        (Address("http://armorstack.example", "token"), "in the clear"),
        (Address("http://10.0.0.1:7780", "token"), "in the clear"),
        (Address("http://127.0.0.1.example", "token"), "in the clear"),
        (Address("http://127.0.0.1", "to\nken"), "characters that no token has"),
        (Address("https://127.0.0.1", "t", ca_file="/nowhere.pem"), "cannot be read"),
        (Address("https://127.0.0.1", "t", pinned="/nowhere.pem"), "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(address: Address, told: str) -> None:
    with pytest.raises(StoreError, match=told) as caught:
        Link(address)
    assert "ken" not in str(caught.value).replace("token", "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost",
                                 "https://armorstack.example/behind/a/path/"])  # fmt: skip
def test_an_address_that_is_safe_is_taken(url: str) -> None:
    assert Link(Address(url, "token")).url == url.rstrip("/")
    assert "token" not in repr(Address(url, "token"))


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, {"column": 3, "length": 2, "parameter": "q"}, QueryError),
        (400, {"parameter": "size"}, ArmorstackError),
        (401, {}, AccessError),
        (403, {}, AccessError),
        (404, {}, NotThere),
        (429, {}, StoreError),
        (503, {}, StoreError),
        (504, {}, QueryStopped),
    ],
)
def test_a_refusal_is_the_error_that_it_was(
    status: int, told: dict[str, Any], kind: type[Exception]
) -> None:
    error = refusal(status, told | {"message": "m", "hint": "h"})
    assert type(error) is kind
    assert (str(error), error.hint) == ("m", "h")
    if isinstance(error, QueryError):
        assert (error.column, error.length) == (3, 2)


def test_server_sent_events_are_read_as_the_standard_says() -> None:
    stream = (
        b": comment\n\nretry: 5\n\nid: a b\ndata: {}\n\nevent: gap\r\ndata:x\r\ndata: y\r\n\r\n"
        b"id:\ndata\n\nevent: cut\ndata: never given"
    )
    assert list(messages(io.BytesIO(stream).readline)) == [
        {"id": "a b", "data": "{}"}, {"event": "gap", "data": "x\ny"}, {"id": "", "data": ""},
    ]  # fmt: skip
