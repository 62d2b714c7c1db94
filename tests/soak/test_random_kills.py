"""The other hundred and eighty of two hundred random kills."""

import secrets
from pathlib import Path

import pytest

from tests.support.strikes import check, survive


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(6))
def test_thirty_random_kills_lose_nothing_acknowledged_and_store_nothing_twice(
    tmp_path: Path, part: int
) -> None:
    seed = secrets.randbelow(1 << 32)
    print(f"part {part}, seed {seed}")
    check(*survive(tmp_path / "data", strikes=30, seed=seed))
