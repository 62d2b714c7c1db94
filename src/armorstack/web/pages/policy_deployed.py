"""What is known of one deployed policy, above the board of its events; and who selects a pod.

Invariant: who may read some namespaces sees the documents of these alone, and of a policy no pod
elsewhere. What a policy says was written by somebody: it is shown as text, escaped. Must not go
here: panels.
"""

from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup
from msgspec import Struct

from armorstack.core.policy_change import TYPE
from armorstack.core.query.asked import Asked
from armorstack.core.query.parse import parse
from armorstack.core.query.question import Question
from armorstack.core.query.tree import Match, all_of
from armorstack.core.text import printable
from armorstack.errors import QueryStopped
from armorstack.policies.book import Book
from armorstack.policies.choice import visible
from armorstack.policies.document import PolicyDocument
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore, Row
from armorstack.web.charts.element import element, linked, said
from armorstack.web.charts.palette import Band, band
from armorstack.web.links import EVENTS, Links

MOST_NAMES = 60
MOST_CHANGES = 20
_POSTURE = "DefaultPosture"


class Look(Struct, frozen=True):
    """How a state is told besides by its word: a shape and a class of colours."""

    sign: str
    style: str


_LOOKS = {
    "firing": Look("▲", "k-block"), "quiet": Look("●", "k-allow"), "never fired": Look("○", "k-1"),
    "selects nothing": Look("◇", "k-audit"), "inactive": Look("‖", "k-rest"),
    "deleted": Look("✕", "k-rest"), "not deployed": Look("■", "k-audit"),
}  # fmt: skip


class Change(Struct, frozen=True):
    """One change of the policy, as the stream tells it."""

    time_us: int
    sentence: str
    lines: tuple[str, ...]
    """What is different."""
    href: str


class Named(Struct, frozen=True):
    """Pods or nodes that it selects."""

    title: str
    links: tuple[tuple[str, str], ...]
    more: int


class About(Struct, frozen=True):
    """One document."""

    id: str
    document: PolicyDocument
    look: Look
    band: Band
    alerts: tuple[tuple[str, int, str], ...]
    selected: tuple[Named, ...]
    changes: tuple[Change, ...] | None
    """None: time was up."""
    yaml: str


class Watched(Struct, frozen=True):
    """The book, as far as somebody may read it."""

    book: Book | None
    namespaces: tuple[str, ...] | None

    def documents(self) -> list[PolicyDocument]:
        """What may be seen; nothing where policies are not watched."""
        return visible(self.book.documents(), self.namespaces) if self.book else []


def look(state: str) -> Look:
    """How this state looks."""
    return _LOOKS[state]


def page_url(document: PolicyDocument, tz: str) -> str:
    """The page of this policy."""
    return _of(document, tz).url("/policy")


def alerts_url(document: PolicyDocument, tz: str, start: str, action: str = "") -> str:
    """Its alerts since then; of one action if named."""
    asked = _of(document, tz, "stream:alert")
    asked = asked.with_pick("action", action) if action else asked
    return asked.at(start, "now").url(EVENTS)


def _of(document: PolicyDocument, tz: str, q: str = "") -> Asked:
    asked = Asked(q=q, tz=tz).with_pick("policy", document.name)
    return asked.with_pick("namespace", document.namespace) if document.namespace else asked


def about(
    watched: Watched, links: Links, store: EventStore, budget: Budget
) -> tuple[About, ...]:  # fmt: skip
    """The documents of the policies that the URL names, in the namespaces that it names; those
    without a namespace always."""
    found = [each for each in watched.documents() if _is_meant(each, links.asked)]
    changes = _changes(found, links, store, budget) if found else {}
    return tuple(
        _about(n, each, links.asked.tz, None if changes is None else changes.get(resource(each)))
        for n, each in enumerate(found)
    )


def unknown(watched: Watched, asked: Asked, found: Sequence[About]) -> Markup:
    """A word that no document is known of the name, where policies are watched."""
    names = _wanted(asked, "policy")
    if watched.book is None or found or not names - {_POSTURE}:
        return Markup()
    return element("p", "No policy of this name is deployed or was, as far as is known here.",
                   class_="hint")  # fmt: skip


def selecting(watched: Watched, asked: Asked) -> Markup:
    """Which policies select the one pod that the URL names; nothing where pods are not watched."""
    namespaces, pods = _wanted(asked, "namespace"), _wanted(asked, "pod")
    book = watched.book
    if book is None or book.coverage() is None or len(namespaces) != 1 or len(pods) != 1:
        return Markup()
    if watched.namespaces is not None and not namespaces <= set(watched.namespaces):
        return Markup()
    uids = set(book.policies_of(next(iter(namespaces)), next(iter(pods))))
    found = [each for each in watched.documents() if each.uid in uids]
    if not found:
        told = "No policy" if watched.namespaces is None else "No policy of your namespaces"
        return element("p", f"{told} selects this pod.", class_="hint")
    names = [linked(page_url(each, asked.tz), said(each.name)) for each in found]
    return element("p", "Selected by ", Markup(", ").join(names), ".", class_="hint")


def resource(document: PolicyDocument) -> str:
    """What the events of its changes call it."""
    return "/".join(
        part for part in (document.kind, document.namespace, document.name) if part
    )  # fmt: skip


def _is_meant(each: PolicyDocument, asked: Asked) -> bool:
    namespaces = _wanted(asked, "namespace")
    return each.name in _wanted(asked, "policy") and (
        not namespaces or not each.namespace or each.namespace in namespaces
    )


def _wanted(asked: Asked, field: str) -> frozenset[str]:
    return frozenset(
        value for pick in asked.picks if pick.field == field for value in pick.include
    )  # fmt: skip


def _about(
    place: int, each: PolicyDocument, tz: str, changes: tuple[Change, ...] | None
) -> About:  # fmt: skip
    counts = (
        ("in 1 h", each.alerts_1h, alerts_url(each, tz, "now-1h")),
        ("in 24 h", each.alerts_24h, alerts_url(each, tz, "now-24h")),
        ("in 7 d", each.alerts_7d, alerts_url(each, tz, "now-7d")),
        ("blocked in 24 h", each.blocked_24h, alerts_url(each, tz, "now-24h", "Block")),
        ("audited in 24 h", each.audited_24h, alerts_url(each, tz, "now-24h", "Audit")),
    )
    lines = [printable(line) for line in each.yaml.splitlines()]
    return About(
        f"deployed-{place}", each, look(each.state), band(str(each.severity or "")), counts,
        tuple(_selected(each, tz)), changes, "\n".join(lines),
    )  # fmt: skip


def _selected(each: PolicyDocument, tz: str) -> Iterator[Named]:
    """Nothing where it cannot be known."""
    if not each.selection_known or not each.is_deployed:
        return
    if each.kind == "KubeArmorHostPolicy":
        links = ((name, Asked(tz=tz).with_pick("node", name).url("/node")) for name in each.nodes)
        yield _named("node", "nodes", links, each.nodes_count)
    else:
        yield _named("pod", "pods", ((pod, _pod_url(pod, tz)) for pod in each.pods),
                     each.pods_count)  # fmt: skip


def _named(one: str, many: str, links: Iterable[tuple[str, str]], count: int) -> Named:
    shown = tuple(links)[:MOST_NAMES]
    return Named(f"{count:,} {one if count == 1 else many}", shown, count - len(shown))


def _pod_url(pod: str, tz: str) -> str:
    namespace, _, name = pod.partition("/")
    asked = Asked(tz=tz).with_pick("namespace", namespace).with_pick("pod", name)
    return asked.url("/pod")


def _changes(
    found: Iterable[PolicyDocument], links: Links, store: EventStore, budget: Budget
) -> dict[str, tuple[Change, ...]] | None:  # fmt: skip
    """The newest changes by what they are of, whatever the span asked for; None: time is up."""
    made: dict[str, tuple[Change, ...]] = {}
    try:
        for each in found:
            name = resource(each)
            where = all_of([parse(f"type:{TYPE}", 0), Match("resource", (name,), exact=True)])
            rows = store.events(
                Question(where), budget, size=MOST_CHANGES, columns=("message", "data")
            ).rows  # fmt: skip
            made[name] = tuple(_change(row, links) for row in rows)
    except QueryStopped:
        return None
    return made


def _change(row: Row, links: Links) -> Change:
    lines = tuple(printable(line, 400) for line in (row.get("data") or "").splitlines()[:50])
    return Change(row["time"], said(row.get("message") or "", 400), lines, links.event(row))
