"""`armorstack doctor` against relays, and against what is no relay."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from armorstack.cli.main import cli
from armorstack.doctor import reach, streams
from tests.support.certificates import Authority
from tests.support.doctor import Report, examine
from tests.support.frames import protobuf, recorded
from tests.support.relay_server import RawServer, RelayServer
from tests.support.running import until

HOST = "127.0.0.1"
STREAMS = ("alert", "log", "message")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def serve(pair: tuple[str, str], client_ca: str = "") -> RelayServer:
    return RelayServer(tls={"cert": pair[0], "key": pair[1], "ca": client_ca})


def event(stream: str, seconds: float = 0.0, **fields: Any) -> bytes:
    """A recorded event, dated so many seconds from now."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    when = {"Timestamp": int(moment.timestamp()), "UpdatedTime": f"{moment:%FT%T.%fZ}"}
    return protobuf(recorded(stream)[0] | when | fields, stream)  # type: ignore[arg-type, index]


class Sender:
    """Sends these frames once whoever listens is attached."""

    def __init__(self, relay: RelayServer, **frames: list[bytes]) -> None:
        self._relay, self._frames = relay, frames
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        self._relay.wait_attached(*STREAMS)
        for stream, frames in self._frames.items():
            self._relay.send(stream, *frames)

    def wait(self) -> None:
        self._thread.join()


def heard(data: Path, **frames: list[bytes]) -> Report:
    """What the doctor says of a relay that sends these."""
    with RelayServer() as relay:
        sender = Sender(relay, **frames)
        report = examine(data, "--relay", relay.address, "--listen-for", "3s")
        sender.wait()
    return report


def test_a_relay_with_events_on_each_stream_is_all_well(data: Path) -> None:
    report = heard(data, **{stream: [event(stream)] * 2 for stream in STREAMS})
    for check in ("name", "tcp", "health", "alerts", "logs", "messages"):
        report.expect(f"relay.{check}", "ok")
    assert "2 alerts in 3 s from 1 node" in report.one("relay.alerts")["sentence"]
    assert report.one("clock.node")["status"] == "ok"
    assert report.failed() == set()
    assert report.exit_code == 0


def test_a_relay_that_says_nothing_at_all_may_know_no_nodes(data: Path) -> None:
    with RelayServer() as relay:
        report = examine(data, "--relay", relay.address)
    report.expect("relay.silent", "warning", "alerts, logs, messages", "--as=system:serviceaccount")
    assert report.exit_code == 0


def test_streams_that_are_switched_off_are_not_missed(data: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    with RelayServer() as relay:
        text = f'[[source]]\ntype = "relay"\naddress = "{relay.address}"\nlogs = "off"\n'
        settings.write_text(text)
        report = examine(data, "--config", str(settings))
        assert relay.requests("log") == []
    report.expect("relay.silent", "warning", "alerts, messages")


def test_a_missing_stream_is_told_with_what_switches_it_on(data: Path) -> None:
    report = heard(data, alert=[event("alert")])
    report.expect("relay.logs", "warning", "visibility", "kubearmor-visibility=process,file")
    report.expect("relay.messages", "ok", "-debug")
    report = heard(data, log=[event("log")])
    report.expect("relay.alerts", "note", "no policy", streams.POLICIES)
    assert report.exit_code == 0


def test_throttling_is_told_with_its_pods_and_the_keys_that_change_it(data: Path) -> None:
    dropping = {"Type": "SystemEvent", "Operation": "AlertThreshold", "PodName": "noisy\x1b[2J"}
    report = heard(data, alert=[event("alert", **dropping)])
    report.expect("relay.throttling", "warning", "/noisy", "maxAlertPerSec")


def test_messages_that_nobody_can_decode_are_told(data: Path) -> None:
    report = heard(data, alert=[b"\xff\xff\xff"])
    report.expect("relay.decoding", "warning", "1 message")


@pytest.mark.parametrize(("seconds", "side"), [(605.0, "ahead of"), (-605.0, "behind")])
def test_a_node_whose_clock_is_off_is_named(data: Path, seconds: float, side: str) -> None:
    report = heard(
        data,
        alert=[event("alert", seconds, HostName="far"), event("alert", HostName="near")],
        log=[event("log", seconds, HostName="far")],
    )
    found = report.one("clock.node")
    assert (found["status"], found["subject"]) == ("warning", "far")
    assert f"{side} this clock" in found["sentence"]
    assert "10 min" in found["sentence"]
    assert "timedatectl" in found["mend"][0]


def test_a_late_event_does_not_make_its_node_late(data: Path) -> None:
    late = event("alert", -60.0)
    report = heard(data, alert=[late, event("alert"), late], log=[event("log", -60.0)])
    assert report.one("clock.node")["status"] == "ok"


def test_a_stream_that_ends_at_once_is_a_failure(data: Path) -> None:
    with RelayServer(end_at_once=True) as relay:
        report = examine(data, "--relay", relay.address)
    for stream in ("alerts", "logs", "messages"):
        report.expect(f"relay.{stream}", "failure", "ends the", "filter")
    assert report.exit_code == 1


@pytest.mark.parametrize("option", ["echo_wrong", "no_health"])
def test_another_grpc_server_is_told_apart_from_a_relay(data: Path, option: str) -> None:
    with RelayServer(**{option: True}) as relay:
        report = examine(data, "--relay", relay.address)
    report.expect("relay.health", "failure", "answers, but not as a KubeArmor relay", "kubectl")
    assert report.all("relay.silent") == []
    assert report.exit_code == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail ready\r\n"])
def test_another_server_is_told_apart_from_a_relay(data: Path, answer: bytes) -> None:
    with RawServer(answer) as other:
        report = examine(data, "--relay", other.address)
    report.expect("relay.health", "failure", "answers, but not as a KubeArmor relay", "svc/")


def test_a_port_that_takes_connections_and_says_nothing_does_not_answer(data: Path) -> None:
    with RawServer(b"") as mute:
        report = examine(data, "--relay", mute.address)
    report.expect("relay.tcp", "ok")
    report.expect("relay.health", "failure", "does not answer", "kubectl")


def test_a_closed_port_refuses(data: Path) -> None:
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        report = examine(data, "--relay", f"{HOST}:{bound.getsockname()[1]}")
    report.expect("relay.tcp", "failure", "refuses", "port-forward deploy/kubearmor-relay")
    assert report.all("relay.health") == []
    assert report.exit_code == 1


@pytest.fixture
def full_port() -> Iterator[str]:
    """A port that answers no greeting any more: its queue is full and nobody takes from it."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"{HOST}:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


def test_a_port_behind_which_all_is_dropped_is_told_apart_from_a_closed_one(
    data: Path, full_port: str
) -> None:
    report = examine(data, "--relay", full_port)
    report.expect("relay.tcp", "failure", "does not answer within 3 s", "networkpolicy")


def test_a_name_that_does_not_exist_is_told(data: Path) -> None:
    report = examine(data, "--relay", "no-relay.invalid:32767")
    report.expect("relay.name", "failure", "no-relay.invalid", "getent hosts no-relay.invalid")
    assert report.all("relay.tcp") == []


def test_a_relay_with_tls_is_all_well(data: Path, authority: Authority) -> None:
    with serve(authority.issue("relay", (HOST,))) as relay:
        report = examine(data, "--relay", relay.address, "--tls-ca", authority.ca_file)
    report.expect("relay.tls", "ok", "TLSv1.")
    report.expect("relay.health", "ok")
    report.expect("relay.expiry", "warning", "expires in 10 d")
    assert report.exit_code == 0


def test_mtls_without_a_certificate_of_ours_says_where_to_get_one(
    data: Path, authority: Authority
) -> None:
    with serve(authority.issue("relay", (HOST,)), authority.ca_file) as relay:
        trusting = ("--relay", relay.address, "--tls-ca", authority.ca_file)
        report = examine(data, *trusting)
        report.expect("relay.tls", "failure", "certificate", "kubearmor-client-certs")
        cert, key = authority.issue("client")
        report = examine(data, *trusting, "--tls-cert", cert, "--tls-key", key)
        report.expect("relay.tls", "ok")
        report.expect("relay.health", "ok")


@pytest.mark.parametrize(
    ("certificate", "sentence", "mend"),
    [
        ({"days": -1}, "has expired", "renew"),
        ({"begin": 5}, "not valid yet", "date -u"),
        ({"hosts": ("relay.example",)}, "is for another name than 127.0.0.1", "--tls-server-name"),
        ({"hosts": ("10.0.0.1",)}, "is for another name than 127.0.0.1", "subjectAltName"),
    ],
)
def test_a_certificate_that_is_not_good_is_told_with_its_fault(
    data: Path, authority: Authority, certificate: dict[str, Any], sentence: str, mend: str
) -> None:
    pair = authority.issue("relay", **({"hosts": (HOST,)} | certificate))
    with serve(pair) as relay:
        report = examine(data, "--relay", relay.address, "--tls-ca", authority.ca_file)
        assert relay.requests("alert") == []
    report.expect("relay.tls", "failure", sentence, mend)


@pytest.mark.parametrize("trust", ["system", "other"])
def test_an_authority_that_is_not_trusted_says_where_to_get_it(
    data: Path, authority: Authority, tmp_path: Path, trust: str
) -> None:
    other = Authority(tmp_path, "other")
    tls = ("--tls",) if trust == "system" else ("--tls-ca", other.ca_file)
    with serve(authority.issue("relay", (HOST,))) as relay:
        report = examine(data, "--relay", relay.address, *tls)
    report.expect("relay.tls", "failure", "authority that is not trusted", reach.CA_FILE)


def test_tls_asked_of_a_plain_relay_and_the_other_way_round_are_told_apart(
    data: Path, authority: Authority
) -> None:
    with RelayServer() as plain:
        report = examine(data, "--relay", plain.address, "--tls")
    report.expect("relay.tls", "failure", "does not speak TLS", "-tlsEnabled")
    with serve(authority.issue("relay", (HOST,))) as relay:
        report = examine(data, "--relay", relay.address)
    report.expect("relay.tls", "failure", "speaks TLS, and this source does not", "--tls-ca")


def test_files_of_tls_that_are_no_pem_are_told(
    data: Path, authority: Authority, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("nonsense")
    with serve(authority.issue("relay", (HOST,))) as relay:
        report = examine(data, "--relay", relay.address, "--tls-ca", str(broken))
    report.expect("relay.tls", "failure", "files of tls cannot be used", str(broken))


def test_several_relays_are_listened_to_at_the_same_time(data: Path) -> None:
    with RelayServer() as one, RelayServer() as other:
        report = examine(data, "--relay", one.address, "--relay", other.address)
        assert one.requests("alert")
        assert other.requests("alert")
    assert {each["subject"] for each in report.all("relay.silent")} == {one.address, other.address}


def test_listening_leaves_nothing_attached(data: Path) -> None:
    with RelayServer() as relay:
        examine(data, "--relay", relay.address)
        until(lambda: not any(relay.seen()["attached"].values()), "the streams' end")


def test_what_a_peer_says_cannot_steer_the_terminal(data: Path) -> None:
    hostile = {"Operation": "AlertThreshold", "PodName": "\u202eevil\x1b[2J", "HostName": "\x1b[1A"}
    with RelayServer() as relay:
        sender = Sender(relay, alert=[event("alert", 605.0, **hostile)])
        words = ["doctor", "--relay", relay.address, "--data-dir", str(data), "--listen-for", "3s"]
        output = CliRunner().invoke(cli, words).output
        sender.wait()
    assert r"\u202eevil\x1b[2J" in output
    assert r"node \x1b[1A" in output
    assert not {"\x1b", "\u202e"} & set(output)
