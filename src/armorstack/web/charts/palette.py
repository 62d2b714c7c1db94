"""Which class a value is drawn with, and what it is called; `static/charts.css` gives the colours.

Severity comes in bands, whose sign and number tell them apart without colour. Invariant: a class
is one of the names below, never made of an event's text.
"""

from msgspec import Struct

SERIES = 8
REST = "k-rest"


class Band(Struct, frozen=True):
    """A band of severities."""

    name: str
    low: int
    high: int
    style: str
    sign: str
    """Filled the more, the graver."""

    @property
    def range(self) -> str:
        """As a pick says it: `7..8`, `9..`; empty for events without a severity."""
        if not self.high:
            return ""
        return f"{self.low}.." if self is BANDS[0] else f"{self.low}..{self.high}"

    @property
    def label(self) -> str:
        """Such as `7–8 high`."""
        return f"{self.low}–{self.high} {self.name}" if self.high else self.name


BANDS: tuple[Band, ...] = (
    Band("critical", 9, 10, "k-critical", "◆"),
    Band("high", 7, 8, "k-high", "▲"),
    Band("medium", 4, 6, "k-medium", "■"),
    Band("low", 0, 3, "k-low", "●"),
)
"""KubeArmor's severities go from 1 to 10; whatever is above counts as critical."""
NO_SEVERITY = Band("without a severity", 0, 0, "k-none", "○")

_ACTIONS = {"block": "k-block", "audit": "k-audit", "allow": "k-allow"}


def band(severity: str) -> Band:
    """The band of a severity as an event writes it."""
    if not (severity.isascii() and severity.isdigit()):
        return NO_SEVERITY
    number = int(severity[:9])
    return next(each for each in BANDS if number >= each.low)


def action_style(action: str) -> str:
    """The class of an action, by its first word: `Audit (Block)` is an audit."""
    return _ACTIONS.get(action.partition(" ")[0].lower(), "k-none" if not action else REST)


def series_style(place: int) -> str:
    """The class of the series at this place, counted from 0."""
    return f"k-{place + 1}" if place < SERIES else REST
