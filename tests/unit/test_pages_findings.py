"""Why a screen is empty, and which command mends it."""

from typing import Any

import pytest
from msgspec.structs import replace

from armorstack.core.filter_counts import FilterCounts
from armorstack.health import health
from armorstack.state import ReceiverState, SinkState, SpoolState, WorkerState
from armorstack.web.pages.findings import Finding, findings, first_hour
from tests.support.pages import RECEIVER, SOURCE, WORKER
from tests.support.stores import DAY_US, NOW_US, SECOND_US


def told(
    receiver: ReceiverState | None = RECEIVER, worker: WorkerState = WORKER,
    newest_us: int | None = NOW_US,
) -> tuple[Finding, ...]:  # fmt: skip
    return findings(health(receiver, worker, NOW_US), newest_us, NOW_US)


def with_source(**changes: Any) -> ReceiverState:
    return replace(RECEIVER, sources=(replace(SOURCE, **changes),))


def with_sink(**changes: Any) -> WorkerState:
    return replace(WORKER, sinks=(SinkState(name="duckdb", is_open=True, **changes),))


def commands(found: tuple[Finding, ...]) -> list[str]:
    return [command.text for finding in found for command in finding.mend]


def test_all_well_is_nothing_to_tell() -> None:
    assert told() == ()


def test_without_a_receiver_the_way_to_a_relay_and_to_a_sample_is_told() -> None:
    (finding,) = told(None)
    assert "nothing brings events here" in finding.text
    assert "armorstack run --relay 127.0.0.1:32767" in commands((finding,))
    assert "armorstack run --sample" in commands((finding,))


def test_a_receiver_that_stopped_is_told_unless_its_sources_had_ended() -> None:
    stopped = replace(RECEIVER, phase="stopped")
    assert "not running" in told(stopped)[0].text
    ended = replace(stopped, sources=(replace(SOURCE, finished=True),))
    assert told(ended) == ()


def test_a_source_without_a_connection_names_its_error_its_hint_and_the_doctor() -> None:
    (finding,) = told(with_source(connected=False, error="refused", hint="is it up"))
    assert finding.text == "Source relay/relay.example:32767 is not connected: refused."
    assert finding.hint == "is it up"
    assert finding.mend[0].text == "armorstack doctor --relay relay.example:32767"


def test_a_name_of_a_source_is_quoted_in_the_command() -> None:
    found = told(with_source(connected=False, name="relay/a b;c"))
    assert commands(found)[0] == "armorstack doctor --relay 'a b;c'"


@pytest.mark.parametrize("address", ["\x1b[2Ja:1", "\u202ea:1", "--data-dir=x"])
def test_a_name_that_hides_something_is_in_no_command(address: str) -> None:
    found = told(with_source(connected=False, name=f"relay/{address}"))
    assert commands(found)[0] == "armorstack doctor"


def test_a_connected_but_silent_source_leads_to_policies_and_visibility() -> None:
    (finding,) = told(with_source(last_frame_us=NOW_US - 61 * SECOND_US))
    assert "fallen silent" in finding.text
    assert any("kubearmor-visibility" in text for text in commands((finding,)))


def test_every_reason_of_health_is_a_finding_too() -> None:
    spoiled = [
        (replace(RECEIVER, spool=SpoolState(bytes=90, max_bytes=100)), WORKER),
        (replace(RECEIVER, spool=SpoolState(full="the disk is full")), WORKER),
        (replace(RECEIVER, spool=SpoolState(recoveries=1, recovered="/x")), WORKER),
        (replace(RECEIVER, dropped={"oversize": 2}), WORKER),
        (replace(RECEIVER, updated_us=NOW_US - 60 * SECOND_US), WORKER),
        (with_source(finished=True, error="gone"), WORKER),
        (RECEIVER, with_sink(waits_for="the disk")),
        (RECEIVER, with_sink(lag_s=31.0)),
        (RECEIVER, with_sink(missed={"trimmed": 1})),
    ]
    for receiver, worker in spoiled:
        assert health(receiver, worker, NOW_US).status == "degraded"
        assert len(told(receiver, worker)) == 1, (receiver, worker)


def test_dead_letters_lead_to_the_command_that_lists_them() -> None:
    found = told(worker=replace(WORKER, letters_kept=3))
    assert commands(found)[0] == "armorstack deadletters list"


def test_where_everything_works_the_silence_itself_is_explained() -> None:
    nothing = replace(RECEIVER, received=0)
    assert "no event has come yet" in told(nothing, newest_us=None)[0].text
    filtered = replace(WORKER, filters=(FilterCounts("noise", "drop", dropped=30),))
    assert "let go of 30" in told(worker=filtered, newest_us=None)[0].text
    unmatched = replace(WORKER, unmatched=30)
    assert "No match gives the 30 events" in told(worker=unmatched, newest_us=None)[0].text
    skipped = replace(WORKER, skipped={"relay_log": 4})
    assert "4 lines came" in told(worker=skipped, newest_us=None)[0].text
    assert "none is stored yet" in told(newest_us=None)[0].text
    assert "older than a day" in told(newest_us=NOW_US - DAY_US - 1)[0].text
    assert told(newest_us=NOW_US - DAY_US) == ()


def test_the_first_hour_is_done_step_by_step() -> None:
    def done(receiver: ReceiverState | None, stored: int) -> list[bool]:
        found = first_hour(health(receiver, WORKER, NOW_US), stored, NOW_US)
        assert all(step.mend for step in found)
        return [step.is_done for step in found]

    assert done(None, 0) == [False, False, False, False]
    assert done(with_source(connected=False), 0) == [True, False, True, False]
    assert done(replace(RECEIVER, received=0), 0) == [True, True, False, False]
    assert done(RECEIVER, 1) == [True, True, True, True]
