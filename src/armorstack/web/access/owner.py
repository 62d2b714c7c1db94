"""The owner's token: it comes with the data folder, and may do everything.

It lies as it is in `DATA/web/token`, for whoever may read that may read the events as well. Loads
neither Arrow nor Starlette: the supervisor prints it.
"""

from pathlib import Path

from armorstack.errors import AccessError
from armorstack.web.access import private
from armorstack.web.access.token import LONGEST, make

NAME = "owner"
SHORTEST = 32
"""Characters that a person may not go below who writes the file: 128 bits in hex."""


def folder_of(data_dir: str) -> Path:
    """Where tokens lie."""
    return Path(data_dir) / "web"


def token_path(data_dir: str) -> Path:
    """Where the owner's token lies."""
    return folder_of(data_dir) / "token"


def owner_token(data_dir: str) -> str:
    """The token, made where there is none. Raises AccessError."""
    path = token_path(data_dir)
    try:
        if not path.exists():
            private.create(path, f"{make()}\n".encode())
        return check(path.read_text(errors="replace"), path)
    except OSError as error:
        told = f"{path}: {error.strerror}"
        raise AccessError(told, hint="the owner's token must be readable") from error


def renew(data_dir: str) -> str:
    """A new token; the old one, and sessions made from it, are void at once. Raises OSError."""
    new = make()
    private.replace(token_path(data_dir), f"{new}\n".encode())
    return new


def check(content: str, path: Path) -> str:
    """The token that the file holds. Raises AccessError where that cannot be one."""
    text = content.strip()
    if not SHORTEST <= len(text) <= LONGEST or not text.isascii() or not text.isprintable():
        told = f"{path} holds no token of {SHORTEST} to {LONGEST} characters"
        raise AccessError(told, hint="remove the file; a new token is then made")
    return text
