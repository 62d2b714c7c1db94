"""Keeps what is known of policies up to date, in a thread of its own.

Files are looked at every few seconds; when something in them changed, and every `interval_s`
besides, each policy's document is made anew from what is deployed and what it reported. Invariant:
a fault of a file, of the store or of the disk is told, and the next round goes on with what is
known. Must not go here: counting events, which is given.
"""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from armorstack.config.tree import Policies
from armorstack.errors import ArmorstackError
from armorstack.policies.book import Trouble
from armorstack.policies.changes import changes_of, write_changes
from armorstack.policies.coverage import Coverage
from armorstack.policies.document import (
    Counts,
    PolicyDocument,
    Selected,
    deleted,
    document_of,
    not_deployed,
    sorted_documents,
)
from armorstack.policies.files import Fault, Found, read_files
from armorstack.policies.policy import Policy
from armorstack.policies.shelf import Shelf

Reported = Mapping[tuple[str, str, str], Counts]
"""Kind as the alerts tell it (of a cluster policy a pod's), namespace, policy → counts."""
Count = Callable[[int], Reported]
"""What all policies reported until this moment. Raises ArmorstackError."""

LOOK_S = 2.0
PATIENCE_US = 30 * 1_000_000
DAY_US = 86_400 * 1_000_000
CLUSTER, POD, HOST = "KubeArmorClusterPolicy", "KubeArmorPolicy", "KubeArmorHostPolicy"

log = structlog.get_logger()


class FileWatch:
    """A `Book` over files. `start` and `stop` once each."""

    def __init__(
        self, settings: Policies, changes: Path, count: Count, now_us: Callable[[], int],
    ) -> None:  # fmt: skip
        """`changes`: the file that the receiver follows."""
        self._settings, self._changes, self._count, self._now_us = settings, changes, count, now_us
        self._shelf = Shelf(changes.parent)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="policies", daemon=True)
        self._documents: tuple[PolicyDocument, ...] = ()
        self._faults: tuple[Trouble, ...] = ()
        self._as_of_us = 0
        self._seen: dict[str, str] | None = None
        self._next_us = 0
        self._began_us = now_us()

    def start(self) -> None:
        """Begin; what was known of an earlier run can be asked at once."""
        self._documents = sorted_documents((self._shelf.read() or {}).values())
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End it."""
        self._ended.set()
        self._thread.join(timeout_s)

    def documents(self) -> tuple[PolicyDocument, ...]:
        """See `Book`."""
        return self._documents

    def policies_of(self, namespace: str, pod: str) -> tuple[str, ...]:
        """See `Book`: files know no pods."""
        return ()

    def coverage(self) -> Coverage | None:
        """See `Book`: files know no pods."""
        return None

    def troubles(self) -> tuple[Trouble, ...]:
        """See `Book`."""
        return self._faults

    def as_of_us(self) -> int:
        """See `Book`."""
        return self._as_of_us

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self.look()
            except (ArmorstackError, OSError) as error:
                # A store opens some seconds after us.
                is_late = self._now_us() > self._began_us + PATIENCE_US
                tell = log.warning if is_late else log.debug
                tell("policies are not up to date", reason=str(error))
                self._faults = (Trouble("documents", str(error), getattr(error, "hint", "")),)
            self._ended.wait(max(0.1, LOOK_S - (time.monotonic() - began)))

    def look(self) -> None:
        """One round. Raises ArmorstackError or OSError."""
        now_us, found = self._now_us(), read_files(self._settings.files)
        seen = {uid: policy.spec_hash for uid, policy in found.policies.items()}
        if seen == self._seen and now_us < self._next_us:
            return
        known, reported = self._shelf.read(), self._count(now_us)
        documents = sorted_documents(self._made(known or {}, found.policies, reported, now_us))
        # Nothing that may fail stands between these two but the disk.
        self._tell(known, found, now_us)
        self._shelf.write(documents)
        self._documents, self._as_of_us = documents, now_us
        self._faults = tuple(map(_trouble, found.faults))
        self._seen, self._next_us = seen, now_us + self._rest_us(now_us)

    def _rest_us(self, now_us: int) -> int:
        """Short at first, for whoever looks at what has just begun; twice as long each time."""
        since_us = max(round(LOOK_S * 1e6), now_us - self._began_us)
        return min(since_us, round(self._settings.interval_s * 1e6))

    def _tell(self, known: Mapping[str, PolicyDocument] | None, found: Found, now_us: int) -> None:
        """What is seen for the first time at all is no change."""
        changes = [] if known is None else list(changes_of(known, found.policies, "", now_us))
        if changes or not self._changes.exists():
            write_changes(self._changes, changes)

    def _made(
        self, known: Mapping[str, PolicyDocument], policies: Mapping[str, Policy],
        reported: Reported, now_us: int,
    ) -> list[PolicyDocument]:  # fmt: skip
        counts = dict(reported)
        nobody = Selected(is_known=False)
        made = [
            document_of(policy, nobody, _taken(counts, policy.kind, policy.namespace, policy.name),
                        now_us)
            for policy in sorted(policies.values(), key=lambda each: each.kind == CLUSTER)
        ]  # fmt: skip
        oldest_us = now_us - round(self._settings.keep_deleted_days * DAY_US)
        for uid, document in known.items():
            is_gone = uid not in policies and document.state != "not deployed"
            if is_gone and (document.deleted_us or now_us) >= oldest_us:
                theirs = _taken(counts, document.kind, document.namespace, document.name)
                made.append(deleted(document, theirs, now_us, now_us))
        return made + [not_deployed(*key, each, now_us) for key, each in counts.items() if each.all]


def _taken(
    counts: dict[tuple[str, str, str], Counts], kind: str, namespace: str, name: str
) -> Counts:
    """What this policy reported; it is nobody else's then. A cluster policy's alerts come from all
    namespaces and say that they are a pod's policy's (KubeArmor 1.7)."""
    if kind == HOST:
        keys = [key for key in counts if key[0] == HOST and key[2] == name]
    elif kind == CLUSTER:
        keys = [key for key in counts if key[0] != HOST and key[2] == name]
    else:
        keys = [(POD, namespace, name)]
    return _sum([found for key in keys if (found := counts.pop(key, None)) is not None])


def _sum(counts: list[Counts]) -> Counts:
    return Counts(
        hour=sum(each.hour for each in counts), day=sum(each.day for each in counts),
        week=sum(each.week for each in counts), all=sum(each.all for each in counts),
        blocked_day=sum(each.blocked_day for each in counts),
        audited_day=sum(each.audited_day for each in counts),
        last_us=max((each.last_us for each in counts), default=0),
    )  # fmt: skip


def _trouble(fault: Fault) -> Trouble:
    return Trouble(fault.where, fault.sentence)
