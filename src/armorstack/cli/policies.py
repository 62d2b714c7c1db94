"""`armorstack policies`: what is deployed and what each policy did; policies from events.

The running worker watches policies, so it is asked by its API. What a policy says was written by
somebody: nothing of it reaches a terminal unescaped.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from armorstack.cli.options import with_options
from armorstack.cli.paint import COLOR, Paint, ready_output, say
from armorstack.cli.policies_suggest import suggest
from armorstack.cli.reading import PLACE, place_of
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.cli.table import table
from armorstack.core.policy_change import TYPE as CHANGE
from armorstack.core.text import printable
from armorstack.errors import ArmorstackError

LIST_EXAMPLES = """\b
Examples:
  armorstack policies list
  armorstack policies list --state 'never fired'
  armorstack policies list --namespace shop --action Block --json

Exit code 0, also when there is none; 1 when policies are not watched or nobody answers."""
SHOW_EXAMPLES = """\b
Examples:
  armorstack policies show block-shells
  armorstack policies show block-shells --namespace shop --yaml > spec.yaml

Exit code 1 when there is no policy of that name."""
COVERAGE_EXAMPLES = """\b
Examples:
  armorstack policies coverage
  armorstack policies coverage --namespace shop --bare

Exit code 1 where no pods are watched."""
CHANGES_EXAMPLES = """\b
Examples:
  armorstack policies changes
  armorstack policies changes block-shells --namespace shop --since 90d
  armorstack policies changes --json

Newest first. Exit code 0, also when there is none."""
HEADS = ("state", "kind", "namespace", "name", "action", "severity", "pods", "1h", "24h", "7d",
         "last alert")  # fmt: skip
NUMBERS = ("severity", "pods", "1h", "24h", "7d")
COVERED = ("pods", "covered", "bare")
SHORT = {
    "KubeArmorPolicy": "ksp", "KubeArmorHostPolicy": "hsp", "KubeArmorClusterPolicy": "csp",
}  # fmt: skip
"""KubeArmor's own short names."""
COLOURS = {"firing": "red", "quiet": "green", "not deployed": "yellow", "selects nothing": "yellow"}
STATES = (
    "firing", "quiet", "never fired", "selects nothing", "inactive", "deleted", "not deployed",
)  # fmt: skip

WHICH = (
    click.option("--state", type=click.Choice(STATES), help="Only policies in this state."),
    click.option("--kind", type=click.Choice(sorted(SHORT)), help="Only this kind."),
    click.option("--namespace", metavar="NAME", help="Only this namespace."),
    click.option("--action", type=click.Choice(["Block", "Audit", "Allow"]),
                 help="Only this action."),
    click.option("--tag", metavar="TAG", help="Only policies with this tag."),
    click.option("--text", metavar="TEXT", help="Only those that say this somewhere."),
)  # fmt: skip


@click.group("policies")
def command() -> None:
    """Deployed policies, what each did, how they changed; one from events."""


command.add_command(suggest)


@command.command("list", epilog=LIST_EXAMPLES)
@with_options(*WHICH, *PLACE, AS_JSON, COLOR)
def list_policies(as_json: bool, color: Any, **flags: Any) -> None:
    """The state of each policy, by kind, namespace and name."""
    place, asked = _split(flags)
    found = _asked(place, asked)
    if as_json:
        print_json(found)
        return
    ready_output()
    paint = Paint(color)
    _tell(found)
    if found["policies"]:
        lines = table(HEADS, map(_row, found["policies"]), NUMBERS).split("\n")
        say(paint(lines[0], bold=True), paint)
        for line, each in zip(lines[1:], found["policies"], strict=True):
            say(_coloured(line, each["state"], paint), paint)
    told = ", ".join(f"{count} {state}" for state, count in sorted(found["states"].items()))
    click.echo(f"{len(found['policies'])} policies" + (f" of: {told}" if told else ""), err=True)


@command.command("show", epilog=SHOW_EXAMPLES)
@click.argument("name")
@click.option("--namespace", metavar="NAME", help="Of this namespace.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Only the spec, as YAML.")
@with_options(*PLACE, AS_JSON)
def show(name: str, as_yaml: bool, as_json: bool, **flags: Any) -> None:
    """All that is known of the policies of one name."""
    place, asked = _split(flags)
    found = _asked(place, asked | {"name": name, "detail": "whole"})["policies"]
    if as_json:
        print_json({"policies": found})
    elif as_yaml:
        ready_output()
        click.echo("---\n".join(_lines_of(each["yaml"]) for each in found), nl=False)
    else:
        ready_output()
        click.echo("\n\n".join("\n".join(_told(each)) for each in found))
    if not found:
        click.echo(f"armorstack: there is no policy {printable(name)}", err=True)
        sys.exit(1)


@command.command("coverage", epilog=COVERAGE_EXAMPLES)
@click.option("--namespace", metavar="NAME", help="Only this namespace.")
@click.option(
    "--bare", "only_bare", is_flag=True, help="The pods that no policy selects, a line each."
)
@with_options(*PLACE, AS_JSON)
def coverage(only_bare: bool, as_json: bool, **flags: Any) -> None:
    """How many pods have a policy, by namespace, and which have none."""
    place, asked = _split(flags)
    found = _asked(place, asked, "coverage")
    if as_json:
        print_json(found)
        return
    ready_output()
    spaces = found["namespaces"]
    if only_bare:
        for each in spaces:
            click.echo("".join(printable(f"{each['namespace']}/{pod}") + "\n"
                               for pod in each["bare"]), nl=False)  # fmt: skip
    else:
        rows = [
            (each["namespace"], str(each["pods"]), str(each["covered"]), str(len(each["bare"])))
            for each in spaces
        ]
        click.echo(
            table(("namespace", "pods", "covered", "bare"), rows, ("pods", "covered", "bare"))
        )
    click.echo(f"{found['bare']} of {found['pods']} pods have no policy", err=True)


@command.command("changes", epilog=CHANGES_EXAMPLES)
@click.argument("name", required=False)
@click.option("--namespace", metavar="NAME", help="Only policies of this namespace.")
@click.option("--since", metavar="SPAN", default="30d", show_default=True,
              help="How far back, such as 90d; `all`.")  # fmt: skip
@click.option("-n", "size", type=click.IntRange(1, 1000), default=50, show_default=True,
              metavar="COUNT", help="At most so many.")  # fmt: skip
@with_options(*PLACE, AS_JSON)
def changes(name: str | None, since: str, size: int, as_json: bool, **flags: Any) -> None:
    """Who made, changed or deleted policies, and what is different."""
    place, asked = _split(flags)
    asked |= {
        "type": CHANGE,
        "size": str(size),
        "from": "all" if since == "all" else f"now-{since}",
    }
    found = _asked(place, asked | ({"policy": name} if name else {}), "events")
    if as_json:
        print_json(found)
        return
    ready_output()
    for each in found["events"]:
        click.echo(printable(f"{_time(each['time'])} {each.get('message', '')}"))
        click.echo("".join(f"  {line}\n" for line in _lines_of(each.get("data", "")).splitlines()),
                   nl=False)  # fmt: skip


def _split(flags: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What says where to ask, and what is asked."""
    names = ("config_file", "data_dir", "url", "token_file", "ca")
    place = {name: flags[name] for name in names}
    return place, {name: str(v) for name, v in flags.items() if name not in names and v}


def _asked(place: Mapping[str, Any], pairs: Mapping[str, str], path: str = "policies") -> Any:
    from armorstack.store.budget import Budget

    config_file: Path | None = place["config_file"]
    link = place_of(
        config_file, place["data_dir"], place["url"], place["token_file"], place["ca"]
    ).link()  # fmt: skip
    if link is None:
        hint = "start `armorstack run --policies PATH`, or name one elsewhere with --url"
        raise ArmorstackError("policies are known while armorstack runs", hint=hint)
    return link.ask(path, sorted(pairs.items()), Budget(30.0))


def _row(each: Mapping[str, Any]) -> Sequence[str]:
    pods = each["nodes_count"] if each["kind"] == "KubeArmorHostPolicy" else each["pods_count"]
    return (
        each["state"], SHORT.get(each["kind"], each["kind"]), each["namespace"] or "-",
        each["name"], each["action"] or "-", str(each["severity"] or "-"),
        str(pods) if each["selection_known"] and each["is_deployed"] else "-",
        str(each["alerts_1h"]), str(each["alerts_24h"]), str(each["alerts_7d"]),
        _time(each["last_alert"]),
    )  # fmt: skip


def _coloured(line: str, state: str, paint: Paint) -> str:
    return paint(line[: len(state)], COLOURS.get(state, "")) + line[len(state) :]


def _told(each: Mapping[str, Any]) -> list[str]:
    namespace = f"{each['namespace']}/" if each["namespace"] else ""
    facts = [
        ("state", each["state"]), ("selects", each["selector"]), ("action", each["action"]),
        ("severity", str(each["severity"] or "")), ("tags", ", ".join(each["tags"])),
        ("message", each["message"]), ("changed", _changed(each)),
        ("deleted", _time(each["deleted"]) if each["deleted"] else ""),
        ("alerts", f"{each['alerts_1h']} in 1 h, {each['alerts_24h']} in 24 h, "
                   f"{each['alerts_7d']} in 7 d, {each['alerts_all']} in all"),
        ("last alert", _time(each["last_alert"])),
        ("in 24 h", f"{each['blocked_24h']} blocked, {each['audited_24h']} audited"),
    ]  # fmt: skip
    if each["selection_known"]:
        facts += [("pods", _names(each, "pods")), ("nodes", _names(each, "nodes"))]
    facts += [("rule", rule) for rule in each["rules"]]
    head = printable(f"{each['kind']} {namespace}{each['name']}")
    return [head, *(f"  {name:<10} {printable(value)}" for name, value in facts if value)]


def _changed(each: Mapping[str, Any]) -> str:
    by = f" by {each['manager']}" if each["manager"] else ""
    return f"{_time(each['changed'])}{by}" if each["changed"] else ""


def _names(each: Mapping[str, Any], what: str) -> str:
    more = each[f"{what}_count"] - len(each[what])
    return ", ".join(each[what]) + (f" and {more} more" if more else "")


def _time(written: str | None) -> str:
    """A time of the API to the second."""
    return f"{written[:10]} {written[11:19]}Z" if written else "-"


def _lines_of(text: str) -> str:
    """The text with each of its lines made fit for a terminal."""
    return "".join(f"{printable(line)}\n" for line in text.splitlines())


def _tell(found: Mapping[str, Any]) -> None:
    for each in found["troubles"]:
        hint = f" ({each['hint']})" if each["hint"] else ""
        click.echo(printable(f"{each['what']}: {each['sentence']}{hint}"), err=True)
