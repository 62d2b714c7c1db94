"""Options that the commands share which read events: which events, and where they are asked.

What the flags' values mean is said in `core/query/flags.py`. What a store does must not go here.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import IO, Any, NoReturn

import click
from click.core import ParameterSource

from armorstack.cli.options import SETTINGS, load_config
from armorstack.cli.zones import ZONE
from armorstack.core.moments import EXAMPLES, parse_moment
from armorstack.core.text import printable
from armorstack.errors import ArmorstackError, QueryError

TOKEN = "ARMORSTACK_TOKEN"
ALL = "all"

PLACE = (
    click.option("--url", envvar="ARMORSTACK_URL", metavar="URL",
                 help="An armorstack elsewhere, such as https://armorstack.example."),
    click.option("--token-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                 help=f"The token for --url; or {TOKEN} in the environment."),
    click.option("--ca", metavar="FILE",
                 help="Authorities to trust for --url instead of the system's."),
    *SETTINGS,
)  # fmt: skip


def _complete_query(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    from armorstack.core.query.completion import complete

    return [
        CompletionItem(incomplete[: each.start] + each.text, help=each.doc)
        for each in complete(incomplete)
    ]


QUERY = click.argument("query", nargs=-1, shell_complete=_complete_query)


def _flag(*names: str, help: str) -> Any:
    return click.option(*names, multiple=True, metavar="VALUE", help=help)


FILTERS = (
    _flag("--namespace", help="Only this namespace."),
    _flag("--pod", help="Only this pod."),
    _flag("--container", help="Only this container."),
    _flag("--node", help="Only this node."),
    _flag("--policy", help="Only this policy."),
    _flag("--operation", help="Only this operation: Process, File, Network, …"),
    _flag("--action", help="Only this action: Block, Audit, Allow."),
    _flag("--severity", help="Only this severity: 8, or 5..8, or 8.."),
    _flag("--process", help="Only this process."),
    _flag("--resource", help="Only this resource."),
    _flag("--source", help="Only this calling process."),
    _flag("--type", "--logType", help="Only this type: MatchedPolicy, ContainerLog, …"),
    click.option("--log-filter", "--logFilter", type=click.Choice(["policy", "system", "all"]),
                 default="all", help="Alerts of policies, logs of the system, or all (default)."),
)  # fmt: skip

JSON_LINES = click.option("--json", "as_json", is_flag=True, help="One object a line, in ASCII.")

FILTER_FIELDS = (
    "namespace", "pod", "container", "node", "policy", "operation", "action", "severity",
    "process", "resource", "source", "type",
)  # fmt: skip
_STREAMS = {"policy": "alert", "system": "log"}

SPAN = (
    click.option("--since", metavar="WHEN", default="24h", show_default=True,
                 help="From then on: an age, a time, or `all`."),
    click.option("--until", metavar="WHEN", help="Up to then."),
)  # fmt: skip


def terminal_width() -> int:
    """Columns of the terminal."""
    return shutil.get_terminal_size((120, 24)).columns


def question_of(
    query: Sequence[str], zone: tzinfo, flags: Mapping[str, Any], since: str = ALL,
    until: str | None = None,
) -> Any:  # fmt: skip
    """The `Question` that words, flags and span ask; ends the command where the query is wrong."""
    from armorstack.core.query.flags import with_flags
    from armorstack.core.query.parse import parse
    from armorstack.core.query.question import Question

    now_us = time.time_ns() // 1000
    text = " ".join(query)
    try:
        where = parse(text, now_us, zone)
    except QueryError as error:
        _explain(text, error)
    start_us = None if since == ALL else moment("--since", since, now_us, zone)
    end_us = None if until in (None, "now") else moment("--until", str(until), now_us, zone)
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise click.UsageError("--since is not before --until")
    asked = Question(where, start_us=start_us, end_us=end_us)
    said = {field: flags.get(field) or () for field in FILTER_FIELDS}
    stream = _STREAMS.get(flags.get("log_filter") or "")
    try:
        return with_flags(asked, said | {"stream": (stream,) if stream else ()})
    except ValueError as error:
        sentence, field = error.args
        raise click.BadParameter(sentence, param_hint=f"--{field}") from None


def moment(option: str, text: str, now_us: int, zone: tzinfo) -> int:
    """A time in microseconds since 1970; a usage error where it is none."""
    found = parse_moment(text, now_us, zone)
    if found is None:
        raise click.BadParameter(f"{text!r} is no time: say {EXAMPLES}", param_hint=option)
    return found


def columns_of(text: str) -> tuple[str, ...]:
    """The columns that `--columns` names, by their one name; a usage error where one is unknown."""
    from armorstack.core.query.names import canonical, nearest
    from armorstack.store.event_json import COLUMNS

    found = []
    for said in filter(None, (part.strip() for part in text.split(","))):
        name = said if said in COLUMNS else canonical(said)
        if name not in COLUMNS:
            near = nearest(said)
            hint = f"did you mean {near}?" if near else "docs/fields.md has them all"
            raise click.BadParameter(f"there is no column {said!r}: {hint}", param_hint="--columns")
        found.append(name)
    if not found:
        raise click.BadParameter("name at least one column", param_hint="--columns")
    return tuple(dict.fromkeys(found))


def fields_of(option: str, said: Iterable[str]) -> tuple[str, ...]:
    """Fields by their one name; a usage error where one is unknown."""
    from armorstack.core.query.names import canonical, nearest

    found = []
    for name in (part.strip() for each in said for part in each.split(",")):
        known = canonical(name)
        if known is None:
            near = nearest(name)
            hint = f"did you mean {near}?" if near else "docs/fields.md has them all"
            raise click.BadParameter(f"there is no field {name!r}: {hint}", param_hint=option)
        found.append(known)
    return tuple(dict.fromkeys(found))


def complete_columns(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of columns, also behind a comma."""
    from armorstack.store.event_json import COLUMNS

    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in COLUMNS if name.startswith(begun)]


def complete_field(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of fields, also behind a comma."""
    from armorstack.core.query.names import QUERY_FIELDS

    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in QUERY_FIELDS if name.startswith(begun)]


def place_of(
    config_file: Path | None, data_dir: str | None, url: str | None, token_file: Path | None,
    ca: str | None, file: IO[bytes] | None = None,
) -> Any:  # fmt: skip
    """The `Place` where these options say that events are asked."""
    from armorstack.store.place import FileOfLines, Local, elsewhere

    if file:
        return FileOfLines(file)
    if url and not (data_dir and _is_of_environment("url")):
        return elsewhere(url, _token(token_file), ca or "")
    if token_file or ca:
        raise click.UsageError("--token-file and --ca go with --url")
    return Local(load_config(config_file, data_dir=data_dir))


@contextmanager
def reached(place: Any) -> Iterator[Any]:
    """What answers there just now; what a person should know of it is told."""
    with place.reach() as reach:
        remark(reach.remark)
        yield reach


def remark(text: str) -> None:
    """Tell a person something beside the answer."""
    if text:
        click.echo(printable(text), err=True)


def _is_of_environment(option: str) -> bool:
    """What is typed goes before what is set once and for all."""
    source = click.get_current_context().get_parameter_source(option)
    return source is ParameterSource.ENVIRONMENT


def _token(file: Path | None) -> str:
    if file is None:
        return os.environ.get(TOKEN, "").strip()
    try:
        return file.read_text("ascii", "replace").strip()
    except OSError as error:
        raise ArmorstackError(f"the token cannot be read: {error}") from error


def _explain(text: str, error: QueryError) -> NoReturn:
    """The fault, the query with the place marked, and what to write."""
    from armorstack.core.query.pointing import pointed

    click.echo(f"armorstack: {printable(str(error))}", err=True)
    for line in pointed(text, error, min(100, terminal_width() - 2)).splitlines():
        click.echo(f"  {line}", err=True)
    if error.hint:
        click.echo(f"hint: {printable(error.hint)}", err=True)
    sys.exit(error.exit_code)


WHICH = (QUERY, *FILTERS, *SPAN, *ZONE)
"""Which events a command means."""
