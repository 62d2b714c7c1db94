"""`armorstack setup`: index templates put into Elasticsearch or OpenSearch, the diff first.

Must not go here: what a template or a role says, and when one may be changed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from armorstack.cli.options import ENGINE, SETTINGS, load_config, with_options
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.config import ElasticSink
from armorstack.errors import ConfigError

WOULD_CHANGE = 3
EXAMPLES = """\b
Examples:
  armorstack setup --engine http://127.0.0.1:9200
  armorstack setup --config armorstack.toml --dry-run
  armorstack setup --config armorstack.toml --yes --json
  armorstack setup --print-roles > roles.json

What would change is shown first, and nothing is changed unasked: --yes says so where nobody can be
asked. Existing indices keep the types they have; a change counts from the next period on.

Exit codes: 0 all is as it should be, 1 the engine or a template of somebody else's refuses, 2 wrong
settings, 3 with --dry-run: something would change."""


@click.command("setup", epilog=EXAMPLES)
@with_options(*SETTINGS, *ENGINE, AS_JSON)
@click.option("--sink", metavar="NAME", help="Which sink's settings, where there are several.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--print-roles", is_flag=True, help="Only print the roles, as the engine takes them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    config_file: Path | None, sink: str | None, dry_run: bool, print_roles: bool, yes: bool,
    as_json: bool, **flags: Any,
) -> None:  # fmt: skip
    """Put index templates into Elasticsearch or OpenSearch."""
    sinks = load_config(config_file, **flags).sink
    if print_roles and not any(isinstance(each, ElasticSink) for each in sinks.values()):
        sinks = {"elastic": ElasticSink()}
    settings = elastic_settings(sinks, sink)
    if print_roles:
        _print_roles(settings)
        return
    from armorstack.engines.elastic.connection import Engine
    from armorstack.engines.elastic.setup import apply, plan

    engine = Engine(settings)
    try:
        changes = plan(engine, settings)
        if not as_json:
            for line in _lines(engine, changes):
                click.echo(line)
        if changes and not dry_run:
            _confirm(len(changes), yes)
            apply(engine, changes)
        _tell_result(engine, settings, changes, dry_run, as_json)
    finally:
        engine.close()
    if changes and dry_run:
        sys.exit(WOULD_CHANGE)


def elastic_settings(sinks: dict[str, Any], name: str | None) -> ElasticSink:
    """The settings of the sink of that name, or of the only one of its kind."""
    found = {key: sink for key, sink in sinks.items() if isinstance(sink, ElasticSink)}
    if name is not None and name not in found:
        raise click.UsageError(f"there is no elastic sink {name!r} in the settings")
    if len(found) > 1 and name is None:
        raise click.UsageError(f"say which with --sink: {', '.join(sorted(found))}")
    if not found:
        raise ConfigError(
            "the settings name no Elasticsearch or OpenSearch",
            hint='add [sink.elastic] with type = "elastic", or say --engine URL',
        )
    return found[name] if name is not None else next(iter(found.values()))


def _print_roles(settings: ElasticSink) -> None:
    from typing import get_args

    from armorstack.engines.elastic.dialect import Name
    from armorstack.engines.elastic.roles import roles

    names = get_args(Name) if settings.engine == "auto" else (settings.engine,)
    print_json({name: roles(settings.prefix, name) for name in names})


def _lines(engine: Any, changes: list[Any]) -> Iterator[str]:
    from armorstack.engines.elastic.setup import sentences

    version = ".".join(map(str, engine.dialect.version))
    yield f"{engine.dialect.name} {version} at {engine.origins}"
    for change in changes:
        yield from sentences(change)


def _confirm(count: int, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("this changes the engine; say --yes where nobody can be asked")
    noun = "template" if count == 1 else "templates"
    click.confirm(f"apply {count} {noun}?", abort=True, err=True)


def _tell_result(
    engine: Any, settings: ElasticSink, changes: list[Any], dry_run: bool, as_json: bool
) -> None:
    from armorstack.engines.elastic.setup import advice, outdated_indices

    # They are compared with what is applied, so a dry run compares with what would be.
    older = outdated_indices(engine, settings)
    told = advice(engine.dialect, settings)
    if as_json:
        print_json(
            {
                "engine": engine.dialect.name,
                "version": ".".join(map(str, engine.dialect.version)),
                "prefix": settings.prefix,
                "changes": changes,
                "applied": bool(changes) and not dry_run,
                "older_indices": older,
                "advice": told,
            }
        )
        return
    if not changes:
        click.echo("nothing to do")
    elif not dry_run:
        click.echo(f"applied: {len(changes)}")
    if older:
        click.echo(f"{len(older)} indices keep the types they were made with, until they go")
    for line in told:
        click.echo(f"hint: {line}")
