"""Whatever an event says, its document holds only known paths with values of their types."""

import re
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from armorstack.core.batch import OWN_COLUMNS
from armorstack.core.ecs import to_ecs
from armorstack.core.ecs.document import OPERATIONS
from armorstack.core.ecs.network import CALLS
from armorstack.core.ecs.operations import FILE_CALLS
from armorstack.core.ecs.workload import split_image
from armorstack.core.fields import FIELDS
from armorstack.core.mitre import TACTICS, find_attack
from tests.support.ecs import check, event

INT32 = st.integers(-(2**31), 2**31 - 1)
KEYS = (
    "Syscall Lsm Kprobe Kfunc Flags Fd Domain Protocol Type Port Remoteip Sa_family Sin_port "
    "Sin_addr Sun_path Daddr Qtype SourceIP SourcePort DestinationIP DestinationPort"
).split()
WORDS = st.one_of(
    st.text(),
    st.sampled_from(
        [
            *FILE_CALLS, *CALLS, "SYS_EXECVE", "SYS_PTRACE", "O_WRONLY|O_CREAT", "AT_REMOVEDIR",
            "AF_INET", "AF_INET6", "AF_UNIX", "SOCK_STREAM", "TCP", "TCPv6", "HOPOPT", "0",
            "65535", "65536", "10.0.0.1", "::1", "fe80::1%eth0", "example.com.", "Passed",
            "Removed", "Permission denied", "Audit (Block)", "Block", "DefaultPosture",
            "MatchedPolicy", "SystemEvent", "HostLog", "MITRE_T1552_x", "MITRE", "a=b,c=d",
            "sha256", "registry:5000/a:1@sha256:00", "/", "/a/b.c", "remotehost=pod/a/b",
        ]
    ),
)  # fmt: skip
PAIRS = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text()), WORDS)
SENTENCES = st.one_of(
    WORDS, PAIRS.map(lambda pairs: " ".join(f"{key}={value}" for key, value in pairs.items()))
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": SENTENCES,
    "int32": INT32,
    "int64": st.integers(-(2**63), 2**63 - 1),
    "texts": st.lists(st.one_of(st.none(), WORDS), min_size=1),
    "map": st.one_of(PAIRS, PAIRS.map(lambda pairs: list(pairs.items()))),
}
OWN: dict[str, st.SearchStrategy[Any]] = {
    "id": st.binary(min_size=32, max_size=32),
    "time": st.datetimes(),
    "received": st.datetimes(),
    "stream": st.sampled_from(["alert", "log", "message"]),
    "from_source": st.text(),
    "spelling": st.sampled_from(["protobuf", "pascal", "camel", "protojson"]),
    "extra": st.text(),
    "original": st.binary(),
    "fold_count": st.integers(1, 2**40),
    "fold_first": st.datetimes(),
    "fold_last": st.datetimes(),
}
COLUMNS = OWN | {field.column: VALUES[field.kind] for field in FIELDS}


def rows(**fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Rows in which each column is absent or holds anything its type allows."""
    strategies = {name: st.one_of(st.none(), values) for name, values in COLUMNS.items()}
    return st.fixed_dictionaries({}, optional=strategies).flatmap(
        lambda row: st.fixed_dictionaries(fixed).map(lambda more: event(row, more))
    )


def test_every_column_has_a_strategy() -> None:
    assert [name for name, _, _ in OWN_COLUMNS] == list(OWN)


@given(rows())
def test_no_row_raises_or_gives_an_unknown_path(row: dict[str, Any]) -> None:
    document = to_ecs(row)
    check(document)
    assert msgspec.json.decode(msgspec.json.encode(document)) == document


@given(rows(operation=st.sampled_from([*OPERATIONS]), event_data=PAIRS))
def test_no_details_of_a_known_operation_raise_or_give_an_unknown_path(row: dict[str, Any]) -> None:
    check(to_ecs(row))


@given(st.text(), st.sampled_from([*OPERATIONS]))
@example("a.b.c\x00=\x1b[31m", "Network")
def test_one_text_in_every_column_never_becomes_a_path(text: str, operation: str) -> None:
    columns = {field.column: text for field in FIELDS if field.kind == "text"}
    listed = {"atags": [text], "event_data": {text: text}}
    check(to_ecs(event(columns, listed, stream="alert")))
    check(to_ecs(event(columns, listed, stream="alert", operation=operation)))


@given(st.lists(WORDS))
def test_references_found_in_tags_are_well_formed_and_each_once(tags: list[str]) -> None:
    attack = find_attack(tags)
    assert all(re.fullmatch("TA[0-9]{4}", id_) for id_ in attack.tactic_ids)
    assert all(re.fullmatch("T[0-9]{4}", id_) for id_ in attack.technique_ids)
    assert all(id_.partition(".")[0] in attack.technique_ids for id_ in attack.subtechnique_ids)
    for ids in (attack.tactic_ids, attack.technique_ids, attack.subtechnique_ids):
        assert len(set(ids)) == len(ids)
    assert attack == find_attack(tags)


IDS = st.one_of(
    st.sampled_from([*TACTICS]),
    st.integers(1000, 9999).map("T{}".format),
    st.tuples(st.integers(1000, 9999), st.integers(1, 999)).map(lambda n: "T{}.{:03}".format(*n)),
)


@given(st.lists(IDS, unique=True))
def test_every_reference_is_found_however_many_there_are(ids: list[str]) -> None:
    attack = find_attack([f"MITRE_{id_}_some_name" for id_ in ids])
    found = {*attack.tactic_ids, *attack.technique_ids, *attack.subtechnique_ids}
    assert found == {*ids, *(id_.partition(".")[0] for id_ in ids)}


NAMES = st.from_regex(r"([a-z]+(:[0-9]{1,5})?/)?[a-z]+(/[a-z]+)*", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", fullmatch=True)
DIGESTS = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)


@given(NAMES, st.one_of(st.just(""), TAGS), st.one_of(st.just(""), DIGESTS))
def test_an_image_is_split_where_it_was_joined(name: str, tag: str, digest: str) -> None:
    reference = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    assert split_image(reference) == (name, tag, digest)


LABELS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9/_.-]*", fullmatch=True),
    st.from_regex(r"[a-z0-9=.-]*", fullmatch=True),
    min_size=1,
)


@given(LABELS)
def test_every_label_is_listed_as_it_is(labels: dict[str, str]) -> None:
    written = [f"{key}={value}" for key, value in labels.items()]
    document = to_ecs(event(labels=",".join(written)))
    assert document["orchestrator"]["resource"]["label"] == written
    mapped = document["kubernetes"]["labels"]
    assert set(mapped) == {key.replace(".", "_") for key in labels}
