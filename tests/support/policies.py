"""Policies for tests: objects as the API server gives them, files, and a book of documents."""

from pathlib import Path
from typing import Any

import yaml

from armorstack.policies.book import Trouble
from armorstack.policies.coverage import Coverage, Covered
from armorstack.policies.document import STATES, PolicyDocument

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


HOSTILE = (
    "<b>bold</b>", "<script>document.title='owned'</script>", "\u202egnp.exe", "bell\x07\x1b[2J",
    "x" * 3000, "\"><svg onload=document.title='owned'>", "!not", "line\nbreak", "", "{{ 7*7 }}",
)  # fmt: skip
"""Names that no API server takes, and a file may have."""


def many_documents(at_us: int, count: int = 60) -> tuple[PolicyDocument, ...]:
    """Policies in all states; the first ones have hostile texts wherever a text may stand."""
    return tuple(_document(number, at_us) for number in range(count))


def _document(number: int, at_us: int) -> PolicyDocument:
    name = HOSTILE[number] if number < len(HOSTILE) else f"ksp-policy-{number:02}"
    state = STATES[number % len(STATES)]
    kinds = ("KubeArmorPolicy", "KubeArmorPolicy", "KubeArmorClusterPolicy", "KubeArmorHostPolicy")
    kind = kinds[number % 4]
    namespace = ("shop", "blog", name)[number % 3] if kind == "KubeArmorPolicy" else ""
    text = name or f"message {number}"
    day = (number * 7) % 90 if state == "firing" else 0
    return PolicyDocument(
        uid=f"uid-{number}", kind=kind, namespace=namespace, name=name, state=state,
        is_deployed=state not in ("deleted", "not deployed"),
        action=("Block", "Audit", "Allow")[number % 3], severity=number % 11,
        tags=("MITRE", text), message=text, manager=text, changed_us=at_us - number * 10**9,
        selector_text=f"app={text}", rules=(f"process {text} (Block)",), rules_count=1,
        yaml=f"action: Block\nmessage: {text}\n", pods=(f"shop/pod-{number}",), pods_count=1,
        nodes=("node-1",), nodes_count=1, alerts_1h=day // 10, alerts_24h=day, alerts_7d=day * 3,
        alerts_all=day * 3, blocked_24h=day, last_alert_us=at_us - day if day else 0,
        as_of_us=at_us,
    )  # fmt: skip


SOME_COVERAGE = Coverage(
    (
        Covered("blog", 2, ()), Covered("shop", 62, ("bare-one", "<b>bare</b>")),
        Covered("secret", 1, ("secret-pod",)),
    )
)  # fmt: skip


class FixedBook:
    """A `Book` that never changes."""

    def __init__(
        self, *documents: PolicyDocument, troubles: tuple[Trouble, ...] = (),
        coverage: Coverage | None = None,
    ) -> None:  # fmt: skip
        self._documents, self._troubles, self._coverage = documents, troubles, coverage

    def documents(self) -> tuple[PolicyDocument, ...]:
        return self._documents

    def policies_of(self, namespace: str, pod: str) -> tuple[str, ...]:
        return tuple(each.uid for each in self._documents if f"{namespace}/{pod}" in each.pods)

    def coverage(self) -> Coverage | None:
        return self._coverage

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
    coverage=Coverage((Covered("blog", 1, ("blog-0",)), Covered("shop", 2, ("bare",)))),
)  # fmt: skip
"""One of a namespace, one of the cluster, and something that is wrong."""
