"""Details of an event as a map: EventData, or what KubeArmor would have made of Data and Resource.

KubeArmor before 1.7 sends no EventData. The same rule is applied here: texts are split at white
space, a key ends at the first `=`, its first letter is put in upper case, the later of two equal
keys wins, and Resource is read only for Network. So values are cut at spaces, as KubeArmor's are.

Must not go here: what a key means.
"""

from typing import Any

from armorstack.core.ecs.draft import Row

Pairs = dict[str, str]


def pairs_of(text: str) -> Pairs:
    """A text of `key=value` words as a map; words without `=` are left out."""
    pairs: Pairs = {}
    for word in text.split():
        key, found, value = word.partition("=")
        if found:
            pairs[key[:1].upper() + key[1:]] = value
    return pairs


def _derived(row: Row) -> Pairs:
    pairs = pairs_of(row["data"] or "")
    if row["operation"] == "Network":
        pairs.update(pairs_of(row["resource"] or ""))
    return pairs


def event_data(row: Row) -> Pairs:
    """EventData as sent, or derived where the event has none. Values may be empty (`flags=`)."""
    sent: Any = row["event_data"]
    if not sent:
        return _derived(row)
    pairs = dict(sent)
    if None in pairs.values():
        return {key: value for key, value in pairs.items() if value is not None}
    return pairs


def flattened(pairs: Pairs) -> Pairs:
    """The map with keys that a flattened field takes; the same object where nothing changes.

    A dot would be read as a level by some engines and not by others, a NUL is refused by all, and
    so is an empty key. A null is no value.
    """
    if all(map(str.isidentifier, pairs)):
        return pairs
    return {
        safe: value
        for key, value in pairs.items()
        if (safe := key.replace(".", "_").replace("\0", ""))
    }
