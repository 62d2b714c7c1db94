"""Cutting blocks into lines: whatever the blocks, the lines are the same."""

from hypothesis import given
from hypothesis import strategies as st

from armorstack.sources.lines import LineCutter

LIMIT = 8
texts = st.lists(
    st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b" ", b"\xff", b"x" * 9]), max_size=40
).map(b"".join)
sizes = st.lists(st.integers(min_value=1, max_value=7), min_size=1)


def blocks(text: bytes, cuts: list[int]) -> list[bytes]:
    """The text in pieces of these sizes, over and over."""
    pieces = []
    while text:
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def expected(text: bytes) -> list[bytes]:
    *whole, last = text.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in whole] + [last.removesuffix(b"\r")]
    return [line for line in lines if line.strip()]


@given(texts, sizes)
def test_the_lines_do_not_depend_on_where_the_blocks_were_cut(text: bytes, cuts: list[int]) -> None:
    cutter = LineCutter()
    lines = [line for block in blocks(text, cuts) for line in cutter.feed(block)]
    rest = cutter.rest()
    assert lines + ([rest] if rest else []) == expected(text)
    assert cutter.held_bytes == 0


@given(texts, sizes)
def test_what_is_held_reaches_back_to_the_last_line_end(text: bytes, cuts: list[int]) -> None:
    cutter = LineCutter(LIMIT)
    taken = b""
    for block in blocks(text, cuts):
        cutter.feed(block)
        taken += block
        assert cutter.held_bytes == len(taken) - (taken.rfind(b"\n") + 1)


@given(texts, sizes)
def test_a_line_is_either_given_or_counted_as_too_long(text: bytes, cuts: list[int]) -> None:
    cutter = LineCutter(LIMIT)
    lines = [line for block in blocks(text, cuts) for line in cutter.feed(block)]
    lines += [rest] if (rest := cutter.rest()) else []
    assert all(len(line) <= LIMIT + 1 for line in lines)
    given_or_skipped = len(lines) + cutter.skipped
    # A blank line may be so long that it is skipped before anybody saw that it is blank.
    blank_and_long = sum(1 for line in text.split(b"\n") if len(line) > LIMIT and not line.strip())
    assert len(expected(text)) <= given_or_skipped <= len(expected(text)) + blank_and_long
    assert [line for line in expected(text) if len(line) < LIMIT] == [
        line for line in lines if len(line) < LIMIT
    ]
