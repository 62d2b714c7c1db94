"""Least privilege on real engines with security and TLS: the roles that are printed suffice, and
they allow nothing else.

What a user holds in OpenSearch is put by REST as it is printed; in Elasticsearch it lies in the
file of roles. Secrets that change while armorstack runs are here as well.
"""

import base64
import json
import secrets
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from armorstack.cli.main import cli
from armorstack.core.ids import text
from armorstack.engines.elastic.connection import Answer
from armorstack.errors import ArmorstackError
from tests.engines.test_faults import alerts, collecting, waits_for
from tests.engines.test_faults import settings_file as plain_settings_file
from tests.support.elastic_roles import (
    ROLES,
    STORED,
    WORK,
    Place,
    does_keep,
    does_read,
    does_setup,
    does_write,
)
from tests.support.engines import Server
from tests.support.engines_secure import ADMIN, User
from tests.support.running import until
from tests.support.stores import id_of

NOT_IN_THESE_BUILDS = {
    "elasticsearch": {"delete"},
    "opensearch": {
        "indices:data/read/scroll*", "indices:data/write/delete",
        "indices:data/write/delete/byquery",
    },
}  # fmt: skip
"""What only deleting by a query wants, which they have not."""


@pytest.fixture(scope="module")
def place(secure: Server, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Prepared by the user who may, with an event of each stream, a late one and a gap."""
    made = Place(secure, tmp_path_factory.mktemp("place"), "vault")
    does_setup(made, made.users["setup"])
    does_write(made, made.users["writer"])
    return made


def test_setup_and_writer_do_their_work_and_every_event_is_there_once(place: Place) -> None:
    does_write(place, place.users["writer"])
    events = {text(id_of(name)) for name in STORED}
    found = place.ids()
    assert events < set(found)
    assert len(found) == len(set(found)) == len(STORED) + 1
    indices = place.as_administrator("GET", f"/{place.prefix}-*/_settings")
    assert f"{place.prefix}-alerts-late" in indices


def test_the_keeper_stores_and_deletes_what_is_too_old(place: Place) -> None:
    does_keep(place, place.users["keeper"])


def test_every_reading_works_as_the_reader(place: Place) -> None:
    place.ids()
    does_read(place, place.users["reader"])


def test_the_command_sets_up_as_its_user(place: Place) -> None:
    user = place.users["setup"]
    settings = place.settings(user)
    config = place.folder / "setup.toml"
    lines = [f'{name} = "{getattr(settings, name)}"'
             for name in ("prefix", "username", "password_file", "ca_file")]  # fmt: skip
    config.write_text(
        f'[sink.engine]\ntype = "elastic"\nurls = ["{place.server.url}"]\nreplicas = 0\n'
        + "\n".join(lines)
    )
    result = CliRunner().invoke(cli, ["setup", "--config", str(config), "--yes"])
    assert result.exit_code == 0, result.output
    assert "nothing to do" in result.output
    checked = CliRunner().invoke(cli, ["check-config", str(config)])
    assert checked.exit_code == 0, checked.output
    wrong = secrets.token_urlsafe(18)
    password = Path(settings.password_file)
    password.write_text(wrong)
    refused = CliRunner().invoke(cli, ["--debug", "setup", "--config", str(config), "--yes"])
    password.write_text(user.password)
    assert refused.exit_code == 1
    assert "401" in refused.output
    written = [result.output, checked.output, refused.output, str(refused.exc_info)]
    for each in _spellings(user.name, wrong) + _spellings(user.name, user.password):
        assert not any(each in text for text in written), "a secret was told"


def _bulk(action: str, index: str, id_: str = "1") -> bytes:
    lines = [json.dumps({action: {"_index": index, "_id": id_}})]
    lines += {"delete": [], "update": ['{"doc":{"a":1}}']}.get(action, ["{}"])
    return "".join(f"{line}\n" for line in lines).encode()


Asked = tuple[str, str, bytes | dict[str, Any] | None]
READ: Asked = ("POST", "/vault-alerts-2026.11.23/_search", {})
CREATE: Asked = ("POST", "/_bulk", _bulk("create", "vault-alerts-2026.11.23"))
OVERWRITE: Asked = ("POST", "/_bulk", _bulk("update", "vault-alerts-2026.11.23"))
DELETE_ONE: Asked = ("POST", "/_bulk", _bulk("delete", "vault-alerts-2026.11.23"))
DELETE: Asked = ("DELETE", "/vault-alerts-2026.11.23", None)
TEMPLATE: Asked = ("PUT", "/_index_template/other", {"index_patterns": ["other-*"]})
MAPPING: Asked = ("PUT", "/vault-alerts-2026.11.23/_settings", {"index.blocks.write": True})
READ_OTHER: Asked = ("POST", "/foreign/_search", {})
CREATE_OTHER: Asked = ("POST", "/_bulk", _bulk("create", "foreign"))
DELETE_OTHER: Asked = ("DELETE", "/foreign", None)
FORBIDDEN = {
    "writer": (READ, OVERWRITE, DELETE_ONE, DELETE, TEMPLATE, MAPPING, READ_OTHER, CREATE_OTHER),
    "keeper": (OVERWRITE, TEMPLATE, MAPPING, READ_OTHER, CREATE_OTHER, DELETE_OTHER),
    "reader": (CREATE, OVERWRITE, DELETE_ONE, DELETE, TEMPLATE, MAPPING, READ_OTHER),
    "setup": (READ, CREATE, OVERWRITE, DELETE_ONE, DELETE, MAPPING, READ_OTHER, DELETE_OTHER),
}


def _is_refused(answer: Answer) -> bool:
    if answer.status != 200:
        return answer.status == 403
    items = answer.json().get("items", [])
    return bool(items) and all(status["status"] == 403 for (status,) in map(dict.values, items))


@pytest.mark.parametrize("role", ROLES)
def test_each_is_refused_what_is_not_its_work(place: Place, role: str) -> None:
    place.as_administrator("PUT", "/foreign/_doc/1?refresh=true", {"a": 1})
    before = place.ids()
    engine = place.engine(role)
    allowed = [asked for asked in FORBIDDEN[role] if not _is_refused(engine.ask(*asked))]
    engine.close()
    assert allowed == []
    assert place.ids() == before
    assert place.as_administrator("GET", "/foreign/_count")["count"] == 1
    place.as_administrator("DELETE", "/foreign")


def _less(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The role without one of its rights, for each of them."""
    cluster = "cluster" if "cluster" in body else "cluster_permissions"
    indices = "indices" if "indices" in body else "index_permissions"
    allowed = "privileges" if "indices" in body else "allowed_actions"
    for right in body[cluster]:
        yield right, body | {cluster: [each for each in body[cluster] if each != right]}
    (held,) = body[indices]
    for right in held[allowed]:
        rest = held | {allowed: [each for each in held[allowed] if each != right]}
        # Elasticsearch takes no role that names indices and allows nothing there.
        yield right, body | {indices: [rest] if rest[allowed] else []}


@pytest.mark.timeout(900)
def test_no_right_is_there_in_vain(place: Place) -> None:
    """Without any one of them the work cannot be done."""
    probes = []
    of_writer = {right for right, _ in _less(place.roles["writer"])}
    for role in ROLES:
        known = NOT_IN_THESE_BUILDS[place.server.kind] | (of_writer if role == "keeper" else set())
        for number, (right, body) in enumerate(_less(place.roles[role])):
            if right not in known:
                name = f"probe-{role}-{number}"
                probes.append((role, right, place.user(name, {f"{place.prefix}-{name}": body})))
    place.are_known(user for _, _, user in probes)
    vain = [f"{role}: {right}" for role, right, user in probes if _is_able(place, role, user)]
    assert vain == [], "\n".join(vain)


def _is_able(place: Place, role: str, user: User) -> bool:
    # A writer that finds its indices there would not show that it may make them.
    if role in ("writer", "keeper"):
        place.clear()
    try:
        WORK[role](place, user)
    except (ArmorstackError, AssertionError, urllib.error.HTTPError):
        return False
    finally:
        does_write(place, place.users["writer"])
        place.ids()
    return True


def settings_file(
    folder: Path, server: Server, prefix: str, user: str = ADMIN, **more: Any
) -> Path:
    """Settings of a run whose password lies in the file `password` beside them."""
    assert server.security is not None
    return plain_settings_file(
        folder, server, prefix, username=user, password_file=str(folder / "password"),
        ca_file=server.security.authority.ca_file, **more,
    )  # fmt: skip


def test_a_wrong_password_and_then_a_missing_right_hold_everything_back_until_they_are_mended(
    place: Place, tmp_path: Path
) -> None:
    """Without a restart, and no secret is told by anything that is written or shown."""
    index = f"{place.prefix}-alerts-2026.11"
    user = place.user("late", {})
    wrong = secrets.token_urlsafe(18)
    password = tmp_path / "password"
    password.write_text(wrong)
    config = settings_file(tmp_path, place.server, place.prefix, user.name, setup=False)
    file = tmp_path / "alerts.jsonl"
    file.write_bytes(alerts(300))
    shown: list[str] = []
    with collecting(tmp_path, file, config) as run:
        until(lambda: "401" in waits_for(run), "the password to be refused")
        shown += [waits_for(run), httpx.get(f"{run.url()}/metrics").text]
        password.write_text(user.password)
        until(lambda: "403" in waits_for(run), "the missing right")
        shown += [waits_for(run), httpx.get(f"{run.url()}/health").text]
        place.allow(user, {f"{place.prefix}_writer": place.roles["writer"]})
        until(lambda: run.stored() >= 300, "the events")
        with file.open("ab") as lines:
            lines.write(alerts(100, 300))
        until(lambda: run.stored() >= 400, "more events")
        worker = until(run.worker, "a worker")
        assert sum(worker.dead_letters.values()) == 0
        assert run.stop() == 0, run.output()
    found = place.ids(index)
    assert len(found) == len(set(found)) == 400
    place.as_administrator("DELETE", f"/{index}")
    checked = CliRunner().invoke(cli, ["check-config", str(config)])
    assert checked.exit_code == 0, checked.output
    written = [run.output(), checked.output, *shown]
    written += [each.read_text(errors="replace") for each in _files(run.data_dir)]
    assert any("401" in each for each in written)
    for each in _spellings(user.name, wrong) + _spellings(user.name, user.password):
        assert not any(each in text for text in written), "a secret was told"


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def _spellings(name: str, password: str) -> list[str]:
    return [password, base64.b64encode(f"{name}:{password}".encode()).decode()]
