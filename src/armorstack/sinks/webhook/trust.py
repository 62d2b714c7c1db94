"""Which certificates are believed: those of the system's authorities, or of the settings' file.

Invariant: every context that comes out of here verifies chain and host name. Made by hand and not
by `ssl.create_default_context`, which would write session keys to a file that the environment
names.
"""

import ssl
from collections.abc import Callable

from armorstack.engines.watched import Watched


def trust(ca_file: str) -> Callable[[], ssl.SSLContext]:
    """What gives the context to use now; a changed file is read again. Raises EngineError."""
    if ca_file:
        return Watched(ca_file, "ca_file", _of_file).value
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return lambda: context


def _of_file(text: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=text.decode("latin-1"))
    except ssl.SSLError as error:
        raise ValueError("it holds no certificates in PEM") from error
    return context
