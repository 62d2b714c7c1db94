"""What answers to bulk requests mean, as real servers gave them (`tests/fixtures/bulk-answers`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from armorstack.engines.elastic.answers import Fates, Refused, TooLarge, read_answer

FOLDER = Path(__file__).parents[1] / "fixtures/bulk-answers"
RECORDED = {
    (file.stem, each["case"]): each
    for file in sorted(FOLDER.glob("*.json"))
    for each in json.loads(file.read_text())["answers"]
}
SERVERS = sorted({server for server, _ in RECORDED})


def verdict(server: str, case: str) -> Any:
    answer = RECORDED[server, case]
    return read_answer(answer["status"], answer["body"].encode(), answer["sent"])


def fates(server: str, case: str) -> tuple[list[int], list[int], list[int], list[int]]:
    found = verdict(server, case)
    assert isinstance(found, Fates)
    never = [place for place, _ in found.never]
    return list(found.taken), list(found.there), list(found.again), never


def test_both_engines_were_recorded() -> None:
    assert SERVERS == ["elasticsearch-8.19.0", "opensearch-2.19.3"]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("taken", ([0, 1], [], [], [])),
        ("taken and there", ([1], [0, 2], [], [])),
        ("mapping conflict among others", ([0], [], [], [1, 2, 3])),
        ("mapping conflict alone", ([], [], [], [0])),
        ("immense term", ([1], [], [], [0])),
        ("strict mapping", ([1], [], [], [0])),
        ("limit of fields", ([1], [], [], [0])),
    ],
)
def test_each_document_has_its_own_fate(server: str, case: str, expected: object) -> None:
    assert fates(server, case) == expected


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("write block", "cluster_block_exception"),
        ("flood-stage block", "flood-stage"),
        ("closed index", "index_closed_exception"),
        ("invalid index name", "invalid_index_name_exception"),
        ("index missing", "index_not_found_exception"),
        ("shard limit", "maximum"),
        ("no pipeline", "pipeline with id [nowhere] does not exist"),
        ("id too long", "action_request_validation_exception"),
        ("not JSON", "Unexpected character"),
    ],
)
def test_what_is_the_engines_fault_keeps_everything(server: str, case: str, said: str) -> None:
    found = verdict(server, case)
    assert isinstance(found, Refused)
    assert not found.is_busy
    assert said in found.told


@pytest.mark.parametrize("server", SERVERS)
def test_a_reason_that_quotes_an_event_can_be_shown(server: str) -> None:
    found = verdict(server, "mapping conflict among others")
    assert isinstance(found, Fates)
    (_, why), *_ = found.never
    assert "\\x1b[31m" in why.reason
    assert why.reason.isprintable()
    assert max(len(each.reason) for _, each in found.never) <= 500


def items(*each: tuple[int, str, str]) -> bytes:
    """A bulk answer of items as (status, type, reason)."""
    listed: list[dict[str, Any]] = []
    for status, type_, reason in each:
        error = {"error": {"type": type_, "reason": reason}} if type_ else {}
        listed.append({"create": {"status": status} | error})
    errors = any(status >= 300 for status, _, _ in each)
    return json.dumps({"errors": errors, "items": listed}).encode()


TAKEN = (201, "", "")
FULL = (429, "es_rejected_execution_exception", "rejected execution of primary operation")


def test_what_an_engine_has_no_room_for_goes_again_alone() -> None:
    found = read_answer(200, items(TAKEN, FULL, (503, "unavailable_shards_exception", "x")), 3)
    assert isinstance(found, Fates)
    assert (found.taken, found.again) == ([0], [1, 2])
    assert "es_rejected_execution_exception" in found.told


def test_one_index_of_several_that_is_blocked_holds_all_back_and_is_named() -> None:
    told = "index [kubearmor-alerts-2026.11.01] blocked by: [FORBIDDEN/8/index write (api)];"
    found = read_answer(200, items(TAKEN, (403, "cluster_block_exception", told)), 2)
    assert isinstance(found, Refused)
    assert "[kubearmor-alerts-2026.11.01] blocked" in found.told


def test_one_unknown_reason_for_all_is_not_the_documents_fault() -> None:
    unknown = (400, "brand_new_exception", "for some reason")
    assert isinstance(read_answer(200, items(unknown, unknown), 2), Refused)
    assert isinstance(read_answer(200, items(unknown), 1), Refused)
    among = read_answer(200, items(unknown, TAKEN), 2)
    assert isinstance(among, Fates)
    assert [place for place, _ in among.never] == [0]


def test_an_item_that_may_not_be_written_stops_all() -> None:
    found = read_answer(200, items(TAKEN, (403, "security_exception", "no permissions")), 2)
    assert isinstance(found, Refused)
    assert found.status == 403


def test_what_is_said_of_each_counts_more_than_what_is_said_of_all() -> None:
    body = json.loads(items(TAKEN, FULL, (400, "mapper_parsing_exception", "x")))
    found = read_answer(200, json.dumps(body | {"errors": False}).encode(), 3)
    assert isinstance(found, Fates)
    assert (found.taken, found.again, [at for at, _ in found.never]) == ([0], [1], [2])


@pytest.mark.parametrize("sent", [1, 3])
def test_an_answer_about_other_documents_says_nothing(sent: int) -> None:
    found = read_answer(200, items(TAKEN, TAKEN), sent)
    assert isinstance(found, Refused)
    assert found.is_busy


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"<html>", b'{"took":1}', b'{"items":[]}'])
def test_a_body_that_is_no_answer_says_nothing(body: bytes) -> None:
    found = read_answer(200, body, 1)
    assert isinstance(found, Refused)
    assert found.is_busy


@pytest.mark.parametrize(
    ("status", "is_busy"),
    [
        (429, True),
        (503, True),
        (502, True),
        (408, True),
        (401, False),
        (403, False),
        (400, False),
        (404, False),
        (301, False),
    ],
)
def test_a_status_says_whether_patience_is_enough(status: int, is_busy: bool) -> None:
    found = read_answer(status, b'{"error":"plain","status":1}', 3)
    assert isinstance(found, Refused)
    assert (found.is_busy, found.status) == (is_busy, status)
    assert f"{status} plain" in found.told


def test_a_request_that_is_too_large_is_told_apart() -> None:
    assert read_answer(413, b"", 2) == TooLarge()
