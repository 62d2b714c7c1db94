"""Elements of HTML and SVG, put together without a template.

Invariant: a child or a value that is not `Markup` is escaped. Text of events goes through `shown`
or `said`, which make unsafe characters visible. What is drawn must not go here.
"""

from collections.abc import Iterable
from functools import cache, lru_cache

from markupsafe import Markup, escape

from armorstack.core.text import printable

Value = str | int | float | None
ABSENT = "(none)"
LABEL_LIMIT = 120


def element(tag: str, *children: str, **attributes: Value) -> Markup:
    """`<tag …>children</tag>`.

    `class_` is `class`, any other `_` within a name a hyphen; an attribute that is None is left
    out.
    """
    told = "".join([
        f' {_name(name)}="{value if type(value) is int else _text(value)}"'
        for name, value in attributes.items()
        if value is not None
    ])  # fmt: skip
    # Values are escaped by `_text`, children by `_safe`.
    return _markup(f"<{tag}{told}>{_safe(children)}</{tag}>")


def joined(parts: Iterable[str]) -> Markup:
    """The parts one after the other, each escaped unless it is markup."""
    return _markup(_safe(parts))


def said(text: str, limit: int = LABEL_LIMIT) -> str:
    """Text of an event in one line, for attributes and titles; an empty one is called absent."""
    return printable(text, limit) if text else ABSENT


def shown(text: str, limit: int = LABEL_LIMIT) -> Markup:
    """The same as an element's content, which tells an absent value from one that says so."""
    if not text:
        return element("span", ABSENT, class_="absent")
    short = said(text, limit)
    if len(text) <= limit:
        return escape(short)
    # The whole text on hover, as far as anybody reads a tooltip.
    return element("span", short, title=said(text, 1000))


def cell(text: str, limit: int = LABEL_LIMIT) -> Markup:
    """The same within a table, where an absent value is a dash."""
    return shown(text, limit) if text else element("span", "–", class_="absent")


def linked(href: str, content: str, **attributes: Value) -> Markup:
    """A link around the content; without a target the content alone."""
    return element("a", content, href=href, **attributes) if href else joined([content])


def number(count: int) -> str:
    """The count with its thousands apart: `1,234,567`."""
    return f"{count:,}"


def share(part: int, whole: int) -> str:
    """The part in percent: `12 %`, `<1 %`; empty where there is no whole."""
    if whole <= 0:
        return ""
    percent = 100 * part / whole
    return "<1 %" if 0 < percent < 1 else f"{percent:.0f} %"


def _safe(parts: Iterable[str]) -> str:
    # Joined by `str`: by `Markup` each part would be looked at again.
    return "".join([part if type(part) is Markup else _escaped(part) for part in parts])


@cache
def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _text(value: Value) -> str:
    # At most three digits behind the point: nobody sees more, and pages stay small.
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value) if isinstance(value, int) else _escaped(value or "")


def _escaped(text: str) -> str:
    return _escaped_word(text) if len(text) <= LABEL_LIMIT else str(escape(text))


@lru_cache(4096)
def _escaped_word(text: str) -> str:
    """A page says most of its words many times."""
    return str(escape(text))


def _markup(text: str) -> Markup:
    # What `Markup(text)` does for a str, without asking first whether it is one.
    return str.__new__(Markup, text)
