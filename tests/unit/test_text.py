"""Event text made safe to show."""

import pytest

from armorstack.core.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/usr/bin/curl -s http://x/?a=b", "/usr/bin/curl -s http://x/?a=b"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"),
        ("\x9b31m", "\\x9b31m"),
        ("gnp.exe\u202egpj", "gnp.exe\\u202egpj"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("naïve 数据 🙂", "naïve 数据 🙂"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_characters_that_steer_a_terminal_are_written_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_text_is_cut_before_it_is_escaped() -> None:
    assert printable("x" * 50, 10) == "x" * 9 + "…"
    assert printable("x" * 10, 10) == "x" * 10
