"""A KubeArmor policy of any of the three kinds, read from what the API server or a file says.

Group `security.kubearmor.com`, version `v1` (KubeArmor's `KubeArmorPolicySpec`,
`KubeArmorHostPolicySpec`, `KubeArmorClusterPolicySpec`). Invariant: what can be shown is shown:
only an object without a name, or whose spec is none, is refused; parts of a spec that mean nothing
to us are left where they are, in `spec`. What is kept is JSON, so that it can be compared and
written whatever a file held. Must not go here: who is selected.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from armorstack.core.text import printable
from armorstack.errors import PolicyError
from armorstack.policies.objects import items, labels_of, mapping, text

Kind = Literal["KubeArmorPolicy", "KubeArmorHostPolicy", "KubeArmorClusterPolicy"]
KINDS: tuple[Kind, ...] = ("KubeArmorPolicy", "KubeArmorHostPolicy", "KubeArmorClusterPolicy")
GROUP = "security.kubearmor.com"
DEFAULT_ACTION = "Block"
"""What KubeArmor takes where none is said."""
ACTIONS = {"allow": "Allow", "audit": "Audit", "block": "Block"}
SECTIONS = ("process", "file", "network", "capabilities", "syscalls")
_FORMS = {
    "matchPaths": ("path", "execname"), "matchDirectories": ("dir",), "matchPatterns": ("pattern",),
    "matchProtocols": ("protocol",), "matchCapabilities": ("capability",),
    "matchSyscalls": ("syscall",),
}  # fmt: skip
"""List of a section → the members that say what is matched; the first that is there does."""
DEEPEST = 100
"""Levels of an object; a policy has ten."""
_FLAGS = ("recursive", "ownerOnly", "readOnly")


class Expression(Struct, frozen=True):
    """One of `matchExpressions`."""

    key: str
    """`label` or `namespace`."""
    operator: str
    """`In` or `NotIn`."""
    values: tuple[str, ...]
    """Of labels: `key=value`."""


class Selector(Struct, frozen=True):
    """Whom a policy is for, as it is written."""

    labels: dict[str, str] = {}
    expressions: tuple[Expression, ...] = ()


class Rule(Struct, frozen=True):
    """One thing that is matched, with what it takes from its section and its policy."""

    section: str
    """One of `SECTIONS`."""
    form: str
    """`path`, `execname`, `dir`, `pattern`, `protocol`, `capability` or `syscall`."""
    value: str
    action: str
    severity: int = 0
    tags: tuple[str, ...] = ()
    message: str = ""
    sources: tuple[str, ...] = ()
    """Paths of `fromSource`; none: whoever does it."""
    flags: tuple[str, ...] = ()


class Policy(Struct, frozen=True):
    """One policy that is deployed."""

    uid: str
    kind: Kind
    namespace: str
    """Empty where the kind has none."""
    name: str
    spec: dict[str, Any]
    selector: Selector
    action: str = DEFAULT_ACTION
    severity: int = 0
    """0: it says none."""
    tags: tuple[str, ...] = ()
    message: str = ""
    status: str = ""
    """`Active` or `Inactive`, where it says so."""
    rules: tuple[Rule, ...] = ()
    spec_hash: str = ""
    generation: int = 0
    created_us: int = 0
    changed_us: int = 0
    manager: str = ""
    """The field manager that last wrote the spec."""

    @property
    def title(self) -> str:
        """`KIND NAMESPACE/NAME`."""
        return title(self.kind, self.namespace, self.name)


def policy_of(found: Mapping[str, Any]) -> Policy:
    """The policy that an object is. Raises PolicyError, which names it, for one that is none."""
    found = _as_json(mapping(found))
    kind, about = _kind(found), mapping(found.get("metadata"))
    name = text(about.get("name"))
    if not name:
        raise PolicyError(f"{kind}: metadata.name: missing")
    namespace = text(about.get("namespace")) if kind == "KubeArmorPolicy" else ""
    if kind == "KubeArmorPolicy":
        namespace = namespace or "default"
    spec = found.get("spec")
    if not isinstance(spec, dict):
        raise PolicyError(f"{title(kind, namespace, name)}: spec: missing")
    manager, changed_us = _last_manager(about)
    created_us = _time(about.get("creationTimestamp"))
    return Policy(
        uid=text(about.get("uid")) or f"{kind}/{namespace}/{name}", kind=kind, namespace=namespace,
        name=name, spec=spec, selector=_selector(kind, spec), action=_action(spec.get("action")),
        severity=_severity(spec), tags=_texts(spec.get("tags")), message=text(spec.get("message")),
        status=text(spec.get("status")), rules=tuple(_rules(spec)), spec_hash=spec_hash(spec),
        generation=_integer(about.get("generation")), created_us=created_us,
        changed_us=max(changed_us, created_us), manager=manager,
    )  # fmt: skip


def title(kind: str, namespace: str, name: str) -> str:
    """How a policy is called in sentences: `KIND NAMESPACE/NAME`."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def spec_hash(spec: Mapping[str, Any]) -> str:
    """What tells this spec from any other, whatever the order of its members."""
    written = msgspec.json.encode(spec, order="deterministic")
    return hashlib.sha256(written).hexdigest()[:16]


def _as_json(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object as JSON has it. A file's may hold dates, and names that are numbers."""
    try:
        read = msgspec.json.decode(msgspec.json.encode(found))
        _check_depth(read)
        return mapping(read)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        about = mapping(found.get("metadata"))
        kind, *rest = (
            printable(text(each), 253)
            for each in (found.get("kind"), about.get("namespace"), about.get("name"))
        )
        raise PolicyError(
            f"{title(kind or 'object', *rest).strip()}: cannot be written as JSON",
            hint=f"names are texts, texts whole characters, and {DEEPEST} levels the most",
        ) from error


def _check_depth(read: Any) -> None:
    """Raises ValueError, so that whatever goes down into a spec comes back."""
    level = [read]
    for _ in range(DEEPEST):
        within = [each.values() if isinstance(each, dict) else items(each) for each in level]
        if not (level := [value for values in within for value in values]):
            return
    raise ValueError


def _kind(found: Mapping[str, Any]) -> Kind:
    group = text(found.get("apiVersion")).partition("/")[0]
    for kind in KINDS:
        if found.get("kind") == kind and group == GROUP:
            return kind
    told = f"{text(found.get('apiVersion'))[:80]} {text(found.get('kind'))[:80]}".strip()
    raise PolicyError(
        f"kind: {told or 'nothing'} is no KubeArmor policy",
        hint=f"kinds of {GROUP}/v1 are: {', '.join(KINDS)}",
    )


def _selector(kind: Kind, spec: Mapping[str, Any]) -> Selector:
    written = spec.get("nodeSelector" if kind == "KubeArmorHostPolicy" else "selector")
    found = mapping(written)
    return Selector(
        labels_of(found.get("matchLabels")),
        tuple(
            Expression(
                text(each.get("key")), text(each.get("operator")), _texts(each.get("values"))
            )
            for each in map(mapping, items(found.get("matchExpressions")))
        ),
    )


def _rules(spec: Mapping[str, Any]) -> Iterator[Rule]:
    for section in SECTIONS:
        within = mapping(spec.get(section))
        for form, members in _FORMS.items():
            for each in map(mapping, items(within.get(form))):
                for member, value in _matched(each, members):
                    yield _rule(section, member, value, each, (within, spec))


def _matched(each: Mapping[str, Any], members: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What one entry matches; protocols and capabilities may be several with commas between."""
    for member in members:
        found = each.get(member)
        if isinstance(found, list):
            yield from ((member, value) for value in _texts(found))
            return
        if text(found):
            several = member in ("protocol", "capability")
            for value in text(found).split(",") if several else [text(found)]:
                yield member, value.strip() if several else value
            return


def _rule(
    section: str, form: str, value: str, each: Mapping[str, Any],
    above: tuple[Mapping[str, Any], ...],
) -> Rule:  # fmt: skip
    """What the entry does not say itself, its section says, else its policy."""
    levels = (each, *above)
    written = next((level["action"] for level in levels if text(level.get("action"))), None)
    sources = [mapping(source) for source in items(each.get("fromSource"))]
    return Rule(
        section,
        form,
        value,
        _action(written),
        severity=next((found for level in levels if (found := _severity(level))), 0),
        tags=next((tags for level in levels if (tags := _texts(level.get("tags")))), ()),
        message=next((said for level in levels if (said := text(level.get("message")))), ""),
        sources=tuple(s for each in sources if (s := text(each.get("path") or each.get("dir")))),
        flags=tuple(flag for flag in _FLAGS if each.get(flag) is True),
    )


def _action(written: Any) -> str:
    found = text(written)
    return ACTIONS.get(found.lower(), found) or DEFAULT_ACTION


def _severity(level: Mapping[str, Any]) -> int:
    return _integer(level.get("severity"))


def _integer(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(each for each in items(value) if isinstance(each, str))


def _last_manager(about: Mapping[str, Any]) -> tuple[str, int]:
    """Who last wrote something of the spec, and when (microseconds); nobody, where none is said."""
    found = [
        (_time(each.get("time")), text(each.get("manager")))
        for each in map(mapping, items(about.get("managedFields")))
        if "f:spec" in mapping(each.get("fieldsV1")) and not each.get("subresource")
    ]
    changed_us, manager = max(found, default=(0, ""))
    return manager, changed_us


def _time(written: Any) -> int:
    """RFC 3339 as microseconds since 1970; 0 where it is none."""
    try:
        found = datetime.fromisoformat(text(written))
        return round(found.timestamp() * 1_000_000) if found.tzinfo else 0
    except (ValueError, OverflowError):
        return 0
