"""`ARMORSTACK_…` variables as settings: which there are, and what their text means.

Invariant: nothing else reads them; one that sets nothing is refused by name. A value is never
repeated where it may be a secret.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec
from msgspec import Struct, inspect

from armorstack.config.faults import structs_of, wrong_value
from armorstack.config.sinks import DuckdbSink, Sink
from armorstack.config.tree import Config
from armorstack.config.wording import nearest
from armorstack.errors import ConfigError

PREFIX = "ARMORSTACK_"

Tree = dict[str, Any]
Path = tuple[str, ...]
SINKS: dict[str, type[Struct]] = {
    str(type_.__struct_config__.tag): type_ for type_ in get_args(Sink)
}
"""Type of a sink → its struct."""

RESERVED = frozenset(
    {"ARMORSTACK_CONFIG", "ARMORSTACK_DEBUG", "ARMORSTACK_TOKEN", "ARMORSTACK_URL"}
)
"""Variables that are no settings: the settings file itself, tracebacks, and whom commands ask."""

FROM_KUBERNETES = re.compile(r"_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$")
"""Kubernetes sets such names in every pod beside a Service called `armorstack…`."""

PLAIN = (inspect.StrType, inspect.BoolType, inspect.IntType, inspect.FloatType, inspect.LiteralType)
"""Types that a variable gives as they are; all others as JSON."""


class Given(Struct, frozen=True):
    """What one variable sets."""

    variable: str
    path: Path
    value: object


def given(environ: Mapping[str, str], tree: Tree) -> list[Given]:
    """Settings in the environment, for the sinks of `tree`; raises `ConfigError` by name."""
    known = dict(_variables(Config, (), _sink_types(tree)))
    known["ARMORSTACK_LOG"] = known["ARMORSTACK_LOG_FORMAT"]
    found = []
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        if name in known:
            path, type_ = known[name]
            found.append(Given(name, path, _value(name, environ[name], type_)))
        elif name not in RESERVED and not FROM_KUBERNETES.search(name):
            raise ConfigError(f"{name}: no such setting", hint=_hint(name, known))
    return found


def sinks(tree: Tree) -> Tree:
    """The tables of sinks, as far as the tree has any."""
    found = tree.get("sink")
    return found if isinstance(found, dict) else {}


def default_type(name: str) -> str:
    """The type of a sink that says none: its name where that is a type, else the store."""
    return name if name in SINKS else str(DuckdbSink.__struct_config__.tag)


def _sink_types(tree: Tree) -> dict[str, type[Struct]]:
    """The struct of each sink of the file, or of the default one."""
    found = {
        name: SINKS.get(str(sink.get("type", default_type(name))), DuckdbSink)
        for name, sink in sinks(tree).items()
        if isinstance(sink, dict)
    }
    return found if "sink" in tree else {"duckdb": DuckdbSink}


def _variables(
    type_: type[Struct], path: Path, sinks: Mapping[str, type[Struct]]
) -> Iterator[tuple[str, tuple[Path, Any]]]:
    """Each variable's name with the path and the type of what it sets."""
    for item in msgspec.structs.fields(type_):
        here = (*path, item.encode_name)
        if structs_of(item.type) == (item.type,):
            yield from _variables(item.type, here, sinks)
        elif here == ("sink",):
            for name, sink in sinks.items():
                yield from _variables(sink, (*here, name), sinks)
        else:
            yield PREFIX + re.sub(r"\W", "_", "_".join(here)).upper(), (here, item.type)


def _value(name: str, text: str, type_: Any) -> object:
    """What a variable says: a number or text as it is, lists and tables as JSON."""
    if not isinstance(inspect.type_info(type_), PLAIN):
        return _json(name, text)
    try:
        text.encode()
        return msgspec.convert(text, type_, strict=False)
    except UnicodeEncodeError as error:
        raise ConfigError(f"{name}: not UTF-8") from error
    except msgspec.ValidationError as error:
        fault = wrong_value(name.lower(), text, type_)
        sentence = name + str(fault).removeprefix(name.lower())
        raise ConfigError(
            sentence, hint=fault.hint.replace(f"{name.lower()} = ", f"{name}=")
        ) from error


def _json(name: str, text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        hint = """write a list as JSON, such as '["one", "two"]' or '[{"type": "stdin"}]'"""
        raise ConfigError(f"{name}: not JSON: {error}", hint=hint) from error


def _hint(name: str, known: Mapping[str, object]) -> str:
    near = nearest(name, known)
    return f"did you mean {near}?" if near else "unset it; docs/configuration.md has them all"
