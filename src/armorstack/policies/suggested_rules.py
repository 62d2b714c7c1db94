"""The sections of a suggested policy, out of the different acts that were seen.

Invariant: what comes out is in order of its values, so that the same events make the same text;
a rule names a source only where all its events have that one, except on a node, where rules about
protocols and capabilities must name them all. Must not go here: events; what a section is worth.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, TypeAlias

from armorstack.policies.acts import Section, folder_of

MOST_RULES = 200
"""Of a policy; KubeArmor advises against more than 512 for a container."""
MOST_SOURCES = 64
"""Programs that are told apart for one thing."""


class Seen:
    """How one thing was done: how often, by which programs, and whether only read."""

    __slots__ = ("events", "only_reads", "sources")

    def __init__(self) -> None:
        self.events = 0
        self.sources: set[str] = set()
        self.only_reads = True

    def add(self, source: str, count: int, *, is_read: bool) -> int:
        """So many events more. Returns how many sources are new: 1 or 0."""
        before = len(self.sources)
        if before < MOST_SOURCES:
            self.sources.add(source)
        self.events += count
        self.only_reads = self.only_reads and is_read
        return len(self.sources) - before

    def join(self, other: "Seen") -> None:
        """The other's events, too."""
        self.sources |= other.sources
        self.events += other.events
        self.only_reads = self.only_reads and other.only_reads


Values: TypeAlias = dict[tuple[Section, str], Seen]
"""Section and value → how it was done."""
Rule: TypeAlias = dict[str, Any]


class Observed:
    """What was seen of one workload."""

    def __init__(self) -> None:
        self.values: Values = {}
        self.labels: dict[str, str] | None = None
        self.containers: set[str] = set()
        self.is_bare = False
        """Whether an event names no container."""

    def belongs(self, labels: Mapping[str, str], container: str) -> None:
        """Labels that not all of them have are nobody's; an event may lack them all."""
        self.is_bare = self.is_bare or not container
        if labels:
            before = self.labels if self.labels is not None else labels
            self.labels = {k: v for k, v in before.items() if labels.get(k) == v}
        if container:
            self.containers.add(container)


def folded(values: Values, siblings: int) -> Values:
    """The same with a folder, `/` at its end, in place of so many or more files directly in it; 0:
    never, nor ever the root."""
    found: Values = {}
    files = Counter(
        (section, folder_of(path)) for section, path in values if not path.endswith("/")
    )
    for (section, value), seen in values.items():
        folder = folder_of(value) if section in ("process", "file") else ""
        crowded = folder not in ("", "/") and 0 < siblings <= files[section, folder]
        found.setdefault((section, folder if crowded else value), Seen()).join(seen)
    return found


def most_frequent(values: Values) -> tuple[Values, Values]:
    """As many as a policy gets, and the others."""
    ordered = sorted(values, key=lambda key: (-values[key].events, key))
    kept = {key: values[key] for key in ordered[:MOST_RULES]}
    return kept, {key: values[key] for key in ordered[MOST_RULES:]}


def sections(values: Values, *, allows: bool, on_node: bool) -> dict[str, Any]:
    """The sections that these acts need, as members of a spec.

    `allows`: of a policy that allows, files that were only read may be no more than read. (Where a
    policy audits or blocks, `readOnly` means the opposite: that reading is not its business.)
    """
    of: dict[Section, dict[str, Seen]] = defaultdict(dict)
    for (section, value), seen in sorted(values.items(), key=lambda each: each[0]):
        of[section][value] = seen
    made = {
        "process": _paths(of["process"], allows=False),
        "file": _paths(of["file"], allows=allows),
        "network": _named("matchProtocols", "protocol", of["network"], on_node),
        "capabilities": _named("matchCapabilities", "capability", of["capabilities"], on_node),
        "syscalls": _calls(of["syscalls"]),
    }
    return {name: section for name, section in made.items() if section}


def _paths(paths: dict[str, Seen], *, allows: bool) -> dict[str, list[Rule]]:
    made: dict[str, list[Rule]] = {"matchPaths": [], "matchDirectories": []}
    for path, seen in paths.items():
        if path.endswith("/"):
            made["matchDirectories"].append(_rule("dir", path, seen, allows))
        else:
            made["matchPaths"].append(_rule("path", path, seen, allows))
    return {form: rules for form, rules in made.items() if rules}


def _rule(member: str, value: str, seen: Seen, allows: bool) -> Rule:
    read_only = {"readOnly": True} if allows and seen.only_reads else {}
    return {member: value} | read_only | _one_source(seen.sources)


def _named(form: str, member: str, found: dict[str, Seen], on_node: bool) -> Rule:
    rules = [
        {member: value} | (_sources(seen.sources) if on_node else _one_source(seen.sources))
        for value, seen in found.items()
    ]
    return {form: rules} if rules else {}


def _calls(found: dict[str, Seen]) -> Rule:
    """System calls together that the same one program made, or several."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for name, seen in found.items():
        by_source[next(iter(seen.sources)) if len(seen.sources) == 1 else ""].append(name)
    rules = [
        {"syscall": names} | (_sources({source}) if source else {})
        for source, names in sorted(by_source.items())
    ]
    return {"matchSyscalls": rules} if rules else {}


def _one_source(sources: set[str]) -> Rule:
    return _sources(sources) if len(sources) == 1 and "" not in sources else {}


def _sources(sources: set[str]) -> Rule:
    return {"fromSource": [{"path": path} for path in sorted(sources)]}
