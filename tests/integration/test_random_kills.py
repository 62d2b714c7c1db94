"""Twenty random kill -9 of receiver, worker or both under load; the soak does the rest."""

import secrets
from pathlib import Path

import pytest

from tests.support.strikes import check, survive


@pytest.mark.timeout(300)
def test_twenty_random_kills_lose_nothing_acknowledged_and_store_nothing_twice(
    tmp_path: Path,
) -> None:
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}")
    check(*survive(tmp_path / "data", strikes=20, seed=seed))
