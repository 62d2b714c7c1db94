"""The policy behind an event: rule.*, its tags, and threat.* from the ATT&CK references in them.

Must not go here: what was done about it (`verdict`).
"""

from functools import lru_cache

from armorstack.core.ecs.draft import ROOT, Document, Draft, Row
from armorstack.core.mitre import FRAMEWORK, Attack, find_attack
from armorstack.core.policy_change import TYPE, kind_of

DEFAULT_POSTURE = "DefaultPosture"
LONGEST_REMEMBERED = 512

RULESETS = {
    "MatchedPolicy": "KubeArmorPolicy",
    "MatchedHostPolicy": "KubeArmorHostPolicy",
    "MatchedNetworkPolicy": "KubeArmorNetworkPolicy",
    "MatchedClusterPolicy": "KubeArmorClusterPolicy",
    "ContainerLog": "KubeArmorPolicy",
    "HostLog": "KubeArmorHostPolicy",
}
"""Type → the policy's kind. KubeArmor's file puts a policy on logs too (quirk 7), and KubeArmor
1.7 gives a cluster policy's events the Type MatchedPolicy."""


def _union(tags: str, listed: tuple[str, ...]) -> tuple[str, ...]:
    """ATags with what only Tags has.

    Tags is ATags joined by commas (quirk 11), so it is split only when it says something else.
    """
    each = list(listed)
    if tags != ",".join(listed):
        each += tags.split(",")
    return tuple(dict.fromkeys(tag for tag in map(str.strip, each) if tag))


def _read_tags(tags: str, listed: tuple[str, ...]) -> tuple[tuple[str, ...], Attack]:
    union = _union(tags, listed)
    return union, find_attack(union)


_remembered_tags = lru_cache(maxsize=1024)(_read_tags)
"""The tags of a policy come again with each event. Long ones are read anew, so that hostile tags
cannot fill the memory."""


def _object(**lists: tuple[str, ...]) -> Document:
    return {leaf: list(values) for leaf, values in lists.items() if values}


def _threat(attack: Attack) -> Document:
    threat: Document = {"framework": FRAMEWORK}
    technique = _object(id=attack.technique_ids, name=attack.technique_names)
    if attack.subtechnique_ids:
        technique["subtechnique"] = _object(
            id=attack.subtechnique_ids, name=attack.subtechnique_names
        )
    if technique:
        threat["technique"] = technique
    if attack.tactic_ids:
        threat["tactic"] = _object(id=attack.tactic_ids, name=attack.tactic_names)
    return threat


def add_tags(row: Row, draft: Draft) -> None:
    """The policy's tags, and the ATT&CK references in them."""
    tags = row["tags"] or ""
    listed = tuple(tag for tag in row["atags"] or () if tag is not None)
    if not tags and not listed:
        return
    is_short = len(tags) + sum(map(len, listed)) <= LONGEST_REMEMBERED
    union, attack = (_remembered_tags if is_short else _read_tags)(tags, listed)
    if union:
        draft[ROOT]["tags"] = list(union)
    if attack.mentioned:
        draft[ROOT]["threat"] = _threat(attack)


def ruleset(row: Row) -> str | None:
    """The kind of the policy, or that the default posture decided, for want of one."""
    if row["policy_name"] == DEFAULT_POSTURE:
        return DEFAULT_POSTURE
    if row["type"] == TYPE:
        return kind_of(row["resource"]) or None
    return RULESETS.get(row["type"] or "")


def add_rule(row: Row, draft: Draft) -> None:
    """The policy that matched, if one did."""
    policy = row["policy_name"]
    if not policy:
        return
    rule = draft["rule"]
    namespace = row["namespace_name"]
    rule["id"] = f"{namespace}/{policy}" if namespace else policy
    if kind := ruleset(row):
        rule["ruleset"] = kind
    if operation := row["operation"]:
        rule["category"] = operation
    if text := row["message"]:
        rule["description"] = text
