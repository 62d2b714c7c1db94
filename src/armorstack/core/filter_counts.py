"""What a filter has done, as reports and metrics tell it; loads nothing, so any process may."""

from msgspec import Struct


class FilterCounts(Struct, frozen=True):
    """What one filter has done since it was made."""

    name: str
    type: str
    dropped: int = 0
    """Events that did not go on, or that went on inside another one."""
    changed: int = 0
    """Events that went on with other values."""
