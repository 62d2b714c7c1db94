"""Colours of a terminal, for what commands print.

Invariant: without colours a text passes as it is. Text must be `printable` before it comes here.
"""

import os
import sys
from typing import Literal

import click

When = Literal["auto", "always", "never"]

COLOR = click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto",
    help="Colours; auto: on a terminal, unless NO_COLOR is set.",
)  # fmt: skip

ACTIONS = {"Block": "red", "Audit": "yellow", "Allow": "green"}


class Paint:
    """Colours or none."""

    def __init__(self, when: When = "auto") -> None:
        self.colours = when == "always" or (when == "auto" and _terminal_wants_colours())

    def __call__(
        self, text: str, colour: str = "", *, bold: bool = False, dim: bool = False
    ) -> str:
        """The text in this colour."""
        if not self.colours or not (colour or bold or dim) or not text.strip():
            return text
        return click.style(text, fg=colour or None, bold=bold or None, dim=dim or None)

    def value(self, field: str, value: str, shown: str) -> str:
        """`shown` in the colour that `value` of this field has, if any."""
        if field == "severity":
            return self(shown, _severity_colour(value), bold=value in ("8", "9", "10"))
        if field in ("action", "intended"):
            action = value.partition(" ")[0]
            return self(shown, ACTIONS.get(action, ""), bold=action == "Block")
        if field == "time" or value == "-":
            return self(shown, dim=True)
        return shown


def is_terminal() -> bool:
    """Whether a person reads the standard output."""
    return sys.stdout.isatty()


def say(line: str, paint: Paint | None = None) -> None:
    """Print a line; colours that it has are kept, also in a pipe where they were asked for."""
    click.echo(line, color=paint.colours if paint else None)


def ready_output() -> None:
    """What the output's encoding lacks is written as an escape instead of an error."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def encodes(text: str) -> bool:
    """Whether the output can show these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _terminal_wants_colours() -> bool:
    asked = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
    return asked and is_terminal()


def _severity_colour(value: str) -> str:
    if not value.isdigit():
        return ""
    return "red" if int(value) >= 8 else "yellow" if int(value) >= 5 else "green"
