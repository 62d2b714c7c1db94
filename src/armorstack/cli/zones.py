"""The time zone of a command: how it is chosen, and how times are shown in it.

UTC unless another is asked for, as in every command. A time without a zone on the command line is
meant in this zone.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HERE = "local"


class Here(tzinfo):
    """The zone of this machine, with its summer times."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        """By the rules of the system."""
        return None if when is None else when.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, when: datetime | None) -> None:
        """Not told."""

    def tzname(self, when: datetime | None) -> str | None:
        """Such as CET."""
        return None if when is None else when.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, when: datetime) -> datetime:
        """The time here; `when` is in UTC, whatever zone it says."""
        return when.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)


class Zone(click.ParamType[tzinfo]):
    """An option's value that is a zone: an IANA name, `UTC`, or `local`."""

    name = "zone"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tzinfo:
        """The zone; a usage error where there is none of that name."""
        if isinstance(value, tzinfo):
            return value
        if value.lower() == "utc":
            return UTC
        if value.lower() == _HERE:
            return Here()
        try:
            return ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(f"there is no zone {value!r}: say UTC, local or Europe/Berlin", param, ctx)


ZONE = (
    click.option("--tz", "zone", type=Zone(), default="UTC", metavar="ZONE",
                 help="Zone of times: UTC, local, Europe/Berlin; UTC unless given."),
    click.option("--utc", "zone", flag_value="UTC", type=Zone(), help="Times in UTC."),
    click.option("--local", "zone", flag_value=_HERE, type=Zone(), help="Times of this place."),
)  # fmt: skip


def short_time(time_us: int, zone: tzinfo) -> str:
    """For people: to the millisecond, without the zone."""
    moment = _moment(time_us, zone)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03}"


def brief_time(time_us: int, zone: tzinfo) -> str:
    """For narrow terminals: to the second, without the year."""
    return _moment(time_us, zone).strftime("%m-%d %H:%M:%S")


def full_time(time_us: int, zone: tzinfo) -> str:
    """ISO 8601 to the microsecond, with the zone."""
    return _moment(time_us, zone).isoformat(timespec="microseconds").replace("+00:00", "Z")


def minute(time_us: int, zone: tzinfo) -> str:
    """To the minute, for the ends of a time line."""
    return _moment(time_us, zone).strftime("%Y-%m-%d %H:%M")


def _moment(time_us: int, zone: tzinfo) -> datetime:
    """A time of the store lies in the calendar; its zone may carry it to the edge."""
    moment = _EPOCH + timedelta(microseconds=time_us)
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment
