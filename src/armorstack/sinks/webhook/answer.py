"""What an answer means: taken, later, this message is bad, or nothing can be sent just now.

Must not go here: sockets, rows, and what is done about it.
"""

from typing import Literal

from armorstack.core.text import printable
from armorstack.errors import EngineError
from armorstack.sinks.webhook.client import Answer
from armorstack.sinks.webhook.target import Target, origin_of

Meaning = Literal["taken", "later", "too_large", "refused"]

SHOWN = 200
"""Characters of an answer's body that are told."""
REFUSED: dict[int, Meaning] = {400: "refused", 413: "too_large", 422: "refused"}
HINTS = {
    401: "look at token_file: the server does not know who asks",
    403: "look at token_file and the URL: the server does not let us post there",
    404: "look at the URL: it may have been withdrawn",
    410: "make a new webhook: this one is gone, or its channel is",
    415: "look at form: the server does not take JSON",
}


def meaning_of(answer: Answer, target: Target, secrets: tuple[str, ...]) -> Meaning:
    """What to do; raises EngineError where the fault is not in the message."""
    status = answer.status
    if 200 <= status < 300:
        return "taken"
    if status in (429, 503) and answer.retry_after_s is not None:
        return "later"
    if status in REFUSED:
        return REFUSED[status]
    if 300 <= status < 400:
        to = origin_of(answer.location)
        hint = "redirects are not followed: put the final URL into the settings"
        raise EngineError(f"{target.origin} redirects to {to} (status {status})", hint=hint)
    raise EngineError(reason_of(answer, target, secrets), hint=HINTS.get(status, ""))


def reason_of(answer: Answer, target: Target, secrets: tuple[str, ...]) -> str:
    """The status and the beginning of what the server says, without secrets that it repeats."""
    text = answer.body.decode("utf-8", "replace")
    for secret in secrets:
        text = text.replace(secret, "…")
    said = printable(" ".join(text.split()), SHOWN)
    return f"{target.origin} answers {answer.status}" + (f": {said}" if said else "")
