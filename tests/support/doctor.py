"""`armorstack doctor --json` as a test asks it, with its findings by check."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from armorstack.cli.main import cli

Finding = dict[str, Any]


class Report:
    """One examination."""

    def __init__(self, output: str, exit_code: int) -> None:
        found = json.loads(output)
        self.exit_code = exit_code
        self.findings: list[Finding] = found["findings"]
        self.failures: int = found["failures"]
        self.warnings: int = found["warnings"]

    def all(self, check: str) -> list[Finding]:
        """Every finding of this check."""
        return [finding for finding in self.findings if finding["check"] == check]

    def one(self, check: str, subject: str = "") -> Finding:
        """The only finding of this check (and of this subject, if one is given)."""
        found = [each for each in self.all(check) if not subject or each["subject"] == subject]
        assert len(found) == 1, f"{check}: {found or self.findings}"
        return found[0]

    def expect(self, check: str, status: str, sentence: str = "", mend: str = "") -> None:
        """The only finding of this check has this status, these words, and a mend with these."""
        found = self.one(check)
        assert found["status"] == status, found
        assert sentence in found["sentence"], found
        assert mend in "\n".join(found["mend"]), found

    def checks(self) -> set[str]:
        """The names of all checks."""
        return {finding["check"] for finding in self.findings}

    def failed(self) -> set[str]:
        """The names of the checks that failed."""
        return {finding["check"] for finding in self.findings if finding["status"] == "failure"}


def examine(data_dir: Path, *words: str, stdin: bytes = b"") -> Report:
    """Examine a data folder, listening for one second."""
    options = ["--json", "--listen-for", "1s", "--data-dir", str(data_dir)]
    answer = CliRunner().invoke(cli, ["doctor", *options, *words], input=stdin)
    assert answer.stdout.startswith("{"), (answer.output, answer.exception)
    return Report(answer.stdout, answer.exit_code)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below the folder with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
