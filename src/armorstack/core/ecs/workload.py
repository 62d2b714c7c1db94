"""Where an event happened: pod, labels, container image, node.

Invariant: these are the pod and node that acted; the relay's own pod never appears here.
Must not go here: looking anything up. What the event does not say stays unsaid.
"""

from functools import lru_cache
from typing import NamedTuple

from armorstack.core.ecs.draft import Document, Draft, Row
from armorstack.core.ecs.event_data import flattened

_CACHED_LENGTH = 512


class Image(NamedTuple):
    """A container image reference in its parts; an absent part is empty."""

    name: str
    tag: str
    digest: str


def split_image(reference: str) -> Image:
    """`registry:5000/team/app:1.2@sha256:…` as name, tag and digest.

    A colon before the last slash belongs to the registry's port. A bare digest, which runtimes
    give for images without a name, is no name.
    """
    name, _, digest = reference.partition("@")
    if not digest and name.startswith("sha256:"):
        return Image("", "", name)
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    if colon < 0:
        return Image(name, "", digest)
    return Image(name[:colon], name[colon + 1 :], digest)


_remembered_image = lru_cache(maxsize=1024)(split_image)


def _add_image(reference: str, draft: Draft) -> None:
    split = split_image if len(reference) > _CACHED_LENGTH else _remembered_image
    name, tag, digest = split(reference)
    image: Document = {}
    if name:
        image["name"] = name
    if tag:
        image["tag"] = [tag]
    if digest:
        image["hash"] = {"all": [digest]}
    if image:
        draft["container"]["image"] = image


def label_pairs(labels: str) -> tuple[list[str], dict[str, str]]:
    """Labels one by one, and as a map: split at commas, then at the first `=`.

    Labels has no list of its own (quirk 11). Values may be empty, keys never become levels of
    objects.
    """
    each = [label for label in map(str.strip, labels.split(",")) if label]
    pairs = {}
    for label in each:
        key, found, value = label.partition("=")
        if found:
            pairs[key] = value
    return each, flattened(pairs)


def _add_labels(labels: str, draft: Draft) -> None:
    each, pairs = label_pairs(labels)
    if each:
        draft["orchestrator.resource"]["label"] = each
    if pairs:
        draft["kubernetes"]["labels"] = pairs


def add_workload(row: Row, draft: Draft) -> None:
    """Namespace, pod, labels, image and node."""
    if namespace := row["namespace_name"]:
        draft["orchestrator"]["type"] = "kubernetes"
        draft["kubernetes"]["namespace"] = namespace
    if pod := row["pod_name"]:
        resource = draft["orchestrator.resource"]
        resource["name"] = pod
        resource["type"] = "pod"
    if labels := row["labels"]:
        _add_labels(labels, draft)
    if reference := row["container_image"]:
        _add_image(reference, draft)
    if host := row["host_name"]:
        draft["host"]["hostname"] = host
