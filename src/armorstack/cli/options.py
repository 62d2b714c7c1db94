"""Options that several commands share, and how they become settings.

Flags that name sources replace the sources of the settings file. What a source does with its
settings must not go here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from armorstack.config import Config, DuckdbSink, load
from armorstack.config.environment import default_type

Function = TypeVar("Function", bound=Callable[..., Any])

SETTINGS = (
    click.option(
        "--config", "config_file", type=click.Path(dir_okay=False, path_type=Path),
        envvar="ARMORSTACK_CONFIG", metavar="FILE", help="Settings, as TOML.",
    ),
    click.option("--data-dir", metavar="DIR", help="Where spool, store and reports lie."),
)  # fmt: skip

SOURCES = (
    click.option("--relay", multiple=True, metavar="HOST:PORT", help="A KubeArmor relay or node."),
    click.option("--tls", is_flag=True, help="Speak TLS with the relays."),
    click.option("--tls-ca", metavar="FILE", help="Authorities to trust instead of the system's."),
    click.option("--tls-cert", metavar="FILE", help="Our certificate, for mTLS."),
    click.option("--tls-key", metavar="FILE", help="Our private key, for mTLS."),
    click.option("--tls-server-name", metavar="NAME", help="Name in the relay's certificate."),
    click.option("--cluster", metavar="NAME", help='Cluster name in place of "default".'),
    click.option("--file", multiple=True, metavar="PATH", help="A file of event lines."),
    click.option("--no-follow", is_flag=True, help="Read files to their end once."),
    click.option("--stdin", is_flag=True, help="Event lines on standard input."),
    click.option("--sample", is_flag=True, help="Recorded and scripted events; needs no cluster."),
    click.option("--rate", type=float, metavar="N", help="Sample events per second, 20."),
    click.option("--count", type=int, metavar="N", help="Stop after so many sample events."),
)

ENGINE = (
    click.option(
        "--engine", metavar="URL",
        help="Store in Elasticsearch or OpenSearch there, not in the embedded store.",
    ),
)  # fmt: skip

POLICIES = (
    click.option("--policies", multiple=True, metavar="PATH",
                 help="YAML files or folders with the policies that are deployed."),
)  # fmt: skip

WEB = (
    click.option(
        "--listen", metavar="HOST:PORT",
        help="Pages, API, health and metrics; port 0 takes a free one.",
    ),
    click.option("--web-cert", metavar="FILE", help="Certificate for pages and API, PEM."),
    click.option("--web-key", metavar="FILE", help="Its private key, PEM."),
    click.option("--web-host", multiple=True, metavar="NAME", help="A name that pages answer to."),
    click.option(
        "--behind-proxy", multiple=True, metavar="NETWORK",
        help="Where the proxies are that ask for others, such as 10.0.0.0/8.",
    ),
)  # fmt: skip


def with_options(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """A decorator that adds these options, listed in this order."""

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def load_config(
    config_file: Path | None = None,
    also: Callable[[Config], object] | None = None,
    **flags: Any,
) -> Config:
    """The settings of defaults, file, environment and flags; `also` may find further faults, which
    are then told with their lines."""
    overrides: dict[str, Any] = {}
    if flags.get("data_dir"):
        overrides["data_dir"] = str(Path(flags["data_dir"]).absolute())
    if web := _web(flags):
        overrides["web"] = web
    if flags.get("policies"):
        files = [str(Path(path).absolute()) for path in flags["policies"]]
        overrides["policies"] = {"files": files}
    if flags.get("engine"):
        overrides["sink"] = {"elastic": {"type": "elastic", "urls": [flags["engine"]]}}
    if sources := _sources(flags):
        overrides["source"] = sources
    return load(
        config_file, overrides, also=also, arrange=_engine_alone if flags.get("engine") else None
    )  # fmt: skip


def embedded(config: Config) -> list[str]:
    """Names of embedded stores that are in the settings because somebody wrote them there."""
    if config.sink == Config().sink:
        return []
    return [name for name, sink in config.sink.items() if isinstance(sink, DuckdbSink)]


def _engine_alone(tree: dict[str, Any]) -> None:
    """Pages read the engine that a flag names, and nothing is stored twice."""
    sinks = tree.get("sink")
    if isinstance(sinks, dict):
        for name, sink in list(sinks.items()):
            type_ = sink.get("type", default_type(name)) if isinstance(sink, dict) else ""
            if type_ == "duckdb":
                del sinks[name]


def _web(flags: dict[str, Any]) -> dict[str, Any]:
    lists = {"hosts": "web_host", "proxies": "behind_proxy"}
    web: dict[str, Any] = {
        name: list(flags[flag]) for name, flag in lists.items() if flags.get(flag)
    }
    files = {"cert_file": "web_cert", "key_file": "web_key"}
    tls = {n: str(Path(flags[flag]).absolute()) for n, flag in files.items() if flags.get(flag)}
    listen = {"listen": flags["listen"]} if flags.get("listen") else {}
    return web | listen | ({"tls": tls} if tls else {})


def _sources(flags: dict[str, Any]) -> list[dict[str, Any]]:
    _check_companions(flags)
    cluster = {"cluster": flags["cluster"]} if flags.get("cluster") else {}
    tls = {"tls": _tls(flags)} if _wants_tls(flags) else {}
    sources: list[dict[str, Any]] = [
        {"type": "relay", "address": address} | cluster | tls for address in flags.get("relay", ())
    ]
    for path in flags.get("file", ()):
        follow = {"follow": False} if flags.get("no_follow") else {}
        sources.append({"type": "file", "path": str(Path(path).absolute())} | follow | cluster)
    if flags.get("stdin"):
        sources.append({"type": "stdin"} | cluster)
    if flags.get("sample"):
        pace = {name: flags[name] for name in ("rate", "count") if flags.get(name) is not None}
        sources.append({"type": "sample"} | pace | cluster)
    return sources


def _tls(flags: dict[str, Any]) -> dict[str, str]:
    files = {"ca_file": "tls_ca", "cert_file": "tls_cert", "key_file": "tls_key"}
    tls = {name: str(Path(flags[flag]).absolute()) for name, flag in files.items() if flags[flag]}
    if flags["tls_server_name"]:
        tls["server_name"] = flags["tls_server_name"]
    return tls


def _wants_tls(flags: dict[str, Any]) -> bool:
    return any(flags.get(name) for name in flags if name.startswith("tls"))


def _check_companions(flags: dict[str, Any]) -> None:
    """A flag that says more about a source needs that source."""
    needs = {
        "rate": ("sample",), "count": ("sample",), "no_follow": ("file",),
        "tls": ("relay",), "tls_ca": ("relay",), "tls_cert": ("relay",), "tls_key": ("relay",),
        "tls_server_name": ("relay",), "cluster": ("relay", "file", "stdin", "sample"),
    }  # fmt: skip
    for name, sources in needs.items():
        if flags.get(name) not in (None, False, "") and not any(flags.get(s) for s in sources):
            wanted = ", ".join(f"--{source}" for source in sources)
            raise click.UsageError(f"--{name.replace('_', '-')} goes with {wanted}")
