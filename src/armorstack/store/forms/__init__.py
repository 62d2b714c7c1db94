"""The forms in which events leave: CSV, JSON, NDJSON and Parquet, as a stream of bytes.

What belongs here: record batches in, bytes out, in memory that does not grow with their number.
Forbidden: files, sockets, questions; who may see what.

    cells      columns as texts, each distinct value written once
    columns    names, times and ids in flat forms
    csv        RFC 4180 without formulas and without control characters
    flat       JSON with one member per column
    lines      JSON as ECS or as KubeArmor's own
    parquet    Parquet with columns of their own types
    encoded    which of them, for an export
"""

from armorstack.store.forms.encoded import FORMATS, FORMS, Form, Format, columns_needed, encoded

__all__ = ["FORMATS", "FORMS", "Form", "Format", "columns_needed", "encoded"]
