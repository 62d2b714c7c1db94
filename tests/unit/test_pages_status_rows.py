"""Rows of the status page."""

from datetime import UTC

from msgspec.structs import replace

from armorstack.core.gap import Gap
from armorstack.health import health
from armorstack.web.pages.status_rows import gap_rows, tables
from tests.support.pages import RECEIVER, SOURCE, WORKER
from tests.support.stores import NOW_US, SECOND_US

GAP = Gap("disconnect", "relay/a", NOW_US - 90 * SECOND_US, NOW_US, stream="alert", node="n1",
          detail="refused")  # fmt: skip


def test_a_gap_for_few_eyes_names_neither_source_nor_node_nor_why() -> None:
    (whole,) = gap_rows([GAP], UTC)
    assert (whole.source, whole.where, whole.detail) == ("relay/a", "n1 alert", "refused")
    (reduced,) = gap_rows([GAP], UTC, is_reduced=True)
    assert (reduced.source, reduced.where, reduced.detail) == ("", "", "")
    assert (reduced.length, reduced.lost, reduced.reason) == ("1 min 30 s", "unknown", "disconnect")


def test_a_sources_state_is_told_in_words_and_marked_where_it_is_bad() -> None:
    def state(**changes: object) -> tuple[str, bool]:
        receiver = replace(RECEIVER, sources=(replace(SOURCE, **changes),))
        found = tables(health(receiver, WORKER, NOW_US), (), UTC, NOW_US)
        cell = found[0].rows[0][1]
        return cell.text, cell.is_bad

    assert state() == ("connected for 1 min 40 s", False)
    assert state(connected=False) == ("not connected for 1 min 40 s", True)
    assert state(connected=False, since_us=0) == ("never connected", True)
    assert state(last_frame_us=NOW_US - 70 * SECOND_US) == (
        "connected, silent for 1 min 10 s",
        True,
    )
    assert state(finished=True) == ("finished", False)
    assert state(finished=True, error="gone") == ("finished", True)


def test_without_a_receiver_every_table_still_says_something() -> None:
    for table in tables(health(None, WORKER, NOW_US), (), UTC, NOW_US):
        assert table.rows or table.empty
