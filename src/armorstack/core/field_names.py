"""Fields by the names that people type: `pod`, `PodName` and `pod_name` are one field.

Invariant: a name means one field, the one that a search by it looks into. So `pid` and `ppid` are
HostPID and HostPPID; those inside the container are `PID` and `PPID`. No other name could be two.
"""

import difflib

from armorstack.core.fields import FIELDS, Field
from armorstack.errors import ConfigError


def _by_name() -> dict[str, Field]:
    """The query name goes first, then KubeArmor's own, then the column's."""
    found: dict[str, Field] = {}
    for names in (
        [(field.query, field) for field in FIELDS if field.query],
        [(field.name, field) for field in FIELDS],
        [(field.column, field) for field in FIELDS],
    ):
        for name, field in names:
            found.setdefault(name, field)
    return found


BY_NAME = _by_name()


def field_named(path: str, name: str) -> Field:
    """The field; raises `ConfigError` that begins with `path` and names the nearest one."""
    field = BY_NAME.get(name)
    if field is None:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"did you mean {near[0]}?" if near else "docs/fields.md has them all"
        raise ConfigError(f"{path}: there is no field {name!r}", hint=hint)
    return field
