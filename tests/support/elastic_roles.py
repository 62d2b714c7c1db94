"""Users of the roles that armorstack prints, on a secured engine, and the work of each.

Must not go here: what a user may not do; what makes a server secure.
"""

import json
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from msgspec.structs import replace

from armorstack.cli.main import cli
from armorstack.config import ElasticSink as Settings
from armorstack.core.gap import Gap
from armorstack.core.query.question import Question
from armorstack.engines.elastic.connection import Engine
from armorstack.engines.elastic.retention import retain
from armorstack.engines.elastic.setup import apply, outdated_indices, plan
from armorstack.sinks.elastic import ElasticSink
from armorstack.store.contract import EventStore
from armorstack.store.elastic import elastic_store
from tests.support.engines import Server
from tests.support.engines_secure import User
from tests.support.event_stores import patience
from tests.support.running import until
from tests.support.stores import DAY_US, NOW_US, Clock, batch, id_of

ROLES = ("writer", "keeper", "reader", "setup")
GAP = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1, lost=3)
QUESTION = Question()


class Place:
    """A secured server, our prefix there, and a user for each printed role."""

    def __init__(self, server: Server, folder: Path, prefix: str) -> None:
        self.server, self.folder, self.prefix = server, folder, prefix
        self.roles = self._printed()
        self.users = {role: self.user(role, {f"{prefix}_{role}": self.roles[role]})
                      for role in ROLES}  # fmt: skip
        self.are_known(self.users.values())

    def _printed(self) -> dict[str, dict[str, Any]]:
        config = self.folder / "printed.toml"
        config.write_text(f'[sink.engine]\ntype = "elastic"\nprefix = "{self.prefix}"\n')
        result = CliRunner().invoke(cli, ["setup", "--print-roles", "--config", str(config)])
        assert result.exit_code == 0, result.output
        found = json.loads(result.output)[self.server.kind]
        return {each["name"].rpartition("_")[2]: each["body"] for each in found}

    def user(self, name: str, roles: dict[str, Any]) -> User:
        """Somebody with these roles, whose password lies in a file."""
        user = User(f"{self.prefix}-{name}", secrets.token_urlsafe(18))
        self.allow(user, roles)
        (self.folder / user.name).write_text(user.password)
        return user

    def allow(self, user: User, roles: dict[str, Any]) -> None:
        """Give the user these roles instead."""
        assert self.server.security is not None
        user.roles = tuple(roles)
        self.server.security.grant(self.server, user, roles)

    def are_known(self, users: Iterable[User]) -> None:
        """Wait until the server knows them."""
        path = "/_plugins/_security/authinfo"
        if self.server.kind == "elasticsearch":
            path = "/_security/_authenticate"
        for user in users:
            engine = Engine(self.settings(user))
            until(lambda: engine.ask("GET", path).status == 200, "a user to be known")  # noqa: B023
            engine.close()

    def settings(self, user: User, **more: Any) -> Settings:
        """Settings as this user."""
        assert self.server.security is not None
        known = {
            "urls": (self.server.url,), "prefix": self.prefix, "replicas": 0, "setup": False,
            "username": user.name, "password_file": str(self.folder / user.name),
            "ca_file": self.server.security.authority.ca_file, "timeout_s": 20.0,
        }  # fmt: skip
        return Settings(**(known | more))

    def engine(self, role: str) -> Engine:
        """A connection as the user with this role; to be closed."""
        return Engine(self.settings(self.users[role]))

    def as_administrator(self, method: str, path: str, body: Any = None) -> Any:
        """What the server answers to one who may do everything."""
        return self.server.ask(method, path, body)

    def clear(self) -> None:
        """Delete all indices of ours, by name, as one has to."""
        listed = self.as_administrator("GET", f"/{self.prefix}-*/_settings")
        self.as_administrator("DELETE", f"/{','.join(listed)}")

    def ids(self, index: str = "") -> list[str]:
        """The `_id` of every document of ours, or of one index."""
        index = index or f"{self.prefix}-*"
        self.as_administrator("POST", f"/{index}/_refresh")
        body = {"size": 1000, "_source": False}
        hits = self.as_administrator("POST", f"/{index}/_search", body)["hits"]["hits"]
        return sorted(hit["_id"] for hit in hits)


def does_setup(place: Place, user: User) -> None:
    settings = place.settings(user)
    engine = Engine(settings)
    apply(engine, plan(engine, replace(settings, shards=2)))
    apply(engine, plan(engine, settings))
    assert plan(engine, settings) == []
    assert outdated_indices(engine, settings) == []
    engine.close()


STREAMS = ("alert", "log", "message")
STORED = [*STREAMS, "late"]


def does_write(place: Place, user: User) -> None:
    sink = ElasticSink("es", place.settings(user, sniff=True), place.folder, Clock())
    sink.open()
    for number, stream in enumerate(STREAMS):
        outcome = sink.write(batch(number, [stream], stream=stream, gaps=[GAP]))
        assert outcome.accepted + outcome.duplicates == 1, outcome
    outcome = sink.write(batch(9, ["late"], at_us=NOW_US - 90 * DAY_US))
    assert outcome.accepted + outcome.duplicates == 1, outcome
    # What sniffing asks, which is silent where it may not.
    assert sink.engine.dialect.name == place.server.kind
    sink.close()


def does_keep(place: Place, user: User) -> None:
    does_write(place, user)
    old = f"{place.prefix}-alerts-2026.01.02"
    place.as_administrator("PUT", f"/{old}")
    late = f"{place.prefix}-logs-late"
    place.as_administrator("PUT", f"/{late}/_doc/1?refresh=true", {
        "armorstack": {"exact": {"received": NOW_US}}
    })  # fmt: skip
    engine = Engine(place.settings(user))
    try:
        assert retain(engine, place.settings(user), NOW_US) == {"age": 0}
    finally:
        engine.close()
        for index in (old, late):
            place.as_administrator("DELETE", f"/{index}?ignore_unavailable=true")


def stream(store: EventStore) -> int:
    return sum(each.num_rows for each in store.stream(QUESTION, patience()))


def moment(store: EventStore) -> int:
    with store.at_one_moment() as one:
        return one.count(QUESTION, patience())


READINGS: dict[str, tuple[Callable[[EventStore], Any], Any]] = {
    "events": (lambda store: len(store.events(QUESTION, patience()).rows), 4),
    "event": (lambda store: store.event(id_of("log"), patience())["resource"], "log"),  # type: ignore[index]
    "count": (lambda store: store.count(QUESTION, patience()), 4),
    "histogram": (
        lambda store: sum(
            sum(each.counts) for each in store.histogram(QUESTION, patience(), by="stream").series
        ),
        4,
    ),
    "facets": (
        lambda store: store.facets(QUESTION, patience(), fields=["stream"])[0].distinct, 3,
    ),
    "top": (lambda store: store.top(QUESTION, patience(), fields=["stream"]).total, 4),
    "seen": (lambda store: store.seen(QUESTION, patience()).count, 4),
    "stream": (stream, 4),
    "arrivals": (lambda store: bool(store.arrivals(store.arrivals().place).place), True),
    "gaps": (lambda store: store.gaps(None, None), [GAP]),
    "newest": (lambda store: store.newest(), NOW_US),
    "at one moment": (moment, 4),
    "within": (lambda store: store.within(["x"]).count(QUESTION, patience()), 0),
}  # fmt: skip


def does_read(place: Place, user: User) -> None:
    engine = Engine(place.settings(user))
    store = elastic_store(engine, place.prefix, Clock())
    try:
        assert {name: ask(store) for name, (ask, _) in READINGS.items()} == {
            name: expected for name, (_, expected) in READINGS.items()
        }
    finally:
        engine.close()


WORK = {"setup": does_setup, "writer": does_write, "keeper": does_keep, "reader": does_read}
