"""Groups of events as a table: their values, how many, first and last seen, and how they went.

Invariant: a head is a link where the table can be sorted by it, and says how it is sorted now.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo

from markupsafe import Markup
from msgspec import Struct

from armorstack.store.contract import Group
from armorstack.web.charts import sparkline
from armorstack.web.charts.element import cell, element, linked, number, shown
from armorstack.web.charts.times import time_element


class Head(Struct, frozen=True):
    """The head of a column."""

    text: str
    href: str = ""
    """The page sorted by it; empty: it cannot be sorted by."""
    sorted: str = ""
    """`ascending`, `descending`, or empty."""
    is_number: bool = False


class Table(Struct, frozen=True):
    """What is drawn. The heads: one per value, then count, those of `more`, first, last, and over
    time if known."""

    title: str
    heads: tuple[Head, ...]
    groups: tuple[Group, ...]
    zone: tzinfo
    href: Callable[[Sequence[str]], str]
    """The page of a group, by its values."""
    events_href: Callable[[Sequence[str]], str]
    """The events of a group."""
    more: Mapping[tuple[str, ...], tuple[int, ...]] = {}
    """Further counts of a group."""
    trends: Mapping[tuple[str, ...], tuple[int, ...]] | None = None


def draw(table: Table) -> Markup:
    """The table, or a word that there is nothing."""
    if not table.groups:
        return element("p", "No values in this time.", class_="rest")
    made = element(
        "table", element("caption", table.title, class_="hidden"),
        element("thead", element("tr", *[_head(head) for head in table.heads])),
        element("tbody", *[_row(table, group) for group in table.groups]), class_="groups",
    )  # fmt: skip
    return element("div", made, class_="scroll", tabindex=0, role="region", aria_label=table.title)


def _head(head: Head) -> Markup:
    arrow = {"ascending": " ↑", "descending": " ↓"}.get(head.sorted, "")
    sign = element("span", arrow, aria_hidden="true") if arrow else ""
    return element(
        "th", linked(head.href, head.text), sign, scope="col", aria_sort=head.sorted or None,
        class_="n" if head.is_number else None,
    )  # fmt: skip


def _row(table: Table, group: Group) -> Markup:
    first, *more = group.values
    cells = [element("th", linked(table.href(group.values), shown(first)), scope="row")]
    cells += [element("td", cell(value)) for value in more]
    cells.append(element("td", linked(table.events_href(group.values), number(group.count)),
                         class_="n"))  # fmt: skip
    cells += [element("td", number(each) if each else "–", class_="n")
              for each in table.more.get(group.values, ())]  # fmt: skip
    cells += [element("td", time_element(at_us, table.zone)) for at_us in
              (group.first_us, group.last_us)]  # fmt: skip
    if table.trends is not None:
        cells.append(element("td", sparkline.draw(table.trends.get(group.values, ()))))
    return element("tr", *cells)
