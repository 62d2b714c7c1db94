"""What makes the volume, asked of events with SQL; `core/noise` says what the answers mean.

Two readings: one for the most frequent of each kind, one in which every event is asked by every
candidate. Must not go here: where events lie; what is suggested.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from armorstack.core.batch import SCHEMA
from armorstack.core.noise import POSTURE, Group, Leads, Report, Stream, Tables
from armorstack.core.noise_candidates import candidates
from armorstack.core.noise_count import FOLD_COLUMNS, FOLD_KEY, Count
from armorstack.engines.duckdb.connection import fit_path
from armorstack.engines.duckdb.snapshot import PartGone
from armorstack.errors import StoreError
from armorstack.store.events import Events, PartEvents, Session
from armorstack.store.parts import Listing, list_parts

Advance = Callable[[int], None]
"""Is told how many rows were read since the last time; each reading counts."""

READINGS = 2
_TRIES = 5
_LEADS = 20
_FOLD_US = 10_000_000
_LARGE_SHARE = 0.05
"""Of all events: what is told to be kept, and why."""

_TEXTS = " + ".join(
    f'coalesce(strlen("{field.name}"), 0)' for field in SCHEMA if field.type == pa.string()
)
_STREAMS = (
    f"SELECT stream, count(*) AS events, sum({_TEXTS})::BIGINT AS bytes FROM events GROUP BY 1"
)

# A command line's program; addresses in one order, since KubeArmor's differs from event to event.
_PATH = """CASE operation
    WHEN 'Process' THEN split_part(resource, ' ', 1)
    WHEN 'Network' THEN array_to_string(list_sort(string_split(resource, ' ')), ' ')
    ELSE resource END"""
# At most three names deep; NUL stands for a number, so that processes below /proc are one folder.
_FOLDER = r"""regexp_replace(regexp_extract({path}, '^(/[^/]+){{1,3}}/'),
    '/[0-9]+/', '/' || chr(0) || '/', 'g')"""


def examine_store(
    root: Path, memory_bytes: int, start_us: int | None, end_us: int | None, top: int,
    begin: Callable[[int], Advance],
) -> tuple[Report, Listing]:  # fmt: skip
    """The report on the store in this folder, which another process may have open.

    `begin` is called with the rows to read, and again when reading begins anew because a part was
    merged away. Raises StoreError.
    """
    root = fit_path(root)
    for _ in range(_TRIES):
        listing = list_parts(root / "parts", start_us, end_us)
        try:
            with Session(memory_bytes, root) as session:
                events = PartEvents(session, root, listing.parts, start_us, end_us)
                return examine(events, top, begin(READINGS * events.rows())), listing
        except PartGone:
            continue
    hint = "try again, or name an --until that lies some minutes back"
    raise StoreError(f"parts of {root} went away {_TRIES} times while they were read", hint=hint)


def examine(events: Events, top: int, advance: Advance) -> Report:
    """The report: the `top` most frequent of each kind, and what would remove how much."""
    tables, leads = _look(events, top, advance)
    count = Count(candidates(leads, tables.events))
    for rows in events.stream(_counted(count.columns)):
        count.add(rows)
        advance(len(rows))
    suggestions, refused = count.suggestions()
    return Report(
        tables=tables, suggestions=suggestions, kept=(*_kept(leads, tables.events, count), *refused)
    )  # fmt: skip


def _look(events: Events, top: int, advance: Advance) -> tuple[Tables, Leads]:
    """The first reading; its queries share the rows that it is told to be."""
    streams = tuple(
        Stream(row["stream"] or "", row["events"], row["bytes"])
        for row in events.query(_STREAMS).to_pylist()
    )
    total = sum(stream.events for stream in streams)
    queries = _queries(total, top)
    step = events.rows() // (len(queries) + 1)
    advance(events.rows() - step * len(queries))
    found: dict[str, tuple[Group, ...]] = {}
    for name, sql in queries.items():
        found[name] = tuple(_groups(events.query(sql)))
        advance(step)
    leads = Leads(**{name: found.pop(f"lead_{name}") for name in Leads.__struct_fields__})
    by_size = sorted(streams, key=lambda stream: -stream.events)
    return Tables(streams=tuple(by_size), **found), leads


def _queries(total: int, top: int) -> dict[str, str]:
    passed = "stream = 'log' AND result = 'Passed'"
    files = f"{passed} AND operation = 'File'"
    return {
        "policies": _frequent(("policy_name",), top, "policy_name IS NOT NULL"),
        "workloads": _frequent(
            ("namespace_name", "owner_ref", "coalesce(owner_name, pod_name) AS name",
             "CASE WHEN namespace_name IS NULL THEN host_name END AS host_name"), top,
        ),
        "processes": _frequent(("process_name",), top),
        "paths": _paths(total, top),
        "operations": _frequent(("operation",), top),
        "makers": _frequent(("namespace_name", "process_name", "operation"), top),
        "lead_policies": _frequent(("policy_name",), _LEADS, "policy_name IS NOT NULL"),
        "lead_makers": _frequent(("namespace_name", "process_name", "operation"), _LEADS, passed),
        "lead_folders": _frequent(
            (f"{_FOLDER.format(path='resource')} AS path",), _LEADS, f"{files} AND path <> ''"
        ),
        "lead_visible": _frequent(
            ("namespace_name", "operation"), 10_000,
            "type = 'ContainerLog' AND namespace_name IS NOT NULL",
        ),
    }  # fmt: skip


def _frequent(columns: Sequence[str], limit: int, where: str = "true") -> str:
    """The values that most events have in common, in an order that ties do not change."""
    return (
        f"SELECT {', '.join(columns)}, count(*) AS events FROM events WHERE {where} "
        f"GROUP BY ALL ORDER BY events DESC, {', '.join(map(str, range(1, len(columns) + 1)))} "
        f"LIMIT {limit}"
    )


def _paths(total: int, top: int) -> str:
    """What was acted on; files that are rare by themselves are counted by their folder."""
    folder = _FOLDER.format(path="path")
    return f"""
        WITH each AS (
            SELECT operation, {_PATH} AS path, count(*) AS events FROM events
            WHERE resource IS NOT NULL GROUP BY ALL
        ), named AS (
            SELECT operation, events, CASE
                WHEN operation = 'File' AND events < {max(2, total / 100)} AND {folder} <> ''
                THEN replace({folder}, chr(0), '*') || '*' ELSE path END AS path
            FROM each
        )
        SELECT operation, path, sum(events)::BIGINT AS events FROM named
        GROUP BY ALL ORDER BY events DESC, 1, 2 LIMIT {top}"""


def _counted(columns: Sequence[str]) -> str:
    """Every event, as far as candidates ask for it."""
    same = ", ".join(f'"{name}"' for name in FOLD_COLUMNS)
    key = f"hash({same}, epoch_us(received) // {_FOLD_US}) AS {FOLD_KEY}"
    return f"SELECT {', '.join(columns)}, {key} FROM events"


def _groups(table: pa.Table) -> Iterator[Group]:
    for row in table.to_pylist():
        events = row.pop("events")
        yield Group(row, events)


def _kept(leads: Leads, events: int, count: Count) -> Iterator[str]:
    """What is frequent, and why no filter is offered that drops it."""
    blocked, _ = count.protected()
    large = max(1.0, _LARGE_SHARE * events)
    if blocked >= large:
        yield f"{blocked:,} events were blocked: no filter here drops what a policy is for"
    for group in leads.policies:
        name = group.values["policy_name"]
        if group.events >= large and name != POSTURE:
            yield (
                f"{group.events:,} alerts of {name}: fold them, or narrow the policy; dropping "
                "alerts of a policy is never suggested, since the next one may matter"
            )
    posture = [g.events for g in leads.policies if g.values["policy_name"] == POSTURE]
    if posture and posture[0] >= large:
        yield (
            "the annotations kubearmor-file-posture, -network-posture and -capabilities-posture "
            "take audit or block, and either makes alerts: they remove no default-posture noise"
        )
