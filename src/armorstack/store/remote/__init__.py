"""A store in another process, asked through its API: a worker that runs here, or one far away.

What belongs here: the client's side of `/api/v1`. Forbidden: what the server does; printing.
Invariant: a token goes to the address it was given for and nowhere else: redirects are not
followed, and it never leaves this machine unencrypted.

    link     one request, one answer; faults as our errors
    wire     questions as parameters, JSON as answers
    store    `RemoteStore`, an `EventStore`
    live     events as they come, also across restarts
    tail     the last events, those that come, and gaps
"""

from armorstack.store.remote.link import Address, Link
from armorstack.store.remote.live import Follower, Told
from armorstack.store.remote.store import RemoteStore
from armorstack.store.remote.tail import Tail

__all__ = ["Address", "Follower", "Link", "RemoteStore", "Tail", "Told"]
