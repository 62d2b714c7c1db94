"""What one sink's loop works with; made where the rooms are put together."""

from msgspec import Struct

from armorstack.core.rules import Rules
from armorstack.pipeline.decoding import Decode
from armorstack.sinks.contract import Sink


class Job(Struct, frozen=True, kw_only=True):
    """One sink, how frames become its events, and how long the spool waits for it."""

    sink: Sink
    decode: Decode
    rules: Rules
    leads: bool = True
    """Whether events, gaps and nodes are counted here: by one loop of all."""
    max_lag_s: float = 0.0
    """Seconds after which rows are passed over, where the sink is not required."""
