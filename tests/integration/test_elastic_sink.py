"""The sink over a server that keeps documents, and that is in trouble as a test says."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from armorstack.config import ElasticSink as Settings
from armorstack.core.gap import Gap
from armorstack.core.ids import text
from armorstack.errors import EngineError
from armorstack.sinks.elastic import ElasticSink
from tests.support.bulk_server import (
    BulkServer,
    Step,
    forgets_to_answer_for_one,
    refuses,
    says,
)
from tests.support.stores import DAY_US, NOW_US, Clock, batch, id_of

GAP = Gap(reason="stop", source="relay/a", start_us=NOW_US, end_us=NOW_US + 1, lost=3)
BROKEN = ("mapper_parsing_exception", "failed to parse field [x]")

Make = Callable[..., tuple[ElasticSink, BulkServer]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Sinks with a server each."""
    made: list[tuple[ElasticSink, BulkServer]] = []

    def one(*script: Step, **settings: Any) -> tuple[ElasticSink, BulkServer]:
        server = BulkServer(*script)
        known = {"urls": (server.url,), "setup": False, "timeout_s": 20.0} | settings
        sink = ElasticSink("es", Settings(**known), Path("unused"), Clock())
        made.append((sink, server))
        sink.open()
        return made[-1]

    yield one
    for sink, server in made:
        sink.close()
        server.close()


def test_an_event_lies_in_the_index_of_its_own_day_under_its_own_id(make: Make) -> None:
    sink, server = make()
    sink.write(batch(1, "a"))
    sink.write(batch(1, "b", at_us=NOW_US - 2 * DAY_US, stream="log"))
    assert set(server.documents) == {
        ("kubearmor-alerts-2026.11.23", text(id_of("a"))),
        ("kubearmor-logs-2026.11.21", text(id_of("b"))),
    }


@pytest.mark.parametrize(
    ("days", "max_age_days", "index"),
    [(-31, 30.0, "late"), (-29, 30.0, "2026.10.25"), (2, 30.0, "late"), (1, 30.0, "2026.11.24"),
     (-3000, 0.0, "2018.09.06"), (-30000, 0.0, "late")],
)  # fmt: skip
def test_what_is_dated_out_of_reach_is_late(
    make: Make, days: int, max_age_days: float, index: str
) -> None:
    sink, server = make(max_age_days=max_age_days)
    sink.write(batch(1, "a", at_us=NOW_US + days * DAY_US))
    assert [name for name, _ in server.documents] == [f"kubearmor-alerts-{index}"]


@pytest.mark.parametrize("compress", [True, False])
def test_a_body_is_packed_only_where_that_is_wanted(make: Make, compress: bool) -> None:
    sink, server = make(compress=compress)
    assert sink.write(batch(1, "ab")).accepted == 2
    assert ("content-encoding" in server.headers[0]) == compress
    assert server.headers[0]["content-type"] == "application/x-ndjson"
    assert "filter_path=items.create.status" in server.paths[0]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_batch_is_cut_by_count_and_every_event_is_stored(make: Make, concurrency: int) -> None:
    sink, server = make(batch_events=7, concurrency=concurrency)
    assert sink.write(batch(1, range(100))).accepted == 100
    assert len(server.bodies) == 15
    assert len(server.events()) == 100


def test_what_the_document_is_to_blame_for_is_set_aside_with_its_event(make: Make) -> None:
    sink, server = make(refuses({1}, 400, *BROKEN))
    outcome = sink.write(batch(1, "abc"))
    (rejected,) = outcome.rejected
    assert (outcome.accepted, outcome.retry) == (2, ())
    assert (rejected.error_type, rejected.reason) == BROKEN
    assert json.loads(rejected.frame)["Resource"] == "b"
    assert (rejected.stream, rejected.encoding, rejected.received_us) == ("alert", "json", NOW_US)
    assert len(server.events()) == 2


def test_what_the_engine_has_no_room_for_is_to_be_tried_again(make: Make) -> None:
    sink, _ = make(refuses({0, 2}, 429, "es_rejected_execution_exception", "full"))
    outcome = sink.write(batch(1, "abcd"))
    assert (outcome.accepted, outcome.retry, list(outcome.rejected)) == (2, (0, 2), [])


def test_where_nothing_was_taken_the_reason_is_told(make: Make) -> None:
    sink, _ = make(says(429, b'{"error":{"type":"circuit_breaking_exception","reason":"big"}}'))
    with pytest.raises(EngineError, match="429 circuit_breaking_exception: big"):
        sink.write(batch(1, "ab"))
    assert sink.write(batch(1, "ab")).accepted == 2


def test_a_wrong_number_of_answers_sends_the_whole_batch_again(make: Make) -> None:
    sink, server = make(forgets_to_answer_for_one)
    with pytest.raises(EngineError, match="3 events were sent, and the answer speaks of 2"):
        sink.write(batch(1, "abc"))
    assert sink.write(batch(1, "abc")).duplicates == 3
    assert len(server.events()) == 3


def test_a_block_keeps_everything(make: Make) -> None:
    sink, _ = make(refuses({0}, 403, "cluster_block_exception", "index blocked"))
    with pytest.raises(EngineError, match="cluster_block_exception: index blocked"):
        sink.write(batch(1, "abc"))


def test_after_a_refusal_no_more_is_sent_or_even_made(make: Make) -> None:
    sink, server = make(
        says(403, b'{"error":{"type":"security_exception","reason":"denied"}}'),
        batch_events=1, concurrency=1,
    )  # fmt: skip
    with pytest.raises(EngineError, match="security_exception"):
        sink.write(batch(1, "abcde"))
    assert len(server.bodies) == 1


def test_a_missing_right_says_what_mends_it(make: Make) -> None:
    sink, _ = make(says(403, b'{"error":{"type":"security_exception","reason":"denied"}}'))
    with pytest.raises(EngineError, match="security_exception: denied") as caught:
        sink.write(batch(1, "abc"))
    assert "--print-roles" in caught.value.hint


def test_a_request_that_is_too_large_is_halved_until_it_fits(make: Make) -> None:
    def at_most_three(server: BulkServer, body: bytes) -> tuple[int, bytes] | None:
        return (413, b"") if body.count(b"\n") > 6 else None

    sink, server = make(*[at_most_three] * 30)
    assert sink.write(batch(1, range(10))).accepted == 10
    assert len(server.events()) == 10


def test_one_event_that_is_too_large_is_set_aside(make: Make) -> None:
    def not_b(server: BulkServer, body: bytes) -> tuple[int, bytes] | None:
        return (413, b"") if b'"resource":"b"' in body else None

    sink, server = make(*[not_b] * 30)
    outcome = sink.write(batch(1, "abcd"))
    assert outcome.accepted == 3
    assert [json.loads(each.frame)["Resource"] for each in outcome.rejected] == ["b"]
    assert len(server.events()) == 3


def test_a_silent_cluster_is_an_error_that_names_it(make: Make) -> None:
    sink, server = make()
    server.close()
    with pytest.raises(EngineError, match="cannot be reached") as caught:
        sink.write(batch(1, "a"))
    assert server.url in str(caught.value)


def test_another_node_is_asked_where_one_is_silent(make: Make) -> None:
    _, server = make()
    sink, _ = make(urls=("http://127.0.0.1:1", server.url))
    assert [sink.write(batch(n, [n])).accepted for n in range(5)] == [1] * 5


def test_gaps_are_documents_under_their_own_digest(make: Make) -> None:
    sink, server = make()
    sink.write(batch(1, "a", gaps=[GAP]))
    sink.write(batch(1, gaps=[GAP]))
    (gap,) = server.of("gaps")
    assert (gap["event"]["reason"], gap["armorstack"]["gap"]["lost"]) == ("stop", 3)
    assert ("kubearmor-gaps-2026.11.23", gap["event"]["id"]) in server.documents


@pytest.mark.parametrize(
    "refusal", [(400, *BROKEN), (429, "es_rejected_execution_exception", "full")]
)
def test_no_event_passes_a_gap_that_could_not_be_written(
    make: Make, refusal: tuple[int, str, str]
) -> None:
    sink, server = make(refuses({0}, *refusal))
    with pytest.raises(EngineError, match=refusal[1]):
        sink.write(batch(1, "a", gaps=[GAP]))
    assert server.events() == []
    assert sink.write(batch(1, "a", gaps=[GAP])).accepted == 1


def test_no_event_passes_the_one_of_several_gaps_that_could_not_be_written(make: Make) -> None:
    sink, server = make(refuses({1}, 429, "es_rejected_execution_exception", "full"))
    gaps = [GAP, replace(GAP, lost=4)]
    with pytest.raises(EngineError, match="429 es_rejected_execution_exception: full"):
        sink.write(batch(1, "a", gaps=gaps))
    assert (len(server.of("gaps")), server.events()) == (1, [])
    assert sink.write(batch(1, "a", gaps=gaps)).accepted == 1
    assert len(server.of("gaps")) == 2


def test_hostile_text_stays_within_its_line(make: Make) -> None:
    nasty = 'a\n{"create":{}}\u2028\x00"\\'
    sink, server = make()
    assert sink.write(batch(1, ["a", "b"], process_name=nasty, pod_name=nasty)).accepted == 2
    assert {each["process"]["executable"] for each in server.events()} == {nasty}


def test_secrets_are_sent_and_read_again_when_their_file_changes(
    make: Make, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("first-word\n")
    sink, server = make(username="writer", password_file=str(file))
    sink.write(batch(1, "a"))
    file.write_text("second-word-é\n")
    sink.write(batch(2, "b"))
    sent = [each["authorization"].removeprefix("Basic ") for each in server.headers]
    assert [base64.b64decode(each).decode() for each in sent] == [
        "writer:first-word", "writer:second-word-é",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "written", "sent"),
    [("api_key_file", "id:key", "ApiKey aWQ6a2V5"), ("api_key_file", "aWQ6", "ApiKey aWQ6"),
     ("token_file", "abc.def", "Bearer abc.def")],
)  # fmt: skip
def test_keys_and_tokens_are_sent_as_their_header_wants(
    make: Make, tmp_path: Path, setting: str, written: str, sent: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(written)
    sink, server = make(**{setting: str(file)})
    sink.write(batch(1, "a"))
    assert server.headers[0]["authorization"] == sent


def test_a_secret_that_cannot_be_used_is_named_but_not_told(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("very secret\ntext")
    sink, _ = make(token_file=str(file))
    with pytest.raises(EngineError, match="token_file") as caught:
        sink.write(batch(1, "a"))
    assert "very" not in str(caught.value)
