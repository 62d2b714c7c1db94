"""Events moved into real engines: from the embedded store, and from the relay's own adapters."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from armorstack.cli.main import cli
from armorstack.core.query.question import Question
from armorstack.sample.recorded import events
from armorstack.store.contract import EventStore
from armorstack.store.elastic import elastic_store
from tests.engines.test_faults import ids_or_none
from tests.support.elastic_stores import prepared, settings_of
from tests.support.engines import Server
from tests.support.event_stores import embedded, keys, patience, put, varied
from tests.support.stores import Clock


def migrate(*words: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(cli, ["migrate", "--json", *words])
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def settings_file(folder: Path, server: Server, prefix: str) -> Path:
    file = folder / "armorstack.toml"
    file.write_text(
        f'data_dir = "{folder}/data"\n[sink.duckdb]\nmax_age_days = 0.0\n[sink.engine]\n'
        f'type = "elastic"\nurls = ["{server.url}"]\nprefix = "{prefix}"\nreplicas = 0\n'
        'max_age_days = 0.0\nperiod = "month"\n'
    )
    return file


def refreshed(server: Server, prefix: str) -> None:
    server.ask("POST", f"/{prefix}-*/_refresh")


def test_the_embedded_store_is_the_same_in_the_engine(tmp_path: Path, server: Server) -> None:
    with embedded(tmp_path / "data" / "store") as store:
        for number, group in enumerate(varied(200)):
            put(store, group, number + 1)
            store.flush()
    settings = settings_of(server.url)
    file = settings_file(tmp_path, server, settings.prefix)
    with prepared(settings) as engine:
        assert migrate("--config", str(file))["written"] == 200
        assert migrate("--config", str(file), "--again")["there"] == 200
        refreshed(server, settings.prefix)
        moved: EventStore = elastic_store(engine, settings.prefix, Clock())
        found = moved.events(Question(), patience(), size=500)
        assert sorted(keys(found.rows)) == sorted(map(str, range(200)))


@pytest.mark.parametrize("index", ["alert", "kubearmor-alerts"])
def test_indices_of_the_relay_s_adapters_are_moved_each_event_once(
    tmp_path: Path, server: Server, index: str
) -> None:
    """Dynamic mapping, random ids, repeats, and documents that are no events."""
    index = f"{index}-{secrets.token_hex(4)}"
    alerts = list(events("alert"))[:50]
    for document in [*alerts, *alerts[:20]]:
        server.ask("POST", f"/{index}/_doc", document)
    server.ask("POST", f"/{index}/_doc?refresh=true", {"message": "no event", "level": "info"})
    settings = settings_of(server.url)
    file = settings_file(tmp_path, server, settings.prefix)
    with prepared(settings):
        told = migrate("--config", str(file), "--index", index, code=3)
        distinct = told["written"]
        assert told["read"] == 71 == distinct + told["there"] + told["rejected"]
        assert told["rejected"] == 1
        assert told["there"] >= 20
        refreshed(server, settings.prefix)
        found = ids_or_none(server, settings.prefix)
        assert len(found) == len(set(found)) == distinct
        # It goes on where it was: the last second is read again, and is there.
        again = migrate("--config", str(file), "--index", index, code=3)
        assert again["written"] == distinct
        count = server.ask("GET", f"/{index}/_count")["count"]
        assert count == 71
    server.ask("DELETE", f"/{index}")
