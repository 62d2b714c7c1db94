"""The command line itself: help, completion, errors as one sentence."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

import armorstack
from armorstack.cli import main
from armorstack.errors import ArmorstackError, ConfigError, SpoolLocked

SOURCE = Path(armorstack.__file__).parents[1]


def python(*arguments: str, **environ: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, *arguments]
    environ["PYTHONPATH"] = str(SOURCE)
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


def outcome(error: Exception, patch: pytest.MonkeyPatch, *options: str) -> Result:
    """How a command ends that raises this error."""

    @click.command()
    def explode() -> None:
        raise error

    patch.setitem(main.COMMANDS, "explode", main.Entry("explode", "Fail."))
    patch.setitem(sys.modules, "armorstack.cli.explode", SimpleNamespace(command=explode))
    return CliRunner().invoke(main.cli, [*options, "explode"])


def test_version_is_told() -> None:
    expected = f"armorstack, version {armorstack.__version__}\n"
    assert python("-m", "armorstack", "--version") == expected


def test_help_lists_commands_without_importing_them() -> None:
    code = (
        "import sys, click.testing; from armorstack.cli.main import cli;"
        "print(click.testing.CliRunner().invoke(cli, ['--help']).output);"
        "print(*(name for name in sys.modules if name.startswith('armorstack.cli.')))"
    )
    *helped, modules = python("-c", code).splitlines()
    assert modules == "armorstack.cli.main"
    listed = {line.split()[0] for line in helped[helped.index("Commands:") + 1 :] if line}
    assert listed == {name for name, entry in main.COMMANDS.items() if not entry.hidden}


def test_importing_the_command_line_loads_no_heavy_package() -> None:
    code = "import sys, armorstack.cli.main; print(*sys.modules)"
    heavy = {"grpc", "pyarrow", "duckdb", "google.protobuf", "starlette", "rich", "structlog"}
    assert not heavy & set(python("-c", code).split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    answer = CliRunner().invoke(main.cli, ["completion", shell])
    assert answer.exit_code == 0
    assert f"_ARMORSTACK_COMPLETE={shell}_complete" in answer.output


def test_completion_offers_visible_commands_only() -> None:
    words = {"COMP_WORDS": "armorstack s", "COMP_CWORD": "1"}
    offered = python("-m", "armorstack", _ARMORSTACK_COMPLETE="bash_complete", **words)
    assert offered.splitlines() == ["plain,stats", "plain,spool", "plain,setup"]


def test_an_error_of_ours_is_one_sentence_and_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    error = SpoolLocked("another process writes this spool", hint="stop it first")
    result = outcome(error, monkeypatch)
    assert result.stderr == "armorstack: another process writes this spool\nhint: stop it first\n"
    assert result.stdout == ""
    assert result.exit_code == 1


def test_a_wrong_setting_ends_with_exit_code_two(monkeypatch: pytest.MonkeyPatch) -> None:
    result = outcome(ConfigError("$.spool.max_bytes: expected int"), monkeypatch)
    assert result.stderr == "armorstack: $.spool.max_bytes: expected int\n"
    assert result.exit_code == 2


def test_an_unforeseen_error_is_told_as_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    result = outcome(KeyError("owner"), monkeypatch)
    assert result.stderr.startswith("armorstack: KeyError: 'owner'\nhint: ")
    assert "Traceback" not in result.stderr
    assert result.exit_code == 1


def test_debug_adds_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    result = outcome(ConfigError("no"), monkeypatch, "--debug")
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert result.stderr.endswith("armorstack: no\n")
    assert result.exit_code == 2


def test_a_full_disk_is_told_without_blaming_armorstack(monkeypatch: pytest.MonkeyPatch) -> None:
    result = outcome(OSError(28, "No space left on device", "/data"), monkeypatch)
    assert result.stderr == "armorstack: [Errno 28] No space left on device: '/data'\n"


@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_an_error_cannot_send_escapes_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    result = outcome(ArmorstackError("relay said \x1b]0;owned\x07\nok"), monkeypatch, *options)
    assert "\x1b" not in result.stderr
    assert "\x07" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("armorstack: relay said")
