"""`--engine` says where events go and what pages read, whatever the settings say besides."""

from pathlib import Path

import pytest

from armorstack.cli.options import embedded, load_config
from armorstack.config import Config, ElasticSink, FileSink
from armorstack.config.sinks import first_searched

URL = "http://127.0.0.1:9"


def settings(folder: Path, text: str) -> Path:
    file = folder / "a.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[sink.duckdb]\nmax_age_days = 3\n",
        '[sink.store]\ntype = "duckdb"\n',
        "[sink.store]\n",
    ],
)
def test_the_engine_takes_the_place_of_the_embedded_store(tmp_path: Path, text: str) -> None:
    config = load_config(settings(tmp_path, text), engine=URL)
    assert list(config.sink) == ["elastic"]
    found = first_searched(config.sink.values())
    assert isinstance(found, ElasticSink)
    assert found.urls == (URL,)


def test_other_sinks_stay_and_a_table_of_its_name_says_more_about_it(tmp_path: Path) -> None:
    text = '[sink.file]\npath = "/tmp/x"\n[sink.duckdb]\n[sink.elastic]\nreplicas = 0\n'
    config = load_config(settings(tmp_path, text), engine=URL)
    assert set(config.sink) == {"file", "elastic"}
    assert isinstance(config.sink["file"], FileSink)
    elastic = config.sink["elastic"]
    assert isinstance(elastic, ElasticSink)
    assert (elastic.urls, elastic.replicas) == ((URL,), 0)


def test_what_is_left_out_is_told_where_somebody_had_written_it(tmp_path: Path) -> None:
    file = settings(tmp_path, '[sink.mine]\ntype = "duckdb"\n[sink.file]\npath = "/tmp/x"\n')
    assert embedded(load_config(file)) == ["mine"]
    assert embedded(load_config(settings(tmp_path, ""))) == []
    assert embedded(Config()) == []
