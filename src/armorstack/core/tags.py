"""Tags as Fluentd has them, and their patterns.

An event's tag is `kubearmor.alert`, `kubearmor.log` or `kubearmor.message`, of a changed policy
`kubearmor.policy_change`, unless a filter of type `set` gave it another. In a pattern `*` is one
part of a tag, or a piece of one; `**` any number of parts, also none, or beside text whatever
follows, dots too; `{a,b}` is a choice, without spaces; patterns stand side by side with a space
(Fluentd's documentation, "How to control event routing").
"""

import re
from collections.abc import Iterable, Iterator

from armorstack.core.fields import STREAMS
from armorstack.errors import ConfigError

PREFIX = "kubearmor."
MESSAGE_TAG = PREFIX + "message"
CHANGE_TAG = PREFIX + "policy_change"
"""Of messages that tell a change of a policy."""
STREAM_TAGS = (*(PREFIX + stream for stream in STREAMS), CHANGE_TAG)
TAG = re.compile(r"[A-Za-z0-9_/-]+(\.[A-Za-z0-9_/-]+)*")
_STARS = re.compile(r"\\\*\\\*|\\\*")
_WILD = {r"\*": "[^.]*", r"\*\*": ".*"}
_CHOICE = re.compile(r"\{([^{}]*)\}")


def check_tag(path: str, tag: str) -> str:
    """The tag itself; raises `ConfigError` where it is none."""
    if not TAG.fullmatch(tag):
        hint = "parts of letters, digits, _, / and -, joined by dots, such as kubearmor.alert.apart"
        raise ConfigError(f"{path}: {tag!r} is not a tag", hint=hint)
    return tag


def matching(path: str, pattern: str, known: Iterable[str]) -> frozenset[str]:
    """The known tags that match; raises `ConfigError` where none does: nothing would ever come."""
    known = tuple(known)
    found = frozenset(tag for tag in known if _is_match(pattern, tag))
    if not found:
        raise ConfigError(f"{path}: no tag matches {pattern!r}", hint=f"tags: {', '.join(known)}")
    return found


def _is_match(pattern: str, tag: str) -> bool:
    return any(
        re.fullmatch(_regex(choice), tag)
        for single in pattern.split()
        for choice in _choices(single)
    )


def _choices(pattern: str) -> Iterator[str]:
    """The pattern without braces, once for each choice in them."""
    found = _CHOICE.search(pattern)
    if found is None:
        yield pattern
        return
    for choice in found[1].split(","):
        yield from _choices(pattern[: found.start()] + choice + pattern[found.end() :])


def _regex(pattern: str) -> str:
    """A part `**` takes the dot beside it along, so that `a.**` matches `a` as well."""
    result = ""
    for index, part in enumerate(pattern.split(".")):
        dot = r"\." if index else ""
        if part == "**":
            result += rf"({dot}[^.]+)*" if index else r"([^.]+(\.|$))*"
        else:
            dot = "" if result.endswith("$))*") else dot
            result += dot + _STARS.sub(lambda stars: _WILD[stars[0]], re.escape(part))
    return result
