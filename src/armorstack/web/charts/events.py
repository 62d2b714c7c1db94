"""The newest events in few columns: when, how grave, what was done, by which policy, where, what.

Must not go here: a choice of columns, facets, paging; those are the explorer's.
"""

from collections.abc import Callable, Sequence
from datetime import tzinfo

from markupsafe import Markup

from armorstack.store.contract import Row
from armorstack.web.charts.bars import names
from armorstack.web.charts.element import cell, element, joined, linked, shown
from armorstack.web.charts.palette import band
from armorstack.web.charts.times import time_element

HEADS = ("Time", "Severity", "Action", "Policy", "Where", "What")
COLUMNS = (
    "severity", "action", "policy_name", "namespace_name", "pod_name", "host_name", "operation",
    "process_name", "resource", "message", "level",
)  # fmt: skip
"""Columns of `SCHEMA` that are needed besides id and time."""


def draw(title: str, rows: Sequence[Row], zone: tzinfo, href: Callable[[Row], str]) -> Markup:
    """The table; `href` is the page of an event."""
    if not rows:
        return element("p", "No events in this time.", class_="rest")
    heads = [element("th", head, scope="col") for head in HEADS]
    table = element(
        "table", element("caption", title, class_="hidden"),
        element("thead", element("tr", *heads)),
        element("tbody", *[_row(row, zone, href(row)) for row in rows]), class_="latest",
    )  # fmt: skip
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=title)


def severity(value: str) -> Markup:
    """The number with the sign of its band; an absent one is a dash."""
    of = band(value)
    sign = element("span", of.sign, class_=f"sign {of.style}", title=of.name)
    return joined([sign, " ", shown(value, 20) if value else "–"])


def _row(row: Row, zone: tzinfo, href: str) -> Markup:
    cells = (
        linked(href, time_element(row["time"], zone)),
        severity(row.get("severity") or ""),
        cell(row.get("action") or row.get("level") or ""),
        cell(row.get("policy_name") or ""),
        _where(row),
        _what(row),
    )
    return element("tr", *[element("td", cell) for cell in cells])


def _where(row: Row) -> Markup:
    if row.get("pod_name"):
        return names((row.get("namespace_name") or "", row["pod_name"]))
    return cell(row.get("host_name") or "")


def _what(row: Row) -> Markup:
    """The operation, who did it and to what; of a message its text."""
    if row.get("message") and not row.get("operation"):
        return shown(row["message"], 200)
    operation, process, resource = (
        row.get(column) or "" for column in ("operation", "process_name", "resource")
    )
    done = [element("span", cell(operation), class_="dim")]
    if process:
        done.append(shown(process, 80))
    if resource and resource != process:
        done.append(joined(["→ ", shown(resource, 80)]))
    return Markup(" ").join(done)
