"""The relay source over TLS and mTLS, with certificates good, bad and changing."""

from pathlib import Path
from typing import Any

import pytest

from armorstack.config import RelaySource, Tls
from armorstack.sources.relay import Relay
from tests.support.certificates import Authority, lock
from tests.support.receiving import Receiving
from tests.support.relay_server import RelayServer

HOST = "127.0.0.1"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def serve(pair: tuple[str, str], client_ca: str = "", port: int = 0) -> RelayServer:
    return RelayServer(port, tls={"cert": pair[0], "key": pair[1], "ca": client_ca})


def source(relay: RelayServer, **tls: Any) -> Relay:
    return Relay(
        RelaySource(
            address=relay.address, tls=Tls(**tls), logs="off", messages="off",
            backoff_initial_s=0.05, backoff_max_s=0.3,
        )
    )  # fmt: skip


def assert_works(relay: RelayServer, receiving: Receiving) -> None:
    relay.wait_attached("alert")
    receiving.wait_frames(relay.number("alert", 0, 100), "alert")


def test_a_relay_with_tls_is_read(authority: Authority, data: Path) -> None:
    with (
        serve(authority.issue("relay", (HOST,))) as relay,
        Receiving(source(relay, ca_file=authority.ca_file), data) as receiving,
    ):
        assert_works(relay, receiving)


def test_a_relay_with_mtls_is_read_with_a_certificate_of_ours(
    authority: Authority, data: Path
) -> None:
    cert, key = authority.issue("client")
    with serve(authority.issue("relay", (HOST,)), authority.ca_file) as relay:
        ours = source(relay, ca_file=authority.ca_file, cert_file=cert, key_file=key)
        with Receiving(ours, data) as receiving:
            assert_works(relay, receiving)


def test_without_a_client_certificate_mtls_ends_in_a_clear_error(
    authority: Authority, data: Path
) -> None:
    with (
        serve(authority.issue("relay", (HOST,)), authority.ca_file) as relay,
        Receiving(source(relay, ca_file=authority.ca_file), data) as receiving,
    ):
        hint = receiving.wait_error("it may want a client certificate")
    assert "tls.cert_file" in hint


@pytest.mark.parametrize("fault", ["foreign", "expired"])
def test_a_client_certificate_that_the_relay_does_not_accept_ends_in_a_clear_error(
    authority: Authority, data: Path, tmp_path: Path, fault: str
) -> None:
    signer = Authority(tmp_path, "other") if fault == "foreign" else authority
    cert, key = signer.issue("client", days=-1 if fault == "expired" else 10)
    with serve(authority.issue("relay", (HOST,)), authority.ca_file) as relay:
        ours = source(relay, ca_file=authority.ca_file, cert_file=cert, key_file=key)
        with Receiving(ours, data) as receiving:
            hint = receiving.wait_error("it may not accept our certificate")
    assert "expired" in hint


@pytest.mark.parametrize(
    ("certificate", "sentence", "hint"),
    [
        ({"days": -1}, "has expired", "renew"),
        ({"begin": 5}, "is not valid yet", "clocks"),
        ({"hosts": ("relay.example",)}, "is for another name than 127.0.0.1", "tls.server_name"),
    ],
)
def test_a_certificate_that_is_not_good_is_told_with_its_fault(
    authority: Authority, data: Path, certificate: dict[str, Any], sentence: str, hint: str
) -> None:
    pair = authority.issue("relay", **({"hosts": (HOST,)} | certificate))
    with (
        serve(pair) as relay,
        Receiving(source(relay, ca_file=authority.ca_file), data) as receiving,
    ):
        assert hint in receiving.wait_error(sentence)
        assert relay.requests("alert") == []


def test_an_authority_that_is_not_trusted_is_told(
    authority: Authority, data: Path, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    with (
        serve(authority.issue("relay", (HOST,))) as relay,
        Receiving(source(relay, ca_file=other.ca_file), data) as receiving,
    ):
        assert "tls.ca_file" in receiving.wait_error("authority that is not trusted")


def test_the_systems_authorities_do_not_know_ours(authority: Authority, data: Path) -> None:
    with (
        serve(authority.issue("relay", (HOST,))) as relay,
        Receiving(source(relay), data) as receiving,
    ):
        receiving.wait_error("authority that is not trusted")


def test_a_server_name_makes_a_certificate_for_another_name_good(
    authority: Authority, data: Path
) -> None:
    with serve(authority.issue("relay", ("relay.example",))) as relay:
        ours = source(relay, ca_file=authority.ca_file, server_name="relay.example")
        with Receiving(ours, data) as receiving:
            assert_works(relay, receiving)


def test_a_server_name_is_insisted_on(authority: Authority, data: Path) -> None:
    with serve(authority.issue("relay", (HOST,))) as relay:
        ours = source(relay, ca_file=authority.ca_file, server_name="relay.example")
        with Receiving(ours, data) as receiving:
            receiving.wait_error("is for another name than relay.example")


def test_tls_to_a_relay_without_it_and_the_other_way_round_are_told(
    authority: Authority, data: Path, tmp_path: Path
) -> None:
    with (
        RelayServer() as plain,
        Receiving(source(plain, ca_file=authority.ca_file), data) as receiving,
    ):
        assert "-tlsEnabled" in receiving.wait_error("does not speak TLS")
    with serve(authority.issue("relay", (HOST,))) as relay:
        ours = Relay(RelaySource(address=relay.address, backoff_max_s=0.3, backoff_initial_s=0.05))
        with Receiving(ours, data) as receiving:
            assert "does it speak TLS?" in receiving.wait_error("closes the connection at once")


def test_a_relay_that_changes_its_certificate_is_read_on_when_our_files_change_too(
    authority: Authority, data: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    renewed = Authority(ours, "renewed")
    ca_file = tmp_path / "trusted.pem"
    ca_file.write_bytes(Path(authority.ca_file).read_bytes())
    cert_file, key_file = tmp_path / "our.crt", tmp_path / "our.key"

    def put_client(pair: tuple[str, str]) -> None:
        cert_file.write_bytes(Path(pair[0]).read_bytes())
        key_file.write_bytes(Path(pair[1]).read_bytes())

    put_client(authority.issue("client"))
    first = serve(authority.issue("relay", (HOST,)), authority.ca_file)
    reader = source(first, ca_file=str(ca_file), cert_file=str(cert_file), key_file=str(key_file))
    with Receiving(reader, data) as receiving:
        assert_works(first, receiving)
        first.stop()
        with serve(renewed.issue("relay", (HOST,)), renewed.ca_file, first.port) as second:
            receiving.wait_error("authority that is not trusted")
            ca_file.write_bytes(Path(renewed.ca_file).read_bytes())
            receiving.wait_error("it may not accept our certificate")
            put_client(renewed.issue("client"))
            second.wait_attached("alert")
            second.send("alert", b"renewed")
            receiving.wait(lambda: b"renewed" in receiving.frames("alert"))
            receiving.wait(receiving.gaps, "a gap")
        assert [(gap.reason, gap.stream) for gap in receiving.gaps()] == [("disconnect", "alert")]


@pytest.mark.parametrize("fault", ["missing", "no PEM", "another key", "locked key"])
def test_files_of_tls_that_cannot_be_used_are_told_and_read_again_once_mended(
    authority: Authority, data: Path, tmp_path: Path, fault: str
) -> None:
    cert, key = authority.issue("client")
    good = Path(key).read_bytes()
    if fault == "missing":
        Path(key).unlink()
    elif fault == "no PEM":
        Path(key).write_bytes(b"nonsense")
    elif fault == "another key":
        Path(key).write_bytes(Path(authority.issue("else")[1]).read_bytes())
    else:
        Path(key).write_bytes(lock(good, b"password"))
    with serve(authority.issue("relay", (HOST,)), authority.ca_file) as relay:
        ours = source(relay, ca_file=authority.ca_file, cert_file=cert, key_file=key)
        with Receiving(ours, data) as receiving:
            assert key in receiving.wait_error("the files of tls cannot be used")
            Path(key).write_bytes(good)
            assert_works(relay, receiving)
