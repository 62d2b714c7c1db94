"""Which objects an API server takes for a policy: the shapes of KubeArmor's resource definitions.

`faults` says where an object differs from them. The facts are those of the structs in KubeArmor's
`pkg/KubeArmorController/api` (main, 2026); of what versions know differently the wider is taken.
Must not go here: what a policy means, and what KubeArmor does with it.
"""

import re

from armorstack.policies.kernel_names import CAPABILITIES, PROTOCOLS, SYSCALLS
from armorstack.policies.shapes import (
    Anything,
    Fault,
    Flag,
    Many,
    Members,
    Number,
    Shape,
    Text,
    Texts,
    differences,
)

API_VERSION = "security.kubearmor.com/v1"
POLICY, HOST_POLICY, CLUSTER_POLICY = (
    "KubeArmorPolicy", "KubeArmorHostPolicy", "KubeArmorClusterPolicy",
)  # fmt: skip
ACTIONS = ("Allow", "Audit", "Block")
LEAST_SEVERITY, MOST_SEVERITY = 1, 10

PATH = re.compile(r"^/+.*[^/]\Z")
"""A file; the expressions are searched for, as an API server does it."""
FOLDER = re.compile(r"^/\Z|^/.*/\Z")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

_TEXT = Text()
_ABOUT: dict[str, Shape] = {
    "severity": Number(LEAST_SEVERITY, MOST_SEVERITY),
    "tags": Many(_TEXT),
    "message": _TEXT,
}
_DONE: dict[str, Shape] = _ABOUT | {
    "action": Text(choices=frozenset(ACTIONS), meaning="Allow, Audit or Block")
}
_PATH = Text(PATH, meaning="an absolute path that does not end in /")
_FOLDER = Text(FOLDER, meaning="an absolute path that ends in /")
_OWNER: dict[str, Shape] = {"ownerOnly": Flag()}
_READ: dict[str, Shape] = {"readOnly": Flag()}
_FROM: dict[str, Shape] = {"fromSource": Many(Members({"path": _PATH}))}
_CALLER: dict[str, Shape] = {
    "fromSource": Many(Members({"path": _PATH, "dir": _TEXT, "recursive": Flag()})),
    "syscall": Many(Text(choices=SYSCALLS, meaning="a system call")),
}


def _ends_in(names: frozenset[str], meaning: str, *, capitals: bool = False) -> Text:
    """A text that ends in one of the names, so that several may stand in it with commas."""
    each = sorted(names | {name.upper() for name in names} if capitals else names)
    return Text(re.compile(rf"({'|'.join(each)})\Z"), meaning=meaning)


_BINARY = Text(re.compile(r"^[^/]+\Z"), meaning="a file's name without /")
_PROTOCOL = _ends_in(PROTOCOLS, "a protocol, such as tcp", capitals=True)
_CAPABILITY = _ends_in(CAPABILITIES, "a capability, such as net_raw")


def _of_paths(also: dict[str, Shape], names: dict[str, Shape]) -> Members:
    """A section about programs or files; `names` are further ways to name one."""
    both = _DONE | _OWNER | also
    path = both | _FROM | {"path": _PATH}
    folder = both | _FROM | {"dir": _FOLDER, "recursive": Flag()}
    return Members(
        _DONE
        | {
            "matchPaths": Many(Members(path | names, () if names else ("path",))),
            "matchDirectories": Many(Members(folder, ("dir",))),
            "matchPatterns": Many(Members(both | {"pattern": _TEXT}, ("pattern",))),
        }
    )


def _of_names(list_name: str, member: str, text: Text, *, on_host: bool) -> Members:
    """A section that lists one kind of name; on a node each must say from which programs."""
    required = (member, "fromSource") if on_host else (member,)
    rule = Members(_DONE | _FROM | {member: text}, required)
    return Members(_DONE | {list_name: Many(rule)})


_SYSCALLS = Members(
    _ABOUT
    | {
        "matchSyscalls": Many(Members(_CALLER)),
        "matchPaths": Many(Members(_CALLER | {
            "path": Text(re.compile(rf"({PATH.pattern})|({FOLDER.pattern})"), meaning="a path"),
            "recursive": Flag(),
        })),
    }
)  # fmt: skip


def _sections(*, on_host: bool) -> dict[str, Shape]:
    protocols = _of_names("matchProtocols", "protocol", _PROTOCOL, on_host=on_host)
    capabilities = _of_names("matchCapabilities", "capability", _CAPABILITY, on_host=on_host)
    return _DONE | {
        "process": _of_paths({}, {"execname": _BINARY}),
        "file": _of_paths(_READ, {}),
        "network": protocols,
        "capabilities": capabilities,
        "syscalls": _SYSCALLS,
        "apparmor": _TEXT,
        "presets": Anything(),
    }


def _expression(*keys: str) -> Members:
    return Members({
        "key": Text(choices=frozenset(keys), meaning=" or ".join(keys)),
        "operator": Text(choices=frozenset(("In", "NotIn")), meaning="In or NotIn"),
        "values": Many(_TEXT),
    })  # fmt: skip


_PODS = Members({"matchLabels": Texts(), "matchExpressions": Many(_expression("label"))})
_STATUS = Text(choices=frozenset(("Active", "Inactive")), meaning="Active or Inactive")
_NAMESPACES = Members({"matchExpressions": Many(_expression("namespace", "label"))})
_NODES = Members({"matchLabels": Texts()})

SPECS: dict[str, Members] = {
    POLICY: Members(_sections(on_host=False) | {"selector": _PODS, "status": _STATUS}),
    CLUSTER_POLICY: Members(_sections(on_host=False) | {"selector": _NAMESPACES}),
    HOST_POLICY: Members(
        _sections(on_host=True) | {"nodeSelector": _NODES, "device": Anything()}, ("nodeSelector",)
    ),
}
"""Kind → the shape of its spec."""


def faults(policy: object) -> list[Fault]:
    """Where the object is not what the definition of its kind says; none where it is."""
    if not isinstance(policy, dict):
        return [("", "is no object")]
    found: list[Fault] = []
    if policy.get("apiVersion") != API_VERSION:
        found.append(("apiVersion", f"is not {API_VERSION}"))
    found += _metadata(policy.get("metadata"))
    spec = SPECS.get(kind) if isinstance(kind := policy.get("kind"), str) else None
    if spec is None:
        return [*found, ("kind", f"is none of {', '.join(SPECS)}")]
    return found + differences("spec", policy.get("spec", {}), spec)


def is_name(text: str) -> bool:
    """Whether an object may be called so."""
    return _NAME.fullmatch(text) is not None


def _metadata(metadata: object) -> list[Fault]:
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if isinstance(name, str) and is_name(name):
        return []
    return [("metadata.name", "is no name: lower case letters, digits, - and .")]
