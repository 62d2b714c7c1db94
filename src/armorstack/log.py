"""What a process says about itself: structlog on standard error.

On a terminal key=value text, elsewhere one JSON object per line. Invariant: one line per entry,
with control characters escaped (entries quote what peers sent), no secrets, and never a failure:
a closed standard error must not stop a process that keeps events.
"""

import logging
import re
import sys
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from armorstack import config
from armorstack.core.text import printable

SECRET = re.compile(r"token|secret|password|passwd|authorization|cookie|private|api_?key", re.I)
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
VALUE_LIMIT = 2000
FIRST = ("time", "level", "process", "event")


class _Output:
    """Where entries go, and which: loggers that were made before follow a change of settings."""

    def __init__(self) -> None:
        self.process, self.level, self.as_text = "", LEVELS["info"], False
        self.stream: TextIO = sys.stderr

    def choose(self, _: WrappedLogger, method: str, entry: EventDict) -> EventDict:
        """Let go what is below the level."""
        if LEVELS.get(method, LEVELS["error"]) < self.level:
            raise structlog.DropEvent
        return entry

    def name(self, _: WrappedLogger, __: str, entry: EventDict) -> EventDict:
        """Say which process it is."""
        entry["process"] = self.process
        return entry

    def render(self, logger: WrappedLogger, method: str, entry: EventDict) -> str:
        """One line."""
        return (_render_text if self.as_text else _render_json)(logger, method, entry)

    def msg(self, message: str) -> None:
        """Write it."""
        try:
            self.stream.write(message + "\n")
            self.stream.flush()
        except (OSError, ValueError):
            return  # whoever read us is gone; there is nobody left to tell

    debug = info = warning = error = critical = exception = msg


_output = _Output()


def configure(process: str, settings: config.Log, stream: TextIO | None = None) -> None:
    """Set up logging for this process; also takes over what libraries log as warnings. Called
    again it changes what existing loggers do."""
    _output.process, _output.stream = process, stream or sys.stderr
    _output.level = LEVELS[settings.level]
    by_terminal = settings.format == "auto" and _output.stream.isatty()
    _output.as_text = settings.format == "text" or by_terminal
    structlog.configure(
        processors=[
            _output.choose,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _output.name,
            _safe,
            _output.render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=lambda *_: _output,
        cache_logger_on_first_use=True,
    )
    logging.root.handlers = [_FromLibraries(logging.WARNING)]


class _FromLibraries(logging.Handler):
    """Passes on what libraries say through the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(log, level)(record.getMessage(), library=record.name, exc_info=record.exc_info)


def _safe(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Plain values only; no secrets, no control characters except in tracebacks' line ends."""
    return {key: _safe_value(key, value) for key, value in entry.items()}


def _safe_value(key: str, value: Any) -> Any:
    if SECRET.search(key):
        return "(hidden)"
    if value is None or isinstance(value, bool | int | float):
        return value
    if key == "exception":
        return [printable(line, VALUE_LIMIT) for line in str(value).splitlines()]
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return printable(str(value), VALUE_LIMIT)


def _ordered(entry: EventDict) -> dict[str, Any]:
    head = {key: entry[key] for key in FIRST if key in entry}
    return head | {key: value for key, value in entry.items() if key not in head}


def _render_json(_: WrappedLogger, __: str, entry: EventDict) -> str:
    return msgspec.json.encode(_ordered(entry)).decode()


def _render_text(_: WrappedLogger, __: str, entry: EventDict) -> str:
    entry = _ordered(entry)
    when, level, process, event = (entry.pop(key, "") for key in FIRST)
    head = f"{when} {level} [{process}] {event}"
    traceback = entry.pop("exception", [])
    pairs = [f"{key}={_quoted(value)}" for key, value in entry.items()]
    return "\n  ".join([" ".join([head, *pairs]), *traceback])


def _quoted(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if text == "" or re.search(r'[\s"=]', text) else text
