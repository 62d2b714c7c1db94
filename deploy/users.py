"""Puts armorstack's roles and the users of compose.yaml into Elasticsearch, as its superuser.

Everything is put, never added to, so running it again changes nothing. Must not go here: rights,
which `armorstack setup --print-roles` knows.
"""

import base64
import json
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

USERS = {
    "armorstack": ["kubearmor_keeper", "kubearmor_reader", "kubearmor_setup"],
    "viewer": ["kubearmor_reader", "kibana_admin"],
}
"""User → roles: one stores, sets templates and reads for its pages, one looks with Kibana."""


def main() -> None:
    """Roles, then users, then the password that Kibana itself comes with."""
    secrets = Path(os.environ.get("SECRETS", "/run/secrets"))
    for role in _roles():
        _send("PUT", role["path"], role["body"], secrets)
    for user, roles in USERS.items():
        body = {"password": _password(secrets, user), "roles": roles}
        _send("PUT", f"/_security/user/{user}", body, secrets)
    body = {"password": _password(secrets, "kibana_system")}
    _send("POST", "/_security/user/kibana_system/_password", body, secrets)


def _roles() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "armorstack", "setup", "--print-roles"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(printed.stdout)["elasticsearch"]
    return found


def _password(secrets: Path, user: str) -> str:
    return (secrets / user).read_text().strip()


def _send(method: str, path: str, body: dict[str, Any], secrets: Path) -> None:
    pair = f"elastic:{_password(secrets, 'elastic')}"
    headers = {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "Content-Type": "application/json",
    }
    url = os.environ["ENGINE"] + path
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    trust = ssl.create_default_context(cafile=str(secrets / "ca"))
    with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
        answer.read()
    print(method, path)


if __name__ == "__main__":
    main()
