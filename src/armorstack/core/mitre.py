"""MITRE ATT&CK references in the tags of a policy: tactics, techniques, sub-techniques.

Tags are written by people: `MITRE_T1552_unsecured_credentials`, `MITRE_TA0008_lateral_movement`,
`MITRE_execution`, `MITRE-T1562.001`, or `MITRE` and `T1105` as two tags. Every reference in every
tag is found, not only the first. Tactic names come from the table below; a technique's name is the
one its tag gives, since the names of 600 techniques would have to be kept up to date.

Must not go here: what the references become in a document.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

FRAMEWORK = "MITRE ATT&CK"

TACTICS: dict[str, str] = {
    "TA0043": "Reconnaissance",
    "TA0042": "Resource Development",
    "TA0001": "Initial Access",
    "TA0002": "Execution",
    "TA0003": "Persistence",
    "TA0004": "Privilege Escalation",
    "TA0005": "Defense Evasion",
    "TA0006": "Credential Access",
    "TA0007": "Discovery",
    "TA0008": "Lateral Movement",
    "TA0009": "Collection",
    "TA0011": "Command and Control",
    "TA0010": "Exfiltration",
    "TA0040": "Impact",
}
"""The fourteen tactics of the enterprise matrix, in its order: id → name."""

_ID = r"(TA[0-9]{4}|T[0-9]{4}(?:\.[0-9]{3})?)"
_PREFIXED = re.compile(rf"MITRE[_-]{_ID}(?![0-9])[\W_]*(.*)", re.IGNORECASE | re.DOTALL)
_BARE = re.compile(rf"{_ID}(?:_(.*))?", re.IGNORECASE | re.DOTALL)
_MARK = re.compile(r"MITRE(?:[_-](.+))?", re.IGNORECASE | re.DOTALL)
_SMALL_WORDS = frozenset(("a", "and", "for", "from", "in", "of", "on", "or", "the", "to", "via"))


class Attack(Struct, frozen=True):
    """The references in the tags of one event, each once, in the order of the tags."""

    mentioned: bool = False
    """Whether the tags speak of MITRE at all, be it without a reference."""
    tactic_ids: tuple[str, ...] = ()
    tactic_names: tuple[str, ...] = ()
    technique_ids: tuple[str, ...] = ()
    technique_names: tuple[str, ...] = ()
    subtechnique_ids: tuple[str, ...] = ()
    subtechnique_names: tuple[str, ...] = ()


def _word(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", text.strip().lower())


_TACTIC_IDS = {_word(name): id_ for id_, name in TACTICS.items()}


def name_from_tag(text: str) -> str:
    """The words of a tag as a name: `command_and_scripting` becomes Command and Scripting."""
    words = [word for word in re.split(r"[\s_-]+", text) if word]
    small = [i > 0 and word.lower() in _SMALL_WORDS for i, word in enumerate(words)]
    return " ".join(
        word.lower() if is_small else word[:1].upper() + word[1:]
        for word, is_small in zip(words, small, strict=True)
    )


class _Found:
    """Ids and names while the tags are read; dictionaries keep each once and in order."""

    def __init__(self) -> None:
        self.tactics: dict[str, str] = {}
        self.techniques: dict[str, str] = {}
        self.subtechniques: dict[str, str] = {}

    def add(self, id_: str, words: str | None) -> None:
        id_ = id_.upper()
        name = name_from_tag(words or "")
        if id_.startswith("TA"):
            self.tactics[id_] = TACTICS.get(id_) or self.tactics.get(id_) or name
            return
        technique, _, sub = id_.partition(".")
        if sub:
            self.subtechniques[id_] = self.subtechniques.get(id_) or name
            name = ""
        self.techniques[technique] = self.techniques.get(technique) or name

    def attack(self, mentioned: bool) -> Attack:
        return Attack(
            mentioned,
            tuple(self.tactics),
            _names(self.tactics),
            tuple(self.techniques),
            _names(self.techniques),
            tuple(self.subtechniques),
            _names(self.subtechniques),
        )


def _names(found: dict[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in found.values() if name))


def _read_tag(tag: str, found: _Found, marked: bool) -> None:
    """One tag; `marked` says that another tag is the bare word MITRE."""
    if reference := _PREFIXED.search(tag) or _BARE.fullmatch(tag):
        found.add(reference[1], reference[2])
        return
    mark = _MARK.fullmatch(tag)
    word = mark[1] if mark else tag if marked else None
    if word and (id_ := _TACTIC_IDS.get(_word(word))):
        found.add(id_, None)


def find_attack(tags: Sequence[str]) -> Attack:
    """Every reference in these tags."""
    found = _Found()
    marked = any(tag.upper() == "MITRE" for tag in tags)
    for tag in tags:
        _read_tag(tag, found, marked)
    return found.attack(marked or bool(found.tactics or found.techniques))
