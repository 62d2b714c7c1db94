"""What a URL asks for, in pages and API alike: query, picks, span, zone; and back to a URL.

    q=…            a query of the language
    from=, to=     moments; `now-24h` and `now` unless given; `from=all` means every event; an age
                   of an hour or more begins with a whole minute, so that what is asked again a
                   moment later is the same
    tz=            an IANA zone or `UTC`: for showing, and for times without a zone
    FIELD=VALUE    picks: any field by its canonical name; repeated: either of them; a leading `!`:
                   not this; an empty value: absent. A value that itself begins with `!` or `\\` has
                   a `\\` before it. Of a number also a range, `severity=7..10`.

Invariant: every state of a page is in its URL: `parse(asked.pairs())` gives the same `Asked`. A
parameter that nobody knows is refused, never passed over.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct
from msgspec.structs import replace

from armorstack.core.moments import EXAMPLES, parse_moment
from armorstack.core.query.names import QUERY_FIELDS
from armorstack.core.query.question import Pick, Question
from armorstack.core.query.tree import Node
from armorstack.errors import ArmorstackError

DEFAULT_FROM = "now-24h"
DEFAULT_TO = "now"
ALL = "all"
COMMON = ("q", "from", "to", "tz")
MAX_QUERY = 10_000
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
_quoted = lru_cache(512)(quote_plus)
"""A page has hundreds of links, most of which say the same but for a value."""


class ParameterError(ArmorstackError):
    """A parameter of a URL is unknown or wrong."""

    def __init__(
        self, message: str, *, parameter: str, known: Sequence[str] = (), hint: str = ""
    ) -> None:
        """`known`: what may be asked here, where the parameter is not known."""
        super().__init__(message, hint=hint)
        self.parameter = parameter
        self.known = tuple(known)


class Asked(Struct, frozen=True):
    """What was asked for, as it was written and as it is meant."""

    q: str = ""
    picks: tuple[Pick, ...] = ()
    start: str = DEFAULT_FROM
    end: str = DEFAULT_TO
    tz: str = "UTC"
    more: tuple[tuple[str, str], ...] = ()
    """Further parameters of the page, such as `cols`, as they were written."""
    where: Node = Question().where
    start_us: int | None = None
    end_us: int | None = None

    @property
    def question(self) -> Question:
        """What a store is asked."""
        return Question(self.where, self.picks, self.start_us, self.end_us)

    @property
    def zone(self) -> ZoneInfo:
        """The zone that times are shown in."""
        return ZoneInfo(self.tz)

    def get(self, name: str, default: str = "") -> str:
        """A further parameter; where it is repeated, the last."""
        return dict(self.more).get(name, default)

    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of a URL that asks the same; what is as by default is left out."""
        return self._asking() + list(self.more)

    def _asking(self) -> list[tuple[str, str]]:
        said = [("q", self.q)] if self.q else []
        said += [("from", self.start)] if self.start != DEFAULT_FROM else []
        said += [("to", self.end)] if self.end != DEFAULT_TO else []
        said += [("tz", self.tz)] if self.tz != "UTC" else []
        for pick in self.picks:
            said += [(pick.field, _guarded(value)) for value in pick.include]
            said += [(pick.field, f"!{value}") for value in pick.exclude]
        return said

    def url(self, path: str, **more: str) -> str:
        """A URL that asks the same of `path`; `more` sets further parameters, empty removes."""
        pairs = self._asking()
        pairs += [pair for pair in self.more if pair[0] not in more]
        pairs += [pair for pair in more.items() if pair[1]]
        said = "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in pairs])
        return f"{path}?{said}" if pairs else path

    def with_pick(self, field: str, value: str, *, exclude: bool = False) -> "Asked":
        """The same, with this value wanted, or not wanted, besides."""
        old = next((pick for pick in self.picks if pick.field == field), Pick(field))
        include = tuple(each for each in old.include if each != value)
        without = tuple(each for each in old.exclude if each != value)
        new = Pick(field, include, (*without, value)) if exclude else Pick(
            field, (*include, value), without
        )  # fmt: skip
        return self._picked(new)

    def without_pick(self, field: str, value: str | None = None) -> "Asked":
        """The same without picks of the field, or of this value of it alone."""
        old = next((pick for pick in self.picks if pick.field == field), Pick(field))
        if value is None:
            return self._picked(Pick(field))
        return self._picked(Pick(
            field, tuple(each for each in old.include if each != value),
            tuple(each for each in old.exclude if each != value),
        ))  # fmt: skip

    def at(self, start: str, end: str) -> "Asked":
        """The same for another span, written as moments; for its URL only."""
        return replace(self, start=start, end=end)

    def _picked(self, new: Pick) -> "Asked":
        kept = [new if pick.field == new.field else pick for pick in self.picks]
        if new not in kept:
            kept.append(new)
        return replace(self, picks=tuple(pick for pick in kept if pick.include or pick.exclude))


def parse_asked(
    pairs: Iterable[tuple[str, str]], now_us: int, parse: Callable[..., Node],
    also: Sequence[str] = (),
) -> Asked:  # fmt: skip
    """What these parameters ask for. `parse(text, now_us, zone)` reads queries; `also` names the
    further parameters that this page knows.

    Raises ParameterError, and QueryError for `q`.
    """
    said: dict[str, str] = {}
    picked: dict[str, list[str]] = {}
    more: list[tuple[str, str]] = []
    for name, value in pairs:
        if name in also:
            more.append((name, value))
        elif name in COMMON:
            said[name] = value
        elif name in QUERY_FIELDS:
            picked.setdefault(name, []).append(value)
        else:
            raise _unknown(name, also)
    tz = said.get("tz") or "UTC"
    zone = _zone(tz)
    start, end = said.get("from") or DEFAULT_FROM, said.get("to") or DEFAULT_TO
    q = said.get("q", "").strip()
    if len(q) > MAX_QUERY:
        told = f"q: the query has {len(q)} characters, at most {MAX_QUERY} are read"
        raise ParameterError(told, parameter="q", hint="ask for less at once")
    start_us = None if start == ALL else _start(start, now_us, zone)
    # What has just happened belongs to "now", also where a node's clock is a little ahead.
    end_us = None if end == DEFAULT_TO else _moment("to", end, now_us, zone)
    if start_us is not None and end_us is not None and start_us >= end_us:
        told = f"from={start} is not before to={end}"
        raise ParameterError(told, parameter="from", hint="swap them")
    return Asked(
        q=q, picks=tuple(_pick(name, values) for name, values in picked.items()), start=start,
        end=end, tz=tz, more=tuple(more), where=parse(q, now_us, zone), start_us=start_us,
        end_us=end_us,
    )  # fmt: skip


def _guarded(value: str) -> str:
    return f"\\{value}" if value.startswith(("!", "\\")) else value


def _pick(name: str, values: Sequence[str]) -> Pick:
    include = [value.removeprefix("\\") for value in values if not value.startswith("!")]
    exclude = [value[1:] for value in values if value.startswith("!")]
    pick = Pick(name, tuple(dict.fromkeys(include)), tuple(dict.fromkeys(exclude)))
    try:
        pick.node()
    except ValueError as error:
        hint = f"a number, or a range such as {name}=7..10"
        raise ParameterError(
            f"{name}: {' '.join(values)!r} is no number", parameter=name, hint=hint
        ) from error
    return pick


def _start(text: str, now_us: int, zone: ZoneInfo) -> int:
    found = _moment("from", text, now_us, zone)
    is_age = found != _moment("from", text, now_us + 1, zone)
    return found - found % MINUTE_US if is_age and now_us - found >= HOUR_US else found


def _moment(name: str, text: str, now_us: int, zone: ZoneInfo) -> int:
    found = parse_moment(text, now_us, zone)
    if found is None:
        raise ParameterError(f"{name}: {text!r} is no time", parameter=name, hint=f"say {EXAMPLES}")
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ParameterError(
            f"tz: there is no zone {name!r}", parameter="tz", hint="say UTC or Europe/Berlin"
        ) from error


def _unknown(name: str, also: Sequence[str]) -> ParameterError:
    known = [*COMMON, *also, *QUERY_FIELDS]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
    return ParameterError(f"there is no parameter {name!r}", parameter=name, known=known, hint=hint)
