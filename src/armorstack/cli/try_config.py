"""`armorstack try-config`: which filters and matches an event meets, and what comes out."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click

from armorstack.cli.options import load_config
from armorstack.cli.spool import AS_JSON, print_json
from armorstack.core.text import printable

EXAMPLES = """\b
Examples:
  armorstack try-config armorstack.toml < events.jsonl
  kubectl -n kubearmor logs deploy/kubearmor-relay | armorstack try-config armorstack.toml
  armorstack try-config armorstack.toml --summary < events.jsonl
  armorstack try-config armorstack.toml --print kubearmor < events.jsonl

Events are lines of JSON in any of KubeArmor's spellings. Nothing is stored and nothing is sent.
Exit code 1: a line could not be read; 2: the settings are wrong."""
VALUE_LIMIT = 120
MARKS = {"dropped": "-", "changed": "~", "passed": "=", "kept back": "…"}
STYLES = {"dropped": "red", "changed": "yellow", "passed": "", "kept back": "cyan"}


@click.command("try-config", epilog=EXAMPLES)
@click.argument("config_file", type=click.Path(path_type=Path, dir_okay=False), metavar="CONFIG")
@click.option("--file", "events", type=click.File("rb"), default="-", metavar="EVENTS",
              help="A file of events in place of standard input.")  # fmt: skip
@click.option("--summary", is_flag=True, help="Only what came of all of them.")
@click.option("--print", "form", type=click.Choice(["ecs", "kubearmor"]),
              help="Print what comes out, as one of the forms that sinks write.")  # fmt: skip
@AS_JSON
def command(
    config_file: Path, events: IO[bytes], summary: bool, form: str | None, as_json: bool
) -> None:
    """Send events through the filters and matches of a settings file and tell what happens."""
    from armorstack.core.rules import compile_rules
    from armorstack.core.trial import Trials

    trials = Trials(load_config(config_file, compile_rules))
    report = Report(trials.filters, form, as_json, quiet=summary)
    if events.isatty():
        click.echo("reading events from the terminal; end with Ctrl-D", err=True)
    for number, line in enumerate(events, start=1):
        report.take_line(number, line.rstrip(b"\r\n"), trials)
    for late in trials.finish():
        report.take_late(late)
    report.close()
    sys.exit(1 if report.unreadable else 0)


class Report:
    """Tells each event as it goes, and all of them at the end."""

    def __init__(
        self, filters: Iterable[str], form: str | None, as_json: bool, *, quiet: bool
    ) -> None:
        self.unreadable = 0
        self._form, self._as_json, self._quiet = form, as_json, quiet
        self._events = self._unmatched = 0
        self._filters: dict[str, Counter[str]] = {name: Counter() for name in filters}
        self._sinks: Counter[str] = Counter()

    def take_line(self, number: int, line: bytes, trials: Any) -> None:
        """One line of the input: mostly one event."""
        from armorstack.core.decode import decode
        from armorstack.core.trial import as_arrived
        from armorstack.spool.rows import row_of

        if not line.strip():
            return
        row = row_of([line], source="try-config", stream="auto", encoding="json", received_us=1)
        decoded = decode([row])
        for rejected in decoded.rejected:
            self.unreadable += 1
            self._tell_fault(number, rejected.error_type, rejected.reason)
        for kind in decoded.skipped:
            self._tell_fault(number, kind, "no event; it is counted and left out")
        rows = decoded.batch.rows
        if len(rows):
            self._events += 1
            self._take(str(number), rows.to_pylist()[0], trials.try_event(as_arrived(rows)))

    def take_late(self, late: Any) -> None:
        """An event that a filter had kept back, or a gap that it owes."""
        from armorstack.core.gap import Gap

        if isinstance(late, Gap):
            if not self._as_json:
                click.echo(printable(f"gap: {late.lost} events, {late.source}: {late.detail}"))
            return
        self._take("folded", late.row, late)

    def close(self) -> None:
        """The sums."""
        if self._as_json:
            if self._quiet:
                print_json(self._sums())
            return
        if not self._quiet:
            click.echo()
        lines = [f"{self._events} events, {self.unreadable} lines that cannot be read"]
        for name, outcomes in self._filters.items():
            told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
            lines.append(f"  filter {name}: {told or 'met no event'}")
        lines += [f"  sink {name}: takes {count}" for name, count in self._sinks.items()]
        if self._unmatched:
            lines.append(f"  no sink: {self._unmatched}")
        for line in lines:
            click.echo(printable(line))

    def _sums(self) -> dict[str, Any]:
        return {
            "events": self._events, "unreadable": self.unreadable, "unmatched": self._unmatched,
            "filters": {name: dict(outcomes) for name, outcomes in self._filters.items()},
            "sinks": dict(self._sinks),
        }  # fmt: skip

    def _take(self, label: str, row: Any, trial: Any) -> None:
        for step in trial.steps:
            self._filters[step.filter][step.outcome] += 1
        taking = [route.sink for route in trial.routes if route.taken]
        self._sinks.update(taking)
        self._unmatched += trial.row is not None and not taking
        if self._quiet:
            return
        if self._as_json:
            print_json(_told(label, trial, self._form))
            return
        click.secho(_headline(label, row), bold=True)
        for line, style in _lines(trial, self._form):
            click.secho(f"  {line}", fg=style or None)

    def _tell_fault(self, number: int, kind: str, reason: str) -> None:
        if self._as_json:
            print_json({"line": number, "fault": kind, "reason": reason})
        elif not self._quiet:
            click.secho(printable(f"line {number}: {kind}: {reason}", 300), fg="red", err=True)


def _headline(label: str, row: Any) -> str:
    place = "/".join(filter(None, (row["namespace_name"], row["pod_name"]))) or row["host_name"]
    what = [row[name] for name in ("policy_name", "action", "operation")]
    when = f"{row['time']:%Y-%m-%d %H:%M:%S}Z"
    parts = [label, when, row["stream"], place, *what, row["resource"] or row["message"]]
    if row["fold_count"]:
        parts.insert(1, f"×{row['fold_count']}")
    return printable("  ".join(str(part) for part in parts if part), 200)


def _lines(trial: Any, form: str | None) -> Iterator[tuple[str, str]]:
    for step in trial.steps:
        yield f"{MARKS[step.outcome]} {step.filter}: {step.outcome}", STYLES[step.outcome]
        for change in step.changes:
            before, after = _shown(change.before), _shown(change.after)
            yield f"    {change.field}: {before} → {after}", ""
    yield from ((line, "") for line in _route_lines(trial))
    if form and trial.row is not None:
        yield printable(_document(trial.row, form)), ""


def _route_lines(trial: Any) -> Iterable[str]:
    if trial.row is None:
        return
    for route in trial.routes:
        by = f"match {', '.join(map(str, route.matches))}" if route.matches else "no match names it"
        own = "" if route.taken else ", but its own select or min_severity leaves it out"
        yield f"→ {route.sink} ({by}){own}"
    if not trial.routes:
        yield "→ no sink: no match takes it"


def _shown(value: Any) -> str:
    return "(nothing)" if value is None else printable(str(value), VALUE_LIMIT)


def _document(row: Any, form: str) -> str:
    import json

    from armorstack.core.ecs import to_ecs
    from armorstack.core.rebuild import rebuild

    return json.dumps(to_ecs(row) if form == "ecs" else rebuild(row), ensure_ascii=False)


def _told(label: str, trial: Any, form: str | None) -> dict[str, Any]:
    import json

    from msgspec import to_builtins

    told = {
        "event": label,
        "steps": [
            {"filter": step.filter, "type": step.type, "outcome": step.outcome,
             "changes": [{"field": c.field, "before": _plain(c.before), "after": _plain(c.after)}
                         for c in step.changes]}
            for step in trial.steps
        ],
        "sinks": to_builtins(trial.routes),
    }  # fmt: skip
    if form and trial.row is not None:
        told["result"] = json.loads(_document(trial.row, form))
    return told


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | list | None) else str(value)
