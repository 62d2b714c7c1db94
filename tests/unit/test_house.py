"""House rules that a machine can watch: documentation, layers, lock files, what is committed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Literal, get_args, get_origin

import msgspec
import pytest
from click.testing import CliRunner

import armorstack
from armorstack import config
from armorstack.cli.main import COMMANDS, cli
from armorstack.config.filters import AnyFilter
from armorstack.config.origins import Document
from armorstack.config.sinks import AnySink
from armorstack.core.presets import PRESETS
from armorstack.core.rules import compile_rules
from armorstack.core.tags import STREAM_TAGS, matching

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LOCKS = (ROOT / "requirements/run.txt", ROOT / "requirements/dev.txt")
HOME_PATH = re.compile(rb"/(root|home/\w+|Users/\w+)/")

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "Top level": config.Config,
    "Source `relay`": config.RelaySource,
    "Source `relay`: `tls`": config.Tls,
    "Source `file`": config.FileSource,
    "Source `stdin`": config.StdinSource,
    "Source `sample`": config.SampleSource,
    "Every filter": AnyFilter,
    "Filter `drop`": config.DropFilter,
    "Filter `keep`": config.KeepFilter,
    "Filter `set`": config.SetFilter,
    "Filter `remove`": config.RemoveFilter,
    "Filter `rename`": config.RenameFilter,
    "Filter `redact`": config.RedactFilter,
    "Filter `sample`": config.SampleFilter,
    "Filter `throttle`": config.ThrottleFilter,
    "Filter `fold`": config.FoldFilter,
    "Filter `preset`": config.PresetFilter,
    "`[[match]]`": config.Match,
    "Select": config.Select,
    "Select: include and exclude": config.Globs,
    "Select: `severity`": config.SeverityRange,
    "`[spool]`": config.Spool,
    "Every sink": AnySink,
    "`[sink.NAME]` of type `duckdb`": config.DuckdbSink,
    "`[sink.NAME]` of type `file`": config.FileSink,
    "`[sink.NAME]` of type `stdout`": config.StdoutSink,
    "`[sink.NAME]` of type `webhook`": config.WebhookSink,
    "`[sink.NAME]` of type `elastic`": config.ElasticSink,
    "`[policies]`": config.Policies,
    "`[web]`": config.Web,
    "`[web]`: `tls`": config.WebTls,
    "`[log]`": config.Log,
}
BASES = {AnyFilter, AnySink}
"""What several structs have is told once."""
TOML_BLOCKS = [
    (document.name, number, block)
    for document in DOCUMENTS
    for number, block in enumerate(
        re.findall(r"^```toml\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    )
]
FILES_IN_EXAMPLES = (
    "/etc/armorstack/ca.pem", "/etc/armorstack/password", "/run/secrets/slack-url",
    "/run/secrets/teams-url",
)  # fmt: skip
"""Stand for files that a test has to make; others in examples need not exist."""


def documented(section: str) -> dict[str, str]:
    """The section's table: setting → its default as written."""
    text = (ROOT / "docs/configuration.md").read_text()
    body = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \| ", body, re.MULTILINE))


def default_of(field: msgspec.structs.FieldInfo) -> object:
    """The default as the documentation writes it: a TOML value, or a word."""
    if field.required:
        return "required"
    if field.default is None:
        return "none"
    if field.default is msgspec.NODEFAULT or isinstance(field.default, msgspec.Struct):
        return "table"
    return list(field.default) if isinstance(field.default, tuple) else field.default


def written(cell: str) -> object:
    """What a cell says: the value between backticks, or the bare word."""
    return tomllib.loads(f"value = {cell.strip('`')}")["value"] if cell.startswith("`") else cell


def own_fields(struct: type[msgspec.Struct]) -> list[msgspec.structs.FieldInfo]:
    """The settings that the struct itself declares, or declares anew."""
    own = struct.__annotations__
    return [field for field in msgspec.structs.fields(struct) if field.name in own]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented_with_its_default(section: str) -> None:
    told = {name: written(cell) for name, cell in documented(section).items()}
    assert told == {f.encode_name: default_of(f) for f in own_fields(SECTIONS[section])}


def test_every_struct_of_settings_has_its_section() -> None:
    assert reached(config.Config) == set(SECTIONS.values()) - BASES
    bases = {base for struct in SECTIONS.values() for base in struct.__mro__}
    ours = {base for base in bases if base.__module__.startswith("armorstack.")}
    assert ours == set(SECTIONS.values())


def test_no_section_is_told_twice() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(titles) == len(set(titles))
    assert set(titles) - set(SECTIONS) == {"Variables", "The file"}


def reached(type_: object) -> set[type[msgspec.Struct]]:
    """Every struct that the settings tree can hold."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        below = (field.type for field in msgspec.structs.fields(type_))
        return {type_}.union(*map(reached, below))
    return set().union(*map(reached, get_args(type_)))


@pytest.mark.parametrize(
    ("name", "number", "block"), TOML_BLOCKS, ids=[f"{name}-{n}" for name, n, _ in TOML_BLOCKS]
)
def test_settings_in_the_documentation_are_accepted(
    name: str, number: int, block: str, tmp_path: Path
) -> None:
    for index, path in enumerate(FILES_IN_EXAMPLES):
        made = tmp_path / str(index)
        made.write_text("https://hooks.example.org/1")
        block = block.replace(path, str(made))
    settings = config.load(Document(name, block), {}, {}, also=compile_rules)
    assert settings != config.Config(data_dir=settings.data_dir), "it sets nothing"


def test_the_documentation_has_examples_of_settings() -> None:
    named = {name for name, _, _ in TOML_BLOCKS}
    assert {"configuration.md", "pipeline.md"} <= named


def test_variables_in_the_documentation_are_accepted() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    given = dict(re.findall(r"^export (ARMORSTACK_\w+)='(.*)'$", text, re.MULTILINE))
    settings = config.load(None, {}, given, also=compile_rules)
    assert (len(settings.source), len(settings.filter), len(settings.match)) == (1, 1, 1)


def test_presets_in_the_documentation_are_all_there_are() -> None:
    text = (ROOT / "docs/pipeline.md").read_text()
    told = re.findall(r"^\| `([\w-]+)` \| ", text.split("\n## Presets\n", 1)[1], re.MULTILINE)
    assert told[: len(PRESETS)] == list(PRESETS)
    line = documented_line("Filter `preset`", "preset")
    assert set(re.findall(r"`([\w-]+)`", line)) >= set(PRESETS)


@pytest.mark.parametrize(
    ("pattern", "tags"),
    [
        ("kubearmor.alert", ("kubearmor.alert",)),
        ("kubearmor.*", STREAM_TAGS),
        ("kubearmor.**", (*STREAM_TAGS, "kubearmor.alert.posture")),
        ("**", (*STREAM_TAGS, "kubearmor.alert.posture")),
        ("kubearmor.{alert,message}", ("kubearmor.alert", "kubearmor.message")),
        ("kubearmor.alert kubearmor.log", ("kubearmor.alert", "kubearmor.log")),
    ],
)
def test_patterns_of_tags_mean_what_the_documentation_says(
    pattern: str, tags: tuple[str, ...]
) -> None:
    assert f"\n| `{pattern}` | " in (ROOT / "docs/pipeline.md").read_text()
    assert matching("$", pattern, (*STREAM_TAGS, "kubearmor.alert.posture")) == set(tags)


def documented_line(section: str, setting: str) -> str:
    """The row of the setting in the section's table."""
    body = (ROOT / "docs/configuration.md").read_text().split(f"\n## {section}\n", 1)[1]
    return next(line for line in body.splitlines() if line.startswith(f"| `{setting}` |"))


@pytest.mark.parametrize("section", SECTIONS)
def test_words_that_a_setting_takes_are_all_in_its_row(section: str) -> None:
    for field in own_fields(SECTIONS[section]):
        if get_origin(field.type) is Literal:
            line = documented_line(section, field.encode_name)
            assert set(get_args(field.type)) <= set(re.findall(r"`\"?([\w-]+)\"?`", line)), line


@pytest.mark.parametrize("name", [name for name, entry in COMMANDS.items() if not entry.hidden])
def test_every_command_is_in_the_documentation(name: str) -> None:
    text = "".join(document.read_text() for document in DOCUMENTS)
    assert f"armorstack {name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_imported_and_has_help(name: str) -> None:
    answer = CliRunner().invoke(cli, [name, "--help"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith(f"Usage: cli {name} ")


def test_subcommands_that_the_documentation_names_exist() -> None:
    text = "".join(document.read_text() for document in (*DOCUMENTS, ROOT / "CHANGELOG.md"))
    for group, verb in set(re.findall(r"armorstack (spool|deadletters|config)\s+(\w+)", text)):
        answer = CliRunner().invoke(cli, [group, verb, "--help"])
        assert answer.exit_code == 0, f"armorstack {group} {verb}: {answer.output}"


def test_options_of_run_that_the_documentation_names_exist() -> None:
    helped = CliRunner().invoke(cli, ["run", "--help"]).output
    lines = "\n".join(document.read_text() for document in DOCUMENTS).splitlines()
    for line in lines:
        for command in re.findall(r"(?:scripts/|armorstack )run((?: +[^\s`#|&]+)+)", line):
            for option in re.findall(r"--[a-z][a-z-]+", command):
                assert option in helped, line


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_files_name_no_host_and_pin_every_package_by_hash(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    packages = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(packages) > 20
    for package in packages:
        assert re.match(r"[\w.-]+==\S+", package)
        assert "--hash=sha256:" in package, package


def test_what_runs_is_locked_alike_for_development() -> None:
    run, dev = (set(re.findall(r"^[\w.-]+==\S+", lock.read_text(), re.MULTILINE)) for lock in LOCKS)
    assert run < dev


def test_each_dependency_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    budget = text.split("\ndependencies = [\n", 1)[1].split("\n]", 1)[0].splitlines()
    assert budget
    assert [line for line in budget if not re.fullmatch(r' +"\S+", # .{10,}', line)] == []


def test_the_changelog_begins_with_the_current_version() -> None:
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [version for version in versions if version != "Unreleased"]
    assert released[0] == armorstack.__version__


def test_no_committed_file_names_a_home_folder() -> None:
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    files = [ROOT / os.fsdecode(name) for name in names if name]
    assert ROOT / "pyproject.toml" in files
    guilty = [file for file in files if file.is_file() and HOME_PATH.search(file.read_bytes())]
    assert guilty == []


def test_links_between_documents_lead_somewhere() -> None:
    for document in (*DOCUMENTS, *ROOT.glob("*.md")):
        for target in re.findall(r"\]\((?!\w+:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} → {target}"


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says about the package in this folder."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_imports_respect_the_layers() -> None:
    report = lint(ROOT / "src")
    assert report.returncode == 0, report.stdout


FORBIDDEN = (
    ("errors", "config"),
    ("core.late", "log"),
    ("spool.late", "sinks"),
    ("engines.late", "spool"),
    ("sources.late", "sinks"),
    ("store.late", "sinks"),
    ("policies.late", "dashboards"),
    ("fluent.late", "app"),
    ("cluster.late", "operator"),
    ("operator.late", "web"),
    ("web.late", "sinks"),
    ("core.late", "time"),
    ("spool.late", "pyarrow"),
)
ALLOWED = (("web.late", "store"), ("web.late", "policies"), ("cli.late", "app"))


def package_with(folder: Path, imports: tuple[tuple[str, str], ...]) -> Path:
    """A copy of the package that holds these imports, too."""
    package = folder / "armorstack"
    shutil.copytree(ROOT / "src/armorstack", package, ignore=shutil.ignore_patterns("__pycache__"))
    for importer, imported in imports:
        add_import(package, importer, imported)
    return folder


def test_wrong_imports_are_seen_even_in_rooms_still_to_come(tmp_path: Path) -> None:
    report = lint(package_with(tmp_path, FORBIDDEN)).stdout
    told = set(re.findall(r"armorstack\.(\S+) -> (?:armorstack\.)?(\S+)", report))
    assert set(FORBIDDEN) <= told


def test_right_imports_are_allowed_in_rooms_still_to_come(tmp_path: Path) -> None:
    report = lint(package_with(tmp_path, ALLOWED))
    assert report.returncode == 0, report.stdout


def test_a_new_module_at_the_top_needs_a_layer(tmp_path: Path) -> None:
    package_with(tmp_path, ())
    (tmp_path / "armorstack/utils.py").touch()
    assert "- armorstack.utils" in lint(tmp_path).stdout


def add_import(package: Path, importer: str, imported: str) -> None:
    """Write a module that imports what it must not; make rooms that do not exist yet."""
    room = imported.partition(".")[0]
    ours = imported not in ("time", "pyarrow")
    for name in (importer.partition(".")[0], *([room] if ours else [])):
        if not (package / name).exists() and not (package / f"{name}.py").exists():
            (package / name).mkdir()
            (package / name / "__init__.py").touch()
    line = f"import armorstack.{imported}\n" if ours else f"import {imported}\n"
    with (package / f"{importer.replace('.', '/')}.py").open("a") as file:
        file.write(line)
