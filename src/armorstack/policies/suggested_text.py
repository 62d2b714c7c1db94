"""Suggested policies as YAML for `kubectl apply`, with what a person should know as comments.

Invariant: the text is ASCII, a comment never leaves its line, and what YAML 1.1 or a reader of
YAML 1.2 could take for a number or a truth value stands in quotes: a document reads back as the
object that it was, in Python as in Go. Must not go here: what is suggested.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from msgspec.structs import replace

from armorstack.core.text import printable
from armorstack.policies.replay import Replay
from armorstack.policies.suggest import LeftOut, Suggested, Suggestion

MOST_LINES = 20
"""Of what was left out, for each policy; `--json` has more."""
_WIDE = 1 << 20
_BARE = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"))
HOW = (
    "Nothing was applied. Read it, try it with `kubectl apply --dry-run=server -f FILE`, then "
    "`kubectl apply -f FILE`."
)
ALLOWS = (
    "It allows: whatever of these sections it does not name is left to the default posture of the "
    "namespace, which may block it."
)


class _Dumper(yaml.SafeDumper):
    """Texts that could be anything else are quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    bare = _BARE.fullmatch(text) and text.lower() not in _WORDS
    style = None if bare else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def yaml_of(policy: dict[str, Any]) -> str:
    """The object as one YAML document, without a line before it."""
    return yaml.dump(policy, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=_WIDE)


def documents(suggestion: Suggestion, replays: Sequence[Replay] = ()) -> str:
    """All policies as documents of one file; `replays` are those of the policies, in order."""
    policies = suggestion.policies
    told = {each.workload for each in policies}
    lines = [
        f"{_number(len(policies), 'policy', 'policies')} suggested from "
        f"{_number(suggestion.events, 'event', 'events')}.",
        HOW,
        *left_out_lines([out for out in suggestion.left_out if out.workload not in told]),
    ]
    parts = ["".join(map(_comment, lines))]
    for place, each in enumerate(policies):
        replay = replays[place] if replays else None
        about = "".join(map(_comment, _about(each, suggestion, replay)))
        parts.append(f"---\n{about}{yaml_of(each.policy)}")
    return "".join(parts)


def _about(each: Suggested, suggestion: Suggestion, replay: Replay | None) -> Iterator[str]:
    yield f"{each.workload}: {_number(each.events, 'event', 'events')}"
    yield from (f"{note[:1].upper()}{note[1:]}." for note in each.notes)
    if each.policy["spec"]["action"] == "Allow":
        yield ALLOWS
    if replay:
        yield from replay_lines(replay)
    mine = [replace(out, workload="") for out in suggestion.left_out if _is_of(out, each)]
    yield from left_out_lines(mine)


def _is_of(out: LeftOut, each: Suggested) -> bool:
    return out.workload == each.workload


def replay_lines(replay: Replay) -> Iterator[str]:
    """What a replay found, in sentences."""
    reported = replay.matched - replay.new
    yield (
        f"Over {_number(replay.events, 'stored event', 'stored events')} it means "
        f"{replay.matched:,}: {reported:,} reported by alerts, {replay.new:,} new; "
        f"{replay.denied:,} were denied."
    )
    for count in replay.outside:
        yield f"Of {count.name} it would leave {count.events:,} to the default posture."
    yield from (f"Not told: {remark}." for remark in replay.remarks)


def left_out_lines(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Which values no rule names, and why; the most frequent ones."""
    for each in left_out[:MOST_LINES]:
        what = ": ".join(part for part in (each.workload, each.what, each.reason) if part)
        yield f"Left out: {_number(each.events, 'event', 'events')}: {what}"
    if len(left_out) > MOST_LINES:
        yield f"Left out: {len(left_out) - MOST_LINES:,} more; --json lists them"


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _comment(text: str) -> str:
    """One line of ASCII, whatever the text."""
    return f"# {printable(text, 300).encode('ascii', 'backslashreplace').decode()}\n"
