"""Reading the tree: defaults, then one TOML file, then `ARMORSTACK_…`, then flags.

Invariant: nothing else reads a settings file. Unknown keys are refused with their path, their line
and the nearest name; `checks.py` has the faults that lie between settings.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct

from armorstack.config.checks import check
from armorstack.config.environment import Given, Tree, default_type, given, sinks
from armorstack.config.faults import endless_number, first_fault
from armorstack.config.origins import Document, Origins, leaves
from armorstack.config.syntax import no_toml
from armorstack.config.tree import Config
from armorstack.errors import ConfigError

Check = Callable[[Config], object]
"""Raises `ConfigError` for faults in a tree that is well formed."""


def load(
    source: Path | Document | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    also: Check | None = None,
    arrange: Callable[[Tree], None] | None = None,
) -> Config:
    """The tree, with `data_dir` filled in; raises `ConfigError` that names path and place.

    `arrange` may change what was said, all together, before it is read.

    `also` sees the tree after everything here: `core.rules.compile_rules` for commands that run
    events through it. Its faults get their lines, too.
    """
    document = read(source) if isinstance(source, Path) else source or Document("")
    tree = _parse(document)
    variables = given(environ, tree)
    options = dict(overrides or {})
    with _origins(document, variables, options).told():
        for each in variables:
            _merge(tree, _nested(each.path, each.value))
        _merge(tree, options)
        if arrange:
            arrange(tree)
        config = _convert(tree)
        check(config)
        folder = config.data_dir or default_data_dir(environ)
        config = msgspec.structs.replace(config, data_dir=folder)
        if also:
            also(config)
    return config


def read(path: Path) -> Document:
    """The settings file; raises `ConfigError` where it cannot be read as text."""
    try:
        return document(str(path), path.read_bytes())
    except OSError as error:
        hint = "give another with --config FILE, or unset ARMORSTACK_CONFIG"
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", hint=hint) from error


def document(name: str, content: bytes) -> Document:
    """A settings file that was read elsewhere; a byte order mark is no fault."""
    try:
        return Document(name, content.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        hint = "save the file as UTF-8"
        raise ConfigError(f"{name}: not TOML: line {line}: not UTF-8", hint=hint) from error


def structs(type_: Any) -> set[type[Struct]]:
    """Every struct that a tree of this type can hold."""
    if isinstance(type_, type) and issubclass(type_, Struct):
        return {type_}.union(*(structs(item.type) for item in msgspec.structs.fields(type_)))
    return set().union(*map(structs, get_args(type_)))


def default_data_dir(environ: Mapping[str, str]) -> str:
    """Root: /var/lib/armorstack; others: $XDG_DATA_HOME or ~/.local/share, /armorstack."""
    if os.geteuid() == 0:
        return "/var/lib/armorstack"
    base = environ.get("XDG_DATA_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return str(folder / "armorstack")


def _parse(document: Document) -> Tree:
    try:
        return tomllib.loads(document.text)
    except tomllib.TOMLDecodeError as error:
        raise no_toml(document, error) from error
    except RecursionError as error:
        raise ConfigError(f"{document.name}: not TOML: nested too deeply") from error


def _origins(document: Document, variables: list[Given], options: Tree) -> Origins:
    paths = {"$." + ".".join(each.path): each.variable for each in variables}
    return Origins(document, paths, frozenset(leaves(options)))


def _merge(tree: Tree, over: Tree) -> None:
    """Lay `over` onto `tree`: tables are merged, everything else is replaced."""
    for key, value in over.items():
        below = tree.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            _merge(below, value)
        else:
            tree[key] = value


def _nested(path: tuple[str, ...], value: object) -> Tree:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _convert(tree: Tree) -> Config:
    for name, sink in sinks(tree).items():
        if isinstance(sink, dict):
            sink.setdefault("type", default_type(name))
    if endless := endless_number(tree):
        raise endless
    try:
        return msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        raise first_fault(tree, Config) or ConfigError(f"$: {error}") from error
