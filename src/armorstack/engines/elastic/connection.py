"""One request to a cluster, and its answer.

A request goes to one node; where that cannot be reached, to another. A node that failed is left
alone for a while. What a request asks for must be harmless twice: the first may have arrived.

Invariant: no text or error that comes out of here holds a secret. An answer is whatever the server
said, of any status; only silence is an error. Must not go here: what a request means.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from elastic_transport import (
    BaseNode,
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    NodePool,
    TransportError,
    Urllib3HttpNode,
)
from msgspec import Struct

from armorstack import __version__
from armorstack.config.sinks import ElasticSink
from armorstack.core.text import printable
from armorstack.engines.elastic.answers import reason_of
from armorstack.engines.elastic.dialect import (
    PRODUCT_HEADER,
    Dialect,
    Name,
    dialect_of,
    version_of_nodes,
)
from armorstack.engines.elastic.secrets import Secrets
from armorstack.engines.elastic.unreached import reason_and_hint
from armorstack.errors import EngineError

JSON, NDJSON = "application/json", "application/x-ndjson"
MOST_TRIES = 3
"""Nodes that one request is sent to, at most."""
SNIFF_INTERVAL_S = 60.0
HINTS = {
    401: "check username and password_file, api_key_file or token_file",
    403: "the role is missing a privilege; see `armorstack setup --print-roles`",
}


class Answer(Struct, frozen=True):
    """What a server said."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON; raises EngineError where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.MsgspecError as error:
            told = f"the server answered {self.status} with something that is no JSON"
            raise EngineError(told, hint="is there a proxy in between?") from error


class Engine:
    """A cluster; any thread may ask. To be closed."""

    def __init__(
        self, settings: ElasticSink, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connects to nothing yet. `clock` gives seconds, for the intervals of sniffing."""
        self._settings, self._clock = settings, clock
        self._secrets = Secrets(settings)
        self._lock = threading.Lock()
        self._pool: NodePool | None = None
        self._context: ssl.SSLContext | None = None
        self._sniffed_at: float | None = None
        self._dialect: Dialect | None = None
        self.origins = ", ".join(map(origin_of, settings.urls))
        """The nodes of the settings, fit to be shown."""

    def ask(
        self, method: str, path: str, body: bytes | dict[str, Any] | None = None, *,
        params: Mapping[str, str] = {}, timeout_s: float | None = None,
        headers: Mapping[str, str] = {},
    ) -> Answer:  # fmt: skip
        """Whatever the first node that can be reached answers, of any status.

        `body` is JSON, or lines of it where it is bytes for a path that ends so (`_bulk`,
        `_msearch`). Raises EngineError when no node answers, or not within `timeout_s` seconds.
        """
        target = f"{path}?{urlencode(params)}" if params else path
        sent = {"accept": JSON, "user-agent": f"armorstack/{__version__}"}
        if body is not None:
            sent["content-type"] = NDJSON if path.endswith(("_bulk", "_msearch")) else JSON
        sent |= self._secrets.headers() | dict(headers)
        payload = msgspec.json.encode(body) if isinstance(body, dict) else body
        nodes = self._nodes()
        return self._first(nodes, method, target, payload, sent, timeout_s)

    def demand(
        self, method: str, path: str, body: bytes | dict[str, Any] | None = None, *,
        params: Mapping[str, str] = {}, timeout_s: float | None = None,
        headers: Mapping[str, str] = {},
    ) -> Answer:  # fmt: skip
        """The same, but raises EngineError for a status of 400 and more, with what it says."""
        answer = self.ask(method, path, body, params=params, timeout_s=timeout_s, headers=headers)
        if answer.status >= 400:
            raise refusal(answer, f"{method} {path}")
        return answer

    @property
    def dialect(self) -> Dialect:
        """Which engine it is; asked once. Raises EngineError."""
        if self._dialect is None:
            self._dialect = self._asked()
        return self._dialect

    def close(self) -> None:
        """Let go of all connections; it may be used again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            _close(pool)

    def _asked(self) -> Dialect:
        params = {"filter_path": "nodes.*.version"}
        answer = self.ask("GET", "/_nodes", params=params)
        version = version_of_nodes(answer.json()) if answer.status == 200 else ""
        if not version:
            answer = self.ask("GET", "/")
            told = answer.json() if answer.status == 200 else {}
            version = str((told.get("version") or {}).get("number", ""))
        if answer.status in HINTS:
            raise refusal(answer, "asking which engine this is")
        return dialect_of(self._name(answer), version)

    def _name(self, answer: Answer) -> Name:
        if self._settings.engine != "auto":
            return self._settings.engine
        return "elasticsearch" if PRODUCT_HEADER in answer.headers else "opensearch"

    def _first(
        self, nodes: NodePool, method: str, target: str, payload: bytes | None,
        headers: dict[str, str], timeout_s: float | None,
    ) -> Answer:  # fmt: skip
        silent: EngineError | None = None
        for _ in range(min(MOST_TRIES, 1 + len(nodes))):
            node = nodes.get()
            try:
                meta, body = node.perform_request(
                    method,
                    target,
                    payload,
                    HttpHeaders(headers),
                    timeout_s or self._settings.timeout_s,
                )
            except ConnectionTimeout as error:
                nodes.mark_dead(node)
                raise EngineError(_told(node, "does not answer in time")) from error
            except (TransportError, ValueError) as error:
                nodes.mark_dead(node)
                reason, hint = reason_and_hint(error)
                silent = EngineError(_told(node, f"cannot be reached: {reason}"), hint=hint)
                silent.__cause__ = error
            else:
                nodes.mark_live(node)
                return Answer(meta.status, body, {k.lower(): v for k, v in meta.headers.items()})
        assert silent is not None
        raise silent

    def _nodes(self) -> NodePool:
        is_tls = any(url.startswith("https:") for url in self._settings.urls)
        context = self._secrets.context() if is_tls else None
        with self._lock:
            if self._pool is None or context is not self._context:
                # Requests under way keep the old one; it ends with the last of them.
                self._pool, self._context = _pool(self._settings, context), context
                self._sniffed_at = None
            pool = self._pool
            is_due = self._settings.sniff and self._is_sniff_due()
        if is_due:
            self._sniff(pool)
        return pool

    def _is_sniff_due(self) -> bool:
        now = self._clock()
        if self._sniffed_at is not None and now < self._sniffed_at + SNIFF_INTERVAL_S:
            return False
        self._sniffed_at = now
        return True

    def _sniff(self, pool: NodePool) -> None:
        """Add the nodes that the cluster tells of; where it tells of none, nothing changes."""
        try:
            answer = self._first(
                pool, "GET", "/_nodes/_all/http?filter_path=nodes.*.http.publish_address", None,
                self._secrets.headers(), None,
            )  # fmt: skip
            found = answer.json() if answer.status == 200 else {}
        except EngineError:
            return
        seed = pool.all()[0].config
        for host, port in addresses(found):
            pool.add(seed.replace(host=host, port=port))


class _Node(Urllib3HttpNode):
    """Trusts only what its context does: urllib3 would add authorities of its own.

    With a fingerprint no chain is verified, so an authority in it proves nothing: anybody can send
    one along. What counts is the server's own certificate.
    """

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        pool: Any = self.pool
        if config.ssl_context is not None:
            pool.ca_certs = None
        if config.ssl_assert_fingerprint:
            # Besides what is compared with the whole chain.
            pool.assert_fingerprint = config.ssl_assert_fingerprint


def _pool(settings: ElasticSink, context: ssl.SSLContext | None) -> NodePool:
    # What it would tell of nodes that fail is in our own errors.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    configs = dict.fromkeys(_config(url, settings, context) for url in settings.urls)
    return NodePool(list(configs), _Node)


def _config(url: str, settings: ElasticSink, context: ssl.SSLContext | None) -> NodeConfig:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    return NodeConfig(
        parts.scheme, parts.hostname or "", parts.port or (443 if is_tls else 80),
        parts.path.rstrip("/"), connections_per_node=settings.concurrency + 8,
        request_timeout=settings.timeout_s, ssl_context=context if is_tls else None,
        ssl_assert_fingerprint=(settings.fingerprint or None) if is_tls else None,
    )  # fmt: skip


def _close(pool: NodePool) -> None:
    for node in pool.all():
        node.close()


def origin_of(url: str) -> str:
    """Scheme and host, fit to be shown."""
    parts = urlsplit(url)
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", 120)


def _told(node: BaseNode, what: str) -> str:
    return f"{origin_of(node.base_url)} {what}"


def refusal(answer: Answer, what: str) -> EngineError:
    """The error for an answer that refuses, with its own type and reason, cut and printable."""
    told = f"{what}: {answer.status} {reason_of(answer.body)}".rstrip()
    return EngineError(told, hint=HINTS.get(answer.status, ""))


def addresses(nodes: Any) -> list[tuple[str, int]]:
    """Host and port of each node of a cluster that takes HTTP, from an answer of `/_nodes`."""
    found = []
    listed = nodes.get("nodes") if isinstance(nodes, dict) else None
    for node in listed.values() if isinstance(listed, dict) else ():
        written = str(node.get("http", {}).get("publish_address", ""))
        name, _, address = written.rpartition("/")
        host, _, port = address.rpartition(":")
        if host and port.isdigit():
            found.append((name or host.strip("[]"), int(port)))
    return found
