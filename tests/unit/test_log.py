"""What the processes say about themselves."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from armorstack import log
from armorstack.config import Log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    handlers = logging.root.handlers
    yield
    structlog.reset_defaults()
    logging.root.handlers = handlers


def lines(format_: str, level: str = "info") -> tuple[io.StringIO, structlog.BoundLogger]:
    stream = io.StringIO()
    log.configure("receiver", Log(format=format_, level=level), stream)  # type: ignore[arg-type]
    return stream, structlog.get_logger()


def test_an_entry_is_one_json_object_away_from_a_terminal() -> None:
    stream, logger = lines("auto")
    logger.info("relay connected", source="relay/a:1", attempt=2)
    entry = json.loads(stream.getvalue())
    assert entry["event"] == "relay connected"
    assert (entry["level"], entry["process"], entry["attempt"]) == ("info", "receiver", 2)


def test_text_is_key_value_with_quotes_where_they_are_needed() -> None:
    stream, logger = lines("text")
    logger.warning("relay is gone", source="a", why="no route to host")
    line = 'warning [receiver] relay is gone source=a why="no route to host"'
    assert stream.getvalue().endswith(f"{line}\n")


def test_entries_below_the_level_are_left_out() -> None:
    stream, logger = lines("json", level="warning")
    logger.info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("format_", ["json", "text"])
def test_hostile_values_neither_break_the_line_nor_steer_the_terminal(format_: str) -> None:
    stream, logger = lines(format_)
    logger.info("line\nbreak", resource="\x1b[2J\nforged")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_secrets_are_hidden_by_their_key() -> None:
    stream, logger = lines("json")
    logger.info("request", api_key="hunter2", Authorization="Bearer hunter2", path="/x")
    assert "hunter2" not in stream.getvalue()
    assert '"/x"' in stream.getvalue()


def test_a_traceback_is_kept_line_by_line() -> None:
    stream, logger = lines("json")
    try:
        raise ValueError("\x1b[31mbad")
    except ValueError:
        logger.exception("it failed")
    entry = json.loads(stream.getvalue())
    assert entry["exception"][-1] == "ValueError: \\x1b[31mbad"


def test_warnings_of_libraries_come_the_same_way() -> None:
    stream, _ = lines("json")
    logging.getLogger("some.library").warning("it is %s", "late")
    entry = json.loads(stream.getvalue())
    assert (entry["event"], entry["library"]) == ("it is late", "some.library")


def test_a_closed_stream_does_not_stop_the_process() -> None:
    stream, logger = lines("json")
    stream.close()
    logger.info("unheard")
