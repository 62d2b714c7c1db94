"""The URL of a webhook, files of secrets, and what an answer means."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from armorstack.engines.watched import Watched, parse_secret
from armorstack.errors import EngineError
from armorstack.sinks.webhook.answer import meaning_of, reason_of
from armorstack.sinks.webhook.client import Answer
from armorstack.sinks.webhook.target import Target, origin_of, parse_target

SECRET = "T0000/B0000/abcdefghijkl"
URL = f"https://hooks.example:8443/services/{SECRET}?sig=mnopqrstuvwx"
TARGET = Target(URL)


def test_a_url_is_taken_apart() -> None:
    assert (TARGET.host, TARGET.port, TARGET.is_tls) == ("hooks.example", 8443, True)
    assert (TARGET.origin, TARGET.authority) == ("https://hooks.example:8443", "hooks.example:8443")
    assert TARGET.path == f"/services/{SECRET}?sig=mnopqrstuvwx"
    plain = Target("http://[fd00::1]")
    assert (plain.host, plain.port, plain.path, plain.is_tls) == ("fd00::1", 80, "/", False)


def test_a_target_shows_only_its_origin() -> None:
    assert f"{TARGET} {TARGET!r}" == "https://hooks.example:8443 https://hooks.example:8443"


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a/b", "https://", "https://:443/x", "https://user:pw@a/b", "https://a:99999/b",
     "https://a/b c", "https://a/\r\nX: y", "https://a/\x00", "https://ä.example/", "https://.a/b",
     "https://[::1/b", f"https://{'a' * 64}.example/", "https://a\x01b/"],
)  # fmt: skip
def test_what_is_no_url_to_post_to_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*pw)"):
        Target(url)


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    read: list[bytes] = []
    token = Watched(
        str(file), "token_file", lambda text: (read.append(text), parse_secret(text))[1]
    )
    assert [token.value(), token.value()] == ["one", "one"]
    assert read == [b"one"]
    file.write_text("three\n")
    assert token.value() == "three"


def test_a_file_that_is_put_in_the_place_of_another_is_read(tmp_path: Path) -> None:
    file, other = tmp_path / "token", tmp_path / "other"
    file.write_text("one")
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    token = Watched(str(file), "token_file", parse_secret)
    assert token.value() == "one"
    os.replace(other, file)
    assert token.value() == "two"


@pytest.mark.parametrize("content", [b"", b" \n", b"hidden word", b"hidden\nX: y", b"hidden\xff"])
@pytest.mark.parametrize("parse", [parse_secret, parse_target])
def test_a_file_without_one_word_is_told_without_quoting_it(
    tmp_path: Path, content: bytes, parse: Callable[[bytes], object]
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(EngineError, match=r"^url_file: .*secret cannot be used: ") as caught:
        Watched(str(file), "url_file", parse).value()
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


def test_a_url_in_a_file_that_is_none_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"https://a:port/{SECRET}")
    with pytest.raises(EngineError) as caught:
        Watched(str(file), "url_file", parse_target).value()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_cannot_be_read_is_told_and_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = Watched(str(file), "token_file", parse_secret)
    with pytest.raises(EngineError, match=r"^token_file: .*token cannot be read: No such file"):
        token.value()
    file.write_text("here")
    assert token.value() == "here"


@pytest.mark.parametrize(
    ("location", "origin"),
    [
        ("https://evil.example:444/path?token=x", "https://evil.example:444"),
        ("http://user:pw@evil.example/", "http://evil.example"),
        ("//evil.example/x", "https://evil.example"),
        ("/login", "itself"),
        ("", "itself"),
        ("https://[::1", "something that is no URL"),
        ("https://a:port/", "something that is no URL"),
        ("https://a\x1b\u202eb/", "https://a\\x1b\\u202eb"),
    ],
)
def test_of_a_redirect_only_scheme_and_host_are_told(location: str, origin: str) -> None:
    assert origin_of(location) == origin


@pytest.mark.parametrize(
    ("status", "retry_after_s", "meaning"),
    [(200, None, "taken"), (202, None, "taken"), (204, 9, "taken"), (429, 3, "later"),
     (503, 3, "later"), (400, None, "refused"), (422, None, "refused"), (413, None, "too_large")],
)  # fmt: skip
def test_what_an_answer_means(status: int, retry_after_s: float | None, meaning: str) -> None:
    assert meaning_of(Answer(status, retry_after_s=retry_after_s), TARGET, ()) == meaning


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "token_file"), (403, "token_file"), (404, "URL"), (410, "new webhook"), (415, "form"),
     (408, ""), (418, ""), (429, ""), (500, ""), (503, ""), (302, "final URL"), (304, "final URL")],
)  # fmt: skip
def test_answers_that_speak_of_no_message_are_the_engines_fault(status: int, hint: str) -> None:
    with pytest.raises(EngineError, match=rf"^https://hooks\.example:8443 .*{status}") as caught:
        meaning_of(Answer(status), TARGET, ())
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)


def test_what_a_server_says_is_told_without_secrets_and_fit_to_be_shown() -> None:
    body = (
        f"Cannot POST {TARGET.path}\n (abcdefghijkl, my-token) \x1b[31m ".encode() + b"\xff" * 900
    )
    secrets = ("my-token", *TARGET.secrets())
    reason = reason_of(Answer(400, body), TARGET, secrets)
    assert reason.startswith(
        "https://hooks.example:8443 answers 400: Cannot POST … (…, …) \\x1b[31m"
    )
    assert len(reason) < 260
    assert reason_of(Answer(400), TARGET, secrets) == "https://hooks.example:8443 answers 400"
