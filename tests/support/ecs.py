"""Events as rows, by hand or from the recordings, and what must hold for every ECS document."""

import ipaddress
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from armorstack.core.batch import SCHEMA
from armorstack.core.decode import decode
from armorstack.core.ecs import ECS_TYPES
from tests.support.frames import lines, row

RECORDED_FILES = (
    "alerts-real.jsonl",
    "logs-real.jsonl",
    "messages-real.jsonl",
    "kubearmor-file-camelcase-real.jsonl",
    "protojson-real.jsonl",
    "relay-stdout-real.jsonl",
)
ALERT = {"stream": "alert", "type": "MatchedPolicy", "host_pid": 41}
LOG = {"stream": "log", "type": "ContainerLog", "host_pid": 41}

# What elastic/ecs allows together (`expected_event_types` of each category).
ALLOWED_TYPES = {
    "process": {"access", "change", "end", "info", "start"},
    "file": {"access", "change", "creation", "deletion", "info"},
    "network": {
        "access", "allowed", "connection", "denied", "end", "info", "protocol", "start",
    },
    "intrusion_detection": {"allowed", "denied", "info"},
    "host": {"access", "change", "end", "info", "start"},
}  # fmt: skip


def event(*parts: dict[str, Any], **columns: Any) -> dict[str, Any]:
    """A row with these columns, all others absent."""
    made = dict.fromkeys(SCHEMA.names) | {k: v for part in parts for k, v in part.items()}
    made |= columns
    assert made.keys() == set(SCHEMA.names), made.keys() - set(SCHEMA.names)
    return made


def recorded_rows(name: str) -> list[dict[str, Any]]:
    """The rows of a file of recorded events, as Arrow gives them back."""
    return list(decode([row(lines(name))]).batch.rows.to_pylist())


def get(document: dict[str, Any], path: str) -> Any:
    """The value at a dotted path, or None."""
    node: Any = document
    for name in path.split("."):
        if not isinstance(node, dict) or name not in node:
            return None
        node = node[name]
    return node


def leaves(document: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every path with its value; a flattened object is one value."""
    for name, value in document.items():
        path = f"{above}.{name}" if above else name
        if isinstance(value, dict) and ECS_TYPES.get(path) != "flattened":
            assert value, f"{path} is an empty object"
            yield from leaves(value, path)
        else:
            yield path, value


def _is_date(value: Any) -> bool:
    shape = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    if not isinstance(value, str) or not re.fullmatch(shape, value):
        return False
    return datetime.fromisoformat(value) is not None


def _is_ip(value: Any) -> bool:
    return isinstance(value, str) and str(ipaddress.ip_address(value)) == value


def _is_flattened(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(k, str) and isinstance(v, str) and k and "." not in k and "\0" not in k
        for k, v in value.items()
    )


def _is_long(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


CHECKS = {
    "keyword": lambda value: isinstance(value, str),
    "text": lambda value: isinstance(value, str),
    "long": _is_long,
    "date": _is_date,
    "ip": _is_ip,
    "flattened": _is_flattened,
}


def check(document: dict[str, Any]) -> set[str]:
    """Assert that every path is known, has its type and says something; return the paths."""
    paths = set()
    for path, value in leaves(document):
        assert path in ECS_TYPES, f"{path} is in no table"
        values = value if isinstance(value, list) else [value]
        assert values, f"{path} is an empty list"
        for each in values:
            assert each not in (None, "", {}), f"{path} holds nothing"
            assert CHECKS[ECS_TYPES[path]](each), f"{path} is no {ECS_TYPES[path]}: {each!r}"
        paths.add(path)
    _check_classes(document.get("event", {}))
    json.dumps(document, ensure_ascii=False).encode()
    return paths


def _check_classes(found: dict[str, Any]) -> None:
    allowed = [ALLOWED_TYPES[category] for category in found.get("category", [])]
    for type_ in found.get("type", []):
        assert any(type_ in types for types in allowed), f"{type_} in {found['category']}"
