"""Which pods have a policy, and which have none: `/coverage`.

    namespace=    this namespace alone, with the policies of each of its pods
    text=         pods without a policy whose name says this

Invariant: who may read some namespaces is shown their pods alone. Whether a pod is covered is said
with all policies in mind, those of the whole cluster too; which these are is said to nobody who may
not see them. Must not go here: events.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from armorstack.core.query.asked import Asked
from armorstack.policies.book import Book
from armorstack.policies.choice import visible
from armorstack.policies.coverage import Covered, within
from armorstack.policies.document import PolicyDocument
from armorstack.web.desk import Desk, answer, asked_of, grant_of
from armorstack.web.pages.policy_deployed import page_url
from armorstack.web.render import page

PATH = "/coverage"
FILTERS = ("namespace", "text")
MOST = 500
"""Pods that a page names."""
Link = tuple[str, str]


class Bare(Struct, frozen=True):
    """The pods of a namespace that no policy selects, each with its page."""

    namespace: str
    pods: tuple[Link, ...]
    more: int


class Row(Struct, frozen=True):
    """A namespace, and the page of it alone."""

    covered: Covered
    href: str


class Shown(Struct, frozen=True):
    """What the page shows."""

    rows: tuple[Row, ...]
    bare: tuple[Bare, ...]
    pods: tuple[tuple[Link, tuple[Link, ...]], ...]
    """Where one namespace is asked for: pods with the policies that select them."""
    count: int
    bare_count: int


def routes(desk: Desk) -> list[Route]:
    """The page."""

    async def coverage(request: Request) -> Response:
        asked = asked_of(request, desk, FILTERS)
        asked = replace(asked, more=tuple(pair for pair in asked.more if pair[1]))
        namespaces = grant_of(request).namespaces
        shown = await answer(request, lambda _: _shown(desk.book, namespaces, asked))
        as_of_us = desk.book.as_of_us() if desk.book else 0
        return page(
            request, "coverage.html", asked=asked, shown=shown, as_of_us=as_of_us,
            namespace=asked.get("namespace"), text=asked.get("text"), plain=_plain(asked),
            namespaces=namespaces,
        )  # fmt: skip

    return [Route(PATH, coverage)]


def _shown(book: Book | None, namespaces: Sequence[str] | None, asked: Asked) -> Shown | None:
    found = book.coverage() if book else None
    if book is None or found is None:
        return None
    seen = within(found, namespaces)
    wanted = asked.get("namespace")
    chosen = [each for each in seen.namespaces if wanted in ("", each.namespace)]
    documents = visible(book.documents(), namespaces)
    return Shown(
        tuple(Row(each, asked.url(PATH, namespace=each.namespace)) for each in seen.namespaces),
        _bare(chosen, asked),
        _pods(documents, wanted, asked.tz) if wanted and chosen else (),
        seen.pods, seen.bare,
    )  # fmt: skip


def _bare(chosen: Iterable[Covered], asked: Asked) -> tuple[Bare, ...]:
    text, left, made = asked.get("text").casefold(), MOST, []
    for each in chosen:
        names = [name for name in each.bare if text in name.casefold()]
        if names:
            links = tuple(_pod(each.namespace, name, asked.tz) for name in names[:left])
            made.append(Bare(each.namespace, links, len(names) - len(links)))
            left -= len(links)
    return tuple(made)


def _pods(
    documents: Iterable[PolicyDocument], namespace: str, tz: str
) -> tuple[tuple[Link, tuple[Link, ...]], ...]:  # fmt: skip
    """By name; as far as documents name the pods that they select."""
    policies: dict[str, list[Link]] = {}
    for each in documents:
        for pod in each.pods:
            if pod.startswith(f"{namespace}/"):
                policies.setdefault(pod, []).append((each.name, page_url(each, tz)))
    return tuple(
        (_pod(namespace, pod.partition("/")[2], tz), tuple(policies[pod]))
        for pod in sorted(policies)[:MOST]
    )


def _pod(namespace: str, name: str, tz: str) -> Link:
    asked = Asked(tz=tz).with_pick("namespace", namespace).with_pick("pod", name)
    return name, asked.url("/pod")


def _plain(asked: Asked) -> str:
    return Asked(tz=asked.tz).url(PATH)
