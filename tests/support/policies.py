"""Policies for tests: objects as the API server gives them, files, and a book of documents."""

from pathlib import Path
from typing import Any

import yaml

from armorstack.policies.book import Trouble
from armorstack.policies.coverage import Coverage
from armorstack.policies.document import PolicyDocument

API = "security.kubearmor.com/v1"


def policy_object(
    name: str = "block-shell", namespace: str = "shop", kind: str = "KubeArmorPolicy",
    about: dict[str, Any] | None = None, **spec: Any,
) -> dict[str, Any]:  # fmt: skip
    """One object; `spec` has its members, some rule if none are given."""
    metadata = {"name": name, **(about or {})}
    if kind == "KubeArmorPolicy":
        metadata["namespace"] = namespace
    rule = {"process": {"matchPaths": [{"path": "/bin/sh"}]}}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec or rule}


def write_policies(file: Path, *objects: dict[str, Any]) -> Path:
    """A YAML file with these, one document each."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump_all(objects))
    return file


class FixedBook:
    """A `Book` that never changes."""

    def __init__(self, *documents: PolicyDocument, troubles: tuple[Trouble, ...] = ()) -> None:
        self._documents, self._troubles = documents, troubles

    def documents(self) -> tuple[PolicyDocument, ...]:
        return self._documents

    def policies_of(self, namespace: str, pod: str) -> tuple[str, ...]:
        return tuple(each.uid for each in self._documents if f"{namespace}/{pod}" in each.pods)

    def coverage(self) -> Coverage | None:
        return None

    def troubles(self) -> tuple[Trouble, ...]:
        return self._troubles

    def as_of_us(self) -> int:
        return max((each.as_of_us for each in self._documents), default=0)


BOOK = FixedBook(
    PolicyDocument(
        uid="u-1", kind="KubeArmorPolicy", namespace="shop", name="block-shell", action="Block",
        severity=7, tags=("MITRE",), rules=("process /bin/sh (Block)",), rules_count=1,
        yaml="action: Block\n", pods=("shop/cart",), pods_count=1, alerts_all=3,
        last_alert_us=1_795_443_038_000_000, as_of_us=1_795_443_038_000_000, state="quiet",
    ),
    PolicyDocument(
        uid="u-2", kind="KubeArmorClusterPolicy", namespace="", name="audit-all",
        state="selects nothing", as_of_us=1_795_443_038_000_000,
    ),
    troubles=(Trouble("a.yaml:3", "no YAML"),),
)  # fmt: skip
"""One of a namespace, one of the cluster, and something that is wrong."""
