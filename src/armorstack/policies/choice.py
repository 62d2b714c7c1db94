"""Which documents somebody asked for, and who may see them.

Invariant: a reader of some namespaces sees the namespaced policies of these alone, and of their
pods no other. Must not go here: how they are shown.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from armorstack.policies.document import PolicyDocument


class Choice(Struct, frozen=True, kw_only=True):
    """What is wanted; an empty text is anything."""

    state: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    action: str = ""
    tag: str = ""
    text: str = ""
    """Somewhere in the name, the message, a rule or a tag, in any case."""


def chosen(documents: Iterable[PolicyDocument], choice: Choice) -> list[PolicyDocument]:
    """Those that are meant, in their order."""
    wanted = {
        name: value
        for name in ("state", "kind", "namespace", "name", "action")
        if (value := getattr(choice, name))
    }
    return [
        each
        for each in documents
        if all(getattr(each, name) == value for name, value in wanted.items())
        and (not choice.tag or choice.tag in each.tags)
        and _says(each, choice.text.casefold())
    ]


def visible(
    documents: Iterable[PolicyDocument], namespaces: Sequence[str] | None
) -> list[PolicyDocument]:  # fmt: skip
    """What somebody may see who may read these namespaces; None: all of them."""
    if namespaces is None:
        return list(documents)
    return [
        replace(each, nodes=(), nodes_count=0)
        for each in documents
        if each.kind == "KubeArmorPolicy" and each.namespace in namespaces
    ]


def states_of(documents: Iterable[PolicyDocument]) -> dict[str, int]:
    """How many are in each state."""
    return dict(Counter(each.state for each in documents))


def _says(document: PolicyDocument, text: str) -> bool:
    if not text:
        return True
    said = (document.name, document.message, *document.tags, *document.rules)
    return any(text in each.casefold() for each in said)
