"""Policies from YAML files and folders, where there is no cluster to ask.

A file may hold several documents, and lists of objects (`kind: List`); what is no KubeArmor policy
is passed over if it is another kind, and told if it is broken. Invariant: one broken document harms
no other; nothing of a file is run. Must not go here: following changes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct
from msgspec.structs import replace

from armorstack.errors import PolicyError
from armorstack.policies.objects import items, mapping, text
from armorstack.policies.policy import GROUP, Policy, policy_of

SUFFIXES = (".yaml", ".yml", ".json")
MOST_BYTES = 16 * 1024 * 1024
"""Of one file."""
MOST_VALUES = 1_000_000
"""Of one document."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
"""What PyYAML raises; a value that is not what its tag says (`!!bool maybe`) fails as it may."""


class Fault(Struct, frozen=True):
    """What could not be read."""

    where: str
    """`FILE`, or `FILE:LINE`."""
    sentence: str


class Found(Struct):
    """What files held."""

    policies: dict[str, Policy] = {}
    """By uid; of two with one name the later counts."""
    faults: list[Fault] = []


def read_files(paths: Sequence[str]) -> Found:
    """All policies of these files, and of the YAML files below these folders, in order of names."""
    found = Found({}, [])
    for path in map(Path, paths):
        for file in _files(path, found):
            _read(file, found)
    return found


def _files(path: Path, found: Found) -> Iterator[Path]:
    try:
        if path.is_dir():
            yield from sorted(
                each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file()
            )
        else:
            yield path
    except OSError as error:
        found.faults.append(Fault(str(path), f"cannot be read: {error.strerror}"))


def _read(file: Path, found: Found) -> None:
    try:
        if file.stat().st_size > MOST_BYTES:
            found.faults.append(Fault(str(file), f"larger than {MOST_BYTES:,} bytes"))
            return
        written = file.read_text("utf-8-sig")
        changed_us = file.stat().st_mtime_ns // 1000
    except UnicodeDecodeError:
        found.faults.append(Fault(str(file), "not UTF-8"))
    except OSError as error:
        found.faults.append(Fault(str(file), f"cannot be read: {error.strerror}"))
    else:
        for line, document in _documents(written):
            _read_one(document, file, line, changed_us, found)


def _read_one(document: str, file: Path, line: int, changed_us: int, found: Found) -> None:
    where = f"{file}:{line}"
    try:
        _take(yaml.load(document, _LOADER), where, changed_us, found)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}:{line + (mark.line if mark else 0)}"
        found.faults.append(Fault(where, f"no YAML: {error.problem or error.context}"))
    except _NO_YAML as error:
        found.faults.append(Fault(where, f"no YAML: {type(error).__name__}"))
    except PolicyError as error:
        found.faults.append(Fault(where, str(error)))


def _documents(written: str) -> Iterator[tuple[int, str]]:
    """Each document by itself, and the line that it begins at, so that one that is broken ends
    alone."""
    start, lines = 1, list[str]()
    for number, line in enumerate(written.split("\n"), 1):
        if line.rstrip() == "---" or line.startswith("--- "):
            yield start, "\n".join(lines)
            rest = line.removeprefix("---").strip()
            start, lines = (number, [rest]) if rest else (number + 1, [])
        else:
            lines.append(line)
    yield start, "\n".join(lines)


def _measure(loaded: Any) -> None:
    """Raises PolicyError for what is small as text and endless as an object, by its anchors."""
    waiting, seen = [loaded], 0
    while waiting:
        each = waiting.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise PolicyError(f"more than {MOST_VALUES:,} values")
        waiting += (
            each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        )


def _take(loaded: Any, where: str, changed_us: int, found: Found) -> None:
    _measure(loaded)
    document = mapping(loaded)
    if text(document.get("kind")).endswith("List"):
        for each in items(document.get("items")):
            try:
                _take(each, where, changed_us, found)
            except PolicyError as error:
                found.faults.append(Fault(where, str(error)))
    elif text(document.get("apiVersion")).startswith(f"{GROUP}/"):
        policy = policy_of(document)
        # A file has no uid of a cluster; what is in it is known by kind and name.
        uid = f"file/{policy.kind}/{policy.namespace}/{policy.name}"
        changed_us = policy.changed_us or changed_us
        found.policies[uid] = replace(policy, uid=uid, changed_us=changed_us)
