"""What makes a real engine of the tests secure: certificates, users and roles of its own.

    OpenSearch      the security plugin; users and roles by REST, as an administrator by certificate
    Elasticsearch   its own security; users and roles in files, which it reads again by itself

The stock build of Elasticsearch for tests keeps no users by REST: its index for them wants filters
that this build lacks. Must not go here: which roles there are, starting servers.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tests.support.certificates import Authority

if TYPE_CHECKING:
    from tests.support.engines import Server

HOST = "127.0.0.1"
ADMIN = "administrator"
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL: everything is verified but the time."""
_ROUNDS = 1000


class User(Struct):
    """Somebody who may ask a server."""

    name: str
    password: str
    roles: tuple[str, ...] = ()


class Security:
    """Of one server. Whoever starts it calls `write` before; `grant` is for one that runs."""

    def __init__(self, kind: str, config: Path) -> None:
        """Nothing may be presented by clients at first, and nothing must."""
        config.mkdir(parents=True, exist_ok=True)
        self._kind, self._config = kind, config
        is_plugin = kind == "opensearch"
        self.accounts_path = (
            "/_plugins/_security/api/internalusers" if is_plugin else "/_security/_authenticate"
        )
        """Answers once users are known."""
        self.authority = Authority(config)
        self.needs_certificate = False
        """Whether every client has to show a certificate of our authority; for the next start."""
        self.token_key = secrets.token_bytes(64)
        """OpenSearch takes JSON Web Tokens that were signed with it, by HS512."""
        self._users = {ADMIN: User(ADMIN, secrets.token_urlsafe(18), ("superuser",))}
        self._roles: dict[str, Any] = {}
        self.authority.issue("node", (HOST,))
        self.authority.issue("transport", (HOST,))
        self._admin = self.authority.issue("admin")

    def renew(self, days: float = 10) -> None:
        """Another certificate for HTTP, that ends in so many days; Elasticsearch takes it up."""
        self.authority.issue("node", (HOST,), days)

    def headers(self) -> dict[str, str]:
        """Who an administrator is to Elasticsearch; OpenSearch sees it by the certificate."""
        if self._kind == "opensearch":
            return {}
        return {"Authorization": basic(self._users[ADMIN])}

    def context(self) -> ssl.SSLContext:
        """An administrator's, who knows the server even when its certificate has expired."""
        context = ssl.create_default_context(cafile=self.authority.ca_file)
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
        context.load_cert_chain(*self._admin)
        return context

    def password(self, name: str) -> str:
        """Of a user that is there."""
        return self._users[name].password

    def write(self, home: Path) -> dict[str, Any]:
        """Write the files of the folder of settings; the settings that go with them."""
        if self._kind == "elasticsearch":
            self._write_accounts()
            return _elasticsearch(self.needs_certificate)
        own = self._config / "opensearch-security"
        shutil.copytree(home / "plugins/opensearch-security/config", own, dirs_exist_ok=True)
        (own / "config.yml").write_text(json.dumps(self._logins()))
        # The users of its demonstration go, and so does a role that everybody would have.
        for name, kind in (("internal_users", "internalusers"), ("roles_mapping", "rolesmapping")):
            nothing = {"_meta": {"type": kind, "config_version": 2}}
            (own / f"{name}.yml").write_text(json.dumps(nothing))
        return _opensearch(self.needs_certificate)

    def grant(self, server: "Server", user: User, roles: Mapping[str, Any] = {}) -> None:
        """Put roles, by name, and a user who has those that he names; for good when it returns in
        OpenSearch, within seconds in Elasticsearch."""
        self._users[user.name] = user
        self._roles |= roles
        if self._kind == "elasticsearch":
            self._write_accounts()
            return
        for name, body in roles.items():
            server.ask("PUT", f"/_plugins/_security/api/roles/{name}", body)
        account = {"password": user.password, "opendistro_security_roles": user.roles}
        server.ask("PUT", f"/_plugins/_security/api/internalusers/{user.name}", account)

    def token(self, name: str) -> str:
        """A JSON Web Token of OpenSearch's for this user's name and role."""
        claims = {"sub": name, "roles": ""}
        parts = [_url64(json.dumps(part).encode()) for part in ({"alg": "HS512"}, claims)]
        signed = ".".join(parts).encode()
        return f"{signed.decode()}.{_url64(hmac.digest(self.token_key, signed, 'sha512'))}"

    def _write_accounts(self) -> None:
        users = [f"{user.name}:{_hashed(user.password)}" for user in self._users.values()]
        names = {role for user in self._users.values() for role in user.roles}
        held = [
            f"{role}:{','.join(u.name for u in self._users.values() if role in u.roles)}"
            for role in sorted(names)
        ]
        # One line each, by which the server tells roles apart.
        roles = [f"{name}: {json.dumps(body)}" for name, body in self._roles.items()]
        for name, lines in (("roles.yml", roles), ("users_roles", held), ("users", users)):
            fresh = self._config / f"{name}.fresh"
            fresh.write_text("".join(f"{line}\n" for line in lines))
            fresh.chmod(0o644)
            os.replace(fresh, self._config / name)

    def _logins(self) -> dict[str, Any]:
        token = {
            "type": "jwt", "challenge": False,
            "config": {
                "signing_key": base64.b64encode(self.token_key).decode(), "subject_key": "sub",
                "jwt_header": "Authorization", "roles_key": "roles",
            },
        }  # fmt: skip
        logins = {"token": token, "basic": {"type": "basic", "challenge": True}}
        ways = {
            name: {
                "http_enabled": True, "transport_enabled": False, "order": order,
                "http_authenticator": how,
                "authentication_backend": {"type": "intern" if name == "basic" else "noop"},
            }
            for order, (name, how) in enumerate(logins.items())
        }  # fmt: skip
        meta = {"type": "config", "config_version": 2}
        return {"_meta": meta, "config": {"dynamic": {"http": {}, "authc": ways}}}


def basic(user: User) -> str:
    """The header of basic authentication."""
    return f"Basic {base64.b64encode(f'{user.name}:{user.password}'.encode()).decode()}"


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(32)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS, 32)
    told = "$".join(base64.b64encode(each).decode() for each in (salt, key))
    return f"{{PBKDF2}}{_ROUNDS}${told}"


def _elasticsearch(needs_certificate: bool) -> dict[str, Any]:
    http = {
        "enabled": True, "key": "node.key", "certificate": "node.crt",
        "certificate_authorities": ["authority.pem"],
        "client_authentication": "required" if needs_certificate else "none",
    }  # fmt: skip
    return {
        "xpack.security.enabled": True,
        "xpack.security.autoconfiguration.enabled": False,
        "resource.reload.interval.high": "1s",
        **{f"xpack.security.http.ssl.{name}": value for name, value in http.items()},
    }


def _opensearch(needs_certificate: bool) -> dict[str, Any]:
    files = {
        f"plugins.security.ssl.{layer}.{name}_filepath": file
        for layer, own in (("http", "node"), ("transport", "transport"))
        for name, file in (
            ("pemcert", f"{own}.crt"), ("pemkey", f"{own}.key"), ("pemtrustedcas", "authority.pem"),
        )
    }  # fmt: skip
    return files | {
        "plugins.security.ssl.http.enabled": True,
        "plugins.security.ssl.http.clientauth_mode": "REQUIRE" if needs_certificate else "OPTIONAL",
        "plugins.security.ssl.transport.enforce_hostname_verification": False,
        "plugins.security.nodes_dn": ["CN=transport"],
        "plugins.security.authcz.admin_dn": ["CN=admin"],
        "plugins.security.allow_default_init_securityindex": True,
    }
