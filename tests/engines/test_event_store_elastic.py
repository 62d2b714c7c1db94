"""The contract of stores over real engines: the same tests, with rigs of their own."""

import pytest

from tests.contract.test_event_store import *  # noqa: F403
from tests.support.elastic_stores import rig_of
from tests.support.event_stores import Rig


@pytest.fixture(params=["opensearch", "elasticsearch"], scope="module")
def rig(request: pytest.FixtureRequest) -> Rig:
    """A real server's; tests of the contract ask for it by this name."""
    server = request.getfixturevalue(f"{request.param}_server")
    return rig_of(request.param, server.url)
