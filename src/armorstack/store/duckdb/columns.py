"""Fields as SQL: where a value lies, how it is compared, what it is called when it is counted.

Invariant: these texts are made of column names of the field table alone; nothing that a user or an
event says is ever part of them. Must not go here: conditions (`where.py`).
"""

from armorstack.core.batch import SCHEMA
from armorstack.core.query.names import QUERY_FIELDS, QueryField

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_AT = "strpos(action, ' (')"
# As `core/ecs/verdict.actions` takes an Action apart.
_IS_AUDITED = (
    f"({_AT} > 1 AND ends_with(action, ')') AND length(action) > {_AT} + 2)"
)  # fmt: skip
_DERIVED = {
    "done": f"CASE WHEN {_IS_AUDITED} THEN substr(action, 1, {_AT} - 1) ELSE action END",
    "intended": f"CASE WHEN {_IS_AUDITED}"
    f" THEN substr(action, {_AT} + 2, length(action) - {_AT} - 2) END",
    "owner_path": "CASE WHEN owner_ref <> '' AND owner_name <> ''"
    " THEN owner_ref || '/' || owner_name END",
    # Never cast a text that is no number: there is no order among conditions.
    "severity": "TRY_CAST(CASE WHEN regexp_full_match(severity, '[0-9]{1,9}')"
    " THEN severity END AS INTEGER)",
}
_ID_TEXT = "rtrim(translate(base64(id), '+/', '-_'), '=')"


def column(name: str) -> str:
    """A column of `SCHEMA` or a derived one; of severity its number."""
    if name in _DERIVED:
        return f"({_DERIVED[name]})"
    return f'"{SCHEMA.field(name).name}"'


def texts(field: QueryField) -> list[str]:
    """What may hold a text of the field, one expression each; not for lists and maps."""
    return [_ID_TEXT] if field.sort == "id" else [column(name) for name in field.columns]


def elements(field: QueryField) -> str:
    """The values of a field that may have several, as a list; null or empty where it has none."""
    first = column(field.columns[0])
    if field.sort == "labels":
        return f"string_split({first}, ',')"
    return f"map_values({first})" if field.sort == "map" else first


def lower(expression: str) -> str:
    """A to Z in lower case, nothing else changed, as `core/globs.lower` does.

    DuckDB's own `lower` is fast and does the same for texts of ASCII alone.
    """
    return (
        f"(CASE WHEN strlen({expression}) = length({expression}) THEN lower({expression})"
        f" ELSE translate({expression}, '{_UPPER}', '{_UPPER.lower()}') END)"
    )


def is_several(field: QueryField) -> bool:
    """Whether an event may have several values."""
    return field.sort in ("texts", "labels", "map")


_RAW = {
    "done": ("action",), "intended": ("action",), "owner_path": ("owner_ref", "owner_name"),
}  # fmt: skip


def raw(name: str) -> str:
    """The one column of `SCHEMA` that `counted` of this field follows from."""
    return _raws(QUERY_FIELDS[name].columns[0])[0]


def raws(name: str) -> tuple[str, ...]:
    """All columns of `SCHEMA` that tests on this field follow from."""
    return tuple(each for column in QUERY_FIELDS[name].columns for each in _raws(column))


def _raws(name: str) -> tuple[str, ...]:
    return _RAW.get(name, (name,))


def counted(name: str) -> str:
    """The value by which an event is counted, a text, empty where it is absent.

    Of several columns the first counts. A field with several values gives a list of them.
    """
    field = QUERY_FIELDS[name]
    if is_several(field):
        kept = f"list_distinct(list_filter({elements(field)}, lambda each: each <> ''))"
        return f"CASE WHEN len({kept}) > 0 THEN {kept} ELSE [''] END"
    if field.sort == "id":
        return _ID_TEXT
    first = column(field.columns[0])
    if field.sort == "time":
        return f"coalesce(epoch_us({first})::VARCHAR, '')"
    return f"coalesce({first}::VARCHAR, '')"


def dimension(name: str) -> str:
    """The same, with a row for each value of a field with several."""
    value = counted(name)
    return f"unnest({value})" if is_several(QUERY_FIELDS[name]) else value
