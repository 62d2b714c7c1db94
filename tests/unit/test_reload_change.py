"""What differs between two trees of settings, and what that takes."""

import pytest
from msgspec.structs import replace

from armorstack.config import (
    Config,
    DropFilter,
    DuckdbSink,
    Log,
    RelaySource,
    Spool,
    StdinSource,
    Web,
)
from armorstack.config.change import compare
from armorstack.control import fingerprint
from armorstack.errors import ConfigError

OLD = Config(data_dir="/data", source=(RelaySource("a:1"),))


@pytest.mark.parametrize(
    ("new", "told", "takes_worker"),
    [
        (replace(OLD, source=(RelaySource("a:1"),)), "nothing changed", False),
        (replace(OLD, source=(RelaySource("b:1"),)), "sources", False),
        (replace(OLD, filter=(DropFilter(),)), "filters", True),
        (replace(OLD, sink={"duckdb": DuckdbSink(part_rows=1)}), "sinks", True),
        (replace(OLD, log=Log(level="debug")), "log.level", True),
        (replace(OLD, web=Web(series_limit=1)), "web.series_limit", True),
        (replace(OLD, source=(), filter=(DropFilter(),)), "sources, filters", True),
    ],
)
def test_what_differs_is_told_by_name_and_says_whether_it_takes_a_new_worker(
    new: Config, told: str, takes_worker: bool
) -> None:
    change = compare(OLD, new)
    change.check()
    assert (str(change), change.takes_worker) == (told, takes_worker)
    assert bool(change) == (told != "nothing changed")


@pytest.mark.parametrize(
    ("new", "path"),
    [
        (replace(OLD, data_dir="/other"), "$.data_dir"),
        (replace(OLD, spool=Spool(when_full="drop_oldest")), "$.spool.when_full"),
        (replace(OLD, web=Web(listen="127.0.0.1:1")), "$.web.listen"),
        (replace(OLD, source=(*OLD.source, StdinSource())), "$.source of type stdin"),
    ],
)
def test_what_cannot_change_while_armorstack_runs_is_refused_with_its_path(
    new: Config, path: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        compare(OLD, replace(new, filter=(DropFilter(),))).check()
    assert str(refused.value) == f"{path}: cannot change while armorstack runs"
    assert "start it again" in refused.value.hint


def test_equal_settings_have_equal_fingerprints_whatever_the_order_of_their_sinks() -> None:
    one, two = DuckdbSink(path="/one"), DuckdbSink(path="/two")
    first = replace(OLD, sink={"one": one, "two": two})
    second = replace(OLD, sink={"two": two, "one": one})
    assert fingerprint(first) == fingerprint(second)
    assert fingerprint(first) != fingerprint(replace(OLD, sink={"one": one}))
