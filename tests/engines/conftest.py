"""One server of each engine for a session; every test has indices of its own prefix."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import START_S, Server, running

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a session waits for the server."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(2 * START_S))


@pytest.fixture(scope="session")
def opensearch_server() -> Iterator[Server]:
    with running("opensearch") as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch_server() -> Iterator[Server]:
    with running("elasticsearch") as server:
        yield server


@pytest.fixture(params=["opensearch", "elasticsearch"], scope="session")
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two."""
    found: Server = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture(params=["opensearch", "elasticsearch"], scope="session")
def secure(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each of the two with security and TLS, one after the other."""
    with running(request.param, security=True) as server:
        yield server
