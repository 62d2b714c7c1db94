"""Lets in or refuses; every refusal is counted, and told in the log.

Invariant: no token and no cookie is in a line of the log. A client that is wrong too often gets 429
and no further lines; one that is right gets in, however often others at its address were wrong.
"""

import math
from collections import Counter
from collections.abc import Mapping

import structlog

from armorstack.web.access.attempts import Attempts
from armorstack.web.access.bearers import Bearers
from armorstack.web.access.front import Front
from armorstack.web.access.refusal import REASONS, Reason, Refusal
from armorstack.web.access.register import Record

MOST_COOKIES = 4
"""Of our name, in one request: another program on this machine may have set some, too."""
UNTOLD: tuple[Reason, ...] = ("missing", "limited")
"""An empty hand is no attempt; what is limited has been told often enough."""

log = structlog.get_logger()


class Porter:
    """For one thread, that of the server; `denied` may be called from any."""

    def __init__(self, bearers: Bearers, front: Front, attempts: Attempts | None = None) -> None:
        self.bearers, self.front = bearers, front
        self._attempts = attempts or Attempts()
        self._denied: Counter[str] = Counter(dict.fromkeys(REASONS, 0))

    def denied(self) -> Mapping[str, int]:
        """Refusals so far, by reason."""
        return dict(self._denied)

    def by_token(self, text: str, address: str) -> Record:
        """Whose token this is. Raises Refusal, with 429 where the client was wrong too often."""
        try:
            return self.bearers.by_token(text)
        except Refusal as refusal:
            raise self._limited(refusal, address) from None

    def by_cookies(self, values: list[str], address: str) -> Record:
        """Whose session one of these cookies is. Raises Refusal."""
        refusal = None
        for value in values[:MOST_COOKIES]:
            try:
                return self.bearers.by_session(value)
            except Refusal as error:
                refusal = error
        raise self._limited(refusal, address) if refusal else missing()

    def refused(self, refusal: Refusal, address: str, method: str, path: str) -> None:
        """Count a refusal and tell it."""
        self._denied[refusal.reason] += 1
        if refusal.reason not in UNTOLD:
            log.warning(
                "request refused", reason=refusal.reason, client=address, method=method,
                path=path, why=str(refusal),
            )  # fmt: skip

    def used(self, what: str, record: Record, address: str, path: str = "") -> None:
        """Tell what a bearer did that an audit asks for."""
        log.info(what, bearer=record.name, client=address, path=path)

    def _limited(self, refusal: Refusal, address: str) -> Refusal:
        wait_s = math.ceil(self._attempts.take(address))
        if not wait_s:
            return refusal
        return Refusal(
            "there were too many wrong tokens", status=429, reason="limited",
            hint=f"wait {wait_s} s", headers={"retry-after": str(wait_s)},
        )  # fmt: skip


def missing() -> Refusal:
    """The refusal of somebody who brought nothing."""
    return Refusal(
        "this needs a token", status=401, reason="missing",
        hint="open the address that `armorstack run` prints, or send Authorization: Bearer TOKEN",
    )  # fmt: skip
