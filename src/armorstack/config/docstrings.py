"""What each setting says about itself: the docstrings of structs and of their fields.

Python keeps no docstrings of fields, so they are read out of the source. Invariant: there is no
second place where a setting is explained to the program. How they are laid out must not go here.
"""

import ast
import inspect
from functools import cache

from msgspec import Struct


@cache
def field_docs(struct: type[Struct]) -> dict[str, str]:
    """Field → its docstring on one line, those of the bases included; "" where it has none."""
    docs = dict.fromkeys(struct.__struct_fields__, "")
    for base in reversed(struct.__mro__):
        if issubclass(base, Struct) and base is not Struct:
            docs |= _own_docs(base)
    return docs


def struct_doc(struct: type[Struct]) -> str:
    """What the struct says about itself, on one line."""
    return _on_one_line(struct.__doc__ or "")


def _own_docs(struct: type[Struct]) -> dict[str, str]:
    try:
        definition = ast.parse(inspect.getsource(struct)).body[0]
    except OSError:
        # Installed without sources: nothing is explained, and nothing else is wrong.
        return {}
    assert isinstance(definition, ast.ClassDef)
    docs: dict[str, str] = {}
    for node, after in zip(definition.body, [*definition.body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            docs[node.target.id] = _text_of(after)
    return docs


def _text_of(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return _on_one_line(str(node.value.value))
    return ""


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
