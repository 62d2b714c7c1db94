"""How often a client may be wrong.

Invariant: memory is bounded, whoever asks how often; whoever is right is never made to wait, so
that nobody can lock out another. Of 256 random bits nobody guesses any: the limit keeps the log
readable and the work small. Must not go here: what a failure is.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 10
EVERY_S = 6.0
"""One more failure is forgiven after so long."""
MOST_CLIENTS = 4096
IPV6_PREFIX = 64
"""What one client of IPv6 has to itself."""


class Attempts:
    """Failures by client."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._clients: OrderedDict[str, float] = OrderedDict()
        """When the client's failures will all be forgiven, in the order of the last failure."""

    def take(self, address: str) -> float:
        """Note a failure. 0: it is one of those that are allowed; else the seconds to wait."""
        now_s, client = self._now_s(), _client(address)
        forgiven_s = max(now_s, self._clients.pop(client, 0.0)) + EVERY_S
        over_s = forgiven_s - now_s - BURST * EVERY_S
        self._clients[client] = forgiven_s if over_s <= 0 else forgiven_s - EVERY_S
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        return max(0.0, over_s)


def _client(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
