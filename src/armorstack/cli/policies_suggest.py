"""`armorstack policies suggest`: a policy from events, and what it would have meant of others.

Events are read as `armorstack query` reads them. Nothing is ever applied.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click

from armorstack.cli.interrupts import Interrupts
from armorstack.cli.options import with_options
from armorstack.cli.paint import ready_output
from armorstack.cli.reading import PLACE, QUERY, place_of, question_of, reached, remark
from armorstack.cli.spool import print_json
from armorstack.cli.table import table
from armorstack.cli.zones import ZONE
from armorstack.errors import PolicyError

EXAMPLES = """\b
Examples:
  armorstack policies suggest 'namespace:shop and pod:cart-*' --since 7d > cart.yaml
  armorstack policies suggest --query 'policy:DefaultPosture' --action Allow
  armorstack policies suggest operation:Process --namespace shop --name shop-programs
  armorstack policies suggest 'namespace:shop' --json | jq '.policies[].replay.new'
  armorstack policies suggest --replay cart.yaml --since 30d

The YAML goes to the standard output, what was left out and the table of the replay to the standard
error. Nothing is applied: `kubectl apply -f` is yours. With --replay FILE nothing is suggested; the
policies of the file are held against the stored events of the span, and the table is the answer.
Exit code 0, also when no event was found; 1 when something went wrong, 2 when the question is
wrong."""

HEADS = ("matched", "new", "action", "rule")
_ACTIONS = ("Audit", "Block", "Allow")


def _flag(name: str, help: str) -> Any:
    return click.option(name, multiple=True, metavar="VALUE", help=help)


WHICH = (
    QUERY,
    click.option("--query", "asked", multiple=True, metavar="QUERY",
                 help="The same as the words after the command."),
    _flag("--namespace", "Only this namespace."),
    _flag("--pod", "Only this pod."),
    _flag("--container", "Only this container."),
    _flag("--node", "Only this node."),
    click.option("--since", "--from", "since", metavar="WHEN", default="24h", show_default=True,
                 help="From then on: an age, a time, or `all`."),
    click.option("--until", "--to", "until", metavar="WHEN", help="Up to then."),
    *ZONE,
)  # fmt: skip
HOW = (
    click.option("--action", type=click.Choice(_ACTIONS, case_sensitive=False), default="Audit",
                 show_default=True, help="What the policies do."),
    click.option("--name", metavar="NAME", help="Their name; several get numbers."),
    click.option("--severity", type=click.IntRange(1, 10), default=5, show_default=True,
                 help="Their severity."),
    click.option("--directories", "siblings", type=click.IntRange(0), default=10, metavar="N",
                 show_default=True,
                 help="So many files of a folder become the folder; 0: never. Never for Block."),
)  # fmt: skip
REPLAY = (
    click.option("--replay", "files", multiple=True, metavar="FILE",
                 type=click.Path(exists=True),
                 help="Replay the policies of this file or folder; suggest none."),
    click.option("--no-replay", is_flag=True, help="Suggest only."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object."),
)  # fmt: skip


@click.command("suggest", epilog=EXAMPLES)
@with_options(*WHICH, *HOW, *REPLAY, *PLACE)
def suggest(
    query: Sequence[str], asked: Sequence[str], since: str, until: str | None, zone: tzinfo,
    action: str, name: str | None, severity: int, siblings: int, files: Sequence[str],
    no_replay: bool, as_json: bool, config_file: Path | None, data_dir: str | None,
    url: str | None, token_file: Path | None, ca: str | None, **flags: Any,
) -> None:  # fmt: skip
    """A KubeArmorPolicy for what the events of QUERY did, for each workload, as YAML.

    QUERY is of the language in docs/query.md: namespace:shop and operation:Process
    """
    from armorstack.policies.suggest import Options
    from armorstack.store.export import EXPORT_S

    ready_output()
    if files and no_replay:
        raise click.UsageError("give --replay or --no-replay, not both")
    options = Options(action, severity, _checked(name), siblings)
    question = question_of([*query, *asked], zone, flags, since, until)
    place = place_of(config_file, data_dir, url, token_file, ca)
    with Interrupts() as interrupts, reached(place) as reach:
        run = _Run(reach.store, question, interrupts.budget(EXPORT_S), as_json)
        if files:
            run.replay(files)
        else:
            run.suggest(options, with_replay=not no_replay)


def _checked(name: str | None) -> str:
    from armorstack.policies.crd import is_name

    if name and not is_name(name):
        raise click.BadParameter("lower case letters, digits, - and .", param_hint="--name")
    return name or ""


class _Run:
    """One question to a store, and what is made of the answer."""

    def __init__(self, store: Any, question: Any, budget: Any, as_json: bool) -> None:
        self._store, self._question, self._budget = store, question, budget
        self._as_json = as_json

    def suggest(self, options: Any, *, with_replay: bool) -> None:
        """Policies, and their replay over everything of the span."""
        from armorstack.policies.policy import policy_of
        from armorstack.policies.suggest import suggest
        from armorstack.policies.suggested_text import documents

        suggestion = suggest(self._rows(self._question), options)
        policies = [policy_of(each.policy) for each in suggestion.policies]
        replays = self._replays(policies) if with_replay and policies else []
        if self._as_json:
            print_json(_as_object(suggestion, replays))
            return
        if not policies:
            remark("no policy follows from these events: ask for others, or for a longer time")
        else:
            click.echo(documents(suggestion, replays), nl=False)
        for line in _left_out(suggestion):
            remark(line)
        for replay in replays:
            _show(replay, to_errors=True)

    def replay(self, files: Sequence[str]) -> None:
        """The policies of files over the events of the question."""
        from armorstack.policies.files import read_files

        found = read_files(files)
        for fault in found.faults:
            remark(f"{fault.where}: {fault.sentence}")
        policies = list(found.policies.values())
        if not policies:
            raise PolicyError("there is no policy in these files", hint="see docs/policies.md")
        for sentence in _faults(policies):
            remark(sentence)
        replays = self._batches_replayed(policies, self._question)
        if self._as_json:
            print_json({"replays": replays})
            return
        for each in replays:
            _show(each, to_errors=False)

    def _replays(self, policies: Sequence[Any]) -> list[Any]:
        """Over all events of the span in these namespaces, whatever the query: what else the
        policies would mean."""
        from armorstack.core.query.question import Question
        from armorstack.core.query.tree import Match

        asked = self._question
        namespaces = tuple(sorted({each.namespace for each in policies}))
        where = Match("namespace", namespaces, exact=True)
        everything = Question(where, start_us=asked.start_us, end_us=asked.end_us)
        return self._batches_replayed(policies, everything)

    def _batches_replayed(self, policies: Sequence[Any], question: Any) -> list[Any]:
        from armorstack.policies.replay import replays

        with closing(self._stream(question)) as batches:
            return replays(policies, batches)

    def _rows(self, question: Any) -> Iterator[Any]:
        from armorstack.policies.acts import rows_of

        with closing(self._stream(question)) as batches:
            for batch in batches:
                yield from rows_of(batch)

    def _stream(self, question: Any) -> Any:
        from armorstack.core.query.tree import Match
        from armorstack.policies.acts import COLUMNS

        of_acts = question.narrowed(Match("stream", ("alert", "log"), exact=True))
        return self._store.stream(of_acts, self._budget, columns=COLUMNS)


def _faults(policies: Sequence[Any]) -> Iterator[str]:
    """Where a policy of a file is not what an API server takes."""
    from armorstack.policies.crd import API_VERSION, faults

    for each in policies:
        written = {"apiVersion": API_VERSION, "kind": each.kind, "metadata": {"name": each.name}}
        for place, sentence in faults(written | {"spec": each.spec}):
            yield f"{each.title}: {place}: {sentence}"


def _left_out(suggestion: Any) -> Iterator[str]:
    from armorstack.policies.suggested_text import left_out_lines

    if events := sum(each.events for each in suggestion.left_out):
        yield f"In no policy: {events:,} of {suggestion.events:,} events"
        yield from (f"  {line}" for line in left_out_lines(suggestion.left_out))


def _show(replay: Any, *, to_errors: bool) -> None:
    """The replay as a table."""
    from armorstack.policies.suggested_text import replay_lines

    rows = [(f"{r.matched:,}", f"{r.new:,}", r.action, r.rule) for r in replay.rules]
    told = [
        replay.policy,
        *(f"  {line}" for line in replay_lines(replay)),
        *(f"  {each.events:,} reported by {each.name}" for each in replay.reported),
    ]
    for line in told:
        _say(line, to_errors=to_errors)
    _echo(table(HEADS, rows, right=HEADS[:2]), to_errors=to_errors)


def _say(line: str, *, to_errors: bool) -> None:
    from armorstack.core.text import printable

    _echo(printable(line), to_errors=to_errors)


def _echo(text: str, *, to_errors: bool) -> None:
    click.echo(text, file=sys.stderr if to_errors else sys.stdout)


def _as_object(suggestion: Any, replays: Sequence[Any]) -> dict[str, Any]:
    from msgspec import to_builtins

    told: dict[str, Any] = to_builtins(suggestion)
    for policy, replay in zip(told["policies"], replays, strict=False):
        policy["replay"] = replay
    return told
