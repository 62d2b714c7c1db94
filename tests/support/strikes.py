"""Random kills of a running armorstack, and a witness of what the spool had acknowledged.

The witness reads the spool beside the receiver, as the worker does: whatever it saw there was
committed and so received, and has to be in the store in the end, once.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from armorstack.core.decode import decode
from armorstack.errors import SpoolError
from armorstack.spool.reader import Reader
from bench import corpus
from bench.children import LoadSource
from tests.support.running import Running, kill, running, stored_ids, until

RATE = 2000
READ_BYTES = 4 * 1024 * 1024
VICTIMS = (("receiver",), ("worker",), ("receiver", "worker"))


class Witness:
    """Remembers the id of every event that was ever seen in the spool."""

    def __init__(self, folder: Path) -> None:
        self.ids: set[bytes] = set()
        self._reader = Reader.open(folder)
        self._position = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.look()

    def look(self) -> None:
        """Read what is new in the spool."""
        try:
            rows = self._reader.read(self._position, READ_BYTES)
        except SpoolError:
            return
        if rows:
            self._position = rows[-1].seq
            self.ids.update(decode(rows).batch.rows.column("id").to_pylist())

    def end(self) -> None:
        """Read the rest and stop."""
        self._stop.set()
        self._thread.join()
        self.look()


def strike(run: Running, chance: random.Random) -> None:
    """Kill one or both processes at a random moment of their work."""
    victims = chance.choice(VICTIMS)
    states = [until(getattr(run, name), f"a {name}") for name in victims]
    time.sleep(chance.uniform(0.0, 0.8))
    for state in states:
        if psutil.pid_exists(state.pid):
            kill(state.pid)


def survive(
    data_dir: Path, strikes: int, seed: int, *, words: Sequence[str] = (),
    hit: Callable[[Running, random.Random], None] = strike,
    held: Callable[[Path], list[bytes]] = stored_ids, rate: int = RATE,
) -> tuple[set[bytes], list[bytes]]:  # fmt: skip
    """Strike so often under a load of `rate` events/s; ids that were acknowledged, and ids in the
    store.

    `words` are further ones of the command, `hit` is one strike, `held` what the store has.
    """
    chance = random.Random(seed)
    events = data_dir.parent / "corpus"
    corpus.save(corpus.build({"alert": 20_000}), events)
    with (
        LoadSource(events, 0, rate) as source,
        running("run", "--relay", source.address, *words, data_dir=data_dir) as run,
    ):
        source.wait_attached("alert")
        source.go()
        until(lambda: (data_dir / "spool" / "spool.db").exists(), "the spool")
        witness = Witness(data_dir / "spool")
        try:
            for _ in range(strikes):
                hit(run, chance)
            until(run.receiver, "a receiver at the end")
            assert run.stop() == 0, run.output()
        finally:
            witness.end()
    nothing = data_dir.parent / "nothing.jsonl"
    nothing.touch()
    more = ("run", "--file", str(nothing), "--no-follow", *words)
    with running(*more, data_dir=data_dir, name="rest") as rest:
        assert rest.wait(120) == 0, rest.output()
    return witness.ids, held(data_dir)


def check(acknowledged: set[bytes], stored: list[bytes]) -> None:
    """Every acknowledged event is in the store, and no event twice."""
    assert len(acknowledged) > RATE
    assert len(stored) == len(set(stored)), "some events are stored twice"
    lost = acknowledged - set(stored)
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged events are not stored"
