"""Gaps on charts of time: hatched bands, and the list that says what each was.

Invariant: a quiet time and a blind one never look alike: each gap that touches the span is in a
band, however short it was. Gaps that lie so near to each other that no eye could tell them apart
are drawn as one.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo

from markupsafe import Markup
from msgspec import Struct

from armorstack.core.gap import OWN_LIMITS, Gap, covered_us
from armorstack.web.charts.element import element, joined, number, said
from armorstack.web.charts.times import length, time_element

RESOLUTION = 400
"""Bands over the width of a chart; about one in two pixels of a narrow one."""
LISTED = 30

REASONS: dict[str, str] = {
    "disconnect": "not connected",
    "throttled": "KubeArmor throttled alerts",
    "spool_overflow": "the spool was full",
    "spool_damaged": "the spool was damaged",
    "stop": "stopped",
    "crash": "crashed",
    "oversize": "a frame was too large",
    "store_damaged": "the store was damaged",
    "filter_throttle": "a filter of ours throttled",
    "sink_behind": "this sink was too far behind",
}


class Band(Struct, frozen=True):
    """One hatched band; times within the span of the chart."""

    start_us: int
    end_us: int
    gaps: tuple[Gap, ...]

    def told(self) -> str:
        """What lies behind it, in one line."""
        reasons = Counter(REASONS[gap.reason] for gap in self.gaps)
        named = ", ".join(
            f"{reason} × {times}" if times > 1 else reason for reason, times in reasons.items()
        )
        return f"Gap of {length(covered_us(self.gaps))}: {named}; {lost_words(self.gaps)}"


def bands(gaps: Sequence[Gap], start_us: int, end_us: int) -> tuple[Band, ...]:
    """The bands to draw for the gaps that touch the span, in order of time."""
    near_us = max(1, (end_us - start_us) // RESOLUTION)
    runs: list[list[Gap]] = []
    reaches_us = start_us
    for gap in sorted(gaps, key=lambda gap: gap.start_us):
        if gap.start_us >= end_us or gap.end_us < start_us:
            continue
        if runs and gap.start_us - reaches_us <= near_us:
            runs[-1].append(gap)
        else:
            runs.append([gap])
        reaches_us = max(reaches_us, gap.end_us)
    return tuple(_band(run, start_us, end_us) for run in runs)


def lost_words(gaps: Sequence[Gap]) -> str:
    """How many events were lost in them, as far as anybody knows."""
    lost = [gap for gap in gaps if gap.reason not in OWN_LIMITS]
    known = sum(gap.lost or 0 for gap in lost)
    let_go = sum(gap.lost or 0 for gap in gaps if gap.reason in OWN_LIMITS)
    own = f"{number(let_go)} let go by limits of ours" if let_go or not lost else ""
    if not lost:
        return own
    if all(gap.lost is not None for gap in lost):
        told = f"{number(known)} events lost"
    elif known:
        told = f"at least {number(known)} events lost"
    else:
        told = "how many events were lost is not known"
    return f"{told}, {own}" if own else told


def listing(gaps: Sequence[Gap], zone: tzinfo, *, opened: bool = False) -> Markup:
    """All of them below the chart; empty where there are none."""
    if not gaps:
        return Markup()
    count = f"{number(len(gaps))} gaps" if len(gaps) > 1 else "1 gap"
    told = f"{count}, {length(covered_us(gaps))} in all: {lost_words(gaps)}"
    newest = sorted(gaps, key=lambda gap: gap.start_us, reverse=True)
    items = [_item(gap, zone) for gap in newest[:LISTED]]
    if len(gaps) > LISTED:
        items.append(element("li", f"and {number(len(gaps) - LISTED)} earlier ones"))
    return element(
        "details", element("summary", _swatch(), " ", told), element("ul", *items),
        class_="gaps", open="" if opened else None,
    )  # fmt: skip


def _item(gap: Gap, zone: tzinfo) -> Markup:
    about = [REASONS[gap.reason], gap.source, gap.stream, gap.node, gap.detail]
    named = " · ".join(said(text, 200) for text in about if text)
    when = joined([time_element(gap.start_us, zone), " – ", time_element(gap.end_us, zone)])
    told = f" ({length(gap.end_us - gap.start_us)}) {named}; {lost_words((gap,))}"
    return element("li", when, told)


def _swatch() -> Markup:
    return element("span", class_="swatch k-gap", aria_hidden="true")


def _band(run: list[Gap], start_us: int, end_us: int) -> Band:
    begins = max(start_us, run[0].start_us)
    return Band(begins, min(end_us, max(gap.end_us for gap in run)), tuple(run))
