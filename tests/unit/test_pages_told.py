"""Texts, times and documents of events as pages show them."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from armorstack.core.text import UNSAFE
from armorstack.web.pages.told import LONGEST, is_clipped, moment, pretty, size_of, span_of, told
from tests.support.hostile import LONG, TEXTS

NOW = 1_795_443_038_891_126


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_told_shows_all_of_itself_and_says_where_it_was_changed(text: str) -> None:
    found = told(text)
    assert not UNSAFE.search(found.text)
    assert found.is_escaped == (found.text != text)


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    found = told(LONG, 100)
    assert found.text == LONG[:100]
    assert found.left_out == len(LONG) - 100
    assert str(found).endswith("…")


@pytest.mark.parametrize("text", TEXTS)
def test_a_pretty_document_reads_back_as_the_same_and_hides_nothing(text: str) -> None:
    document: dict[str, Any] = {text: [text, {"a": text}], "n": 1, "b": True, "none": None}
    shown = pretty(document)
    assert msgspec.json.decode(shown) == document
    assert not any(UNSAFE.search(line) for line in shown.split("\n"))
    assert not is_clipped(document)


def test_long_texts_of_a_document_are_clipped_wherever_they_lie() -> None:
    document = {"a": [{"b": LONG}]}
    assert is_clipped(document)
    assert len(pretty(document)) < LONGEST + 200


def test_a_moment_is_told_in_its_zone_to_the_digit_asked_for() -> None:
    assert moment(NOW) == "2026-11-23 14:10:38.891126"
    assert moment(NOW, ZoneInfo("Europe/Berlin"), digits=3) == "2026-11-23 15:10:38.891"
    assert moment(NOW, digits=0) == "2026-11-23 14:10:38"
    assert moment(1 << 62) == "-"


def test_sizes_and_spans_are_told_in_the_unit_that_fits() -> None:
    assert [size_of(n) for n in (0, 1023, 1024, 5 << 30)] == ["0 B", "1023 B", "1.0 KiB", "5.0 GiB"]
    assert [span_of(n * 1_000_000) for n in (0, 61, 90_000)] == ["0 s", "1 min 1 s", "1 d 1 h"]
