"""One message to the server of the settings: its secrets, its pace, and what it answered.

Invariant: `post` is the only place that holds URL and token together with an answer, and what it
gives back names neither. Rows and entries must not go here.
"""

import socket
import time
from collections.abc import Callable

from msgspec import Struct

from armorstack import __version__
from armorstack.config import WebhookSink as Settings
from armorstack.engines.watched import Watched, parse_secret
from armorstack.errors import ConfigError, EngineError
from armorstack.sinks.webhook.address import parse_networks
from armorstack.sinks.webhook.answer import Meaning, meaning_of, reason_of
from armorstack.sinks.webhook.client import Client
from armorstack.sinks.webhook.pace import Pace
from armorstack.sinks.webhook.resolve import Lookup
from armorstack.sinks.webhook.target import Target, parse_target
from armorstack.sinks.webhook.trust import trust


class Verdict(Struct, frozen=True):
    """What the server thinks of a message."""

    meaning: Meaning
    reason: str
    """What it said, fit to be shown."""


class Messenger:
    """Posts messages; used by one thread."""

    def __init__(
        self, path: str, settings: Settings,
        monotonic: Callable[[], float] = time.monotonic, lookup: Lookup = socket.getaddrinfo,
    ) -> None:  # fmt: skip
        """`path` is where the settings stand; raises ConfigError for a wrong URL."""
        self.taken = 0
        """Messages that the server took."""
        self._target = _target(path, settings)
        self._token = _token(settings)
        self._trust = trust(settings.ca_file)
        networks = parse_networks(settings.allowed_networks)
        self._client = Client(networks, settings.timeout_s, self._trust, lookup)
        self._pace = Pace(settings.per_minute, monotonic)

    def read_files(self) -> None:
        """Read what lies in files, if it changed; raises EngineError where it cannot be used."""
        self._target(), self._token(), self._trust()

    def may_post(self) -> bool:
        """Whether the next message may go now."""
        return not self._pace.wait_s()

    def check_pace(self) -> None:
        """Raise EngineError unless the next message may go now."""
        if wait_s := self._pace.wait_s():
            raise EngineError(f"{self._target()} may be written to again in {wait_s:.0f} s")

    def post(self, body: bytes) -> Verdict:
        """Post one message; raises EngineError where the fault is not in it."""
        target, token = self._target(), self._token()
        self._pace.note_sent()
        answer = self._client.post(target, _headers(token), body)
        secrets = (*([token] if token else []), *target.secrets())
        meaning = meaning_of(answer, target, secrets)
        if meaning == "later":
            self._pace.hold(answer.retry_after_s or 0.0)
        self.taken += meaning == "taken"
        return Verdict(meaning, reason_of(answer, target, secrets))


def _headers(token: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"armorstack/{__version__}",
    }
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _target(path: str, settings: Settings) -> Callable[[], Target]:
    if settings.url_file:
        return Watched(settings.url_file, "url_file", parse_target).value
    try:
        target = Target(settings.url)
    except ValueError as error:
        reason = str(error)
    else:
        return lambda: target
    # Outside the handler: the cause may quote the URL.
    raise ConfigError(f"{path}.url: {reason}", hint="write https://HOST/PATH")


def _token(settings: Settings) -> Callable[[], str]:
    if settings.token_file:
        return Watched(settings.token_file, "token_file", parse_secret).value
    return lambda: ""
