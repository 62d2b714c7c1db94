"""Faults that lie between settings, each told with its path.

Must not go here: what needs the table of fields or Arrow; `core/rules.py` checks that when it
compiles filters and matches.
"""

import ipaddress
import os
import re
from collections.abc import Sequence

from armorstack.config.filters import Filter, Match, PresetFilter
from armorstack.config.sinks import ElasticSink, WebhookSink
from armorstack.config.sources import RelaySource, source_name
from armorstack.config.tree import POLICIES, Config, Web, own_sources
from armorstack.errors import ConfigError

ELASTIC_WAYS = ("password_file", "api_key_file", "token_file")
"""Ways to say who we are, of which one is enough."""
ELASTIC_FILES = (*ELASTIC_WAYS, "ca_file", "cert_file", "key_file")
FINGERPRINT = re.compile(r"[0-9A-Fa-f]{64}|([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}")
NODE = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/:@?#\[\]]+)(:\d{1,5})?(/[^\s?#]*)?")
CUT = "…"
"""What stands in a webhook's URL, as it is shown, for all that may be secret."""


def parse_address(path: str, text: str) -> tuple[str, int]:
    """`HOST:PORT` (IPv6 in brackets) as a pair; raises `ConfigError` that begins with `path`."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})", text)
    if match is None or int(match[3]) > 65535:
        hint = f"write a host and a port, such as {text or '127.0.0.1'}:32767"
        raise ConfigError(f"{path}: {text!r} is not HOST:PORT", hint=hint)
    return match[1] or match[2], int(match[3])


def check(config: Config) -> None:
    """Faults that lie between settings, each with its path."""
    _check_web(config.web)
    for index, source in enumerate(config.source):
        if isinstance(source, RelaySource):
            _check_relay(f"$.source[{index}]", source)
    names = list(map(source_name, config.source))
    _check_names(
        "source", names, "give each source a name of its own: positions and metrics go by it"
    )
    if own_sources(config) and POLICIES in names:
        path = f"$.source[{names.index(POLICIES)}].name"
        hint = "give it another name: changes of policies come by this one"
        raise ConfigError(f"{path}: {POLICIES!r} is taken", hint=hint)
    if not config.sink:
        raise ConfigError("$.sink: no sink", hint="remove the empty table: DuckDB is the default")
    for name, sink in config.sink.items():
        if isinstance(sink, WebhookSink):
            _check_webhook(f"$.sink.{name}", sink)
        if isinstance(sink, ElasticSink):
            _check_elastic(f"$.sink.{name}", sink)
    names = [filter_name(index, each) for index, each in enumerate(config.filter)]
    _check_names("filter", names, "give each filter a name of its own: counters go by it")
    for index, match in enumerate(config.match):
        _check_match(f"$.match[{index}]", match, tuple(config.sink))


def sinks_of(match: Match) -> tuple[str, ...]:
    """The sinks that a match names."""
    return (match.sink,) if isinstance(match.sink, str) else match.sink


def filter_name(index: int, settings: Filter) -> str:
    """How counters and `try-config` call the filter at this place of the list."""
    if settings.name:
        return settings.name
    if isinstance(settings, PresetFilter):
        return settings.preset
    return f"{settings.__struct_config__.tag}-{index + 1}"


def _check_names(what: str, names: Sequence[str], hint: str) -> None:
    """Refuse the second of two that have one name."""
    places: dict[str, int] = {}
    for index, name in enumerate(names):
        first = places.setdefault(name, index)
        if first < index:
            sentence = f"$.{what}[{index}].name: {name!r} is $.{what}[{first}] already"
            raise ConfigError(sentence, hint=hint)


def _check_match(path: str, match: Match, sinks: tuple[str, ...]) -> None:
    for name in sinks_of(match):
        if name not in sinks:
            hint = f"sinks are: {', '.join(sinks)}; add [sink.{name}]"
            raise ConfigError(f"{path}.sink: there is no sink {name!r}", hint=hint)


def _check_webhook(path: str, sink: WebhookSink) -> None:
    if bool(sink.url) == bool(sink.url_file):
        hint = 'write url_file = "FILE", with the URL in that file and nowhere else'
        raise ConfigError(f"{path}.url: give either url or url_file", hint=hint)
    if CUT in sink.url:
        hint = "put the whole URL there, or into a file and its name into url_file"
        raise ConfigError(f"{path}.url: cut short, as `check-config` shows it", hint=hint)
    if sink.url and not re.fullmatch(r"https?://[^\s/@?#]+(/\S*)?", sink.url):
        hint = "write https://HOST/PATH; a password belongs into token_file"
        raise ConfigError(f"{path}.url: not a URL that can be posted to", hint=hint)
    for name in ("url_file", "token_file", "ca_file"):
        file = getattr(sink, name)
        if file and not os.access(file, os.R_OK):
            raise ConfigError(f"{path}.{name}: {file} cannot be read")
    for index, network in enumerate(sink.allowed_networks):
        _check_network(f"{path}.allowed_networks[{index}]", network)


def _check_elastic(path: str, sink: ElasticSink) -> None:
    if not sink.urls:
        raise ConfigError(f"{path}.urls: no node", hint='write urls = ["https://HOST:9200"]')
    for index, url in enumerate(sink.urls):
        if not re.fullmatch(
            r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/:@?#\[\]]+)(:\d{1,5})?(/[!-~]*)?", url
        ):
            hint = "write https://HOST:9200; a password belongs into password_file"
            raise ConfigError(f"{path}.urls[{index}]: not the URL of a node", hint=hint)
    for one, other in (("username", "password_file"), ("cert_file", "key_file")):
        if bool(getattr(sink, one)) != bool(getattr(sink, other)):
            missing = other if getattr(sink, one) else one
            raise ConfigError(f"{path}.{missing}: missing; {one} and {other} go together")
    _check_elastic_trust(path, sink)
    for name in ELASTIC_FILES:
        file = getattr(sink, name)
        if file and not os.access(file, os.R_OK):
            raise ConfigError(f"{path}.{name}: {file} cannot be read")


def _check_elastic_trust(path: str, sink: ElasticSink) -> None:
    given = [name for name in ELASTIC_WAYS if getattr(sink, name)]
    if len(given) > 1:
        raise ConfigError(
            f"{path}.{given[1]}: there is {given[0]} already", hint="give one of them"
        )
    if sink.fingerprint and not FINGERPRINT.fullmatch(sink.fingerprint):
        hint = "write the SHA-256 of the certificate: 64 hex digits, with colons or without"
        raise ConfigError(f"{path}.fingerprint: not a SHA-256", hint=hint)
    if sink.fingerprint and sink.ca_file:
        hint = "a fingerprint stands instead of authorities"
        raise ConfigError(f"{path}.fingerprint: there is ca_file already", hint=hint)
    if given and not all(map(_is_near, sink.urls)):
        hint = "write https://, or leave out what says who we are"
        raise ConfigError(f"{path}.urls: a password would be sent unencrypted", hint=hint)


def _is_near(url: str) -> bool:
    """Whether a URL is encrypted, or stays on this machine."""
    return bool(re.match(r"https:|http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:|/|$)", url))


def _check_network(path: str, network: str) -> None:
    try:
        ipaddress.ip_network(network)
    except ValueError as error:
        hint = "write a network such as 10.0.0.0/8 or fd00::/8"
        raise ConfigError(f"{path}: {error}", hint=hint) from error


def _check_web(web: Web) -> None:
    parse_address("$.web.listen", web.listen)
    if bool(web.tls.cert_file) != bool(web.tls.key_file):
        missing = "key_file" if web.tls.cert_file else "cert_file"
        raise ConfigError(f"$.web.tls.{missing}: missing; TLS needs certificate and key")
    for name in ("cert_file", "key_file"):
        file = getattr(web.tls, name)
        if file and not os.access(file, os.R_OK):
            raise ConfigError(f"$.web.tls.{name}: {file} cannot be read")
    for index, host in enumerate(web.hosts):
        if not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", host):
            hint = "write a name such as armorstack.example.org, without https:// and port"
            raise ConfigError(f"$.web.hosts[{index}]: {host!r} is no name of a host", hint=hint)
    for index, network in enumerate(web.proxies):
        _check_network(f"$.web.proxies[{index}]", network)


def _check_relay(path: str, source: RelaySource) -> None:
    parse_address(f"{path}.address", source.address)
    tls = source.tls
    if tls and bool(tls.cert_file) != bool(tls.key_file):
        missing = "key_file" if tls.cert_file else "cert_file"
        raise ConfigError(f"{path}.tls.{missing}: missing; mTLS needs certificate and key")
    for name in ("ca_file", "cert_file", "key_file"):
        file = getattr(tls, name) if tls else ""
        if file and not os.access(file, os.R_OK):
            raise ConfigError(f"{path}.tls.{name}: {file} cannot be read")
    if source.backoff_max_s < source.backoff_initial_s:
        raise ConfigError(f"{path}.backoff_max_s: less than backoff_initial_s")
