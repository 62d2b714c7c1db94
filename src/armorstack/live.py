"""The live summary on a terminal, drawn with rich.

Invariant: every text that comes from events or peers is escaped and never read as markup, each
event takes one line, and the picture fits the terminal, so that it is replaced in place without
flicker. Loaded only when there is a terminal.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from armorstack import __version__
from armorstack.core.text import printable
from armorstack.state import LastEvent, SourceState
from armorstack.summary import Ledger, Picture, source_line

SHOWN_NAMES = 6
FIXED_LINES = 12
"""Lines that the picture takes besides sources, reasons and events."""
WIDE = 110
ACTION_STYLES = {"Block": "bold red", "Audit": "yellow", "Allow": "green"}


class LiveDisplay:
    """Replaces its picture in place; notes scroll by above it."""

    in_place = True
    is_seen = True

    def __init__(self, console: Console, ledger: Ledger) -> None:
        self._console, self._ledger = console, ledger
        self._size = console.size
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, picture: Picture) -> None:
        """Draw this moment."""
        size = self._console.size
        if size != self._size:
            # Lines that the terminal has wrapped anew are no longer where rich left them.
            self._console.clear()
            self._size = size
        self._live.update(draw(picture, self._ledger, size.width, size.height), refresh=True)

    def note(self, line: str) -> None:
        """Print a line above the picture."""
        self._console.print(Text(printable(line)), soft_wrap=True)

    def greet(self, line: str) -> None:
        """Print it above the picture, where it stays."""
        self.note(line)

    def close(self) -> None:
        """Take the picture away."""
        self._live.stop()


def draw(picture: Picture, ledger: Ledger, width: int, height: int) -> RenderableType:
    """The picture for a terminal of this size."""
    sources = picture.receiver.sources if picture.receiver else ()
    reasons = picture.reasons()[:3]
    room = height - FIXED_LINES - len(sources) - len(reasons)
    parts: list[RenderableType] = [_head(picture), _figures(picture), _counts(ledger), Text("")]
    parts += [_source(source) for source in sources] or [Text("sources are being started", "dim")]
    parts += [_line(f"! {reason}", "bold yellow") for reason in reasons]
    if room > 1:
        parts += [Text(""), _events(picture.worker.last[:room] if picture.worker else (), width)]
    parts.append(_line(f"{picture.url} · {picture.data_dir} · Ctrl-C ends", "dim"))
    return Group(*parts)


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style, no_wrap=True, overflow="ellipsis")


def _head(picture: Picture) -> Text:
    seconds = max(0, picture.now_us - picture.started_us) // 1_000_000
    running = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return Text.assemble(("armorstack ", "bold"), f"{__version__} · running {running}")


def _figures(picture: Picture) -> Table:
    totals, spool = picture.totals, picture.receiver.spool if picture.receiver else None
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_row(
        Text("in", "dim"), f"{picture.in_per_s:,.1f}/s",
        f"received {totals.received:,} · lost {totals.dropped:,}",
    )  # fmt: skip
    table.add_row(
        Text("stored", "dim"), f"{picture.stored_per_s:,.1f}/s",
        f"stored {totals.stored:,} · duplicates {totals.duplicates:,} · "
        + (f"let go {totals.let_go:,} · " if totals.let_go else "")
        + f"dead letters {totals.dead_letters:,}",
    )  # fmt: skip
    kept = f"{spool.bytes / 2**20:,.1f} MiB in the spool" if spool else "spool"
    table.add_row(Text("lag", "dim"), f"{picture.lag_s():,.2f} s", kept)
    return table


def _counts(ledger: Ledger) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True, min_width=8)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for heading, member in (("streams", "streams"), ("actions", "actions")):
        table.add_row(heading, _named(dict(ledger.counts(member).most_common()), SHOWN_NAMES))
    severities = ledger.counts("severities")
    gravest_first = sorted(severities, key=lambda name: (len(name), name), reverse=True)
    table.add_row("severity", _named({name: severities[name] for name in gravest_first}, 10))
    return table


def _named(counts: Mapping[str, int], limit: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for name, count in list(counts.items())[:limit]:
        text.append(f"{' · ' if text else ''}{printable(name, 20)} ", "dim")
        text.append(f"{count:,}")
    return text if text else Text("-", "dim")


def _source(source: SourceState) -> Text:
    well = source.connected or (source.finished and not source.error)
    mark = Text("● " if well else "○ ", "green" if well else "bold red")
    return mark.append_text(_line(source_line(source)))


def _events(events: Iterable[LastEvent], width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="dim")
    for name, fixed, share in _columns(width):
        table.add_column(
            name, no_wrap=True, overflow="ellipsis", width=fixed or None, ratio=share or None
        )
    for event in events:
        table.add_row(*_cells(event))
    return table


def _columns(width: int) -> list[tuple[str, int, int]]:
    """Heading, fixed width (0: none) and share of the rest."""
    action, operation = (13, 12) if width >= WIDE else (6, 7)
    return [
        ("time", 8, 0), ("sev", 3, 0), ("namespace/pod", 0, 3), ("policy", 0, 3),
        ("action", action, 0), ("operation" if width >= WIDE else "op", operation, 0),
        ("resource", 0, 4),
    ]  # fmt: skip


def _cells(event: LastEvent) -> list[Text]:
    place = "/".join(name for name in (event.namespace, event.pod) if name) or event.host
    when = datetime.fromtimestamp(event.time_us / 1e6).strftime("%H:%M:%S")
    action = event.action.split(" ")[0]
    return [
        _line(when, "dim"), _line(event.severity, _severity_style(event.severity)), _line(place),
        _line(event.policy) if event.policy else _line(event.stream, "dim"),
        _line(event.action, ACTION_STYLES.get(action, "")), _line(event.operation),
        _line(event.resource),
    ]  # fmt: skip


def _severity_style(severity: str) -> str:
    """Colours by the usual bands of 1 to 10."""
    if not severity.isdigit():
        return ""
    number = int(severity)
    return "bold red" if number >= 8 else "yellow" if number >= 5 else "green"
