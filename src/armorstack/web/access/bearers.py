"""Token or cookie → who that is.

Invariant: what lies on disk now counts. The files are looked at on every call and read again when
they have changed, so a token that was revoked, and every session made from it, is void at once. A
file that cannot be read admits nobody.
"""

import hmac
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from armorstack.errors import AccessError
from armorstack.web.access import owner, private, session
from armorstack.web.access.refusal import Refusal
from armorstack.web.access.register import Record, Register
from armorstack.web.access.session import Session
from armorstack.web.access.token import LONGEST, PREFIX, digest, is_whole

log = structlog.get_logger()
USED_EVERY_S = 60.0
WRONG = "this token is wrong, or was revoked"
WHERE = "armorstack token create makes one; the owner's is in DATA/web/token"
Stamp = tuple[tuple[int, int, int], ...]


class Bearers:
    """All tokens of a data folder. Every method is for one thread, that of the server."""

    def __init__(self, data_dir: str, now_s: Callable[[], float] = time.time) -> None:
        """Makes the owner's token and the key where they are missing. Raises AccessError."""
        self._data_dir, self._now_s = data_dir, now_s
        self._folder = owner.folder_of(data_dir)
        self._register = Register(self._folder)
        owner.owner_token(data_dir)
        try:
            self._key = session.key_of(self._folder)
        except OSError as error:
            raise AccessError(f"{self._folder}/session-key: {error.strerror}") from error
        self._stamp: Stamp = ()
        self._by_id: dict[str, Record] = {}
        self._used = read_used(self._folder)
        self._next_write = 0.0

    def by_token(self, text: str) -> Record:
        """Whose token this is. Raises Refusal."""
        self._look()
        asked = digest(text) if len(text) <= LONGEST else ""
        # Each is compared, each in constant time: how long it takes says nothing about any of them.
        found = [each for each in self._by_id.values() if hmac.compare_digest(each.sha256, asked)]
        if not found:
            cut = text.startswith(PREFIX) and not is_whole(text)
            hint = "it has a typo, or a part is missing" if cut else WHERE
            raise Refusal(WRONG, status=401, reason="wrong", hint=hint)
        if found[0].is_over(self._now_s()):
            raise Refusal("this token has run out", status=401, reason="expired", hint=WHERE)
        return self._noted(found[0])

    def by_session(self, value: str) -> Record:
        """Whose session this cookie is. Raises Refusal."""
        self._look()
        found = session.read(value, self._key)
        record = self._by_id.get(found.token_id) if found else None
        now_s = self._now_s()
        if not found or not record or now_s >= found.ends_s or record.is_over(now_s):
            told = "this session is over"
            raise Refusal(told, status=401, reason="session", hint="sign in again")
        return self._noted(record)

    def session(self, record: Record) -> tuple[str, int]:
        """A cookie's value for this bearer, and the seconds that it is good for."""
        now_s = int(self._now_s())
        ends_s = min(now_s + session.LONGEST_S, record.expires_s or now_s + session.LONGEST_S)
        return session.sign(Session(record.id, ends_s), self._key), max(0, ends_s - now_s)

    def holds(self, record: Record) -> bool:
        """Whether the token is still good."""
        self._look()
        return record.id in self._by_id and not record.is_over(self._now_s())

    def _look(self) -> None:
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        try:
            own = digest(owner.owner_token(self._data_dir))
            records = [Record(owner.NAME, own, 0, admin=True), *self._register.records()]
            self._by_id = {each.id: each for each in records}
        except AccessError as error:
            log.error("nobody is let in", reason=str(error), hint=error.hint)
            self._by_id = {}
        # What changed while the files were read is seen by the next call.
        self._stamp = stamp

    def _stamp_now(self) -> Stamp:
        return (_stamp_of(owner.token_path(self._data_dir)), _stamp_of(self._register.path))

    def _noted(self, record: Record) -> Record:
        """Remember when it was used; a minute more or less does not matter on disk."""
        self._used[record.id] = int(self._now_s())
        if time.monotonic() >= self._next_write:
            self._next_write = time.monotonic() + USED_EVERY_S
            kept = {id_: when for id_, when in self._used.items() if id_ in self._by_id}
            _write_used(self._folder, kept)
        return record


def read_used(folder: Path) -> dict[str, int]:
    """When each token, by id, was used last: Unix time. What cannot be read is not known."""
    try:
        return msgspec.json.decode((folder / "used.json").read_bytes(), type=dict[str, int])
    except (OSError, msgspec.MsgspecError):
        return {}


def _write_used(folder: Path, used: dict[str, int]) -> None:
    try:
        private.replace(folder / "used.json", msgspec.json.encode(used), durable=False)
    except OSError as error:
        log.warning("it cannot be noted when tokens were used", reason=str(error))


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ino, found.st_size)
