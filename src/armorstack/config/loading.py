"""Reading the tree: defaults, then one TOML file, then `ARMORSTACK_…`, then flags.

Invariant: nothing else reads the environment or a settings file. Unknown keys are refused with
their path; `checks.py` has the faults that lie between settings.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from armorstack.config.checks import check
from armorstack.config.sinks import DuckdbSink, Sink
from armorstack.config.tree import Config
from armorstack.errors import ConfigError

PREFIX = "ARMORSTACK_"

Tree = dict[str, Any]
DEFAULT_SINK = str(DuckdbSink.__struct_config__.tag)
"""The type of a sink that says none."""

RESERVED = frozenset({"ARMORSTACK_CONFIG", "ARMORSTACK_DEBUG"})
"""Variables that are no settings: the settings file itself, and tracebacks."""

FROM_KUBERNETES = re.compile(r"_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$")
"""Kubernetes sets such names in every pod beside a Service called `armorstack…`."""


def load(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The tree, with `data_dir` filled in; raises `ConfigError` that names the fault's path."""
    tree: Tree = _read(path) if path else {}
    _merge(tree, _from_environment(environ, tree))
    _merge(tree, dict(overrides or {}))
    for sink in _sinks(tree).values():
        if isinstance(sink, dict):
            sink.setdefault("type", DEFAULT_SINK)
    config = _convert(tree)
    check(config)
    return msgspec.structs.replace(config, data_dir=config.data_dir or _default_data_dir(environ))


def _read(path: Path) -> Tree:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _merge(tree: Tree, over: Tree) -> None:
    """Lay `over` onto `tree`: tables are merged, everything else is replaced."""
    for key, value in over.items():
        below = tree.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            _merge(below, value)
        else:
            tree[key] = value


def _sinks(tree: Tree) -> Tree:
    sinks = tree.get("sink")
    return sinks if isinstance(sinks, dict) else {}


def _sink_types(tree: Tree) -> dict[str, type[Struct]]:
    """The struct of each sink of the file, or of the default one."""
    by_tag = {str(type_.__struct_config__.tag): type_ for type_ in get_args(Sink)}
    found = {
        name: by_tag.get(str(sink.get("type", DEFAULT_SINK)), DuckdbSink)
        for name, sink in _sinks(tree).items()
        if isinstance(sink, dict)
    }
    return found if "sink" in tree else {"duckdb": DuckdbSink}


def _from_environment(environ: Mapping[str, str], tree: Tree) -> Tree:
    known = dict(_variables(Config, (), _sink_types(tree)))
    known["ARMORSTACK_LOG"] = known["ARMORSTACK_LOG_FORMAT"]
    result: Tree = {}
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        if name in known:
            path, type_ = known[name]
            _merge(result, _nested(path, _value(name, environ[name], type_)))
        elif name not in RESERVED and not FROM_KUBERNETES.search(name):
            raise ConfigError(f"{name}: no such setting", hint=_nearest(name, known))
    return result


def _variables(
    type_: type[Struct], path: tuple[str, ...], sinks: Mapping[str, type[Struct]]
) -> Iterator[tuple[str, tuple[tuple[str, ...], Any]]]:
    """Each variable's name with the path and the type of what it sets."""
    for item in msgspec.structs.fields(type_):
        here = (*path, item.name)
        if isinstance(item.type, type) and issubclass(item.type, Struct):
            yield from _variables(item.type, here, sinks)
        elif here == ("sink",):
            for name, sink in sinks.items():
                yield from _variables(sink, (*here, name), sinks)
        else:
            yield PREFIX + "_".join(here).upper(), (here, item.type)


def _nested(path: tuple[str, ...], value: object) -> Tree:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _value(name: str, text: str, type_: Any) -> object:
    """What a variable says: a number or text as it is, lists and tables as JSON."""
    try:
        if tuple in [get_origin(each) for each in (type_, *get_args(type_))]:
            return msgspec.json.decode(text)
        return msgspec.convert(text, type_, strict=False)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{name}: {error}") from error


def _convert(tree: Tree) -> Config:
    for name, sink in _sinks(tree).items():
        _convert_part(sink, Sink, f"$.sink.{name}")
    config: Config = _convert_part(tree, Config, "$")
    return config


def _convert_part(part: object, type_: Any, path: str) -> Any:
    try:
        return msgspec.convert(part, type_)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        where = path + where.rstrip("`")
        unknown = re.search(r"unknown field `(.*)`", what)
        if unknown is None:
            raise ConfigError(f"{where}: {what}", hint=_choices(where)) from error
        known = {item.name: 0 for struct in structs(Config) for item in _fields(struct)}
        hint = _nearest(unknown[1], known)
        raise ConfigError(f"{where}.{unknown[1]}: no such setting", hint=hint) from error


def _fields(struct: type[Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(struct)


def structs(type_: Any) -> set[type[Struct]]:
    """Every struct that a tree of this type can hold."""
    if isinstance(type_, type) and issubclass(type_, Struct):
        return {type_}.union(*(structs(item.type) for item in _fields(type_)))
    return set().union(*map(structs, get_args(type_)))


def _choices(where: str) -> str:
    """What may stand in `type` there."""
    room = re.fullmatch(r"\$\.(source|filter|sink)\b.*\.type", where)
    if room is None:
        return ""
    kinds = structs(next(item.type for item in _fields(Config) if item.name == room[1]))
    tags = sorted(str(kind.__struct_config__.tag) for kind in kinds if kind.__struct_config__.tag)
    return "it is one of " + ", ".join(tags)


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "remove it; docs/configuration.md has them all"


def _default_data_dir(environ: Mapping[str, str]) -> str:
    """Root: /var/lib/armorstack; others: $XDG_DATA_HOME or ~/.local/share, /armorstack."""
    if os.geteuid() == 0:
        return "/var/lib/armorstack"
    base = environ.get("XDG_DATA_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return str(folder / "armorstack")
