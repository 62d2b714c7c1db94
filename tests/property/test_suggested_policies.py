"""Whatever events say, a suggested policy is one that an API server takes, and means them."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from armorstack.policies.acts import SECTIONS, act_of, rows_of, weight
from armorstack.policies.crd import ACTIONS, faults
from armorstack.policies.matching import checks_of, matches
from armorstack.policies.policy import policy_of
from armorstack.policies.replay import replayed
from armorstack.policies.suggest import Options, suggest
from armorstack.policies.suggested_text import documents, yaml_of
from tests.support import hostile
from tests.support.acts import batch

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ODD = st.one_of(TEXT, st.sampled_from(hostile.TEXTS))
PATHS = st.one_of(
    ODD,
    ODD.map("/tmp/{}".format),
    st.sampled_from(["/", "/bin/sh", "/bin/id", "/usr/bin/cat", "/etc/", "/etc/passwd", "1e3",
                     "/usr/bin/containerd-shim-runc-v2", "/y", "/a/b/c/../d", "/" + "x" * 300]),
    st.integers(0, 30).map("/var/cache/{}".format),
)  # fmt: skip
RESOURCES = st.one_of(
    PATHS, PATHS.map("{} --flag".format),
    st.sampled_from(["protocol=TCP", "protocol=UDP type=SOCK_DGRAM", "type=SOCK_RAW", "CAP_NET_RAW",
                     "net_admin CAP_CHOWN", "type=SOCK_STREAM protocol=HOPOPT"]),
)  # fmt: skip
DATA = st.one_of(ODD, st.sampled_from([
    "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY", "syscall=SYS_UNLINK flags=", "lsm=FILE_OPEN",
    "syscall=SYS_SETUID userid=0", "syscall=SYS_FLY",
]))  # fmt: skip
LABELS = st.one_of(ODD, st.sampled_from([
    "app=cart,pod-template-hash=1", "app=cart,tier=web", "app=1e3,y=n", "app=pay", "a=1,a=!!,a=",
]))  # fmt: skip


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


ROWS = st.fixed_dictionaries({
    "stream": st.sampled_from(["alert", "log"]),
    "operation": st.sampled_from([*SECTIONS, "Device"]),
    "resource": maybe(RESOURCES), "data": maybe(DATA), "process_name": maybe(PATHS),
    "parent_process_name": maybe(PATHS), "source": maybe(RESOURCES),
    "namespace_name": maybe(st.one_of(ODD, st.sampled_from(["shop", "shop", "1e3",
                                                            "container_namespace"]))),
    "owner_name": maybe(st.one_of(ODD, st.sampled_from(["cart", "true"]))),
    "owner_ref": maybe(st.sampled_from(["Deployment", "\x1b[2J"])),
    "labels": maybe(LABELS), "container_id": maybe(st.just("c0ffee")),
    "container_name": maybe(st.one_of(ODD, st.sampled_from(["cart", "log", "123"]))),
    "host_name": maybe(st.one_of(ODD, st.sampled_from(["node-1", "1"]))),
    "fold_count": maybe(st.integers(0, 9)),
    "oid": maybe(st.integers(0, 1)), "uid": maybe(st.integers(0, 1)),
})  # fmt: skip
OPTIONS = st.builds(
    Options, action=st.sampled_from(ACTIONS), severity=st.integers(1, 10),
    siblings=st.sampled_from([0, 1, 2, 10]),
)  # fmt: skip


@given(st.lists(ROWS, max_size=40), OPTIONS)
def test_a_suggestion_has_no_faults_and_reads_back(rows: list[Any], options: Options) -> None:
    found = suggest(rows, options)
    text = documents(found)
    assert text.isascii()
    assert "\x1b" not in text
    assert [each for each in yaml.safe_load_all(text) if each] == [p.policy for p in found.policies]
    for each in found.policies:
        assert faults(each.policy) == []
        assert yaml.safe_load(yaml_of(each.policy)) == each.policy


@given(st.lists(ROWS, max_size=40), OPTIONS)
def test_every_event_is_meant_by_a_policy_or_left_out(rows: list[Any], options: Options) -> None:
    found = suggest(rows, options)
    kept = sum(each.events for each in found.policies)
    lost = sum(each.events for each in found.left_out)
    assert kept + lost == found.events == sum(map(weight, rows))
    for each in found.policies:
        again = replayed(policy_of(each.policy), [batch(rows)])
        unplaced = sum(weight(row) for row in rows if not row["labels"])
        assert again.matched >= each.events - unplaced


@given(st.lists(ROWS, max_size=40), OPTIONS)
def test_a_rule_that_blocks_means_nothing_that_was_not_seen(
    rows: list[Any], options: Options
) -> None:
    found = suggest(rows, Options("Block", siblings=options.siblings))
    for each in found.policies:
        spec = each.policy["spec"]
        for section in ("process", "file"):
            assert set(spec.get(section, {})) <= {"matchPaths"}
        for check in checks_of(policy_of(each.policy)):
            acts = [act for row in rows if (act := act_of(row))]
            assert any(matches(check, act) for act in acts)


@given(st.lists(ROWS, min_size=1, max_size=20))
def test_rows_that_are_alike_are_one_and_lose_nothing(rows: list[Any]) -> None:
    folded = rows_of(batch([*rows, *rows]))
    assert sum(map(weight, folded)) == 2 * sum(map(weight, rows))
    assert len(folded) <= len(rows)
    assert suggest(folded).policies == suggest([*rows, *rows]).policies
