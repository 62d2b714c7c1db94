"""Every error that a user can meet, as one tree.

    ArmorstackError
    ├── ConfigError          a setting is wrong: exit code 2
    ├── SpoolError           the durable buffer cannot be used
    │   ├── SpoolLocked      another process writes this spool
    │   ├── SpoolTooNew      written by a newer version
    │   ├── SpoolOnNetwork   the folder lies on a network file system
    │   ├── SpoolDamaged     what lies on disk is not what was written
    │   └── SpoolFull        no space, and the policy is not to drop
    ├── SourceError          a source cannot start or go on
    │   └── RelayRefused     the relay answered, but not as a KubeArmor relay does
    ├── StoreError           the store cannot be used
    │   ├── StoreLocked      another process has it open
    │   ├── StoreTooNew      written by a newer version
    │   └── QueryStopped     the answer took too long, or nobody waits for it any more
    ├── QueryError           a query cannot be understood; says at which column: exit code 2
    ├── AccessError          a token is wrong, has run out, or may not do this
    ├── DecodeError          one frame is malformed (a value in a result, rarely raised)
    ├── EngineError          the store's engine refused a whole batch; pause, keep everything
    └── PolicyError          an object or a file is no KubeArmor policy; others are not harmed

A user sees one sentence: what is wrong, where, and in `hint` what to do. Foreign errors are wrapped
at the edge with `raise … from error`.
"""


class ArmorstackError(Exception):
    """The root. `exit_code` is what a command ends with."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ArmorstackError):
    """A setting is wrong; the message begins with its path, such as `$.spool.max_bytes`."""

    exit_code = 2


class SpoolError(ArmorstackError):
    """The durable buffer cannot be used."""


class SpoolLocked(SpoolError):
    """Another process writes this spool."""


class SpoolTooNew(SpoolError):
    """The spool was written by a newer version."""


class SpoolOnNetwork(SpoolError):
    """The spool's folder lies on a network file system, where fsync and locks cannot be trusted."""


class SpoolDamaged(SpoolError):
    """A database of the spool is damaged; its writer moves it aside and begins a new one."""


class SpoolFull(SpoolError):
    """There is no space left, and the policy is not to drop."""


class SourceError(ArmorstackError):
    """A source cannot start or go on."""


class RelayRefused(SourceError):
    """The relay answered, but not as a KubeArmor relay does."""


class StoreError(ArmorstackError):
    """The store cannot be used."""


class StoreLocked(StoreError):
    """Another process has the store open."""


class StoreTooNew(StoreError):
    """The store was written by a newer version."""


class QueryStopped(StoreError):
    """A question was ended: its time was up, or whoever asked has left."""


class QueryError(ArmorstackError):
    """A query that cannot be understood."""

    exit_code = 2

    def __init__(self, message: str, *, column: int, length: int = 1, hint: str = "") -> None:
        """`column` counts characters of the query from 0; `length` of them are meant."""
        super().__init__(message, hint=hint)
        self.column = column
        self.length = length


class AccessError(ArmorstackError):
    """A token is wrong, has run out or was revoked, or does not allow this."""


class DecodeError(ArmorstackError):
    """One frame is malformed."""


class EngineError(ArmorstackError):
    """The engine refused a whole batch for a reason that is not in any document."""


class PolicyError(ArmorstackError):
    """An object or a file is no KubeArmor policy; the message begins with which one, and where."""
