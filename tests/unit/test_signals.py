"""A signal that comes while the main thread is about to wait for the event that it shall set."""

import subprocess
import sys

WAITING = """
import os, random, signal, threading
{how}
event = threading.Event()
heed(event)
for _ in range({rounds}):
    event.clear()
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 40e-6))
    while not event.wait(1e-6):
        pass
print("heeded", flush=True)
os._exit(0)
"""
HEED = "from armorstack import signals\ndef heed(e): signals.heed((signal.SIGALRM,), e.set)"


def heeds(how: str, rounds: int) -> bool:
    """Whether a process that waits in the usual way notices every one of so many signals."""
    script = WAITING.format(how=how, rounds=rounds)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=25, check=True
        )
    except subprocess.TimeoutExpired:
        return False
    return done.stdout == "heeded\n"


def test_a_signal_never_needs_a_lock_that_the_thread_it_interrupts_holds() -> None:
    assert heeds(HEED, rounds=20_000)
