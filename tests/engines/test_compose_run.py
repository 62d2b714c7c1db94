"""The service `armorstack` of deploy/compose.yaml, run as it stands there against a real engine.

Command, environment, settings and secrets are those of the file, what `generate` wrote among them;
only what a container has of its own is replaced: folders, the name `elasticsearch`, the published
port. The users come as the service `users` sends them, by files: this build of Elasticsearch keeps
none by REST. Images and Kibana are not started.
"""

import base64
import importlib.util
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.engines import Server
from tests.support.engines_secure import User
from tests.support.frames import protobuf, recorded
from tests.support.relay_server import RelayServer
from tests.support.running import until

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"][
    "armorstack"
]
pytestmark = pytest.mark.parametrize("secure", ["elasticsearch"], indirect=True)


class Composed:
    """The running service, and how it is asked."""

    def __init__(self, folder: Path, server: Server, relay: RelayServer) -> None:
        self.folder, self.secrets, self.data = folder, folder / "run/secrets", folder / "data"
        environ = os.environ | {"RELAY": relay.address}
        subprocess.run([DEPLOY / "generate", folder], check=True, env=environ)
        self.env = dict(line.split("=", 1) for line in (folder / ".env").read_text().split())
        self._mount(server)
        self._let_in(server)

    def start(self) -> "subprocess.Popen[bytes]":
        """As Compose starts it."""
        words = [word.replace("/etc/", f"{self.folder}/etc/") for word in SERVICE["command"]]
        environ = {name: self._filled(value) for name, value in SERVICE["environment"].items()}
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "armorstack", *words], env=os.environ | environ,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def said(self) -> str:
        return (self.folder / "output").read_text()

    def page(self, url: str) -> str:
        """What a browser gets that trusts the authority of `generate`."""
        context = ssl.create_default_context(cafile=self.folder / "secrets/ca.pem")
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor()
        )
        with opener.open(url, timeout=30) as answer:
            return str(answer.read().decode())

    def is_healthy(self, address: str) -> bool:
        """What the health check of the service says."""
        *_, code = SERVICE["healthcheck"]["test"]
        code = code.replace("localhost:7780", address).replace("/run/", f"{self.folder}/run/")
        code = code.replace(str(self.secrets / "ca"), str(self.folder / "secrets/ca.pem"))
        return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0

    def _filled(self, value: str) -> str:
        return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: self.env[found[1]], value)

    def _mount(self, server: Server) -> None:
        """Settings and secrets where the service finds them, below our folder."""
        self.secrets.mkdir(parents=True)
        files = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["secrets"]
        for name in SERVICE["secrets"]:
            (self.secrets / name).symlink_to(self.folder / files[name]["file"])
        # The engine of this test has an authority of its own.
        (self.secrets / "ca").unlink()
        assert server.security is not None
        (self.secrets / "ca").symlink_to(server.security.authority.ca_file)
        settings, _, mounted = SERVICE["volumes"][0].removesuffix(":ro").partition(":")
        text = (DEPLOY / settings).read_text()
        for there, here in (
            ("https://elasticsearch:9200", server.url), ("/run/", f"{self.folder}/run/"),
            ("/var/lib/armorstack", str(self.data)), ("0.0.0.0:7780", "127.0.0.1:0"),
        ):  # fmt: skip
            assert there in text
            text = text.replace(there, here)
        (self.folder / "etc").mkdir()
        (self.folder / mounted.lstrip("/")).write_text(text)

    def _let_in(self, server: Server) -> None:
        """The user `armorstack` and its roles, as `users.py` has them."""
        spec = importlib.util.spec_from_file_location("users", DEPLOY / "users.py")
        assert spec is not None
        assert spec.loader is not None
        assert server.security is not None
        users = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(users)
        roles = {each["path"].rpartition("/")[2]: each["body"] for each in users._roles()}
        password = (self.folder / "secrets/armorstack").read_text().strip()
        user = User("armorstack", password, tuple(users.USERS["armorstack"]))
        assert set(user.roles) <= set(roles)
        server.security.grant(server, user, roles)
        until(lambda: _is_known(server, user), "the user in the engine")


@pytest.fixture
def relay() -> Iterator[RelayServer]:
    with RelayServer() as relay:
        yield relay


def test_the_service_stores_what_its_relay_sends_and_shows_it(
    secure: Server, relay: RelayServer, tmp_path: Path
) -> None:
    composed = Composed(tmp_path, secure, relay)
    process = composed.start()
    try:
        relay.wait_attached("alert")
        sent = [protobuf(event, "alert") for event in recorded("alert")[:40]]
        relay.send("alert", *sent)
        until(lambda: _stored(secure) == len(sent), "events in the engine")

        told = subprocess.run(
            [sys.executable, "-m", "armorstack", "token", "url", "--config",
             str(tmp_path / "etc/armorstack.toml")],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        assert told.startswith("https://127.0.0.1:")
        assert "Overview" in composed.page(told)
        base, _, token = told.partition("/?token=")
        question = urllib.request.Request(
            f"{base}/api/v1/events?from=all&size=50", headers={"Authorization": f"Bearer {token}"}
        )
        context = ssl.create_default_context(cafile=tmp_path / "secrets/ca.pem")
        with urllib.request.urlopen(question, timeout=30, context=context) as answer:
            assert len(json.load(answer)["events"]) == len(sent)
        assert composed.is_healthy(base.removeprefix("https://"))
        assert not composed.is_healthy("127.0.0.1:1")
    finally:
        process.terminate()
        code = process.wait(15)
    assert code == 0, composed.said()


def _stored(server: Server) -> int:
    path = "/kubearmor-alerts-*/_count?ignore_unavailable=true&allow_no_indices=true"
    try:
        return int(server.ask("GET", path)["count"])
    except urllib.error.HTTPError as error:
        if error.code != 503:  # an index that is just being made
            raise
        return 0


def _is_known(server: Server, user: User) -> bool:
    pair = base64.b64encode(f"{user.name}:{user.password}".encode()).decode()
    request = urllib.request.Request(
        f"{server.url}/_security/_authenticate", headers={"Authorization": f"Basic {pair}"}
    )
    assert server.security is not None
    try:
        with urllib.request.urlopen(request, context=server.security.context()) as answer:
            return set(json.load(answer)["roles"]) == set(user.roles)
    except OSError:
        return False
