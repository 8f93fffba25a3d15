# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a random role under load: nothing is lost, little comes twice.

Oracle: each message that got 250 is seen at the sink at least once or is
still queued. A second copy is only right if a kill lies between the first and
the second, and there are no more of them than messages were in flight at the
kills: a message is in flight from the moment it is claimed until its outcome
is committed.
"""

import os
import random
import signal
import time

import pytest

from lab.behaviour import Behaviour
from lab.procs import wait_until
from lab.world import Domain, Host
from tests.support.load import Load

SINKS = 6
CLIENTS = 3
#: seconds between a kill and our note of it, and of an arrival
MARGIN = 0.1
RETRY = {"retry": '"200ms", "500ms", "1s"', "expire": "1h"}


def domains() -> list[Domain]:
    """Several domains, so that all workers have some, with one host."""
    host = Host("mx.sink0.test.", tlsa=["3 1 1"], behaviour=Behaviour(keeps_data=False))
    return [Domain(f"sink{i}.test", [host]) for i in range(SINKS)]


class Killer:
    """Kills roles, and remembers how much was in flight."""

    def __init__(self, lab, seed: int) -> None:
        self._server = lab.server
        self._random = random.Random(seed)
        stats = self._server.json("stats")
        self._expected = sorted((p["role"], p["index"]) for p in stats["processes"])
        self.in_flight = 0
        self.killed: list[str] = []
        self.times: list[float] = []

    def _stats(self) -> dict | None:
        done = self._server.run("stats", "--json")
        return self._server.json("stats") if done.returncode == 0 else None

    def _roles(self) -> list[tuple[str, int]]:
        """The roles that run and, as far as they count anything, answer."""
        stats = self._stats()
        if stats is None or "queue" not in stats:
            return []
        running = [p for p in stats["processes"] if p["running"]]
        return sorted((p["role"], p["index"]) for p in running)

    def wait_for_all(self) -> None:
        """Until every role that was there at the start is there again."""
        wait_until(lambda: self._roles() == self._expected, "all roles", 60)

    def kill(self) -> None:
        """One random role, when all are up and after some more messages."""
        self.wait_for_all()
        stats = self._stats()
        victims = [p for p in stats["processes"] if p["role"] != "parent"]
        victim = self._random.choice(victims)
        self.in_flight += stats["queue"]["in_flight"]
        os.kill(victim["pid"], signal.SIGKILL)
        self.killed.append(victim["role"])
        self.times.append(time.monotonic())

    def pause(self) -> int:
        """How many messages to let through before the next kill."""
        return self._random.randint(5, 60)


def queued(server) -> set[str]:
    rows = server.json("queue", "list", "--limit", "1000000")
    return {row["recipient"] for row in rows}


def settle(load: Load, receiver, server) -> None:
    """Waits for what was accepted; what has not come must be queued."""

    def missing() -> set[str]:
        return load.accepted - set(receiver.arrivals())

    try:
        receiver.wait_for(lambda: not missing(), 120)
    except TimeoutError:
        late = missing()
        assert late <= queued(server), "lost messages"


def run_campaign(lab, kills: int, seed: int) -> Killer:
    receiver = lab.world.domains[0].host.receiver
    load = Load(lambda number: f"sink{number % SINKS}.test")
    killer = Killer(lab, seed)
    load.start(CLIENTS)
    try:
        for _ in range(kills):
            target = receiver.taken + killer.pause()
            receiver.wait_for(lambda: receiver.taken >= target, 60)
            killer.kill()
    finally:
        load.stop()
    killer.wait_for_all()
    settle(load, receiver, lab.server)
    arrivals = receiver.arrivals()
    twice = sum(len(times) - 1 for times in arrivals.values())
    print(f"{len(load.accepted)} accepted, {len(arrivals)} arrived, {twice} copies,"
          f" {killer.in_flight} in flight at the kills")  # fmt: skip
    assert twice <= killer.in_flight
    unexplained = {
        recipient
        for recipient, times in arrivals.items()
        for first, second in zip(times, times[1:])
        if not any(first - MARGIN < kill < second for kill in killer.times)
    }
    assert unexplained == set(), "copies without a kill between them"
    return killer


def campaign(stage, capsys, kills: int) -> None:
    seed = int(os.environ.get("SEALPOST_SEED") or random.randrange(1 << 32))
    with capsys.disabled():
        print(f"\ncrash test: SEALPOST_SEED={seed}")
        lab = stage.lab("crash", domains, **RETRY)
        killer = run_campaign(lab, kills, seed)
        print("killed:", " ".join(killer.killed[:20]), "..." if kills > 20 else "")
    stage.clear()


def test_ten_kills(stage, capsys):
    campaign(stage, capsys, 10)


@pytest.mark.long
def test_many_kills(stage, capsys):
    campaign(stage, capsys, int(os.environ.get("SEALPOST_KILLS", "200")))
