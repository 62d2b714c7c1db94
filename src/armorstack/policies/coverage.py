"""Which pods have which policies, and which have none.

A cluster policy covers the pods that it selects as any other does. Invariant: each pod is in just
one of the two lists of its namespace. Must not go here: events.
"""

from collections.abc import Sequence

from msgspec import Struct

from armorstack.policies.selection import PodKey, Selection


class Covered(Struct, frozen=True):
    """The pods of one namespace."""

    namespace: str
    pods: int
    bare: tuple[str, ...]
    """Names of those that no policy selects, in order."""

    @property
    def covered(self) -> int:
        """How many have a policy."""
        return self.pods - len(self.bare)


class Coverage(Struct, frozen=True):
    """Of a whole cluster, by namespace."""

    namespaces: tuple[Covered, ...]

    @property
    def pods(self) -> int:
        """How many there are."""
        return sum(each.pods for each in self.namespaces)

    @property
    def bare(self) -> int:
        """How many no policy selects."""
        return sum(len(each.bare) for each in self.namespaces)


def within(coverage: Coverage, namespaces: Sequence[str] | None) -> Coverage:
    """The part that somebody may see who may read these namespaces; None: all of it."""
    if namespaces is None:
        return coverage
    return Coverage(tuple(each for each in coverage.namespaces if each.namespace in namespaces))


def coverage_of(selection: Selection) -> Coverage:
    """What is selected now."""
    pods: dict[str, int] = {}
    bare: dict[str, list[str]] = {}
    for key in selection.pods:
        namespace, name = key
        pods[namespace] = pods.get(namespace, 0) + 1
        if not _is_covered(selection, key):
            bare.setdefault(namespace, []).append(name)
    return Coverage(
        tuple(
            Covered(namespace, count, tuple(sorted(bare.get(namespace, ()))))
            for namespace, count in sorted(pods.items())
        )
    )


def _is_covered(selection: Selection, key: PodKey) -> bool:
    """A policy that is inactive covers nobody."""
    return any(
        selection.policies[uid].status != "Inactive" for uid in selection.policies_of(key)
    )  # fmt: skip
