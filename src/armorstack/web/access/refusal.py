"""Why a request is refused: one sentence, a status, and the reason that is counted."""

from typing import Literal, get_args

from armorstack.errors import AccessError

Reason = Literal[
    "missing", "wrong", "expired", "session", "limited", "host", "proxy", "plain", "cross_site",
    "malformed", "streams", "scope",
]  # fmt: skip
"""missing: no token · wrong: unknown or revoked · session: a cookie that is void · limited: too
many failures · host: another name than ours · proxy: forwarded by one that is not listed · plain:
elsewhere without TLS · cross_site: another site's page · malformed: credentials that contradict
themselves · streams: too many at once · scope: the token does not allow it."""
REASONS: tuple[Reason, ...] = get_args(Reason)


class Refusal(AccessError):
    """A request that goes no further."""

    def __init__(
        self, message: str, *, status: int, reason: Reason, hint: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.headers = headers or {}
