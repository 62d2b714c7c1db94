"""The legend of a chart: a swatch, a name and a count for each layer.

Must not go here: which layers there are.
"""

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from armorstack.web.charts.element import element, joined, linked, number, shown


class Layer(Struct, frozen=True):
    """One layer of a stack."""

    name: str
    """As an event says it; empty: absent."""
    style: str
    """A class of `palette.py`."""
    counts: tuple[int, ...]
    href: str = ""
    sign: str = ""
    """Stands for it where a colour alone would not do, as for a severity."""

    @property
    def total(self) -> int:
        """All events of the layer."""
        return sum(self.counts)


def legend(layers: Sequence[Layer]) -> Markup:
    """A list with one item per layer; empty where there are none."""
    if not layers:
        return Markup()
    return element("ul", *[_item(layer) for layer in layers], class_="legend")


def _item(layer: Layer) -> Markup:
    kind = "sign" if layer.sign else "swatch"
    swatch = element("span", layer.sign, class_=f"{kind} {layer.style}", aria_hidden="true")
    count = element("span", number(layer.total), class_="n")
    name = linked(layer.href, joined([swatch, " ", shown(layer.name, 60)]))
    return element("li", name, " ", count)
