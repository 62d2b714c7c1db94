"""How much each candidate removes: every event is asked, with the compiled filters.

Events are counted by the set of candidates that mean them, so that overlaps are known exactly and
memory does not grow with their number. Of folds the first event of each kind stays; kinds are told
apart by `FOLD_KEY`, a number that equals for events that agree in what a fold goes by and arrived
in the same ten seconds. A fold's own interval begins with its first event, so it removes as much
or more. Kinds are remembered up to a limit and then forgotten, which only lowers that number.

Must not go here: which candidates; where events come from.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from armorstack.config import (
    EVERY_TAG,
    DropFilter,
    Filter,
    FoldFilter,
    Select,
    SetFilter,
    filter_name,
)
from armorstack.config.filters import SAME
from armorstack.core.batch import SCHEMA
from armorstack.core.field_names import field_named
from armorstack.core.filters.contract import Flow, Scope
from armorstack.core.globs import any_of
from armorstack.core.noise import MIN_SHARE, Candidate, Suggestion
from armorstack.core.noise_candidates import protected
from armorstack.core.noise_toml import filter_toml
from armorstack.core.presets import expand
from armorstack.core.select import LISTS, TEXTS, WORDS, compile_select
from armorstack.core.tags import STREAM_TAGS, matching

FOLD_KEY = "fold_key"
FOLD_COLUMNS = ("stream", *(field_named("$", name).column for name in SAME))
MAX_KINDS = 500_000
"""Kinds of folded events that are remembered at a time, about 50 MB."""
MAX_SUGGESTIONS = 15

_MADE = {"owner_path": ("owner_ref", "owner_name"), "done": ("action",), "intended": ("action",)}


class Effect:
    """What a candidate does to an event: lets it go, folds it, or gives it another tag."""

    def __init__(self, settings: Filter) -> None:
        self.selects: list[Select] = []
        self._scopes: list[Scope] = []
        self.folds = isinstance(settings, FoldFilter)
        self.drops = self.moves = False
        for each in expand((settings,)):
            self.drops |= isinstance(each, DropFilter)
            self.moves |= isinstance(each, SetFilter)
            self.selects.append(each.select)
            tags = None if each.tag == EVERY_TAG else matching("$.tag", each.tag, STREAM_TAGS)
            self._scopes.append(Scope(tags, compile_select(each.select, "$.select")))

    def mask(self, flow: Flow) -> pa.BooleanArray:
        """Which events it works on."""
        return any_of([scope.mask(flow) for scope in self._scopes])


class Count:
    """Counts candidates over batches of events."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = tuple(candidates)
        self._effects = [Effect(each.filter) for each in candidates]
        self._guards = [Effect(each) for each in protected()]
        self._spares = [Effect(each.spares) if each.spares else None for each in candidates]
        asked = [*self._effects, *self._guards, *filter(None, self._spares)]
        self._asked = asked
        self._bits = {id(effect): 1 << place for place, effect in enumerate(asked)}
        self._folding = sum(self._bit(effect) for effect in self._effects if effect.folds)
        self._rows: Counter[int] = Counter()
        self._kinds: Counter[int] = Counter()
        self._seen: set[tuple[int, int]] = set()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `add` needs besides `FOLD_KEY`."""
        needed = {"stream", "type"}.union(*(columns_of(s) for e in self._asked for s in e.selects))
        return tuple(name for name in SCHEMA.names if name in needed)

    def add(self, rows: pa.RecordBatch) -> None:
        """Count these events; `rows` has `columns` and `FOLD_KEY` (uint64)."""
        flow = Flow(rows)
        told = pa.repeat(pa.scalar(0, pa.int64()), len(rows))
        for effect in self._asked:
            hit = effect.mask(flow)
            if hit.true_count:
                told = pc.add(told, pc.multiply(hit.cast(pa.int64()), self._bit(effect)))
        for each in told.value_counts():
            self._rows[each["values"].as_py()] += each["counts"].as_py()
        self._add_kinds(told, rows.column(FOLD_KEY))

    def suggestions(self) -> tuple[tuple[Suggestion, ...], tuple[str, ...]]:
        """Those that are worth it, in order, and sentences about those that were refused."""
        worth: list[int] = []
        refused: list[str] = []
        for place in range(len(self._candidates)):
            reason = self._refusal(place)
            if self._alone(place) < max(2, MIN_SHARE * self._rows.total()):
                continue
            refused += [reason] if reason else []
            worth += [] if reason else [place]
        ordered = self._ordered(worth)[:MAX_SUGGESTIONS]
        told = [self._told(place, gain, n) for n, (place, gain) in enumerate(ordered, start=1)]
        return (*told, *self._apart()), tuple(refused)

    def protected(self) -> tuple[int, int]:
        """Events that were blocked; alerts of policies."""
        blocked, policies = (self._matched(self._bit(guard)) for guard in self._guards)
        return blocked, policies

    def _bit(self, effect: Effect) -> int:
        return self._bits[id(effect)]

    def _add_kinds(self, told: pa.Array, keys: pa.Array) -> None:
        folded = pc.not_equal(pc.bit_wise_and(told, self._folding), 0)
        if not folded.true_count:
            return
        table = pa.table({"key": keys.filter(folded), "told": told.filter(folded)})
        pairs = table.group_by(["key", "told"]).aggregate([])
        for pair in zip(pairs["key"].to_pylist(), pairs["told"].to_pylist(), strict=True):
            if pair not in self._seen:
                self._seen.add(pair)
                self._kinds[pair[1]] += 1
        if len(self._seen) > MAX_KINDS:
            self._seen.clear()

    def _matched(self, bit: int, *, also: int = 0) -> int:
        """Events that are meant by `bit`, and by `also` where that is given."""
        wanted = bit | also
        return sum(count for told, count in self._rows.items() if told & wanted == wanted)

    def _alone(self, place: int) -> int:
        return self._gain(place, dropped=0, folded=0)

    def _gain(self, place: int, dropped: int, folded: int) -> int:
        """Events that the candidate removes after those in `dropped` and `folded`."""
        effect = self._effects[place]
        if not (effect.drops or effect.folds):
            return 0
        bit, gain = self._bit(effect), 0
        for told, rows in self._rows.items():
            if not told & bit or told & dropped:
                continue
            left = self._kinds[told] if told & folded else rows
            gain += left - (min(left, self._kinds[told]) if effect.folds else 0)
        return gain

    def _refusal(self, place: int) -> str:
        """Why a candidate is not suggested at all; empty: it may be."""
        effect, candidate = self._effects[place], self._candidates[place]
        spares = self._spares[place]
        if spares and (count := self._matched(self._bit(spares))):
            return candidate.refusal.format(count=f"{count:,}")
        lost = [self._matched(self._bit(effect), also=self._bit(guard)) for guard in self._guards]
        if effect.drops and any(lost):
            return (
                f"{candidate.title} is not suggested: it would let go {lost[0]:,} events that were "
                f"blocked and {lost[1]:,} alerts of policies"
            )
        return ""

    def _ordered(self, places: Iterable[int]) -> list[tuple[int, int]]:
        """Candidates with their gain: always the one next that removes most of what is left."""
        left, dropped, folded = list(places), 0, 0
        ordered: list[tuple[int, int]] = []
        while left:
            best = max(
                left, key=lambda place: (self._gain(place, dropped, folded), self._alone(place))
            )
            left.remove(best)
            ordered.append((best, self._gain(best, dropped, folded)))
            effect = self._effects[best]
            dropped |= self._bit(effect) if effect.drops else 0
            folded |= self._bit(effect) if effect.folds else 0
        return ordered

    def _told(self, place: int, gain: int, number: int) -> Suggestion:
        candidate, effect = self._candidates[place], self._effects[place]
        return Suggestion(
            kind=candidate.kind, title=candidate.title, removes=self._alone(place), gain=gain,
            at_least=effect.folds, command=candidate.command, note=candidate.note,
            toml="" if candidate.command else filter_toml(_named(candidate.filter, number)),
        )  # fmt: skip

    def _apart(self) -> list[Suggestion]:
        """Presets that only give events another tag."""
        return [
            Suggestion(
                kind="preset", title=candidate.title, removes=0, gain=0, sets_apart=count,
                toml=filter_toml(candidate.filter),
                note="for a match or a later filter to treat them apart",
            )
            for candidate, effect in zip(self._candidates, self._effects, strict=True)
            if effect.moves
            and (count := self._matched(self._bit(effect))) >= MIN_SHARE * self._rows.total()
            and count
        ]  # fmt: skip


def columns_of(select: Select) -> set[str]:
    """The columns that a select looks at."""
    found: set[str] = set()
    for key in select.__struct_fields__:
        if getattr(select, key):
            names = TEXTS.get(key) or WORDS.get(key) or (LISTS.get(key, key),)
            found.update(column for name in names for column in _MADE.get(name, (name,)))
    return found


def _named(settings: Filter, number: int) -> Filter:
    """With a name that no other suggestion has, since counters go by it."""
    name = f"noise-{filter_name(number - 1, settings)}"
    return settings if settings.__struct_config__.tag == "preset" else replace(settings, name=name)
