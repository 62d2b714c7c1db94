"""One number, large: how many there are."""

from markupsafe import Markup

from armorstack.web.charts.element import element, linked, number


def draw(count: int, href: str = "", note: str = "") -> Markup:
    """The number, a link to what is counted, and a few words below."""
    told = [element("p", linked(href if count else "", number(count)), class_="big")]
    if note:
        told.append(element("p", note, class_="rest"))
    return element("div", *told, class_="count")
