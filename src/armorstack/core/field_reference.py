"""docs/fields.md: every field, every column and every ECS path, rendered from the tables.

The page is never edited; `scripts/docs` writes it, and a test compares it with `render()`.

Must not go here: facts about fields. They belong in `fields`, `batch` and `ecs`.
"""

from collections.abc import Iterable

from armorstack.core.batch import OWN_COLUMNS
from armorstack.core.ecs import operations
from armorstack.core.ecs.network import CALLS, FIREWALL, OTHER
from armorstack.core.ecs.operations import FILE_CALLS, Act
from armorstack.core.ecs.paths import PATHS
from armorstack.core.fields import FIELDS, Field
from armorstack.core.mitre import TACTICS

_HEAD = """\
# Fields

<!-- Written by scripts/docs from the table of fields and the ECS rules. Do not edit. -->

Each KubeArmor field once: how it is spelled, the column it is stored in, the ECS path it gets in an
engine, and the name to search it by. Where no path takes the value as it is, ECS names those that
rules make of it; they follow below.
"""

_PATHS = """\
## ECS paths that follow from rules

Besides the copies above. `-` stands where the value is not the event's.
"""

_ACTS = """\
## What each event is called

The system call, kernel hook or probe that saw an event decides. Alerts have `intrusion_detection`
before the category and `allowed` or `denied` after the types; a blocked network event has the types
`connection, denied`. A file opened to be made has the type `creation`, to be written `change`.
"""


def _table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
    names = [name.strip() for name in head.split("|")]
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(cell or ' ' for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _numbers(field: Field) -> str:
    numbers = (field.alert, field.log, field.message)
    return " / ".join(str(number) if number else "-" for number in numbers)


def _reached(field: Field) -> str:
    """The path that takes the value as it is; where there is none, those that rules make of it."""
    made = [path.path for path in PATHS if field.name in path.source.split(", ")]
    return ", ".join(_code(path) for path in ([field.ecs] if field.ecs else made))


def _field_row(field: Field) -> tuple[str, ...]:
    return (
        _code(field.name),
        _code(field.camel),
        _numbers(field),
        _code(field.column),
        _reached(field),
        field.engine if field.ecs else "",
        _code(field.query) + (" (facet)" if field.facet else ""),
        _cell(field.doc),
    )


def _fields() -> str:
    head = (
        "Field | KubeArmor's file | Alert / Log / Message | Column | ECS | Type | Search | Meaning"
    )
    return _table(head, map(_field_row, FIELDS))


def _columns() -> str:
    rows = ((_code(name), str(type_), _cell(doc)) for name, type_, doc in OWN_COLUMNS)
    return _table("Column | Type | Meaning", rows)


def _paths() -> str:
    rows = ((_code(p.path), p.engine, p.source, _cell(p.rule)) for p in PATHS)
    return _table("Path | Type | From | Rule", rows)


def _grouped(operation: str, calls: Iterable[tuple[str, Act]]) -> list[tuple[str, str, Act]]:
    """One line for each act, with all the calls that mean it."""
    seen: dict[Act, list[str]] = {}
    for call, act in calls:
        seen.setdefault(act, []).append(_code(call))
    return [(operation, ", ".join(names), act) for act, names in seen.items()]


def _acts() -> str:
    acts = [
        ("Process", "", operations.EXEC),
        ("Process", _code("SYS_PTRACE"), operations.PTRACE),
        *_grouped("File", FILE_CALLS.items()),
        ("File", "any other", operations.FILE_ACCESS),
        *_grouped("Network", ((call, act) for call, (act, _) in CALLS.items())),
        ("Network", "any other", OTHER),
        ("NetworkFirewall", "", FIREWALL),
        ("Capabilities", "", operations.CAPABILITY),
        ("Syscall", "", operations.SYSCALL),
        ("Device", "", operations.DEVICE),
        ("AlertThreshold", "", operations.THROTTLED),
        ("(messages)", "", operations.MESSAGE),
    ]
    rows = (
        (operation, calls, _code(act.action or ""), act.category or "", ", ".join(act.types))
        for operation, calls, act in acts
    )
    return _table("Operation | Seen by | event.action | event.category | event.type", rows)


def _tactics() -> str:
    return _table("Id | Name", TACTICS.items())


def render() -> str:
    """The whole page."""
    parts = (
        _HEAD,
        _fields(),
        "## Columns that are not KubeArmor's\n",
        _columns(),
        _PATHS,
        _paths(),
        _ACTS,
        _acts(),
        "## Names of ATT&CK tactics\n",
        _tactics(),
    )
    return "\n".join(parts)
