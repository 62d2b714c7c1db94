"""The facet rail: the most frequent values of some fields, as links that pick them.

    wide=FIELD   show more values of this field; may be repeated

Invariant: a facet is counted without its own picks, so that what else could be picked is seen.
Must not go here: how a value looks.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.query.asked import Asked, ParameterError
from armorstack.core.query.names import FACETS, QUERY_FIELDS
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Facet
from armorstack.web.charts.palette import Band, band
from armorstack.web.pages.events_table import LONGEST_PICK, PATH, PLACES

NARROW, WIDE = 6, 60
"""Values of a facet, and of one that was asked to show more."""
OPEN = ("namespace", "pod", "policy", "severity", "action", "operation")


class Choice(Struct, frozen=True):
    """One value of a facet. The first URL picks it or lets it go, the second excludes it."""

    text: str
    count: int
    toggle: str
    avoid: str
    is_wanted: bool
    is_avoided: bool
    band: Band | None = None


class Group(Struct, frozen=True):
    """One facet."""

    field: str
    doc: str
    choices: tuple[Choice, ...]
    distinct: int
    rest: int
    more: str
    """URL that shows more values; empty: there are none, or they are shown."""
    fewer: str
    is_open: bool
    is_approximate: bool


def fields_in(asked: Asked) -> tuple[str, ...]:
    """The facets to show: those shown always, and those that something is picked of."""
    picked = [pick.field for pick in asked.picks if QUERY_FIELDS[pick.field].facet]
    return tuple(dict.fromkeys((*FACETS, *picked, *wide_in(asked))))


def wide_in(asked: Asked) -> tuple[str, ...]:
    """The facets that were asked to show more. Raises ParameterError."""
    wide = tuple(dict.fromkeys(value for name, value in asked.more if name == "wide"))
    for name in wide:
        if name not in QUERY_FIELDS or not QUERY_FIELDS[name].facet:
            told = f"wide: there is no facet {name!r}"
            known = tuple(field.name for field in QUERY_FIELDS.values() if field.facet)
            raise ParameterError(told, parameter="wide", known=known,
                                 hint=f"known are: {', '.join(known)}")  # fmt: skip
    return wide


def ask(asked: Asked, store: EventStore, budget: Budget) -> tuple[Group, ...]:
    """The rail; a facet that no event has a value of is left out."""
    fields, wide = fields_in(asked), wide_in(asked)
    narrow = [field for field in fields if field not in wide]
    found = {facet.field: facet for facet in _facets(asked, store, budget, narrow, NARROW)}
    found |= {facet.field: facet for facet in _facets(asked, store, budget, wide, WIDE)}
    shown = (found[field] for field in fields)
    return tuple(_group(facet, asked, wide) for facet in shown if _says_something(facet))


def _facets(
    asked: Asked, store: EventStore, budget: Budget, fields: Sequence[str], size: int
) -> tuple[Facet, ...]:
    return store.facets(asked.question, budget, fields=fields, size=size) if fields else ()


def _says_something(facet: Facet) -> bool:
    return any(value.value for value in facet.values)


def _group(facet: Facet, asked: Asked, wide: Sequence[str]) -> Group:
    field, is_wide = facet.field, facet.field in wide
    is_picked = any(pick.field == field for pick in asked.picks)
    others = tuple(pair for pair in asked.more if pair != ("wide", field))
    widened = replace(asked, more=(*others, ("wide", field)))
    return Group(
        field=field, doc=QUERY_FIELDS[field].doc,
        choices=tuple(_choice(field, value.value, value.count, asked) for value in facet.values),
        distinct=facet.distinct, rest=facet.rest,
        more="" if is_wide or facet.distinct <= len(facet.values) else widened.url(PATH, **PLACES),
        fewer=replace(asked, more=others).url(PATH, **PLACES) if is_wide else "",
        is_open=is_picked or is_wide or field in OPEN, is_approximate=facet.approximate,
    )  # fmt: skip


def _choice(field: str, text: str, count: int, asked: Asked) -> Choice:
    pick = next((pick for pick in asked.picks if pick.field == field), None)
    is_wanted = pick is not None and text in pick.include
    is_avoided = pick is not None and text in pick.exclude
    plain = asked.without_pick(field, text)
    fits = len(text) <= LONGEST_PICK
    toggle = plain if is_wanted or is_avoided else asked.with_pick(field, text)
    avoid = plain if is_avoided else asked.with_pick(field, text, exclude=True)
    return Choice(
        text, count, toggle.url(PATH, **PLACES) if fits else "",
        avoid.url(PATH, **PLACES) if fits else "", is_wanted, is_avoided,
        band(text) if field == "severity" else None,
    )  # fmt: skip
