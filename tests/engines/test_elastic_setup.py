"""Setup and retention against real engines: nothing twice, nothing that is not ours."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from armorstack.cli.main import cli
from armorstack.engines.elastic import setup
from armorstack.engines.elastic.periods import DAY_US
from armorstack.engines.elastic.retention import retain
from armorstack.engines.elastic.templates import VERSION
from armorstack.errors import EngineError
from tests.support.elastic_space import Space, space

Run = Callable[..., Result]
NOW = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1_000_000
KINDS = ["alerts", "logs", "messages", "gaps", "policies"]


@pytest.fixture(params=["opensearch", "elasticsearch"])
def there(request: pytest.FixtureRequest) -> Iterator[Space]:
    with space(request.getfixturevalue(f"{request.param}_server").url) as made:
        yield made


@pytest.fixture
def run(there: Space, tmp_path: Path) -> Run:
    """The command with settings of this space."""
    own = there.settings
    config = tmp_path / "armorstack.toml"
    config.write_text(
        f'[sink.elastic]\ntype = "elastic"\nurls = ["{own.urls[0]}"]\n'
        f'prefix = "{own.prefix}"\nreplicas = {own.replicas}\n'
    )
    return lambda *flags: CliRunner().invoke(cli, ["setup", "--config", str(config), *flags])


def test_what_is_applied_is_not_there_to_be_changed_again(there: Space) -> None:
    assert [change.kind for change in setup.plan(there.engine, there.settings)] == ["create"] * 5
    there.set_up()
    assert setup.plan(there.engine, there.settings) == []


def test_a_changed_setting_is_told_before_it_is_applied(there: Space) -> None:
    there.set_up()
    other = msgspec.structs.replace(there.settings, shards=2)
    changes = setup.plan(there.engine, other)
    assert [change.kind for change in changes] == ["update"] * 5
    told = "\n".join(setup.sentences(changes[0]))
    assert "template.settings.index.number_of_shards: 1 -> 2" in told
    setup.apply(there.engine, changes)
    assert setup.plan(there.engine, other) == []


def test_a_newer_template_is_left_alone(there: Space) -> None:
    (first, *_) = setup.plan(there.engine, there.settings)
    first.body["_meta"]["armorstack"]["version"] = VERSION + 1
    setup.apply(there.engine, [first])
    with pytest.raises(EngineError, match="newer than") as caught:
        setup.plan(there.engine, there.settings)
    assert "setup = false" in caught.value.hint


def test_a_template_of_somebody_else_is_left_alone(there: Space, run: Run) -> None:
    (first, *_) = setup.plan(there.engine, there.settings)
    del first.body["_meta"]
    setup.apply(there.engine, [first])
    with pytest.raises(EngineError, match="not armorstack's"):
        setup.plan(there.engine, there.settings)
    result = run("--yes")
    assert result.exit_code == 1
    assert "another prefix" in result.output


@pytest.mark.timeout(120)
def test_the_command_shows_the_diff_applies_it_when_told_and_then_has_nothing_to_do(
    there: Space, run: Run
) -> None:
    prefix = there.settings.prefix
    dry = run("--dry-run")
    assert dry.exit_code == 3
    assert [f"create index template {prefix}-{kind}" in dry.output for kind in KINDS] == [True] * 5
    unasked = run()
    assert unasked.exit_code == 2
    assert "say --yes" in unasked.output
    assert len(setup.plan(there.engine, there.settings)) == 5
    done = run("--yes", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert (found["applied"], len(found["changes"])) == (True, 5)
    assert found["engine"] == there.engine.dialect.name
    again = run()
    assert (again.exit_code, again.output.splitlines()[-1]) == (0, "nothing to do")


def _document(received_us: int) -> dict[str, object]:
    return {
        "@timestamp": "2026-11-23T00:00:00Z",
        "armorstack": {"exact": {"received": received_us}},
    }


def _fill(there: Space, *names: str, received_us: int = NOW) -> None:
    there.set_up()
    prefix = there.settings.prefix
    items = there.put((f"{prefix}-{name}", name, _document(received_us)) for name in names)
    assert {item["status"] for item in items} == {201}


def _left(there: Space) -> list[str]:
    return [name.partition("-")[2] for name in there.indices()]


@pytest.mark.timeout(120)
def test_old_periods_go_whole_and_counted_and_what_is_not_ours_stays(there: Space) -> None:
    old = ["alerts-2026.10.23", "logs-2026.10.01", "gaps-2026.10.01", "messages-2026.w40"]
    kept = ["alerts-2026.10.24", "alerts-2026.11.23", "alerts-2026.10.23-restored"]
    _fill(there, *old, *kept)
    there.put([(f"{there.settings.prefix}-other-2026.01.01", "1", _document(NOW))])
    assert retain(there.engine, there.settings, NOW) == {"age": 3}
    assert _left(there) == sorted([*kept, "other-2026.01.01"])
    assert retain(there.engine, there.settings, NOW) == {}


@pytest.mark.timeout(120)
def test_by_size_the_oldest_periods_go_but_never_the_one_that_is_not_over(there: Space) -> None:
    _fill(there, "alerts-2026.11.21", "alerts-2026.11.22", "alerts-2026.11.23")
    small = msgspec.structs.replace(there.settings, max_bytes=1, max_age_days=0.0)
    assert retain(there.engine, small, NOW) == {"bytes": 2}
    assert _left(there) == ["alerts-2026.11.23"]


@pytest.mark.timeout(120)
def test_a_late_index_goes_when_nothing_arrived_in_it_lately(there: Space) -> None:
    _fill(there, "alerts-late", received_us=NOW - 31 * DAY_US)
    _fill(there, "logs-late", received_us=NOW)
    assert retain(there.engine, there.settings, NOW) == {"age": 1}
    assert _left(there) == ["logs-late"]


@pytest.mark.timeout(120)
def test_old_arrivals_go_from_a_late_index_that_is_still_used(there: Space) -> None:
    _fill(there, "alerts-late", received_us=NOW)
    index = f"{there.settings.prefix}-alerts-late"
    there.put([(index, "old", _document(NOW - 31 * DAY_US))])
    removed = retain(there.engine, there.settings, NOW)
    there.engine.demand("POST", f"/{index}/_refresh")
    # A bare engine of the tests has no such module; there both stay.
    nothing = {"query": {"match_none": {}}}
    path = f"/{index}/_delete_by_query"
    is_able = there.engine.ask("POST", path, nothing).status == 200
    assert removed == ({"age": 1} if is_able else {})
    assert there.count({"match_all": {}}) == (1 if is_able else 2)


@pytest.mark.timeout(120)
def test_an_index_that_may_not_be_deleted_is_told_and_not_counted(there: Space) -> None:
    _fill(there, "alerts-2026.10.01")
    path = f"/{there.settings.prefix}-alerts-2026.10.01/_settings"
    there.engine.demand("PUT", path, {"index.blocks.read_only": True})
    with pytest.raises(EngineError, match=r"deleting .*403"):
        retain(there.engine, there.settings, NOW)
    assert _left(there) == ["alerts-2026.10.01"]
    there.engine.demand("PUT", path, {"index.blocks.read_only": None})
    assert retain(there.engine, there.settings, NOW) == {"age": 1}


def test_without_a_limit_nothing_is_even_asked(there: Space) -> None:
    unlimited = msgspec.structs.replace(there.settings, max_age_days=0.0, max_bytes=0)
    assert retain(there.engine, unlimited, NOW) == {}
