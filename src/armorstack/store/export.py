"""An export as bytes, from a store here or through the API of another process.

Invariant: the pieces together are one whole file; where that cannot be, an error of ours is raised.
Must not go here: files.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing

from armorstack.core.query.question import Question
from armorstack.store.budget import Budget
from armorstack.store.forms import Form, Format, columns_needed, encoded
from armorstack.store.forms.encoded import MEDIA_TYPES
from armorstack.store.place import Reach
from armorstack.store.remote import wire
from armorstack.store.remote.link import pieces as pieces_of

EXPORT_S = 24 * 3600.0
"""What an export may take."""
LINED: frozenset[Format] = frozenset({"csv", "json", "ndjson"})
"""Formats in which a line is about an event."""


def pieces(
    reach: Reach, question: Question, budget: Budget, format_: Format, form: Form,
    names: Sequence[str],
) -> Iterator[bytes]:  # fmt: skip
    """The file, piece by piece. `names`: the columns of the form `columns`."""
    if reach.link is not None:
        pairs = [*wire.question_pairs(question), ("format", format_), ("form", form)]
        pairs += [("cols", ",".join(names))] if form == "columns" else []
        with reach.link.open("export", pairs, budget) as answer:
            reach.link.expect(answer, MEDIA_TYPES[format_])
            yield from pieces_of(answer)
        return
    columns = columns_needed(form, names)
    batches = reach.store.stream(question, budget, columns=columns)
    with closing(encoded(batches, format_, form, names)) as made:  # type: ignore[type-var]
        yield from made
