"""Back-off: what holds for every number of failures and every chance."""

from hypothesis import given
from hypothesis import strategies as st

from armorstack.core.backoff import delay_s

attempts = st.integers(min_value=1, max_value=10**9)
seconds = st.floats(min_value=0.001, max_value=1e6)
chances = st.floats(min_value=0.0, max_value=1.0, exclude_max=True)


@given(attempts, seconds, seconds, chances)
def test_a_wait_is_never_negative_and_never_longer_than_the_longest(
    attempt: int, initial: float, longest: float, chance: float
) -> None:
    assert 0.0 <= delay_s(attempt, initial, longest, chance) <= longest


@given(st.integers(min_value=1, max_value=50), seconds, chances)
def test_each_failure_doubles_the_limit_until_the_longest(
    attempt: int, initial: float, chance: float
) -> None:
    limit = initial * 2 ** (attempt - 1)
    assert delay_s(attempt, initial, 1e30, chance) == chance * limit
    assert delay_s(attempt, initial, limit / 2, chance) == chance * limit / 2


@given(attempts, seconds, seconds)
def test_the_jitter_is_full_so_that_a_wait_can_be_anything_below_the_limit(
    attempt: int, initial: float, longest: float
) -> None:
    limit = delay_s(attempt, initial, longest, 1.0)
    assert delay_s(attempt, initial, longest, 0.0) == 0.0
    assert delay_s(attempt, initial, longest, 0.25) == limit / 4


@given(attempts, seconds, seconds, chances)
def test_more_failures_never_mean_a_shorter_wait(
    attempt: int, initial: float, longest: float, chance: float
) -> None:
    before = delay_s(attempt, initial, longest, chance)
    assert before <= delay_s(attempt + 1, initial, longest, chance)
