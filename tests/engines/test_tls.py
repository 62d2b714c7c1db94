"""Whom we trust, and as whom we come, over TLS to real engines. The servers are restarted here with
other demands, so this comes after the tests of rights."""

import hashlib
import secrets
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from armorstack.config import ElasticSink as Settings
from armorstack.engines.elastic.connection import Engine
from armorstack.errors import EngineError
from tests.engines.test_faults import alerts, collecting, ids_or_none, waits_for
from tests.engines.test_security import settings_file
from tests.support.certificates import Authority
from tests.support.engines import Server
from tests.support.engines_secure import ADMIN, User
from tests.support.running import until


class Trust:
    """A secured server, and ways to ask it."""

    def __init__(self, server: Server, folder: Path) -> None:
        assert server.security is not None
        self.server, self.security, self.folder = server, server.security, folder
        self.ca_file = self.security.authority.ca_file

    def ask(self, **settings: Any) -> int:
        """The status of an answer to nobody in particular; raises EngineError."""
        engine = Engine(Settings(**({"urls": (self.server.url,), "timeout_s": 20.0} | settings)))
        try:
            return engine.ask("GET", "/_nodes").status
        finally:
            engine.close()

    def fingerprint(self) -> str:
        """Of the certificate that the server shows."""
        written = ssl.get_server_certificate(("127.0.0.1", self.server.port))
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(written)).hexdigest()


@pytest.fixture
def trust(secure: Server, tmp_path: Path) -> Trust:
    return Trust(secure, tmp_path)


UNAUTHORIZED = 401
"""TLS was agreed on, and nobody was named."""


def test_an_authority_in_a_file_is_trusted_and_nobody_else(trust: Trust) -> None:
    assert trust.ask(ca_file=trust.ca_file) == UNAUTHORIZED
    other = Authority(trust.folder, "other").ca_file
    for settings in ({"ca_file": other}, {}):
        with pytest.raises(EngineError, match="certificate verify failed") as caught:
            trust.ask(**settings)
        assert "ca_file" in caught.value.hint


def test_a_certificate_for_another_host_is_refused(trust: Trust) -> None:
    url = trust.server.url.replace("127.0.0.1", "localhost")
    with pytest.raises(EngineError, match="not valid for 'localhost'") as caught:
        trust.ask(urls=(url,), ca_file=trust.ca_file)
    assert "urls must name the host" in caught.value.hint


def test_a_fingerprint_stands_for_one_certificate(trust: Trust) -> None:
    found = trust.fingerprint()
    assert trust.ask(fingerprint=found) == UNAUTHORIZED
    spelled = ":".join(found[at : at + 2] for at in range(0, 64, 2)).upper()
    assert trust.ask(fingerprint=spelled) == UNAUTHORIZED
    with pytest.raises(EngineError, match="Fingerprints did not match"):
        trust.ask(fingerprint="0" * 64)


def test_without_tls_the_server_says_nothing(trust: Trust) -> None:
    with pytest.raises(EngineError, match="cannot be reached"):
        trust.ask(urls=(trust.server.url.replace("https", "http"),))


@pytest.mark.parametrize("secure", ["opensearch"], indirect=True)
def test_a_token_says_who_comes(trust: Trust, tmp_path: Path) -> None:
    """OpenSearch reads it; the basic licence of Elasticsearch does not."""
    file = tmp_path / "token"
    file.write_text(trust.security.token("bearer"))
    reader = {"cluster_permissions": ["cluster:monitor/nodes/info"]}
    trust.security.grant(trust.server, User("nobody", "unused-Kq7-word"), {"told": reader})
    trust.server.ask("PUT", "/_plugins/_security/api/rolesmapping/told", {"users": ["bearer"]})
    assert trust.ask(ca_file=trust.ca_file, token_file=str(file)) == 200
    head, claims, signature = file.read_text().split(".")
    file.write_text(f"{head}.{claims}.{signature[::-1]}")
    assert trust.ask(ca_file=trust.ca_file, token_file=str(file)) == UNAUTHORIZED


@pytest.mark.parametrize("secure", ["elasticsearch"], indirect=True)
def test_an_expired_certificate_is_waited_for_and_then_all_is_stored_once(
    trust: Trust, tmp_path: Path
) -> None:
    """Elasticsearch takes another certificate up as it runs. OpenSearch does not start with one
    that has expired."""
    first = trust.fingerprint()
    trust.security.renew(-1)
    until(lambda: trust.fingerprint() != first, "the server to show the expired one")
    file, settings = tmp_path / "alerts.jsonl", settings_file(tmp_path, trust.server, "expired")
    (tmp_path / "password").write_text(trust.security.password(ADMIN))
    file.write_bytes(alerts(300))
    with collecting(tmp_path, file, settings) as run:
        until(lambda: "certificate has expired" in waits_for(run), "the reason to be told")
        assert run.stored() == 0
        trust.security.renew(20)
        until(lambda: run.stored() >= 300, "the events")
        assert run.stop() == 0, run.output()
    found = ids_or_none(trust.server, "expired")
    assert len(found) == len(set(found)) == 300


@pytest.fixture(scope="module")
def strict(secure: Server) -> Iterator[Server]:
    """The same, started anew: it wants a certificate from whoever comes."""
    assert secure.security is not None
    secure.security.needs_certificate = True
    secure.restart()
    yield secure
    secure.security.needs_certificate = False


def test_a_server_that_wants_a_certificate_gets_ours(strict: Server, tmp_path: Path) -> None:
    trust = Trust(strict, tmp_path)
    cert_file, key_file = trust.security.authority.issue("somebody")
    shown = {"ca_file": trust.ca_file, "cert_file": cert_file, "key_file": key_file}
    monitor = {
        "opensearch": {"cluster_permissions": ["cluster:monitor/nodes/info"]},
        "elasticsearch": {"cluster": ["monitor"]},
    }[strict.kind]
    user = User("somebody", secrets.token_urlsafe(18), ("watcher",))
    trust.security.grant(strict, user, {"watcher": monitor})
    (tmp_path / "password").write_text(user.password)
    known = {"username": user.name, "password_file": str(tmp_path / "password")}
    assert trust.ask(**shown) == UNAUTHORIZED
    until(lambda: trust.ask(**shown, **known) == 200, "the user to be known")
    with pytest.raises(EngineError, match="cannot be reached"):
        trust.ask(ca_file=trust.ca_file)
    stranger = Authority(tmp_path, "stranger").issue("anybody")
    with pytest.raises(EngineError, match="cannot be reached"):
        trust.ask(ca_file=trust.ca_file, cert_file=stranger[0], key_file=stranger[1])
