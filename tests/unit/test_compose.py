"""deploy/: what compose.yaml promises, its settings, its passwords and the users that it puts.

No container is started. What is not said here: that the images run.
"""

import base64
import json
import os
import re
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from armorstack.cli.main import cli
from tests.support.commands import run

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that deploy/generate filled."""
    folder = tmp_path_factory.mktemp("deploy")
    subprocess.run([DEPLOY / "generate", folder], check=True)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@each_service
def test_every_image_has_a_version_and_no_latest(name: str) -> None:
    image, tag = SERVICES[name]["image"].split(":")
    assert re.fullmatch(r"\d+\.\d+\.\d+", tag) or (image, tag) == ("armorstack", "local")


def test_kibana_is_of_the_engines_version() -> None:
    tags = {SERVICES[name]["image"].split(":")[1] for name in ("elasticsearch", "kibana")}
    assert len(tags) == 1


@each_service
def test_every_service_is_bounded_not_root_and_either_checked_or_ends(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "${ARMORSTACK_UID:?run ./generate first}:0"
    assert service["mem_limit"]
    ends = service["restart"] == "on-failure"
    assert service["restart"] in ("on-failure", "unless-stopped")
    assert service["healthcheck"].get("disable", False) == ends
    assert ends or service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@each_service
def test_ports_are_published_on_loopback_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@each_service
def test_a_password_is_never_written_but_named(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|KEY$", key):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?.+\}|/run/secrets/\w+", value)


@each_service
def test_what_is_waited_for_can_happen_and_comes_first(name: str) -> None:
    order = list(SERVICES)
    for other, how in SERVICES[name].get("depends_on", {}).items():
        ends = SERVICES[other]["restart"] == "on-failure"
        wanted = "service_completed_successfully" if ends else "service_healthy"
        assert how == {"condition": wanted}
        assert order.index(other) < order.index(name)


@each_service
def test_every_file_and_volume_that_is_mounted_exists(name: str, generated: Path) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, rest = volume.partition(":")
        if source.startswith("./"):
            assert rest.endswith(":ro")
            assert (DEPLOY / source).is_file() or (generated / source).is_file()
        else:
            assert source in COMPOSE["volumes"]
    for secret in SERVICES[name].get("secrets", []):
        assert (generated / COMPOSE["secrets"][secret]["file"]).is_file()


def test_variables_without_a_default_are_generated(generated: Path) -> None:
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    lines = (generated / ".env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines)
    assert asked == set(given)
    assert all(given.values())
    assert given["ARMORSTACK_UID"] != "0"


def test_secrets_are_the_owners_alone(generated: Path) -> None:
    files = [generated / ".env", *(generated / "secrets").iterdir()]
    assert len(files) > 10
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((generated / "secrets").stat().st_mode) == 0o700


def test_generating_again_changes_nothing(generated: Path) -> None:
    before = contents(generated)
    subprocess.run([DEPLOY / "generate", generated], check=True)
    assert contents(generated) == before


def test_no_two_passwords_are_the_same(generated: Path, tmp_path: Path) -> None:
    subprocess.run([DEPLOY / "generate", tmp_path], check=True)
    users = ("elastic", "armorstack", "viewer", "kibana_system")
    found = [(at / "secrets" / user).read_text() for at in (generated, tmp_path) for user in users]
    assert len(set(found)) == 8
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", password) for password in found)


def test_what_is_generated_is_not_committed() -> None:
    assert (DEPLOY / ".gitignore").read_text().split() == ["/.env", "/secrets/"]


def mounted(generated: Path) -> str:
    """The settings of the service, with what is mounted where it lies here."""
    text = (DEPLOY / "armorstack.toml").read_text()
    for secret in SERVICES["armorstack"]["secrets"]:
        file = generated / COMPOSE["secrets"][secret]["file"]
        text = text.replace(f'"/run/secrets/{secret}"', f'"{file}"')
    assert "/run/secrets" not in text
    return text


def test_the_settings_pass_the_check_as_the_service_gets_them(
    generated: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.toml").write_text(mounted(generated))
    source = SERVICES["armorstack"]["environment"]["ARMORSTACK_SOURCE"]
    source = re.sub(r"\$\{RELAY:[^}]*\}", "relay:32767", source)
    printed = run(
        "check-config", str(tmp_path / "a.toml"), "--json", ARMORSTACK_SOURCE=source
    ).stdout
    settings = json.loads(printed)
    assert settings["source"][0]["address"] == "relay:32767"
    assert SERVICES["armorstack"]["ports"] == ["127.0.0.1:7780:7780"]
    assert settings["web"]["listen"].endswith(":7780")


def test_the_command_of_the_service_and_its_options_exist() -> None:
    name, *words = SERVICES["armorstack"]["command"]
    options = {word for one in cli.get_command(None, name).params for word in one.opts}
    assert {word for word in words if word.startswith("--")} <= options


class Engine:
    """Takes requests over TLS, and keeps them."""

    def __init__(self, secrets: Path) -> None:
        self.requests: list[tuple[str, str, str, Any]] = []
        seen = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                who = self.headers["Authorization"]
                seen.append((self.command, self.path, who, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_POST = do_PUT

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(secrets / "elasticsearch.pem", secrets / "elasticsearch.key")
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)


@pytest.fixture
def engine(generated: Path) -> Iterator[Engine]:
    engine = Engine(generated / "secrets")
    thread = threading.Thread(target=engine.server.serve_forever)
    thread.start()
    yield engine
    engine.server.shutdown()
    thread.join()
    engine.server.server_close()


def test_the_superuser_puts_the_printed_roles_then_users_then_kibanas_password(
    engine: Engine, generated: Path, tmp_path: Path
) -> None:
    for name in SERVICES["users"]["secrets"]:
        (tmp_path / name).symlink_to(generated / COMPOSE["secrets"][name]["file"])
    url = f"https://localhost:{engine.server.server_port}"
    words = [sys.executable, str(DEPLOY / "users.py")]
    environ = os.environ | {"ENGINE": url, "SECRETS": str(tmp_path)}
    printed = subprocess.run(words, check=True, env=environ, capture_output=True, text=True)

    roles = json.loads(run("setup", "--print-roles").stdout)["elasticsearch"]
    passwords = {name: (tmp_path / name).read_text().strip() for name in ("armorstack", "viewer")}
    asked = [(method, path) for method, path, _, _ in engine.requests]
    assert asked == [
        *(("PUT", role["path"]) for role in roles),
        ("PUT", "/_security/user/armorstack"),
        ("PUT", "/_security/user/viewer"),
        ("POST", "/_security/user/kibana_system/_password"),
    ]
    bodies = [body for _, _, _, body in engine.requests]
    assert bodies[: len(roles)] == [role["body"] for role in roles]
    assert [body["password"] for body in bodies[-3:-1]] == list(passwords.values())
    secret = (tmp_path / "elastic").read_text().strip()
    basic = "Basic " + base64.b64encode(f"elastic:{secret}".encode()).decode()
    assert {who for _, _, who, _ in engine.requests} == {basic}
    assert not any(body["password"] in printed.stdout for body in bodies[-3:])
    granted = {role for body in bodies[-3:-1] for role in body["roles"]}
    assert granted <= {role["name"] for role in roles} | {"kibana_admin"}
