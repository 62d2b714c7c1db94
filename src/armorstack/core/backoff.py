"""How long to wait before the next attempt: exponential, capped, with full jitter.

Pure: chance is an argument. Who waits, and on what, must not go here.
"""

MAX_DOUBLINGS = 60


def delay_s(attempt: int, initial_s: float, longest_s: float, chance: float) -> float:
    """Seconds to wait after failure number `attempt` (from 1); `chance` is in [0, 1).

    Full jitter: the wait lies anywhere between nothing and the doubled limit, so that many who
    failed together do not return together.
    """
    doublings = min(max(attempt, 1) - 1, MAX_DOUBLINGS)
    return chance * min(longest_s, initial_s * 2.0**doublings)
