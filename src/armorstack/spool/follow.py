"""A read-only connection to a database that another process writes, and may replace.

Invariant: what is read comes from the file that bears the name now; its inode is compared at
every use. Nothing is created and nothing written here.
"""

import sqlite3
from pathlib import Path

from armorstack.errors import SpoolError
from armorstack.spool.database import Schema, check_version, connect, guarded
from armorstack.spool.place import size_of


class Follower:
    """Follows one path."""

    def __init__(self, path: Path, schema: Schema, since: int = 0) -> None:
        """`since` is the oldest version whose tables, as far as they are read here, are those of
        the schema; 0: its own."""
        self.path = path
        self._schema = schema
        self._since = since or schema.version
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def connection(self) -> sqlite3.Connection | None:
        """A connection to the file as it is named now; None where there is none yet.

        Raises SpoolTooNew and SpoolDamaged.
        """
        inode = inode_of(self.path)
        if self._connection is not None and inode == self._inode:
            return self._connection
        self.close()
        if inode and size_of(self.path) and self._open():
            # Replaced in between: the next call opens again.
            self._inode = inode if inode == inode_of(self.path) else -1
        return self._connection

    @property
    def inode(self) -> int:
        """Of the file in use; 0: none."""
        return self._inode

    def close(self) -> None:
        """Let go; the next use opens again."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._inode = None, 0

    def _open(self) -> bool:
        """Whether the database has its tables yet."""
        with guarded(self.path):
            connection = connect(self.path, readonly=True)
            try:
                version = check_version(connection, self._schema, self.path)
                if version and version < self._since:
                    raise SpoolError(f"{self.path} has not been upgraded by its writer yet")
            except BaseException:
                connection.close()
                raise
        if not version:
            connection.close()
            return False
        self._connection = connection
        return True


def inode_of(path: Path) -> int:
    """The inode that bears the name, 0 where there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
