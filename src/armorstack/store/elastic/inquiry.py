"""One question on its way to an engine: what it is asked of, and under which budget.

Invariant: every search has the namespaces that may be seen as a filter, ends when its budget does,
and is whole: an engine that could ask a part of its shards only has not answered. Indices that do
not exist are empty. Must not go here: what is asked.
"""

from typing import Any

from msgspec import Struct

from armorstack.core.globs import GlobFault
from armorstack.core.query.tree import EVERYTHING, Node
from armorstack.core.text import printable
from armorstack.engines.elastic.connection import Answer, Engine
from armorstack.errors import EngineError, QueryStopped, StoreError
from armorstack.store.budget import TIME_IS_UP, Budget
from armorstack.store.elastic.fields import DATE, NAMESPACE, TIME
from armorstack.store.elastic.patience import patiently
from armorstack.store.elastic.query import (
    MOST_STATES,
    Condition,
    all_of,
    between,
    condition,
    states,
)

Body = dict[str, Any]

STREAMS = ("alerts", "logs", "messages")
WHEREVER = {"ignore_unavailable": "true", "allow_no_indices": "true"}
_GRACE_S = 2.0
"""Seconds that an answer may be on its way after the engine's own time is up."""
_REASON = 300
_MANY = ("too_complex_to_determinize", "too_many_clauses", "too_many_nested_clauses",
         "too_many_buckets", "too_long", "query_shard_exception")  # fmt: skip


class Target(Struct, frozen=True):
    """Where events lie."""

    engine: Engine
    prefix: str

    def events(self) -> str:
        """The indices of all streams."""
        return ",".join(f"{self.prefix}-{stream}-*" for stream in STREAMS)

    def gaps(self) -> str:
        """The indices of gaps."""
        return f"{self.prefix}-gaps-*"


class Inquiry:
    """A target, the namespaces that may be seen of it, and a budget."""

    def __init__(
        self, target: Target, budget: Budget, namespaces: tuple[str, ...] | None = None,
        pit: str = "",
    ) -> None:  # fmt: skip
        """`namespaces`: None for all; `pit`: the point in time that is asked, if one is."""
        self._target = target
        self._budget = budget
        self._namespaces = namespaces
        self.pit = pit

    def query(
        self, node: Node = EVERYTHING, start_us: int | None = None, end_us: int | None = None
    ) -> Condition:
        """What these nodes mean within this span of event time, of what may be seen."""
        allowed = [] if self._namespaces is None else [{"terms": {NAMESPACE: [*self._namespaces]}}]
        return all_of([*allowed, *_span(start_us, end_us), compiled(node)])

    def search(self, body: Body) -> Body:
        """The engine's answer over all events. Raises StoreError, QueryStopped."""
        if self.pit:
            body = body | {"pit": {"id": self.pit, "keep_alive": "1m"}}
            return self._search("/_search", body, {})
        return self._search(f"/{self._target.events()}/_search", body, WHEREVER)

    def search_gaps(self, body: Body) -> Body:
        """The same over the gaps."""
        return self._search(f"/{self._target.gaps()}/_search", body, WHEREVER)

    def _search(self, path: str, body: Body, params: dict[str, str]) -> Body:
        self._budget.check()
        left_s = self._budget.left_s()
        body = {"timeout": f"{max(1, round(left_s * 1000))}ms"} | body
        params = params | {"allow_partial_search_results": "false"}
        answer = patiently(
            lambda: ask(self._target.engine, "POST", path, body, params, left_s + _GRACE_S),
            self._budget,
        )
        return self._whole(answer)

    def _whole(self, answer: Answer) -> Body:
        found = answered(answer, self._budget)
        shards = found.get("_shards", {})
        if found.get("timed_out"):
            raise stopped(self._budget)
        if shards.get("failed"):
            told = f"{shards['failed']} of {shards.get('total')} shards did not answer"
            raise StoreError(told, hint="look at the health of the cluster")
        return found


def compiled(node: Node) -> Condition:
    """The condition of these nodes. Raises StoreError where it would be too much for an engine."""
    try:
        found = condition(node)
    except GlobFault as fault:
        raise StoreError(str(fault), hint=fault.hint) from fault
    if states(found) > MOST_STATES:
        hint = "use fewer and shorter patterns, and fewer ? behind a *"
        raise StoreError("these patterns are too much for the search engine", hint=hint)
    return found


def _span(start_us: int | None, end_us: int | None) -> list[Condition]:
    """The span, and a wider one in milliseconds by which engines pass over whole indices."""
    if start_us is None and end_us is None:
        return []
    found = [between(TIME, start_us, end_us)]
    bounds: dict[str, Any] = {}
    if start_us is not None and start_us >= 0:
        bounds["gte"] = start_us // 1000
    if end_us is not None and 0 <= end_us < _LAST_US:
        bounds["lte"] = end_us // 1000
    if bounds:
        found.append({"range": {DATE: bounds | {"format": "epoch_millis"}}})
    return found


_LAST_US = 250_000_000_000_000_000
"""Before the year 9999, up to which engines read dates."""


def ask(
    engine: Engine, method: str, path: str, body: Body | None, params: dict[str, str],
    timeout_s: float,
) -> Answer:  # fmt: skip
    """The engine's answer, whatever its status. Raises StoreError where none came."""
    try:
        return engine.ask(method, path, body, params=params, timeout_s=timeout_s)
    except EngineError as error:
        raise StoreError(f"the search engine does not answer: {error}", hint=error.hint) from error


def answered(answer: Answer, budget: Budget) -> Body:
    """The body of an answer that is one. Raises StoreError, QueryStopped."""
    try:
        found = answer.json()
    except EngineError:
        found = None
    if answer.status < 400 and isinstance(found, dict):
        return found
    kind, reason = _fault(found)
    if answer.status == 404 and kind == "index_not_found_exception":
        return {}
    if answer.status in (408, 504) or "imeout" in kind or "ime exceeded" in reason:
        raise stopped(budget)
    told = f"the search engine refused the question: {kind or answer.status} {reason}".rstrip()
    hint = "ask for less at once" if any(word in told for word in _MANY) else ""
    raise StoreError(told, hint=hint or _HINTS.get(answer.status, ""))


_HINTS = {
    401: "check user and password of the sink",
    403: "give the user the role that `armorstack setup --print-roles` prints for reading",
    429: "the engine has too much to do; ask again in a moment",
}


def stopped(budget: Budget) -> QueryStopped:
    """That the engine's own time was up."""
    told = TIME_IS_UP.format(seconds=budget.seconds)
    return QueryStopped(told, hint="ask for a shorter time, or for less")


def _fault(found: Any) -> tuple[str, str]:
    """Type and reason of an error, of its first cause where that is told; printable."""
    error = found.get("error") if isinstance(found, dict) else None
    if not isinstance(error, dict):
        return "", printable(str(error or ""))[:_REASON]
    for cause in error.get("root_cause") or ():
        error = error | cause
        break
    for shard in error.get("failed_shards") or ():
        error = error | (shard.get("reason") or {})
        break
    return printable(str(error.get("type"))), printable(str(error.get("reason")))[:_REASON]
