"""The nodes and pods of the scripted incident, and how they are marked as invented.

Invariant: HostName begins with `HOST_PREFIX`, ClusterName is `CLUSTER`, and a pod has `LABEL`.
What happens to them is told in `incident.py`.
"""

import hashlib
from typing import Any

from msgspec import Struct

CLUSTER = "synthetic"
HOST_PREFIX = "synthetic-"
LABEL = "armorstack.io/synthetic=true"


class Pod(Struct, frozen=True):
    """A pod that plays a part."""

    node: int
    namespace: str
    name: str
    container: str
    image: str
    owner: tuple[str, str]
    labels: str

    def values(self) -> dict[str, Any]:
        """The members that tell which pod it was."""
        return {
            **host(self.node),
            "NamespaceName": self.namespace,
            "PodName": self.name,
            "Owner": {"Ref": self.owner[0], "Name": self.owner[1], "Namespace": self.namespace},
            "Labels": f"{self.labels},{LABEL}",
            "ContainerID": sha256(self.name),
            "ContainerName": self.container,
            "ContainerImage": f"{self.image}@sha256:{sha256(self.image)}",
        }


def sha256(text: str) -> str:
    """The digest in hexadecimal: stands for container ids, image digests and file hashes."""
    return hashlib.sha256(text.encode()).hexdigest()


def host(node: int) -> dict[str, Any]:
    """The members that tell which node it was."""
    name = f"{HOST_PREFIX}node-{node}"
    return {"ClusterName": CLUSTER, "HostName": name, "NodeID": sha256(name)[:32]}


WORDPRESS = Pod(
    1, "shop", "wordpress-6c9f7d5b8f-q7x2m", "wordpress", "docker.io/library/wordpress:6.4-apache",
    ("Deployment", "wordpress"), "app=wordpress,pod-template-hash=6c9f7d5b8f,tier=frontend",
)  # fmt: skip
MYSQL = Pod(
    2, "data", "mysql-0", "mysql", "docker.io/library/mysql:8.0",
    ("StatefulSet", "mysql"), "app=mysql,statefulset.kubernetes.io/pod-name=mysql-0,tier=db",
)  # fmt: skip
RESIZER = Pod(
    2, "batch", "resizer-29383200-v9kqz", "resizer", "registry.example/shop/resizer:1.9.2",
    ("Job", "resizer-29383200"), "app=resizer,batch.kubernetes.io/job-name=resizer-29383200",
)  # fmt: skip
AGENT = Pod(
    1, "monitoring", "node-agent-7kd4w", "agent", "registry.example/platform/node-agent:2.3.0",
    ("DaemonSet", "node-agent"), "app=node-agent,controller-revision-hash=84c9b6f5d",
)  # fmt: skip
