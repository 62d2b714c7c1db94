"""`armorstack policies suggest`: over a store on disk, and over a server's."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner, Result

from armorstack.cli.policies_suggest import suggest
from armorstack.core.batch import SCHEMA, Batch
from armorstack.errors import PolicyError
from tests.support import hostile
from tests.support.acts import alert, opened, ran
from tests.support.stores import id_of, open_store
from tests.support.web import Site, now_us, serving

ALL = ("--since", "all")
REPORTER = "ksp-\x1b[2J"
EVENTS = (
    ran("/usr/bin/curl"), ran("/usr/bin/curl", fold_count=4), ran("/usr/bin/id"),
    alert(ran("/usr/bin/curl"), REPORTER), opened("/etc/passwd"), opened("/tmp/a\x1b[2J b"),
    ran("/usr/bin/curl", owner_name="pay", labels="app=pay"),
    ran("/usr/bin/curl", namespace_name="bank"),
)  # fmt: skip


def asked(*words: str, code: int = 0, **environ: str) -> Result:
    """The command in this process."""
    result = CliRunner().invoke(suggest, list(words), env=environ)
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that no worker runs on."""
    root = tmp_path_factory.mktemp("data")
    now = now_us()
    rows = [
        {"id": id_of(number), "time": now - 3_600_000_000 * number, "received": now} | row
        for number, row in enumerate(EVENTS)
    ]
    rows.append({"id": id_of("said"), "time": now, "received": now, "stream": "message",
                 "message": "hello", "namespace_name": "shop"})  # fmt: skip
    with closing(open_store(root / "store")) as store:
        store.write(Batch(pa.RecordBatch.from_pylist(rows, schema=SCHEMA), (), 1))
    return root


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with the sample's events and hostile ones."""
    with serving(tmp_path_factory.mktemp("site")) as served:
        served.store.write(Batch(hostile.rows(now_us() - 1_000_000), (), 2))
        yield served


def test_yaml_goes_to_the_output_and_the_rest_to_the_errors(folder: Path) -> None:
    found = asked("owner:cart", "--namespace", "shop", "--data-dir", str(folder), *ALL)
    (policy,) = [each for each in yaml.safe_load_all(found.stdout) if each]
    assert policy["metadata"] == {"name": "suggested-audit-cart", "namespace": "shop"}
    assert policy["spec"]["process"]["matchPaths"] == [
        {"path": "/usr/bin/curl", "fromSource": [{"path": "/usr/bin/bash"}]},
        {"path": "/usr/bin/id", "fromSource": [{"path": "/usr/bin/bash"}]},
    ]
    assert "# Nothing was applied." in found.stdout
    assert (
        found.stderr
        == """\
In no policy: 1 of 9 events
  Left out: 1 event: shop/Deployment/cart: /tmp/a\\x1b[2J b: holds a space, at which KubeArmor \
cuts the paths of events
KubeArmorPolicy shop/suggested-audit-cart
  Over 10 stored events it means 8: 1 reported by alerts, 7 new; 0 were denied.
  1 reported by ksp-\\x1b[2J
MATCHED  NEW  ACTION  RULE
      6    5  Audit   process /usr/bin/curl, from /usr/bin/bash
      1    1  Audit   process /usr/bin/id, from /usr/bin/bash
      1    1  Audit   file /etc/passwd, from /usr/bin/cat
"""
    )


def test_the_options_make_the_policy(folder: Path) -> None:
    found = asked(
        "--query", "namespace:bank", "--action", "block", "--severity", "9", "--name", "no-curl",
        "--no-replay", "--from", "all", "--to", "now", "--data-dir", str(folder),
    )  # fmt: skip
    (policy,) = [each for each in yaml.safe_load_all(found.stdout) if each]
    assert (policy["metadata"]["name"], policy["spec"]["action"]) == ("no-curl", "Block")
    assert policy["spec"]["severity"] == 9
    assert found.stderr == ""


def test_the_replay_is_over_everything_of_the_span_in_the_namespaces(folder: Path) -> None:
    words = ("process:*curl", "owner:cart", "--namespace", "shop", "--data-dir", str(folder))
    told = json.loads(asked(*words, "--json", *ALL).stdout)
    (policy,) = told["policies"]
    assert (told["events"], policy["events"]) == (6, 6)
    assert (policy["replay"]["events"], policy["replay"]["matched"]) == (10, 6)
    assert policy["replay"]["reported"] == [{"name": REPORTER, "events": 1}]
    recent = json.loads(asked(*words, "--json", "--since", "90m").stdout)["policies"][0]
    assert (recent["events"], recent["replay"]["matched"]) == (5, 5)
    assert "replay" not in json.loads(asked(*words, "--json", "--no-replay").stdout)["policies"][0]


def test_a_file_is_replayed(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(asked("owner:cart", "--data-dir", str(folder), *ALL).stdout
                    + "---\nkind: [\n---\n" + BROKEN)  # fmt: skip
    found = asked("--replay", str(file), "owner:cart", "--data-dir", str(folder), *ALL)
    assert f"{file}:" in found.stderr
    assert "KubeArmorPolicy shop/odd: spec.process.matchPaths[0].path: is not an absolute path" in (
        found.stderr
    )
    assert "KubeArmorPolicy shop/suggested-audit-cart\n  Over 10 stored events" in found.stdout
    told = json.loads(
        asked("--replay", str(file), "--json", "--data-dir", str(folder), *ALL).stdout
    )
    assert {each["policy"]: each["matched"] for each in told["replays"]} == {
        "KubeArmorPolicy bank/suggested-audit-cart": 1,
        "KubeArmorPolicy shop/odd": 0,
        "KubeArmorPolicy shop/suggested-audit-cart": 8,
    }


BROKEN = """\
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata: {name: odd, namespace: shop}
spec: {process: {matchPaths: [{path: relative}]}}
"""


def test_a_file_without_a_policy_is_an_error(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("kind: Pod\n")
    found = CliRunner().invoke(suggest, ["--replay", str(file), "--data-dir", str(folder)])
    assert isinstance(found.exception, PolicyError)
    assert str(found.exception) == "there is no policy in these files"


def test_no_events_are_no_policy_and_no_error(folder: Path) -> None:
    found = asked("pod:nobody", "--data-dir", str(folder), *ALL)
    assert found.stdout == ""
    assert found.stderr.startswith("no policy follows from these events")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--name", "Über"), "lower case letters, digits, - and ."),
        (("--severity", "11"), "11 is not in the range 1<=x<=10"),
        (("--no-replay", "--replay", "/"), "give --replay or --no-replay, not both"),
        (("severity>=",), "armorstack: "),
        (("--since", "never"), "'never' is no time"),
    ],
)
def test_a_wrong_question_is_said_in_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    assert sentence in asked(*words, code=2).output


def test_a_server_answers_as_a_store_does_whatever_its_events_say(site: Site) -> None:
    there = {"ARMORSTACK_URL": site.url, "ARMORSTACK_TOKEN": site.token}
    found = asked("--json", *ALL, **there)
    told = json.loads(found.stdout)
    kept = sum(each["events"] for each in told["policies"])
    assert kept + sum(each["events"] for each in told["left_out"]) == told["events"] > 400
    site.store.flush()
    with_place = asked(*ALL, **there)
    raw = set(with_place.stdout + with_place.stderr)
    assert not raw & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
    documents = [each for each in yaml.safe_load_all(with_place.stdout) if each]
    assert documents == [each["policy"] for each in told["policies"]]


def test_a_token_for_a_namespace_suggests_of_that_namespace_only(site: Site) -> None:
    token = site.make_token("team", "wordpress-mysql")
    there = {"ARMORSTACK_URL": site.url, "ARMORSTACK_TOKEN": token}
    told = json.loads(asked("--json", *ALL, **there).stdout)
    places = {each["policy"]["metadata"].get("namespace") for each in told["policies"]}
    assert places == {"wordpress-mysql"}
