"""Any tree of settings, printed and loaded again, is the same tree."""

import string
import tomllib
from typing import Any, Literal, get_args, get_origin

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, inspect
from msgspec.structs import replace

from armorstack import config
from armorstack.config import Config, Globs, Select, load, toml
from armorstack.config.faults import first_fault, members
from armorstack.config.origins import Document
from armorstack.config.places import lines_of
from armorstack.config.show import as_toml, resolved
from armorstack.core.presets import expand
from armorstack.core.text import printable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(string.ascii_letters + "-_. \"'=#[]é", min_size=1, max_size=8)
ADDRESSES = st.builds("relay-{}:{}".format, st.integers(0, 99), st.integers(0, 65535))

GIVEN: dict[tuple[type[Struct], str], st.SearchStrategy[Any]] = {
    (config.RelaySource, "address"): ADDRESSES,
    (config.RelaySource, "tls"): st.none() | st.builds(config.Tls, server_name=TEXTS),
    (config.RelaySource, "backoff_max_s"): st.floats(1e6, 1e9),
    (config.RelaySource, "backoff_initial_s"): st.floats(0.01, 1e6),
    (config.Web, "listen"): ADDRESSES,
    (config.Web, "hosts"): st.sampled_from([(), ("armorstack.example.org", "[fd00::1]")]),
    (config.Web, "proxies"): st.sampled_from([(), ("10.0.0.0/8", "fd00::/8")]),
    (config.Web, "tls"): st.sampled_from(
        [config.WebTls(), config.WebTls(cert_file="/dev/null", key_file="/dev/null")]
    ),
    (config.WebhookSink, "url"): st.none(),
    (config.WebhookSink, "url_file"): st.just("/dev/null"),
    (config.WebhookSink, "token_file"): st.sampled_from(["", "/dev/null"]),
    (config.WebhookSink, "ca_file"): st.sampled_from(["", "/dev/null"]),
    (config.WebhookSink, "allowed_networks"): st.sampled_from([(), ("10.0.0.0/8", "fd00::/8")]),
    (config.ElasticSink, "urls"): st.sampled_from(
        [("http://127.0.0.1:9200",), ("https://a.example.org", "https://[fd00::1]:9200/es")]
    ),
    **{
        (config.ElasticSink, name): st.just("")
        for name in ("username", "password_file", "token_file", "cert_file", "key_file")
    },
    (config.ElasticSink, "api_key_file"): st.sampled_from(["", "/dev/null"]),
    (config.ElasticSink, "ca_file"): st.sampled_from(["", "/dev/null"]),
    (config.ElasticSink, "fingerprint"): st.just(""),
    (config.ElasticSink, "prefix"): st.from_regex(r"[a-z][a-z0-9_.]{0,9}", fullmatch=True),
    (config.PresetFilter, "tag"): st.just(config.EVERY_TAG),
    (config.PresetFilter, "select"): st.builds(Select, pods=st.just(("a",))),
    (Config, "data_dir"): TEXTS.filter(bool),
    (Config, "sink"): st.dictionaries(
        NAMES, st.deferred(lambda: of_type(config.Sink)), min_size=1, max_size=3
    ),
}
"""Settings that are not free: other settings or files bind them."""


def of_type(type_: Any) -> st.SearchStrategy[Any]:
    """Values of a type of settings."""
    if len(members(type_)) > 1:
        return st.one_of(*map(of_type, members(type_)))
    if isinstance(type_, type) and issubclass(type_, Struct):
        return of_struct(type_)
    if get_origin(type_) is tuple:
        return st.lists(of_type(get_args(type_)[0]), max_size=3).map(tuple)
    if get_origin(type_) is dict:
        return st.dictionaries(NAMES, of_type(get_args(type_)[1]), max_size=3)
    if get_origin(type_) is Literal:
        return st.sampled_from(get_args(type_))
    return of_plain(inspect.type_info(type_))


def of_struct(struct: type[Struct]) -> st.SearchStrategy[Any]:
    """A struct; settings that have a default are there or not."""
    required, optional = {}, {}
    for field in msgspec.structs.fields(struct):
        chosen = GIVEN.get((struct, field.name))
        known = required if field.required or chosen is not None else optional
        known[field.name] = chosen if chosen is not None else of_type(field.type)
    required = {name: each for name, each in required.items() if (struct, name) not in ABSENT}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: struct(**given))


ABSENT = {(config.WebhookSink, "url")}


def of_plain(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Texts, numbers within their bounds, truth, none."""
    match kind:
        case inspect.StrType():
            return TEXTS
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.IntType():
            low = kind.ge if kind.ge is not None else (kind.gt or 0) + 1
            return st.integers(low, kind.le if kind.le is not None else 2**63 - 1)
        case inspect.FloatType():
            least = kind.ge if kind.ge is not None else (kind.gt or 0) + 1e-6
            return st.floats(least, kind.le if kind.le is not None else 1e15)
    raise AssertionError(kind)


def settled(config_: Config) -> Config:
    """With what has to agree between settings: names told apart, sinks of matches that exist."""
    sinks = tuple(config_.sink)
    return replace(
        config_,
        source=tuple(replace(s, name=f"{i}{s.name}") for i, s in enumerate(config_.source)),
        filter=tuple(replace(f, name=f"{i}{f.name}") for i, f in enumerate(config_.filter)),
        match=tuple(replace(m, sink=sinks[0] if i else sinks) for i, m in enumerate(config_.match)),
    )


CONFIGS = of_type(Config).map(settled)


def loaded(text: str) -> Config:
    return load(Document("printed.toml", text), {}, {})


@given(CONFIGS, st.booleans())
def test_what_is_printed_loads_as_the_same_tree(tree: Config, only_changes: bool) -> None:
    once = loaded(as_toml(tree, only_changes=only_changes))
    assert once == tree
    assert loaded(as_toml(once, only_changes=only_changes)) == once


@given(CONFIGS)
def test_expanded_presets_stay_as_they_are_when_printed_and_expanded_again(tree: Config) -> None:
    once = resolved(tree, expand)
    assert loaded(as_toml(once)) == once
    assert resolved(once, expand) == once


@given(CONFIGS)
def test_what_is_printed_cannot_move_a_terminal(tree: Config) -> None:
    for line in as_toml(tree).split("\n"):
        assert printable(line) == line


@given(CONFIGS)
def test_no_fault_is_found_where_there_is_none(tree: Config) -> None:
    assert first_fault(msgspec.to_builtins(tree, str_keys=True), Config) is None


ANYTHING = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=4,
)


@given(CONFIGS, st.data())
def test_whatever_msgspec_refuses_is_told_with_the_path_where_it_stands(
    tree: Config, data: st.DataObject
) -> None:
    plain = msgspec.to_builtins(tree)
    path, holder, key = data.draw(st.sampled_from(list(places("$", plain))))
    holder[key] = data.draw(ANYTHING | st.none())
    try:
        msgspec.convert(plain, Config)
    except msgspec.ValidationError:
        fault = first_fault(plain, Config)
        assert fault is not None
        # A type that was changed makes the table's other settings wrong.
        assert str(fault).startswith(path.removesuffix("type"))
    else:
        assert first_fault(plain, Config) is None


def places(path: str, value: Any) -> Any:
    """Each path of a tree, with what holds the value and by which key."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        here = f"{path}.{key}" if isinstance(value, dict) else f"{path}[{key}]"
        yield here, value, key
        if isinstance(value[key], dict | list):
            yield from places(here, value[key])


@given(st.dictionaries(NAMES, ANYTHING, max_size=4))
def test_any_tree_is_written_as_toml_that_reads_the_same_and_every_line_is_found(
    tree: dict[str, Any],
) -> None:
    text = toml.document(tree)
    assert tomllib.loads(text) == tree
    lines = lines_of(text)
    assert set(lines) == {path for path, _, _ in places("$", tree)}
    assert all(0 < number <= text.count("\n") for number in lines.values())


def test_a_select_keeps_the_form_it_was_written_in() -> None:
    tree = Config(
        data_dir="/d",
        match=(config.Match(sink="duckdb", select=Select(pods=Globs(), nodes=("a",))),),
    )
    assert loaded(as_toml(tree)) == tree
