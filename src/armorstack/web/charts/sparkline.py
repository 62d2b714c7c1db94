"""A line of small bars: how one value went over time.

Invariant: it stands beside numbers that say the same, so it has one sentence for who cannot see
it. Must not go here: axes.
"""

from collections.abc import Sequence

from markupsafe import Markup

from armorstack.web.charts.element import element, number

HEIGHT = 20


def draw(counts: Sequence[int]) -> Markup:
    """The picture; empty without any count."""
    most = max(counts, default=0)
    if not most:
        return Markup()
    steps = "".join(
        f"M{place} {HEIGHT}v{-max(1.0, HEIGHT * count / most):.1f}h.8V{HEIGHT}z"
        for place, count in enumerate(counts)
        if count
    )
    return element(
        "svg", element("path", d=steps, class_="k-1"), class_="spark", role="img",
        aria_label=f"over time, at most {number(most)} in an interval", height=HEIGHT,
        width=2 * len(counts), viewBox=f"0 0 {len(counts)} {HEIGHT}", preserveAspectRatio="none",
    )  # fmt: skip
