"""Heeding signals without a deadlock.

A handler runs in the main thread between any two of its instructions; a lock that the thread holds
just then is never let go. `Event.set` takes a lock, and a main thread that waits on that event
takes it twenty times a second; with a timer at random moments such a process hung before its
20,000th signal each time it was tried. So the handler only puts into a `SimpleQueue`, whose `put`
is made for that, and a thread of its own does what is to be done.
"""

import signal
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from types import FrameType


def heed(numbers: Iterable[signal.Signals], act: Callable[[], None]) -> Callable[[], int]:
    """Call `act`, in a thread of its own, each time one of these comes; from the main thread.

    The answer tells how many have come so far, those among them that `act` does not know of yet.
    """
    told: SimpleQueue[int] = SimpleQueue()
    heard = 0

    def hear(came: int, _: FrameType | None) -> None:
        nonlocal heard
        heard += 1  # only ever here, and handlers run in the main thread alone
        told.put(came)

    def watch() -> None:
        while True:
            told.get()
            act()

    threading.Thread(target=watch, name="signals", daemon=True).start()
    for number in numbers:
        signal.signal(number, hear)
    return lambda: heard
