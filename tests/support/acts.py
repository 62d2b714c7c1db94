"""Events of programs in pods and on nodes, as rows, for suggestions and replays."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from armorstack.core.batch import SCHEMA

LABELS = "app=cart,pod-template-hash=6c5d7"


def row(operation: str, resource: str, **also: Any) -> dict[str, Any]:
    """A log of a container of the Deployment cart in the namespace shop; None takes a column
    away."""
    told = {
        "stream": "log", "operation": operation, "resource": resource, "namespace_name": "shop",
        "pod_name": "cart-6c5d7-x2x4z", "owner_ref": "Deployment", "owner_name": "cart",
        "labels": LABELS, "container_id": "c0ffee", "container_name": "cart", "host_name": "node-1",
        "process_name": "/usr/bin/cat", "parent_process_name": "/usr/bin/bash",
        "source": "/usr/bin/cat -n", "data": "", "result": "Passed",
    }  # fmt: skip
    return {name: value for name, value in (told | also).items() if value is not None}


def ran(program: str, parent: str = "/usr/bin/bash", **also: Any) -> dict[str, Any]:
    """A program began."""
    told = {"process_name": program, "parent_process_name": parent, "source": parent}
    return row("Process", f"{program} --now", **(told | {"data": "syscall=SYS_EXECVE"} | also))


def opened(path: str, flags: str = "O_RDONLY|O_CLOEXEC", **also: Any) -> dict[str, Any]:
    """A file was opened by /usr/bin/cat."""
    return row("File", path, **({"data": f"syscall=SYS_OPENAT fd=-100 flags={flags}"} | also))


def connected(resource: str = "remoteip=10.0.0.9 port=80 protocol=TCP", **also: Any) -> (
    dict[str, Any]
):  # fmt: skip
    """A connection."""
    return row("Network", resource, **({"data": "kprobe=tcp_connect domain=AF_INET"} | also))


def alert(found: dict[str, Any], policy: str, **also: Any) -> dict[str, Any]:
    """The same act, reported by a policy."""
    return found | {"stream": "alert", "policy_name": policy} | also


def on_node(found: dict[str, Any], node: str = "node-1") -> dict[str, Any]:
    """The same act outside of pods."""
    pod = (
        "namespace_name", "pod_name", "owner_ref", "owner_name", "labels", "container_id",
        "container_name",
    )  # fmt: skip
    return {name: value for name, value in found.items() if name not in pod} | {"host_name": node}


def batch(rows: Iterable[dict[str, Any]]) -> pa.RecordBatch:
    """The rows as a store gives them."""
    return pa.RecordBatch.from_pylist(list(rows), schema=SCHEMA)
