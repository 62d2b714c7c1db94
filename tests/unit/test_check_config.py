"""`armorstack check-config` and `armorstack config`, as a person calls them."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from armorstack.cli.config import ABOUT
from armorstack.cli.main import cli
from armorstack.config import Config, load
from armorstack.config.origins import Document
from armorstack.core.presets import PRESETS
from armorstack.core.text import printable

RELAY = '[[source]]\ntype = "relay"\naddress = "a:1"\n'
HOOK = (
    '[sink.chat]\ntype = "webhook"\nurl = "https://hooks.example.org:8443/services/T0/B0/s3cr3t"\n'
)


def call(*arguments: str, text: str = "", **environ: str) -> Result:
    """What the command does with these settings on standard input."""
    variables = {"ARMORSTACK_DATA_DIR": "/d", "ARMORSTACK_CONFIG": ""} | environ
    return CliRunner().invoke(cli, [*arguments], input=text, env=variables)


def printed(*options: str, text: str, **environ: str) -> str:
    result = call("check-config", "-", *options, text=text, **environ)
    assert result.exit_code == 0, result.output
    return result.stdout


def reloaded(text: str) -> Config:
    return load(Document("again", text), {}, {})


def test_what_is_printed_is_complete_and_gives_the_same_tree() -> None:
    text = printed(text=RELAY)
    assert reloaded(text) == load(Document("", RELAY), {}, {"ARMORSTACK_DATA_DIR": "/d"})
    tree = tomllib.loads(text)
    assert tree["spool"]["max_bytes"] == 4_294_967_296
    assert tree["sink"]["duckdb"]["type"] == "duckdb"
    assert tree["data_dir"] == "/d"


def test_keys_of_a_select_are_printed_where_they_are_given() -> None:
    text = '[[filter]]\ntype = "drop"\n[[filter]]\ntype = "keep"\nselect.pods = ["a"]\n'
    filters = tomllib.loads(printed(text=text))["filter"]
    assert [each["select"] for each in filters] == [{}, {"pods": ["a"]}]


def test_only_changes_prints_only_these() -> None:
    text = RELAY + "[spool]\nmax_bytes = 5\nflush_bytes = 1048576\n[web]\nseries_limit = 1000\n"
    tree = tomllib.loads(printed("--only-changes", text=text))
    assert tree == {
        "data_dir": "/d",
        "source": [{"type": "relay", "address": "a:1"}],
        "spool": {"max_bytes": 5},
    }


def test_a_folder_that_is_the_default_one_is_no_change(tmp_path: Path) -> None:
    environ = {"ARMORSTACK_DATA_DIR": "", "XDG_DATA_HOME": str(tmp_path)}
    assert "data_dir" not in printed("--only-changes", text=RELAY, **environ)
    assert 'armorstack"\n' in printed(text=RELAY, **environ)


def test_presets_are_printed_as_their_filters_and_all_filters_with_their_names() -> None:
    preset = '[[filter]]\ntype = "preset"\npreset = "own-traffic"\n'
    filters = tomllib.loads(printed(text=preset + '[[filter]]\ntype = "drop"\n'))["filter"]
    assert [(each["type"], each["name"]) for each in filters] == [
        ("drop", "own-traffic/1"),
        ("drop", "own-traffic/2"),
        ("drop", "drop-2"),
    ]


def test_a_name_that_a_preset_takes_is_refused() -> None:
    preset = '[[filter]]\ntype = "preset"\npreset = "own-traffic"\n'
    result = call(
        "check-config", "-", text=preset + '[[filter]]\ntype = "drop"\nname = "own-traffic/2"\n'
    )
    assert result.exit_code == 2
    assert "'own-traffic/2' is $.filter[1] already" in result.stderr


@pytest.mark.parametrize("options", [(), ("--only-changes",), ("--json",)])
def test_a_webhooks_url_is_cut_behind_its_host(options: tuple[str, ...]) -> None:
    text = printed(*options, text=HOOK)
    assert "s3cr3t" not in text
    assert "T0" not in text
    read = json.loads if options == ("--json",) else tomllib.loads
    assert read(text)["sink"]["chat"]["url"] == "https://hooks.example.org:8443/…"


def test_a_comment_says_that_the_url_was_cut() -> None:
    assert printed(text=HOOK).startswith("# $.sink.chat.url is a secret, cut behind its host")


def test_files_that_hold_secrets_are_named(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("https://h/s3cr3t")
    text = f'[sink.chat]\ntype = "webhook"\nurl_file = "{secret}"\n'
    assert tomllib.loads(printed(text=text))["sink"]["chat"]["url_file"] == str(secret)


def test_json_is_the_same_tree_in_ascii() -> None:
    text = '[[source]]\ntype = "file"\npath = "/größe"\n'
    answer = printed("--json", text=text)
    assert answer.isascii()
    assert json.loads(answer) == tomllib.loads(printed(text=text))


def test_quiet_says_nothing_when_all_is_right() -> None:
    assert printed("--quiet", text=RELAY) == ""


def test_what_runs_without_sources_is_told() -> None:
    assert "# no [[source]]: " in printed(text="")
    assert "# no [[source]]: " not in printed(text=RELAY)


def test_the_file_is_taken_from_argument_option_or_variable(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text("[web]\nseries_limit = 1\n")
    other.write_text("[web]\nseries_limit = 2\n")

    def limit(*arguments: str, **environ: str) -> Any:
        shown = call("check-config", *arguments, **environ).stdout
        return tomllib.loads(shown)["web"]["series_limit"]

    assert limit(str(one)) == limit("--config", str(one)) == 1
    assert limit(ARMORSTACK_CONFIG=str(other)) == 2
    assert limit(str(one), ARMORSTACK_CONFIG=str(other)) == 1
    both = call("check-config", str(one), "--config", str(other))
    assert both.exit_code == 2
    assert "give the file once" in both.stderr


def test_the_environment_is_applied_and_its_faults_are_told() -> None:
    environ = {"ARMORSTACK_WEB_SERIES_LIMIT": "7"}
    assert tomllib.loads(printed(text=RELAY, **environ))["web"]["series_limit"] == 7
    result = call("check-config", "-", text=RELAY, ARMORSTACK_WEB_SERIES_LIMIT="-7")
    assert result.exit_code == 2
    assert result.stderr.startswith("armorstack: ARMORSTACK_WEB_SERIES_LIMIT: must be ")


WRONG_RULES = {
    '[[filter]]\ntype = "drop"\ntag = "kubearmor.alerts"\n': "$.filter[0].tag: ",
    '[[filter]]\ntype = "drop"\nselect.pods = ["[z-a]"]\n': "$.filter[0].select.pods: ",
    '[[filter]]\ntype = "redact"\npatterns = ["(x"]\n': "$.filter[0].patterns[0]: ",
    '[[filter]]\ntype = "remove"\nfields = ["Nonsense"]\n': "$.filter[0].fields: ",
    '[[match]]\nsink = "duckdb"\nselect.pods = ["[z-a]"]\n': "$.match[0].select.pods: ",
    HOOK + 'select.pods = ["[z-a]"]\n': "$.sink.chat.select.pods: ",
}


@pytest.mark.parametrize("text", WRONG_RULES)
def test_faults_of_rules_are_found_and_told_with_their_line(text: str) -> None:
    result = call("check-config", "--quiet", "-", text=text)
    assert result.exit_code == 2
    assert result.stdout == ""
    sentence, hint = result.stderr.splitlines()
    assert sentence.startswith(f"armorstack: {WRONG_RULES[text]}")
    assert sentence.endswith(f"(line {len(text.splitlines())} of standard input)")
    assert hint.startswith("hint: ")


def test_a_file_that_is_not_there_is_exit_code_two(tmp_path: Path) -> None:
    result = call("check-config", str(tmp_path / "nowhere.toml"))
    assert result.exit_code == 2
    assert "nowhere.toml: cannot be read: No such file or directory" in result.stderr


def test_nothing_that_is_printed_can_move_the_terminal() -> None:
    text = '[sink."\\u001b[2J"]\ntype = "webhook"\nurl = "https://h/"\nselect.pods = ["\\u202e"]\n'
    for line in printed(text=text).splitlines():
        assert printable(line) == line


def test_presets_are_told_with_filters_that_load_and_do_the_same() -> None:
    text = call("config", "presets").stdout
    told = reloaded(text)
    presets = "".join(f'[[filter]]\ntype = "preset"\npreset = "{name}"\n' for name in PRESETS)
    assert told == reloaded(printed(text=presets).replace('data_dir = "/d"\n', ""))
    for name, about in ABOUT.items():
        assert f"# {name}: {about}" in text


def test_every_preset_says_what_it_does_also_as_json() -> None:
    answer = json.loads(call("config", "presets", "--json").stdout)
    assert list(answer) == list(PRESETS)
    assert set(ABOUT) == set(PRESETS)
    assert answer["passed-noise"]["filter"][0]["select"] == {"results": ["Passed"]}


def test_the_example_is_accepted_by_check_config() -> None:
    example = call("config", "example").stdout
    tree = tomllib.loads(printed("--only-changes", text=example))
    assert tree.pop("data_dir") == "/d"
    assert tree == {"source": [{"type": "relay", "address": "127.0.0.1:32767"}]}
