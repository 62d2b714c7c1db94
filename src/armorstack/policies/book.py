"""What is known of the deployed policies now, as pages, API and command line ask for it.

Invariant: whoever asks sees one moment, whole; nothing here waits for a cluster or an engine. Must
not go here: watching, storing.
"""

from typing import Protocol

from msgspec import Struct

from armorstack.policies.coverage import Coverage
from armorstack.policies.document import PolicyDocument


class Trouble(Struct, frozen=True):
    """What cannot be known just now, and what mends it."""

    what: str
    """A kind, such as `KubeArmorPolicy`, or a file."""
    sentence: str
    hint: str = ""


class Book(Protocol):
    """To be asked from any thread."""

    def documents(self) -> tuple[PolicyDocument, ...]:
        """One for each policy that is deployed, was deployed, or reports without being deployed;
        by kind, namespace and name."""

    def policies_of(self, namespace: str, pod: str) -> tuple[str, ...]:
        """The uids of the policies that select this pod; none where nobody here watches pods."""

    def coverage(self) -> Coverage | None:
        """Which pods have which policies; None where nobody here watches pods."""

    def troubles(self) -> tuple[Trouble, ...]:
        """What keeps this from being whole; none when all is well."""

    def as_of_us(self) -> int:
        """Microseconds since 1970 of the newest document; 0: there is none yet."""
