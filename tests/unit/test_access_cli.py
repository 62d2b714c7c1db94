"""`armorstack token`, and the options that say how pages are reached."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from armorstack.cli.main import cli
from armorstack.cli.options import load_config
from armorstack.errors import ConfigError
from armorstack.web.access.bearers import Bearers
from armorstack.web.access.owner import owner_token, token_path
from armorstack.web.access.refusal import Refusal

DAY_S = 24 * 3600


def token(data_dir: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["token", *words, "--data-dir", str(data_dir)])


def test_a_token_is_printed_once_alone_on_standard_output(tmp_path: Path) -> None:
    made = token(tmp_path, "create", "--name", "ci")
    text = made.stdout.strip()
    assert made.stdout == f"{text}\n"
    assert "only time" in made.stderr
    found = Bearers(str(tmp_path)).by_token(text)
    assert (found.name, found.admin, found.namespaces, found.expires_s) == ("ci", False, None, None)
    assert text not in token(tmp_path, "list").output
    assert text not in token(tmp_path, "list", "--json").output


def test_scope_namespaces_and_end_are_kept(tmp_path: Path) -> None:
    words = ("--namespace", "shop", "--namespace", "shop", "--namespace", "b", "--expires", "30d")
    text = token(tmp_path, "create", "--name", "team", "--read", *words).stdout.strip()
    found = Bearers(str(tmp_path)).by_token(text)
    assert found.namespaces == ("shop", "b")
    assert found.expires_s == found.made_s + 30 * DAY_S
    text = token(tmp_path, "create", "--name", "root", "--admin").stdout.strip()
    assert Bearers(str(tmp_path)).by_token(text).admin


def test_the_list_tells_all_tokens_and_when_each_was_used(tmp_path: Path) -> None:
    assert "no tokens yet" in token(tmp_path, "list").output
    made = json.loads(token(tmp_path, "create", "--name", "ci", "--json").stdout)
    Bearers(str(tmp_path)).by_token(made["token"])
    told = json.loads(token(tmp_path, "list", "--json").stdout)["tokens"]
    assert [each["name"] for each in told] == ["owner", "ci"]
    assert told[0] | {"made": 0} == {
        "name": "owner", "scope": "admin", "namespaces": None, "made": 0, "expires": None,
        "last_used": None,
    }  # fmt: skip
    assert told[1]["last_used"] >= told[1]["made"]
    lines = token(tmp_path, "list").output.splitlines()
    assert lines[0].split() == ["NAME", "SCOPE", "NAMESPACES", "MADE", "EXPIRES", "LAST", "USED"]
    assert lines[2].startswith("ci")


def test_a_revoked_token_is_void(tmp_path: Path) -> None:
    bearers = Bearers(str(tmp_path))
    text = token(tmp_path, "create", "--name", "ci").stdout.strip()
    assert token(tmp_path, "revoke", "ci").exit_code == 0
    with pytest.raises(Refusal):
        bearers.by_token(text)
    again = token(tmp_path, "revoke", "ci")
    assert again.exit_code == 1
    assert "there is no token 'ci'" in again.stderr


def test_the_owner_gets_a_new_token_and_its_address(tmp_path: Path) -> None:
    first = owner_token(str(tmp_path))
    assert token(tmp_path, "url").stdout == f"http://127.0.0.1:7780/?token={first}\n"
    assert token(tmp_path, "revoke", "owner").exit_code == 0
    second = token_path(str(tmp_path)).read_text().strip()
    assert second != first
    assert second in token(tmp_path, "url").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("create",), ("create", "--name", "owner"), ("create", "--name", "a b"),
        ("create", "--name", ""), ("create", "--name", "\x1b[31m"), ("create", "--name", "a" * 65),
        ("create", "--name", "a", "--admin", "--read"),
        ("create", "--name", "a", "--admin", "--namespace", "b"),
        ("create", "--name", "a", "--namespace", ""), ("create", "--name", "a", "--expires", "no"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_nothing_is_made(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    refused = token(tmp_path, *words)
    assert refused.exit_code == 2
    assert "\x1b" not in refused.output
    assert not list(tmp_path.iterdir())


def test_flags_say_how_pages_are_reached(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").touch()
    (tmp_path / "key.pem").touch()
    web = load_config(
        None, listen="0.0.0.0:1", web_cert=str(tmp_path / "cert.pem"),
        web_key=str(tmp_path / "key.pem"), web_host=("logs.example",),
        behind_proxy=("10.0.0.0/8", "fd00::/8"),
    ).web  # fmt: skip
    assert web.listen == "0.0.0.0:1"
    assert web.tls.cert_file == str(tmp_path / "cert.pem")
    assert web.tls.key_file == str(tmp_path / "key.pem")
    assert web.hosts == ("logs.example",)
    assert web.proxies == ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("flags", "path"),
    [
        ({"web_cert": "cert.pem"}, r"\$\.web\.tls\.key_file: missing"),
        ({"web_key": "key.pem"}, r"\$\.web\.tls\.cert_file: missing"),
        ({"web_cert": "no.pem", "web_key": "no.pem"}, r"\$\.web\.tls\.cert_file: .* be read"),
        ({"behind_proxy": ("10.0.0.1/8",)}, r"\$\.web\.proxies\[0\]"),
        ({"behind_proxy": ("10.0.0.0/8", "proxy")}, r"\$\.web\.proxies\[1\]"),
        ({"web_host": ("https://logs.example",)}, r"\$\.web\.hosts\[0\]"),
        ({"web_host": ("logs.example:443",)}, r"\$\.web\.hosts\[0\]"),
    ],
)
def test_what_cannot_work_is_told_with_its_path(flags: dict[str, object], path: str) -> None:
    with pytest.raises(ConfigError, match=path):
        load_config(None, **flags)
