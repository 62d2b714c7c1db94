"""The settings: whether they can be read, and what in them a person should know.

Invariant: one fault does not keep the rest from being examined. What a setting means must not go
here.
"""

import contextlib
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from armorstack.config import (
    Config,
    ElasticSink,
    RelaySource,
    WebhookSink,
    load,
    parse_address,
)
from armorstack.doctor.case import Case, shown
from armorstack.doctor.finding import SETTINGS, Finding, failure, note, ok, warning
from armorstack.errors import ConfigError


def check_settings(case: Case) -> Iterator[Finding]:
    """Whether they are valid, open to others, or naming nothing to read."""
    fault = case.fault or _fault_of_rules(case.config)
    if fault is not None:
        mend = [fault.hint] if fault.hint else []
        if case.config_file:
            mend.append(f"armorstack check-config {shown(case.config_file)}")
        yield failure(SETTINGS, str(fault), *mend)
    else:
        told = f"{case.config_file} is valid" if case.config_file else "no settings file is given"
        yield ok(SETTINGS, told)
    yield from _check_listen(case.config)
    for path in _secret_files(case.config):
        yield from _check_secret(path)


def _fault_of_rules(config: Config) -> ConfigError | None:
    """What is wrong with filters and matches, which are compiled only when they are used."""
    from armorstack.core.rules import compile_rules

    try:
        compile_rules(config)
    except ConfigError as error:
        return error
    return None


def _check_listen(config: Config) -> Iterator[Finding]:
    from armorstack.web.access.front import is_loopback

    host, _ = parse_address("$.web.listen", config.web.listen)
    if not is_loopback(host):
        told = f"health and metrics are open to the network on {config.web.listen}"
        mend = 'unless that is meant: set web.listen = "127.0.0.1:7780", or give --listen'
        yield note("settings.listen", told, mend)


def _secret_files(config: Config) -> Iterator[Path]:
    for source in config.source:
        if isinstance(source, RelaySource) and source.tls and source.tls.key_file:
            yield Path(source.tls.key_file)
    if config.web.tls.key_file:
        yield Path(config.web.tls.key_file)
    for sink in config.sink.values():
        if isinstance(sink, WebhookSink):
            yield from (Path(name) for name in (sink.url_file, sink.token_file) if name)
        if isinstance(sink, ElasticSink):
            named = (sink.password_file, sink.api_key_file, sink.token_file, sink.key_file)
            yield from map(Path, filter(None, named))


def _check_secret(path: Path) -> Iterator[Finding]:
    with contextlib.suppress(OSError):  # that it cannot be read is told where it is used
        if path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            told = f"{path} holds a secret and is open to other users"
            yield warning("settings.secret", told, f"chmod 600 {shown(path)}")


def salvage(path: Path | None) -> Config:
    """The settings as far as they are valid, table by table; defaults for the rest."""
    tree: dict[str, Any] = {}
    for key, value in _tables(path).items():
        if isinstance(value, list):
            value = [each for each in value if _is_valid({key: [each]})]
        if _is_valid({key: value}):
            tree[key] = value
    with contextlib.suppress(ConfigError):
        return load(None, tree)
    with contextlib.suppress(ConfigError):  # the environment was at fault
        return load(None, tree, environ={})
    # Two tables do not fit each other.
    return load(None, {"data_dir": tree.get("data_dir", "")}, environ={})


def _tables(path: Path | None) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):  # TOML's errors are ValueErrors
        return tomllib.loads(path.read_text("utf-8-sig")) if path else {}
    return {}


def _is_valid(tree: dict[str, Any]) -> bool:
    try:
        load(None, tree, environ={})
    except ConfigError:
        return False
    return True
