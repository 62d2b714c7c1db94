"""Single values in the form that a typed field of an engine takes, or None where they have none.

Must not go here: anything that knows more than one value.
"""

from functools import lru_cache
from ipaddress import ip_address

_LONGEST_ADDRESS = 45
_LAST_SEVERITY = 10
LAST_PORT = 65535


def canonical_ip(text: str) -> str | None:
    """The address in the one form that engines take, or None; a zone such as %eth0 is refused."""
    return _canonical_ip(text) if 0 < len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=4096)
def _canonical_ip(text: str) -> str | None:
    if "%" in text:
        return None
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def small_number(text: str, last: int) -> int | None:
    """The number from 0 to `last` that the text is in plain digits, or None."""
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        return None
    number = int(text)
    return number if number <= last else None


def severity(text: str) -> int | None:
    """KubeArmor's severity, 1 to 10; None where it is absent or says something else."""
    return small_number(text, _LAST_SEVERITY) or None


def base_name(path: str) -> str:
    """The last part of a path; empty for `/`."""
    name = path[path.rfind("/") + 1 :]
    return name or path.rstrip("/").rpartition("/")[2]
