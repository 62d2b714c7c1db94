"""Loading the settings tree."""

from pathlib import Path
from typing import Any

import pytest

from armorstack import config
from armorstack.config import Config, DuckdbSink, StdoutSink, load, parse_address, source_name
from armorstack.errors import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "armorstack.toml"
    path.write_text(text)
    return path


def fault(tmp_path: Path, text: str, **overrides: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), overrides, {})
    return caught.value


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    assert load(None, {"data_dir": "/d"}, {}) == Config(data_dir="/d")


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[spool]\nmax_bytes = 1\nflush_bytes = 1\nreserve_bytes = 1\n")
    environ = {"ARMORSTACK_SPOOL_MAX_BYTES": "2", "ARMORSTACK_SPOOL_FLUSH_BYTES": "2"}
    loaded = load(path, {"spool": {"max_bytes": 3}}, environ).spool
    assert (loaded.max_bytes, loaded.flush_bytes, loaded.reserve_bytes) == (3, 2, 1)


def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_name(tmp_path: Path) -> None:
    error = fault(tmp_path, '[[source]]\ntype = "relay"\naddress = "a:1"\nclster = "x"\n')
    place = f"(line 4 of {tmp_path / 'armorstack.toml'})"
    assert str(error) == f"$.source[0].clster: no such setting {place}"
    assert error.hint == "did you mean cluster?"


def test_a_fault_in_a_sink_names_the_sink(tmp_path: Path) -> None:
    error = fault(tmp_path, "[sink.main]\nmax_age_days = -1\n")
    assert str(error).startswith("$.sink.main.max_age_days: ")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[spool]\nflush_interval_s = 0.2\n", "$.spool.flush_interval_s"),
        ("[spool]\nmax_bytes = 0\n", "$.spool.max_bytes"),
        ('[[source]]\ntype = "kafka"\n', "$.source[0].type"),
        ('[[source]]\ntype = "relay"\naddress = "relay"\n', "$.source[0].address"),
        ('[[source]]\ntype = "relay"\naddress = "relay:99999"\n', "$.source[0].address"),
        ('[web]\nlisten = "7780"\n', "$.web.listen"),
        ("[sink]\n", "$.sink"),
        (
            '[[source]]\ntype="relay"\naddress="a:1"\nbackoff_max_s=0.1\n',
            "$.source[0].backoff_max_s",
        ),
        (
            '[[source]]\ntype="relay"\naddress="a:1"\n[source.tls]\nca_file="/not/there"\n',
            "$.source[0].tls.ca_file",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(tmp_path: Path, text: str, path: str) -> None:
    assert str(fault(tmp_path, text)).startswith(f"{path}: ")


def test_mtls_needs_certificate_and_key(tmp_path: Path) -> None:
    text = '[[source]]\ntype="relay"\naddress="a:1"\n[source.tls]\ncert_file="/c.pem"\n'
    assert str(fault(tmp_path, text)).startswith("$.source[0].tls.key_file: ")


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    relay = '[[source]]\ntype = "relay"\naddress = "a:1"\n'
    assert "relay/a:1" in str(fault(tmp_path, relay + relay))


def test_two_filters_of_one_name_are_refused_and_presets_are_called_as_they_are(
    tmp_path: Path,
) -> None:
    preset = '[[filter]]\ntype = "preset"\npreset = "own-traffic"\n'
    assert str(fault(tmp_path, preset + preset)).startswith(
        "$.filter[1].name: 'own-traffic' is $.filter[0] already (line 4 of "
    )


def test_a_sink_without_a_type_is_what_its_name_says_or_the_store(tmp_path: Path) -> None:
    path = written(tmp_path, "[sink.stdout]\n[sink.main]\n")
    assert load(path, {}, {}).sink == {"stdout": StdoutSink(), "main": DuckdbSink()}


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path: Path) -> None:
    assert "armorstack.toml: not TOML" in str(fault(tmp_path, "= x"))
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load(tmp_path / "nowhere.toml", {}, {})


def test_the_environment_reaches_sinks_and_the_list_of_sources() -> None:
    environ = {
        "ARMORSTACK_SINK_DUCKDB_MAX_AGE_DAYS": "7.5",
        "ARMORSTACK_SINK_DUCKDB_KEEP_ORIGINAL": "true",
        "ARMORSTACK_SOURCE": '[{"type": "relay", "address": "relay:32767"}]',
        "ARMORSTACK_LOG": "json",
    }
    loaded = load(None, {}, environ)
    assert loaded.sink["duckdb"] == config.DuckdbSink(max_age_days=7.5, keep_original=True)
    assert loaded.source == (config.RelaySource("relay:32767"),)
    assert loaded.log.format == "json"


def test_a_sink_whose_name_no_variable_can_have_is_reached_with_underscores(tmp_path: Path) -> None:
    path = written(tmp_path, '[sink.my-file]\ntype = "file"\npath = "/f"\n')
    loaded = load(path, {}, {"ARMORSTACK_SINK_MY_FILE_KEEP": "3"})
    assert loaded.sink["my-file"] == config.FileSink(path="/f", keep=3)


def test_lists_of_a_webhooks_select_come_from_the_environment_as_json(tmp_path: Path) -> None:
    path = written(tmp_path, '[sink.chat]\ntype = "webhook"\nurl = "https://h/x"\n')
    environ = {"ARMORSTACK_SINK_CHAT_SELECT_PODS": '["a", "b"]'}
    sink = load(path, {}, environ).sink["chat"]
    assert isinstance(sink, config.WebhookSink)
    assert sink.select == config.Select(pods=("a", "b"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("ARMORSTACK_SPOL_MAX_BYTES", "1"), ("ARMORSTACK_SPOOL_MAX_BYTES", "much")],
)
def test_a_wrong_variable_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load(None, {}, {name: value})


def test_variables_that_kubernetes_sets_for_a_service_are_no_settings() -> None:
    environ = {
        "ARMORSTACK_SERVICE_HOST": "10.0.0.1",
        "ARMORSTACK_SERVICE_PORT_HTTP": "80",
        "ARMORSTACK_PORT": "tcp://10.0.0.1:80",
        "ARMORSTACK_WEB_PORT_7780_TCP_ADDR": "10.0.0.1",
    }
    assert load(None, {"data_dir": "/d"}, environ) == Config(data_dir="/d")


def test_the_data_folder_follows_xdg_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert load(None, {}, {"XDG_DATA_HOME": "/x"}).data_dir == "/x/armorstack"
    assert load(None, {}, {}).data_dir.endswith("/.local/share/armorstack")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert load(None, {}, {"XDG_DATA_HOME": "/x"}).data_dir == "/var/lib/armorstack"


def test_addresses_with_ipv6_in_brackets_are_understood() -> None:
    assert parse_address("$", "[::1]:7780") == ("::1", 7780)
    assert parse_address("$", "relay.example:32767") == ("relay.example", 32767)


def test_a_source_without_a_name_is_called_after_what_it_reads() -> None:
    assert source_name(config.RelaySource("a:1")) == "relay/a:1"
    assert source_name(config.FileSource("/f")) == "file//f"
    assert source_name(config.StdinSource(name="")) == "stdin"
    assert source_name(config.SampleSource(name="mine")) == "mine"
