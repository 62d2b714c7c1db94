"""Who we are to a cluster, and whom we trust: headers and TLS out of files that may change.

Invariant: no text, `repr` or error holds a secret. TLS always verifies, by authorities and host
name or by a fingerprint. Must not go here: requests.
"""

import base64
import ssl
import threading
from collections.abc import Callable

from armorstack.config.sinks import ElasticSink
from armorstack.engines.watched import Watched, parse_secret
from armorstack.errors import EngineError

Contents = tuple[bytes, ...]


def parse_api_key(text: bytes) -> str:
    """An API key as its header has it; `id:key` is encoded. Raises ValueError."""
    written = parse_secret(text)
    return base64.b64encode(written.encode()).decode() if ":" in written else written


def parse_password(text: bytes) -> str:
    """A password: one line of UTF-8; raises ValueError."""
    written = text.decode()
    if not written or not written.isprintable():
        raise ValueError("it must hold one line of printable characters")
    return written


class Secrets:
    """What the settings name; any thread may ask. Shown, it is only its class."""

    def __init__(self, settings: ElasticSink) -> None:
        """Reads nothing yet."""
        self._lock = threading.Lock()
        self._authorization = _authorization(settings)
        self._files = {
            name: Watched(path, name, bytes)
            for name in ("ca_file", "cert_file", "key_file")
            if (path := getattr(settings, name))
        }
        self._settings = settings
        self._loaded: Contents | None = None
        self._context: ssl.SSLContext | None = None

    def headers(self) -> dict[str, str]:
        """What says who we are, as the files have it now. Raises EngineError."""
        if self._authorization is None:
            return {}
        with self._lock:
            return {"authorization": self._authorization()}

    def context(self) -> ssl.SSLContext:
        """What TLS trusts and shows; another object when a file has changed. Raises EngineError."""
        with self._lock:
            now = tuple(file.value() for file in self._files.values())
            if self._context is None or now != self._loaded:
                self._context, self._loaded = _context(self._settings), now
            return self._context


def _authorization(settings: ElasticSink) -> Callable[[], str] | None:
    if settings.api_key_file:
        key = Watched(settings.api_key_file, "api_key_file", parse_api_key)
        return lambda: f"ApiKey {key.value()}"
    if settings.token_file:
        token = Watched(settings.token_file, "token_file", parse_secret)
        return lambda: f"Bearer {token.value()}"
    if settings.password_file:
        password = Watched(settings.password_file, "password_file", parse_password)
        return lambda: f"Basic {_basic(settings.username, password.value())}"
    return None


def _basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def _context(settings: ElasticSink) -> ssl.SSLContext:
    # Not `create_default_context`: it writes session keys to a file that the environment names.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if settings.ca_file:
            context.load_verify_locations(settings.ca_file)
        else:
            context.load_default_certs()
    except (OSError, ssl.SSLError) as error:
        raise EngineError(f"ca_file: {settings.ca_file} holds no certificates in PEM") from error
    if settings.cert_file:
        _load_chain(context, settings)
    return context


def _load_chain(context: ssl.SSLContext, settings: ElasticSink) -> None:
    try:
        # An empty password, so that a key that wants one is refused instead of asking a terminal.
        context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: "")
    except (OSError, ValueError) as error:
        hint = "a PEM chain, and its key in PEM without a password"
        told = f"cert_file: {settings.cert_file} and key_file cannot be used together"
        raise EngineError(told, hint=hint) from error
