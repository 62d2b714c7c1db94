"""Pages that people look at first, asked once after a start, so that nobody waits for them.

A store keeps counts of what it counted; the first look at all of a large past makes them. This is
done in a thread that steps back for all others. Invariant: it changes nothing but what the store
keeps for itself, and ends when it is told to. Must not go here: answers to anybody.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable

import structlog

from armorstack.core.query.asked import ALL, DEFAULT_FROM, parse_asked
from armorstack.core.query.parse import parse
from armorstack.errors import ArmorstackError
from armorstack.store.budget import Budget
from armorstack.store.contract import EventStore
from armorstack.web import boards, panels
from armorstack.web.links import Links
from armorstack.web.pages import events
from armorstack.web.panel_answers import Answers

SPANS = (DEFAULT_FROM, "now-7d", ALL)
PAGE_S = 300.0
RETRY_S = 1.0
NICE = 10

log = structlog.get_logger()


class Warming:
    """The thread; `store` raises what a store that is not open yet raises."""

    def __init__(self, store: Callable[[], EventStore]) -> None:
        self._store = store
        self._budget = Budget(PAGE_S)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warming", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End it."""
        self._ended.set()
        self._budget.cancel()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        began = time.monotonic()
        try:
            if all(map(self._look, SPANS)):
                log.debug("the first pages are warm", seconds=round(time.monotonic() - began, 1))
        except Exception:
            # Whoever asks for the page is told; nothing else depends on it.
            log.exception("the first pages could not be asked")

    def _look(self, span: str) -> bool:
        """Ask for the pages of this span; False: there is nothing to wait for any more."""
        while not self._ended.is_set():
            try:
                look(self._store(), span, self._budget)
            except ArmorstackError:
                # It is not open yet, or this takes too long.
                if not self._budget.left_s():
                    return False
                self._ended.wait(RETRY_S)
            else:
                return True
        return False


def look(store: EventStore, span: str, budget: Budget) -> None:
    """The overview and the explorer of this span. Raises StoreError."""
    asked = parse_asked([("from", span)], time.time_ns() // 1000, parse, events.ALSO)
    with store.at_one_moment() as moment:
        board = boards.OVERVIEW.board
        panels.draw(board, Answers(board, asked, moment, budget), Links(asked))
        events.find(asked, events.view_of(asked), moment, budget)
