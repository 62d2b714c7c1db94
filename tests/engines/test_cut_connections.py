"""A proxy between the sink and a real OpenSearch cuts, delays and rewrites: each event once."""

import base64
import json
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from armorstack.errors import EngineError
from armorstack.sinks.elastic import RETENTION_INTERVAL_US, ElasticSink
from tests.engines.test_faults import alerts, collecting, ids, settings_file
from tests.support.elastic_stores import prepared, refresh, settings_of
from tests.support.engines import Server
from tests.support.proxy import NONE, Harm, Proxy, proxy
from tests.support.running import until
from tests.support.stores import DAY_US, HOUR_US, NOW_US, SECOND_US, Clock, batch, id_of

KEYS = range(200)
IN_BODY = 400
"""More bytes than the head of an answer has."""


class Setting(Struct):
    """A sink behind a proxy before a real server."""

    sink: ElasticSink
    proxy: Proxy
    clock: Clock

    def write_all(self, most_tries: int = 40) -> list[str]:
        """Write until the sink has taken all, as the worker does; what it said meanwhile."""
        told: list[str] = []
        for _ in range(most_tries):
            try:
                outcome = self.sink.write(batch(1, KEYS))
            except EngineError as error:
                told.append(str(error))
            else:
                assert outcome.accepted + outcome.duplicates == len(KEYS)
                return told
        raise AssertionError(told)

    def held(self) -> list[bytes]:
        """The `_id` of all documents."""
        refresh(self.sink.engine, self.sink.prefix)
        found = self.sink.engine.demand("GET", f"/{self.sink.prefix}-*/_search?size=5000").json()
        return [base64.b64decode(hit["_id"]) for hit in found["hits"]["hits"]]


Make = Callable[..., Setting]


@pytest.fixture
def make(opensearch_server: Server, tmp_path: Path) -> Iterator[Make]:
    """Sinks, each with a proxy and a prefix of its own."""
    with ExitStack() as opened:

        def one(**settings: Any) -> Setting:
            between = opened.enter_context(proxy(opensearch_server.port))
            asked = replace(settings_of(opensearch_server.url), **settings)
            opened.enter_context(prepared(asked))
            clock = Clock()
            sink = ElasticSink("es", replace(asked, urls=(between.url,)), tmp_path, clock)
            opened.callback(sink.close)
            return Setting(sink, between, clock)

        yield one


def is_each_once(held: list[bytes]) -> bool:
    return sorted(held) == sorted(map(id_of, KEYS))


def only_first(harm: Harm, count: int = 2) -> Callable[[int, bytes], Harm]:
    """Harm to so many exchanges; two are what one request without an answer tries on one node."""
    return lambda number, request: harm if number < count else NONE


CUTS = {
    "in the head of a request": Harm(cut_request=30),
    "in the body of a request": Harm(cut_request=900),
    "before an answer": Harm(cut_answer=0),
    "in the head of an answer": Harm(cut_answer=20),
    "in the body of an answer that promised more": Harm(cut_answer=IN_BODY),
}


@pytest.mark.parametrize("where", CUTS)
def test_a_connection_that_is_cut_loses_nothing_and_doubles_nothing(make: Make, where: str) -> None:
    setting = make()
    setting.proxy.plan = only_first(CUTS[where])
    told = setting.write_all()
    # A head that is cut leaves an answer without a body.
    assert told
    assert all("cannot be re" in each for each in told)
    assert is_each_once(setting.held())


def test_a_cut_that_comes_once_is_mended_within_the_write(make: Make) -> None:
    setting = make()
    setting.proxy.plan = only_first(Harm(cut_answer=IN_BODY), 1)
    assert setting.write_all() == []
    assert setting.proxy.statuses == {200: 2}
    assert is_each_once(setting.held())


def test_an_answer_that_comes_byte_by_byte_is_read_whole(make: Make) -> None:
    setting = make()
    setting.proxy.plan = only_first(Harm(at_a_time=1))
    assert setting.write_all() == []
    assert setting.proxy.statuses == {200: 1}
    assert is_each_once(setting.held())


@pytest.mark.parametrize(
    "harm",
    [Harm(delay_s=3.0), Harm(cut_answer=IN_BODY, is_silent=True)],
    ids=["before an answer", "in the midst of an answer"],
)
def test_silence_ends_at_the_time_out_and_the_events_are_stored_once(
    make: Make, harm: Harm
) -> None:
    setting = make(timeout_s=1.0)
    setting.proxy.plan = only_first(harm, 1)
    (told,) = setting.write_all()
    assert "does not answer in time" in told
    # What is late may have arrived: nobody else is asked before the worker comes again.
    assert setting.proxy.statuses == {200: 2}
    assert is_each_once(setting.held())


def one_less(items: list[Any]) -> list[Any]:
    return items[:-1]


def one_twice(items: list[Any]) -> list[Any]:
    return [items[0], *items]


@pytest.mark.parametrize("change", [one_less, one_twice])
def test_a_wrong_number_of_items_sends_the_whole_batch_again(
    make: Make, change: Callable[[list[Any]], list[Any]]
) -> None:
    def rewrite(body: bytes) -> bytes:
        answer = json.loads(body)
        return json.dumps(answer | {"items": change(answer["items"])}).encode()

    setting = make()
    setting.proxy.plan = only_first(Harm(rewrite=rewrite), 1)
    (told,) = setting.write_all()
    assert f"{len(KEYS)} events were sent, and the answer speaks of" in told
    assert setting.sink.write(batch(1, KEYS)).duplicates == len(KEYS)
    assert is_each_once(setting.held())


def test_connections_cut_again_and_again_under_load_lose_nothing_and_double_nothing(
    tmp_path: Path, opensearch_server: Server
) -> None:
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}")
    chance, lock, prefix = random.Random(seed), threading.Lock(), f"cut{secrets.token_hex(4)}"

    def plan(number: int, request: bytes) -> Harm:
        with lock:
            if number >= 60 or chance.random() < 0.5:
                return NONE
            return chance.choice(
                (Harm(cut_request=chance.randrange(len(request))),
                 Harm(cut_answer=chance.randrange(2 * IN_BODY)))
            )  # fmt: skip

    with proxy(opensearch_server.port) as between:
        between.plan = plan
        told = {"urls": [between.url], "batch_events": 20}
        settings = settings_file(tmp_path, opensearch_server, prefix, **told)
        file = tmp_path / "alerts.jsonl"
        file.touch()
        with collecting(tmp_path, file, settings) as run:
            for first in range(0, 2000, 100):
                with file.open("ab") as lines:
                    lines.write(alerts(100, first))
            until(lambda: run.stored() >= 2000, "all of them", 120)
            assert run.stop() == 0, run.output()
    found = ids(opensearch_server, prefix)
    assert len(found) == len(set(found)) == 2000


def test_templates_are_put_again_after_a_cluster_was_out_of_reach(make: Make) -> None:
    """It may be another one, or one that was restored."""
    setting = make()
    setting.write_all()
    templates = f"/_index_template/{setting.sink.prefix}*"
    names = [each["name"] for each in listed(setting, templates)]
    assert names
    for name in names:
        setting.sink.engine.demand("DELETE", f"/_index_template/{name}")
    setting.write_all()
    assert setting.sink.engine.ask("GET", templates).json().get("index_templates", []) == []
    setting.proxy.refuse()
    with pytest.raises(EngineError, match="cannot be reached"):
        setting.sink.write(batch(1, KEYS))
    setting.proxy.is_refusing = False
    setting.write_all()
    assert [each["name"] for each in listed(setting, templates)] == names


def listed(setting: Setting, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = setting.sink.engine.demand("GET", path).json()["index_templates"]
    return found


def test_retention_is_looked_after_every_ten_minutes(make: Make) -> None:
    setting = make(max_age_days=30.0, period="day")
    sink, clock = setting.sink, setting.clock
    sink.write(batch(1, "a", at_us=NOW_US - 29 * DAY_US))
    refresh(sink.engine, sink.prefix)
    # Its day ended at midnight, 9 hours later; 30 days after that the index is too old.
    too_old_us = NOW_US + DAY_US + 9 * HOUR_US
    clock.now_us = looked_us = too_old_us - 60 * SECOND_US
    sink.tick()
    clock.now_us = looked_us + RETENTION_INTERVAL_US - 1
    sink.tick()
    assert sink.removed() == {}
    clock.now_us += 1
    sink.tick()
    assert sink.removed() == {"age": 1}
