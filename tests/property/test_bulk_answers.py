"""Whatever an engine answers, each document has just one fate, or all keep theirs open."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from armorstack.core.text import UNSAFE
from armorstack.engines.elastic.answers import Fates, Refused, TooLarge, read_answer
from armorstack.engines.elastic.bulk import pieces

TYPES = st.sampled_from(
    ["mapper_parsing_exception", "illegal_argument_exception", "cluster_block_exception",
     "version_conflict_engine_exception", "security_exception", "never_heard_of_exception", ""]
)  # fmt: skip
ERRORS = st.none() | st.fixed_dictionaries(
    {}, optional={"type": st.none() | TYPES, "reason": st.none() | st.text(max_size=20)}
)
ITEMS = st.fixed_dictionaries(
    {"status": st.sampled_from([200, 201, 400, 401, 403, 404, 408, 409, 413, 429, 500, 503])},
    optional={"error": ERRORS},
)


@given(st.lists(ITEMS, max_size=8), st.integers(0, 9), st.booleans())
def test_every_document_has_one_fate(items: list[Any], sent: int, errors: bool) -> None:
    body = json.dumps({"errors": errors, "items": [{"create": each} for each in items]})
    found = read_answer(200, body.encode(), sent)
    if isinstance(found, Fates):
        places = [*found.taken, *found.there, *found.again, *(at for at, _ in found.never)]
        assert sorted(places) == list(range(sent))
        assert len(items) == sent
    else:
        assert isinstance(found, Refused)
        assert not UNSAFE.search(found.told)


@given(st.integers(100, 599), st.binary(max_size=60), st.integers(0, 3))
def test_any_answer_at_all_is_understood_or_refused(status: int, body: bytes, sent: int) -> None:
    assert isinstance(read_answer(status, body, sent), Fates | Refused | TooLarge)


@given(
    st.lists(st.lists(st.binary(min_size=1, max_size=30), max_size=20), max_size=4),
    st.integers(1, 90), st.integers(1, 9),
)  # fmt: skip
def test_pieces_are_all_entries_in_order_within_their_bounds_and_as_full_as_can_be(
    portions: list[list[bytes]], max_bytes: int, max_entries: int
) -> None:
    entries = [entry for portion in portions for entry in portion]
    cut = list(pieces(portions, max_bytes, max_entries))
    for piece, after in pairwise(cut):
        more = piece.size + len(after.entries[0])
        assert len(piece.entries) == max_entries or more > max_bytes
    assert [entry for piece in cut for entry in piece.entries] == entries
    assert [place for piece in cut for place in piece.places] == list(range(len(entries)))
    for piece in cut:
        assert 1 <= len(piece.entries) <= max_entries
        assert piece.size <= max_bytes or len(piece.entries) == 1
        if len(piece.entries) > 1:
            first, second = piece.halves()
            assert [*first.entries, *second.entries] == list(piece.entries)
            assert [*first.places, *second.places] == list(piece.places)
