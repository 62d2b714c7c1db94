"""Tokens, their files, and sessions made from them."""

import os
import stat
from pathlib import Path

import pytest

from armorstack.errors import AccessError
from armorstack.web.access import owner, private, session
from armorstack.web.access.bearers import Bearers, read_used
from armorstack.web.access.refusal import Refusal
from armorstack.web.access.register import Record, Register
from armorstack.web.access.session import Session
from armorstack.web.access.token import digest, is_whole, make

NOW_S = 1_795_446_000.0


class Clock:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bearers(tmp_path: Path, clock: Clock) -> Bearers:
    return Bearers(str(tmp_path), clock)


def register(data_dir: Path) -> Register:
    return Register(owner.folder_of(str(data_dir)))


def made(data_dir: Path, name: str, **known: object) -> str:
    text = make()
    register(data_dir).add(Record(name, digest(text), int(NOW_S), **known))  # type: ignore[arg-type]
    return text


def reason(call: object, *given: object) -> str:
    with pytest.raises(Refusal) as refused:
        call(*given)  # type: ignore[operator]
    return refused.value.reason


def test_a_token_has_its_form_and_no_two_are_alike() -> None:
    texts = {make() for _ in range(50)}
    assert len(texts) == 50
    assert all(len(text) == 52 and text.startswith("as_") for text in texts)
    assert all(text.isascii() and text[3:].isalnum() for text in texts)


def test_a_changed_character_or_a_lost_one_is_told_by_the_checksum() -> None:
    text = make()
    other = "A" if text[10] != "A" else "B"
    assert is_whole(text)
    assert not is_whole(text[:10] + other + text[11:])
    assert not is_whole(text[:-1])
    assert not is_whole("")


def test_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Bearers(str(tmp_path))
        made(tmp_path, "ci")
    finally:
        os.umask(before)
    folder = owner.folder_of(str(tmp_path))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {file.name for file in folder.iterdir()} == {
        "token", "tokens.json", "session-key", "lock",
    }  # fmt: skip
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_a_file_that_is_there_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "web" / "token"
    assert private.create(path, b"first")
    assert not private.create(path, b"second")
    assert path.read_bytes() == b"first"
    assert [file.name for file in path.parent.iterdir()] == ["token"]


def test_the_owners_token_stays_and_a_renewed_one_replaces_it(tmp_path: Path) -> None:
    first = owner.owner_token(str(tmp_path))
    assert owner.owner_token(str(tmp_path)) == first
    second = owner.renew(str(tmp_path))
    assert owner.owner_token(str(tmp_path)) == second != first


@pytest.mark.parametrize("content", ["", "short", "a" * 300, "ä" * 40, f"{'a' * 20}\n{'b' * 20}"])
def test_what_can_be_no_token_is_refused_as_the_owners(tmp_path: Path, content: str) -> None:
    path = owner.token_path(str(tmp_path))
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(AccessError, match="holds no token"):
        owner.owner_token(str(tmp_path))


def test_the_register_holds_no_token(tmp_path: Path) -> None:
    text = made(tmp_path, "ci")
    content = register(tmp_path).path.read_text()
    assert text not in content
    assert digest(text) in content


def test_a_name_is_given_once(tmp_path: Path) -> None:
    made(tmp_path, "ci")
    with pytest.raises(AccessError, match="there is a token 'ci' already"):
        made(tmp_path, "ci")
    register(tmp_path).remove("ci")
    made(tmp_path, "ci")
    with pytest.raises(AccessError, match="there is no token 'cd'"):
        register(tmp_path).remove("cd")


def test_each_token_is_its_own_bearer(tmp_path: Path, bearers: Bearers) -> None:
    ci, shop = made(tmp_path, "ci", admin=True), made(tmp_path, "shop", namespaces=("shop",))
    assert bearers.by_token(ci).name == "ci"
    assert bearers.by_token(shop).namespaces == ("shop",)
    assert not bearers.by_token(shop).admin
    assert bearers.by_token(owner.owner_token(str(tmp_path))).admin


@pytest.mark.parametrize("text", ["", "as_", "x" * 10_000, "\udcff", "as_" + "A" * 49])
def test_a_wrong_token_is_nobody(bearers: Bearers, text: str) -> None:
    assert reason(bearers.by_token, text) == "wrong"


def test_a_hash_is_no_token(tmp_path: Path, bearers: Bearers) -> None:
    text = made(tmp_path, "ci")
    assert reason(bearers.by_token, digest(text)) == "wrong"
    assert reason(bearers.by_token, digest(text)[:16]) == "wrong"


def test_a_typo_is_told_apart(bearers: Bearers) -> None:
    with pytest.raises(Refusal) as refused:
        bearers.by_token(make()[:-1])
    assert "typo" in refused.value.hint
    with pytest.raises(Refusal) as refused:
        bearers.by_token(make())
    assert "typo" not in refused.value.hint


def test_a_token_runs_out_to_the_second(tmp_path: Path, bearers: Bearers, clock: Clock) -> None:
    text = made(tmp_path, "ci", expires_s=int(NOW_S) + 60)
    clock.now_s = NOW_S + 59
    record = bearers.by_token(text)
    value, seconds = bearers.session(record)
    assert seconds == 1
    clock.now_s = NOW_S + 60
    assert reason(bearers.by_token, text) == "expired"
    assert reason(bearers.by_session, value) == "session"
    assert not bearers.holds(record)


def test_a_revoked_token_is_void_at_once_and_so_are_its_sessions(
    tmp_path: Path, bearers: Bearers
) -> None:
    text = made(tmp_path, "ci")
    record = bearers.by_token(text)
    value, _ = bearers.session(record)
    assert bearers.by_session(value) == record
    register(tmp_path).remove("ci")
    assert reason(bearers.by_session, value) == "session"
    assert reason(bearers.by_token, text) == "wrong"
    assert not bearers.holds(record)
    again = made(tmp_path, "ci")
    assert bearers.by_token(again).name == "ci"
    assert reason(bearers.by_session, value) == "session"


def test_renewing_the_owners_token_ends_the_owners_sessions(
    tmp_path: Path, bearers: Bearers
) -> None:
    value, _ = bearers.session(bearers.by_token(owner.owner_token(str(tmp_path))))
    owner.renew(str(tmp_path))
    assert reason(bearers.by_session, value) == "session"
    assert bearers.by_token(owner.owner_token(str(tmp_path))).name == "owner"


def test_a_damaged_register_admits_nobody_until_it_is_mended(
    tmp_path: Path, bearers: Bearers
) -> None:
    text = made(tmp_path, "ci")
    whole = register(tmp_path).path.read_bytes()
    register(tmp_path).path.write_bytes(whole[:-9])
    assert reason(bearers.by_token, text) == "wrong"
    register(tmp_path).path.write_bytes(whole)
    assert bearers.by_token(text).name == "ci"
    register(tmp_path).path.write_text('{"version": 2, "tokens": []}')
    assert reason(bearers.by_token, owner.owner_token(str(tmp_path))) == "wrong"


def test_a_session_outlives_a_restart_but_not_its_end(
    tmp_path: Path, bearers: Bearers, clock: Clock
) -> None:
    value, seconds = bearers.session(bearers.by_token(owner.owner_token(str(tmp_path))))
    assert seconds == session.LONGEST_S
    later = Bearers(str(tmp_path), clock)
    clock.now_s = NOW_S + seconds - 1
    assert later.by_session(value).name == "owner"
    clock.now_s = NOW_S + seconds
    assert reason(later.by_session, value) == "session"


def test_no_character_of_a_session_can_be_changed() -> None:
    key = b"k" * 32
    value = session.sign(Session("0123456789abcdef", 1_800_000_000), key)
    assert session.read(value, key) == Session("0123456789abcdef", 1_800_000_000)
    assert session.read(value, b"l" * 32) is None
    for place in range(len(value)):
        for other in ("0", "9", "a", "Z", "."):
            changed = value[:place] + other + value[place + 1 :]
            # The last digit of base64 has two bits that say nothing: text is compared, not bits.
            assert changed == value or session.read(changed, key) is None
    assert session.read("", key) is None
    assert session.read("٣".join(value.split("1")), key) is None


def test_without_the_key_every_session_is_void(tmp_path: Path, clock: Clock) -> None:
    before = Bearers(str(tmp_path), clock)
    value, _ = before.session(before.by_token(owner.owner_token(str(tmp_path))))
    (owner.folder_of(str(tmp_path)) / "session-key").write_bytes(b"cut")
    assert reason(Bearers(str(tmp_path), clock).by_session, value) == "session"


def test_it_is_noted_when_a_token_was_used_and_no_failure_is(
    tmp_path: Path, bearers: Bearers
) -> None:
    text = made(tmp_path, "ci")
    folder = owner.folder_of(str(tmp_path))
    assert reason(bearers.by_token, make()) == "wrong"
    assert read_used(folder) == {}
    record = bearers.by_token(text)
    assert read_used(folder) == {record.id: int(NOW_S)}
    (folder / "used.json").write_text("[")
    assert read_used(folder) == {}
