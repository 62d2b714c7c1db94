"""Values that flags of a command give for fields, as a question.

A value is taken as it is; one that has `*` or `?` is a glob; with a leading `!`: not this. A value
that itself begins with `!` or `\\` has a `\\` before it, as in URLs. Of one field either of the
wanted values, and none of the others. Invariant: what needs no glob becomes a pick.
"""

from collections.abc import Mapping, Sequence

from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.question import Pick, Question
from armorstack.core.query.tree import Match, Node, Not, any_of


def with_flags(question: Question, flags: Mapping[str, Sequence[str]]) -> Question:
    """The same question of events that also have these values. `flags`: canonical name → values.

    Raises ValueError with the field's name as its second argument where a number is none.
    """
    picks, nodes = list(question.picks), []
    for field, values in flags.items():
        wanted = tuple(_plain(value) for value in values if not value.startswith("!"))
        refused = tuple(_plain(value[1:]) for value in values if value.startswith("!"))
        if any(map(_is_glob, (*wanted, *refused))) and _has_globs(field):
            nodes += _globs(field, wanted, refused)
        elif wanted or refused:
            picks.append(_checked(Pick(field, wanted, refused)))
    return Question(question.where, tuple(picks), question.start_us, question.end_us).narrowed(
        *nodes
    )


def _globs(field: str, wanted: Sequence[str], refused: Sequence[str]) -> list[Node]:
    found: list[Node] = [any_of([_match(field, value) for value in wanted])] if wanted else []
    return found + [Not(_match(field, value)) for value in refused]


def _match(field: str, value: str) -> Match:
    # A bracket begins a set of characters in a glob; in a flag it is one.
    return Match(field, (value.replace("[", "[[]"),)) if _is_glob(value) else Match(
        field, (value,), exact=True
    )  # fmt: skip


def _checked(pick: Pick) -> Pick:
    try:
        pick.node()
    except ValueError as error:
        said = " ".join((*pick.include, *pick.exclude))
        raise ValueError(f"{said!r} is no number: say 8, 5..8 or 8..", pick.field) from error
    return pick


def _has_globs(field: str) -> bool:
    return QUERY_FIELDS[field].sort not in ("number", "time")


def _is_glob(value: str) -> bool:
    return "*" in value or "?" in value


def _plain(value: str) -> str:
    return value.removeprefix("\\")
