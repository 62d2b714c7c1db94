"""Commands of `armorstack`, run in this process, in one of their own, or in a terminal."""

import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl
from typing import Any

from click.testing import CliRunner, Result

from armorstack.cli.main import cli

DEADLINE_S = 40.0


def run(*words: str, code: int = 0, **environ: str) -> Result:
    """The command in this process, its output no terminal."""
    result = CliRunner().invoke(cli, list(words), env=environ)
    assert result.exit_code == code, f"{result.exit_code}: {result.output}\n{result.exception!r}"
    return result


def objects(*words: str, **environ: str) -> list[Any]:
    """What the command prints with --json."""
    text = run(*words, "--json", **environ).stdout
    assert text.isascii()
    return [json.loads(line) for line in text.splitlines()]


def table_of(*words: str, **environ: str) -> list[list[str]]:
    """The cells that the command prints for programs."""
    return [line.split("\t") for line in run(*words, **environ).stdout.splitlines()]


def started(*words: str, **environ: str) -> "subprocess.Popen[str]":
    """The command in a process of its own, with pipes; its output is read line by line."""
    return subprocess.Popen(
        [sys.executable, "-m", "armorstack", *words], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | environ,
    )  # fmt: skip


def in_terminal(words: Sequence[str], columns: int = 120, **environ: str) -> tuple[int, bytes]:
    """The command in a terminal of this width: its exit code, and what it wrote there."""
    outer, inner = pty.openpty()
    ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    known = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [sys.executable, "-m", "armorstack", *words], stdin=inner, stdout=inner, stderr=inner,
        env=known | {"TERM": "xterm-256color"} | environ, close_fds=True,
    )  # fmt: skip
    os.close(inner)
    try:
        written = _read_all(outer)
        return process.wait(DEADLINE_S), written
    finally:
        process.kill()
        process.wait()
        os.close(outer)


def _read_all(descriptor: int) -> bytes:
    written, deadline = b"", time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if not select.select([descriptor], [], [], 1.0)[0]:
            continue
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            # Linux says so when the last process has closed its end.
            return written
        if not piece:
            return written
        written += piece
    raise AssertionError(f"it does not end: {written[-2000:]!r}")
