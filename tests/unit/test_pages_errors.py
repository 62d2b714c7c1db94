"""Errors as pages, and the page where a token is entered."""

from urllib.parse import urlencode

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from armorstack.core.query.asked import ParameterError, parse_asked
from armorstack.core.query.parse import parse
from armorstack.errors import AccessError, QueryError, QueryStopped, StoreError
from armorstack.web.access.refusal import Refusal
from armorstack.web.desk import Grant
from armorstack.web.pages import errors
from armorstack.web.pages.errors import UNFORESEEN, marked, response
from armorstack.web.pages.sign_in import safe_next
from tests.support.hostile import TEXTS


def request(grant: Grant | None = None, **asked: str) -> Request:
    scope = {"type": "http", "method": "GET", "path": "/events", "headers": [], "scheme": "http",
             "query_string": urlencode(asked).encode(), "server": ("localhost", 1)}  # fmt: skip
    if grant:
        scope["armorstack.grant"] = grant
    return Request(scope)


def shown(error: Exception, **asked: str) -> tuple[int, str]:
    made = response(request(Grant("me"), **asked), error)
    return made.status_code, bytes(made.body).decode()


@pytest.mark.parametrize(
    ("query", "place"), [("severity>=x", "x"), ("pdo:web", "pdo"), ('pod:"web', '"')]
)
def test_a_wrong_query_is_shown_with_its_place_underlined(query: str, place: str) -> None:
    with pytest.raises(QueryError) as found:
        parse_asked([("q", f"  {query}")], 0, parse)
    status, text = shown(found.value, q=f"  {query}")
    assert status == 400
    assert f"<mark>{place}" in text.replace("&#34;", '"')
    assert f"At column {found.value.column + 1}." in text


def test_a_place_beyond_the_end_is_the_end() -> None:
    found = marked("pod:", 4, 1)
    assert (found.before, found.place, found.after, found.column) == ("pod:", " ", "", 5)


@pytest.mark.parametrize("text", TEXTS)
def test_a_hostile_query_stays_in_its_place(text: str) -> None:
    error = QueryError(f"{text} is wrong", column=0, length=3, hint=text)
    _, page = shown(error, q=text)
    for tag in ("<script>d", "<img", "<svg onload", "<b>"):
        assert tag not in page
    # The search box has it as it was typed.
    body = page.split("<main")[1]
    assert not any(char in body for char in "\x00\x07\x1b\x9b\u202e")


def test_an_unknown_parameter_comes_with_the_list_of_those_that_are_known() -> None:
    with pytest.raises(ParameterError) as found:
        parse_asked([("nonsense", "1")], 0, parse, ("near",))
    status, text = shown(found.value)
    assert status == 400
    for name in ("<code>q</code>", "<code>near</code>", "<code>namespace</code>"):
        assert name in text


def test_who_brings_no_token_is_told_how_to_get_one() -> None:
    made = response(request(), AccessError("this needs a token"))
    text = bytes(made.body).decode()
    assert made.status_code == 401
    assert made.headers["www-authenticate"] == "Bearer"
    assert 'href="/sign-in?next=%2Fevents"' in text


def test_who_is_known_is_told_that_it_is_not_allowed() -> None:
    status, text = shown(AccessError("this needs a token of an admin"))
    assert status == 403
    assert "You may not see this" in text


def test_a_refusal_keeps_its_status_and_headers() -> None:
    refusal = Refusal("too many", status=429, reason="limited", headers={"retry-after": "7"})
    made = response(request(), refusal)
    assert (made.status_code, made.headers["retry-after"]) == (429, "7")


def test_each_error_has_its_status_and_says_its_hint() -> None:
    for error, status in (
        (StoreError("locked", hint="wait"), 503),
        (QueryStopped("too long", hint="ask for less"), 504),
        (HTTPException(404, "gone"), 404),
        (HTTPException(405), 405),
    ):
        found, text = shown(error)
        assert found == status
        assert str(getattr(error, "detail", error)) in text
    assert "Ask for less." in shown(QueryStopped("too long", hint="ask for less"))[1]


def test_what_nobody_foresaw_says_nothing_of_itself() -> None:
    status, text = shown(ValueError("secret"))
    assert status == 500
    assert "secret" not in text
    assert UNFORESEEN in text


def test_nobody_without_a_grant_sees_links_to_pages() -> None:
    text = bytes(response(request(), HTTPException(404, "gone")).body).decode()
    assert "Sign out" not in text


@pytest.mark.parametrize(
    "path", ["//x", "/\\x", "https://x", "", "x", "/a\n", "/\t/x", "\\\\x", "javascript:1"]
)
def test_the_way_on_after_signing_in_is_only_a_path_of_ours(path: str) -> None:
    assert safe_next(path) == "/"


def test_a_path_of_ours_is_kept_with_its_question() -> None:
    assert safe_next("/events?q=a%20b&from=all") == "/events?q=a%20b&from=all"
    assert errors.status_of(request(), ValueError()) == 500
