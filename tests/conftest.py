"""What every test stands on: the marker of its folder, Hypothesis profiles, no process left behind.

A test's tier is the folder it lies in, told once, here. Fixtures of single rooms belong beside
their tests, launchers of real servers in `tests/support/`.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import tools

TESTS = Path(__file__).parent
TIERS = ("unit", "property", "contract", "integration", "browser", "engines", "soak", "bench")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts us in the background lets Ctrl-C be ignored, by all that we start too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadlines: the machine's speed is not what these tests are about.
settings.register_profile("home", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("home"), max_examples=200, print_blob=True)
settings.load_profile("ci" if tools.under_ci() else "home")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its folder; a test elsewhere would run in no tier, so it is refused."""
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        if tier not in TIERS:
            raise pytest.UsageError(f"{item.path} lies in none of tests/{{{','.join(TIERS)}}}")
        item.add_marker(tier)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the process as soon as pytest has said its closing line.

    Otherwise a thread that a failed test left behind would keep it for ever. And Hypothesis' native
    part keeps objects of state machines until after DuckDB's binding has gone, which reports them
    on stderr as leaked, behind the closing line, when no test can be to blame.
    """
    session.config.add_cleanup(lambda: end_now(int(exitstatus)))


def end_now(status: int) -> None:
    """Flush what pytest wrote, then end without waiting for anything."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str, str], Path]:
    """`require_tool(name, hint)`: see `tests.support.tools`."""
    return tools.require_tool


@pytest.fixture(scope="session", autouse=True)
def nothing_survives() -> Iterator[None]:
    """Fail when a process or a thread that a test started still lives at the end of the session."""
    os.environ[tools.SESSION_MARK] = str(os.getpid())
    yield
    processes = tools.surviving_processes(grace_s=5.0)
    tools.end(processes)
    left = [*processes.values(), *tools.surviving_threads(grace_s=5.0)]
    assert not left, "tests left these behind:\n" + "\n".join(f"  {each}" for each in left)
