"""The most frequent values as bars: name, count, share; each a link.

A table whose rows have a bar behind the name, so that the numbers need no second place. Invariant:
bars are measured by the largest value, shares by all events. An absent value is told below, not
among the values.
"""

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from armorstack.web.charts.element import element, joined, linked, number, share, shown


class Bar(Struct, frozen=True):
    """One value, or several that belong together."""

    names: tuple[str, ...]
    count: int
    href: str = ""
    style: str = "k-1"
    sign: str = ""
    """Stands before the name where a colour says something, as of a severity."""


class Rest(Struct, frozen=True):
    """What is not among the bars."""

    others: int = 0
    """How many further values there are."""
    others_href: str = ""
    absent: int = 0
    """Events without a value."""
    absent_href: str = ""


def draw(title: str, bars: Sequence[Bar], whole: int, rest: Rest) -> Markup:
    """The bars and what is left over; `whole` is how many events there are in all."""
    if not bars:
        return joined([element("p", "No values in this time.", class_="rest"), _rest(rest)])
    most = max(bar.count for bar in bars)
    rows = [_row(bar, most, whole) for bar in bars]
    head = element("tr", *[element("th", text, scope="col") for text in ("Value", "Events",
                                                                         "Share")])  # fmt: skip
    caption = element("caption", title, class_="hidden")
    table = element("table", caption, element("thead", head, class_="hidden"),
                    element("tbody", *rows), class_="bars")  # fmt: skip
    return joined([table, _rest(rest)])


def _row(bar: Bar, most: int, whole: int) -> Markup:
    shape = element("rect", width=f"{100 * bar.count / max(1, most):.2f}%", height="100%")
    picture = element("svg", shape, class_=f"gauge {bar.style}", width="100%", height="100%",
                      aria_hidden="true")  # fmt: skip
    sign = [element("span", bar.sign, class_="sign", aria_hidden="true"), " "] if bar.sign else []
    name = linked(bar.href, joined([*sign, names(bar.names)]))
    return element(
        "tr", element("th", picture, name, scope="row"),
        element("td", number(bar.count), class_="n"),
        element("td", share(bar.count, whole), class_="n share"),
    )  # fmt: skip


def names(values: Sequence[str]) -> Markup:
    """Values that belong together, the last one foremost: `namespace / pod`."""
    *before, last = values
    dim = [element("span", shown(value), " / ", class_="dim") for value in before]
    return joined([*dim, shown(last)])


def _rest(rest: Rest) -> Markup:
    told: list[str] = []
    if rest.others:
        values = "values" if rest.others > 1 else "value"
        told.append(linked(rest.others_href, f"{number(rest.others)} more {values}"))
    if rest.absent:
        told.append(linked(rest.absent_href, f"{number(rest.absent)} events without a value"))
    if not told:
        return Markup()
    return element("p", Markup(" · ").join(told), class_="rest")
