"""`armorstack spool`: look at the durable buffer, beside a running receiver or without one."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from armorstack.cli.human import human_bytes, human_span, human_time
from armorstack.cli.options import SETTINGS, load_config, with_options
from armorstack.core.text import printable

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.group("spool")
def command() -> None:
    """Look at the durable buffer: status, verify. Nothing is changed."""


@command.command("status")
@with_options(*SETTINGS, AS_JSON)
def status(config_file: Path | None, as_json: bool, **flags: Any) -> None:
    """What waits, for which sinks, and how much disk it takes."""
    from armorstack.spool.survey import survey

    found = survey(spool_folder(config_file, **flags))
    if as_json:
        print_json(found)
        return
    for name, value in _lines(found, time.time()):
        click.echo(f"{name:<14} {printable(value)}")
    if found.status.damage:
        sys.exit(1)


@command.command("verify")
@with_options(*SETTINGS, AS_JSON)
def verify(config_file: Path | None, as_json: bool, **flags: Any) -> None:
    """Read every row and check it; exit code 1 when something is damaged."""
    from armorstack.spool.verify import verify as check

    verdict = check(spool_folder(config_file, **flags))
    if as_json:
        print_json(verdict)
    else:
        for sentence in verdict.damage:
            click.echo(f"damaged: {printable(sentence)}")
        click.echo(
            f"{verdict.rows} rows, {verdict.frames} frames, {human_bytes(verdict.bytes)}: "
            + (f"{len(verdict.damage)} faults" if verdict.damage else "whole")
        )
    if verdict.damage:
        sys.exit(1)


def spool_folder(config_file: Path | None, **flags: Any) -> Path:
    """The spool's folder by the settings."""
    return Path(load_config(config_file, **flags).data_dir) / "spool"


def print_json(value: Any) -> None:
    """One JSON object on one line, in printable ASCII, so that no text in it reaches a terminal
    as it came."""
    import json

    from msgspec import to_builtins

    click.echo(json.dumps(to_builtins(value), ensure_ascii=True))


def _lines(found: Any, now_s: float) -> list[tuple[str, str]]:
    state = found.status
    lines = [("folder", found.folder)]
    if state.damage:
        lines.append(("damaged", state.damage))
    elif not state.exists:
        lines.append(("spool", "none yet"))
    else:
        lines += [
            ("held", f"{state.frames} frames in {state.rows} rows, {human_bytes(state.bytes)}"
                     + (", all stored; a receiver frees them" if _all_stored(found) else "")),
            ("oldest", _age(state.oldest_us, now_s)),
            ("position", str(state.last)),
            ("disk", f"{human_bytes(state.file_bytes)} and {human_bytes(state.log_bytes)} log, "
                     f"{human_bytes(state.free_bytes)} of it free for reuse"),
            ("dropped", f"{state.dropped} frames"),
        ]  # fmt: skip
    lines.append(("receiver", f"process {found.writer_pid}" if found.writer_pid else "not running"))
    for sink in found.sinks:
        need = "required" if sink.required else "optional"
        late = ", has missed rows" if sink.missed else ""
        when = _age(sink.updated_us, now_s)
        lines.append((f"sink {sink.name}", f"at {sink.cursor}, {need}, moved {when}{late}"))
    kept = f"{found.letters}, {human_bytes(found.letter_bytes)}"
    lost = f", {found.letters_dropped} dropped by the limit" if found.letters_dropped else ""
    lines.append(("dead letters", kept + lost))
    lines += [("kept damaged", name) for name in found.damaged_files]
    return lines


def _all_stored(found: Any) -> bool:
    """Whether every sink is past its last row."""
    cursors = [sink.cursor for sink in found.sinks]
    return bool(found.status.rows and cursors) and min(cursors) >= found.status.last


def _age(time_us: int, now_s: float) -> str:
    if not time_us:
        return "-"
    return f"{human_span(now_s - time_us / 1e6)} ago ({human_time(time_us)})"
