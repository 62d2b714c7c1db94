"""`armorstack token`: who may see pages and API, beside a running armorstack or without one.

What is made or revoked here counts at once: the worker reads the files again. A token is printed
once, when it is made; afterwards only its hash is known. Names were typed by people: nothing
reaches a terminal unescaped.
"""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from armorstack.cli.nodes import LOCAL
from armorstack.cli.options import SETTINGS, load_config, with_options
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.cli.table import table
from armorstack.cli.times import Span, show_time
from armorstack.config import Config, parse_address
from armorstack.core.text import printable
from armorstack.web.access import owner
from armorstack.web.access.bearers import read_used
from armorstack.web.access.invitation import page_url
from armorstack.web.access.register import Record, Register
from armorstack.web.access.token import digest, make

EXAMPLES = """\b
Examples:
  armorstack token create --name ci --read --expires 30d
  armorstack token create --name shop-team --read --namespace shop --namespace shop-test
  armorstack token create --name backup --admin
  armorstack token list
  armorstack token revoke ci
  armorstack token url"""

HEADS = ("name", "scope", "namespaces", "made", "expires", "last used")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAMESPACE = re.compile(r"[\x21-\x7e]{1,253}")


@click.group("token", epilog=EXAMPLES)
def command() -> None:
    """Who may see pages and API: create, list, revoke, url."""


@command.command("create", epilog=EXAMPLES)
@with_options(*SETTINGS, AS_JSON)
@click.option("--name", required=True, help="What it is called, in lists and in the log.")
@click.option("--read", is_flag=True, help="It may read; the default.")
@click.option("--admin", is_flag=True, help="It may do everything.")
@click.option("--namespace", "namespaces", multiple=True, metavar="NAME",
              help="It may read events of this namespace only; repeat it for more.")  # fmt: skip
@click.option("--expires", type=Span(), metavar="SPAN", help="It is void after 12h, 30d, …")
def create(
    config_file: Path | None, data_dir: str | None, as_json: bool, name: str, read: bool,
    admin: bool, namespaces: Sequence[str], expires: int | None,
) -> None:  # fmt: skip
    """Make a token and print it. It is shown this once."""
    _check(name, read, admin, namespaces)
    config = load_config(config_file, data_dir=data_dir)
    text, now_s = make(), int(time.time())
    record = Record(
        name=name, sha256=digest(text), made_s=now_s, admin=admin,
        expires_s=None if expires is None else now_s + max(1, expires // 1_000_000),
        namespaces=tuple(dict.fromkeys(namespaces)) or None,
    )  # fmt: skip
    Register(owner.folder_of(config.data_dir)).add(record)
    if as_json:
        print_json({**_told(record, {}), "token": text})
        return
    click.echo(text)
    click.echo("This is the only time that it is shown. Use: Authorization: Bearer …", err=True)


@command.command("list")
@with_options(*SETTINGS, AS_JSON, LOCAL)
def list_(config_file: Path | None, data_dir: str | None, as_json: bool, local: bool) -> None:
    """All tokens, what they may do, and when each was used last, to the minute."""
    config = load_config(config_file, data_dir=data_dir)
    folder = owner.folder_of(config.data_dir)
    records, used = [*_owner(config), *Register(folder).records()], read_used(folder)
    if as_json:
        print_json({"tokens": [_told(record, used) for record in records]})
    elif records:
        click.echo(table(HEADS, [_row(record, used, local=local) for record in records]))
    else:
        click.echo("There are no tokens yet; `armorstack run` makes the owner's.")


@command.command("revoke")
@with_options(*SETTINGS)
@click.argument("name")
def revoke(config_file: Path | None, data_dir: str | None, name: str) -> None:
    """Make a token void, at once, with all sessions made from it.

    The owner's token is replaced by a new one: armorstack token url prints it.
    """
    config = load_config(config_file, data_dir=data_dir)
    if name == owner.NAME:
        owner.renew(config.data_dir)
        click.echo("The owner has a new token; the old one is void.")
        return
    Register(owner.folder_of(config.data_dir)).remove(name)
    click.echo(f"{printable(name)} is revoked.")


@command.command("url")
@with_options(*SETTINGS)
def url(config_file: Path | None, data_dir: str | None) -> None:
    """Print the address that signs the owner in. Whoever has it may do everything."""
    from armorstack.state import WorkerState, read_state, worker_path

    config = load_config(config_file, data_dir=data_dir)
    worker = read_state(worker_path(config.data_dir), WorkerState)
    at = worker.http if worker and worker.http else config.web.listen
    token = owner.owner_token(config.data_dir)
    click.echo(page_url(config.web, parse_address("$.web.listen", at), token))


def _check(name: str, read: bool, admin: bool, namespaces: Sequence[str]) -> None:
    if name == owner.NAME or not NAME.fullmatch(name):
        raise click.UsageError(
            f"--name: {name!r}: take letters, digits, - _ and . (64 at most); {owner.NAME} is taken"
        )
    if admin and (read or namespaces):
        raise click.UsageError("--admin may do everything: give it without --read, --namespace")
    for namespace in namespaces:
        if not NAMESPACE.fullmatch(namespace):
            raise click.UsageError(f"--namespace: {namespace!r} is no name of a namespace")


def _owner(config: Config) -> list[Record]:
    path = owner.token_path(config.data_dir)
    if not path.exists():
        return []
    made_s = int(path.stat().st_mtime)
    return [Record(owner.NAME, digest(owner.owner_token(config.data_dir)), made_s, admin=True)]


def _scope(record: Record) -> str:
    return "admin" if record.admin else "read"


def _row(record: Record, used: Mapping[str, int], *, local: bool) -> Sequence[str]:
    def shown(moment_s: int | None, otherwise: str) -> str:
        return otherwise if moment_s is None else show_time(moment_s * 1_000_000, local=local)

    over = " (over)" if record.is_over(time.time()) else ""
    namespaces = "all" if record.namespaces is None else ", ".join(record.namespaces)
    return (
        record.name, _scope(record), namespaces, shown(record.made_s, ""),
        shown(record.expires_s, "never") + over, shown(used.get(record.id), "never"),
    )  # fmt: skip


def _told(record: Record, used: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": record.name, "scope": _scope(record), "namespaces": record.namespaces,
        "made": record.made_s, "expires": record.expires_s, "last_used": used.get(record.id),
    }  # fmt: skip
