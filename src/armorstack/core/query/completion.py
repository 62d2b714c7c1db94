"""What may be typed next: fields, and the words that a field knows.

Invariant: a suggestion replaces the word before the cursor, and nothing else. Values of events
must not go here: they are asked of a store.
"""

import re

from msgspec import Struct

from armorstack.core.policy_change import TYPE
from armorstack.core.query.names import FACETS, QUERY_FIELDS, canonical

KEYWORDS = {"and": "both", "or": "either of them", "not": "what follows is not so"}
WORDS: dict[str, tuple[str, ...]] = {
    "stream": ("alert", "log", "message"),
    "type": (
        "MatchedPolicy", "MatchedHostPolicy", "MatchedNetworkPolicy", "SystemEvent",
        "ContainerLog", "HostLog", "Message", TYPE,
    ),
    "operation": (
        "Process", "File", "Network", "Syscall", "Capabilities", "Device", "NetworkFirewall",
        "AlertThreshold",
    ),
    "action": ("Allow", "Audit", "Block"),
    "intended": ("Allow", "Block"),
    "result": ("Passed", '"Permission denied"'),
    "level": ("INFO", "WARN", "ERROR", "DEBUG"),
    "time": ("now-1h", "now-24h", "now-7d"),
}  # fmt: skip
"""Field → KubeArmor's own words for it, as they are typed."""
_TEST = re.compile(
    r"(?P<name>[\w.]+)(?P<operator>!=|[<>]=?|[:=])(?:\([^()]*[ ,(]|\()?(?P<value>[^\s(),]*)\Z"
)
_WORD = re.compile(r"[\w.]*\Z")


class Suggestion(Struct, frozen=True):
    """A text that may stand from `start` to the cursor."""

    start: int
    text: str
    doc: str = ""


def complete(text: str, cursor: int | None = None) -> tuple[Suggestion, ...]:
    """What may stand before the cursor (the end of the text by default), the likeliest first."""
    before = text if cursor is None else text[:cursor]
    if _in_quotes(before):
        return ()
    if test := _TEST.search(before):
        return _values(test["name"], test["value"], test.start("value"))
    word = _WORD.search(before)
    assert word is not None
    return _terms(word[0], word.start())


def _values(name: str, begun: str, start: int) -> tuple[Suggestion, ...]:
    if name == "exists":
        return tuple(
            Suggestion(start, each.text.rstrip(":"), each.doc) for each in _names(begun, 0)
        )
    known = WORDS.get(canonical(name) or "", ())
    fits = [word for word in known if word.strip('"').lower().startswith(begun.lower())]
    return tuple(Suggestion(start, word) for word in fits)


def _terms(begun: str, start: int) -> tuple[Suggestion, ...]:
    words = [
        Suggestion(start, f"{word} ", doc)
        for word, doc in KEYWORDS.items()
        if begun and word.startswith(begun.lower())
    ]
    return (*_names(begun, start), *words)


def _names(begun: str, start: int) -> tuple[Suggestion, ...]:
    """Fields whose name begins so; those of the facets first."""
    names = dict.fromkeys((*FACETS, *QUERY_FIELDS))
    fits = [name for name in names if name.lower().startswith(begun.lower())]
    return tuple(Suggestion(start, f"{name}:", QUERY_FIELDS[name].doc) for name in fits)


def _in_quotes(before: str) -> bool:
    """Whether the cursor stands within a quoted text."""
    return bool(re.sub(r"\\.|\"(?:[^\"\\]|\\.)*\"", "", before, flags=re.DOTALL).count('"'))
