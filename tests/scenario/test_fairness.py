# SPDX-License-Identifier: Apache-2.0
"""A destination that is dead costs others nothing, and itself little.

It has a thousand messages when its port is closed and a thousand more when it
is silent: it is left alone but for a probe now and then, mail to others goes
out meanwhile, and once it works again all of its mail arrives.
"""

import time

from lab.behaviour import HONEST, SILENCE, Behaviour, replying
from lab.procs import wait_until
from lab.receiver import Receiver
from lab.world import Domain, Host
from tests.support.load import Load

DEAD, GOOD = "dead.test", "good.test"
EACH = 1000
OTHERS = 10
CLIENTS = 4
SETTINGS = {
    "retry": '"10s", "10s", "20s"',
    "smtp": 'greeting_timeout = "2s"',
}
#: what one attempt at the dead destination and its outcome may need
PROMPT = 5.0
#: connections: the first few, before anything is known, then one a pause
FEW = 5 + 10


def domains() -> list[Domain]:
    return [
        Domain(GOOD, [Host(tlsa=["3 1 1"])]),
        Domain(DEAD, [Host(tlsa=["3 1 1"], listens=False)]),
    ]


def attempts(server) -> int:
    """Attempts of all transports so far."""
    transports = server.json("stats")["transport"]
    return sum(transport["attempts"] for transport in transports)


def submit_to_dead(lab, first: int) -> None:
    """Messages to the dead destination, and some to the good one meanwhile."""
    load = Load(lambda number: DEAD, EACH, first)
    good = lab.world.domains[0].host.receiver
    load.start(CLIENTS)
    for number in range(OTHERS):
        wait_until(lambda: len(load.accepted) > EACH // OTHERS * number, "load", 60)
        recipient = f"g{first + number}@{GOOD}"
        begin = time.monotonic()
        lab.server.submit("a@sender.test", recipient)
        good.wait_for(lambda: recipient in good.arrivals(), PROMPT)
        print(f"good: {time.monotonic() - begin:.2f} s")
    load.join()
    assert len(load.accepted) == EACH


def deferred(server, at_least: int) -> None:
    """Until so many messages are deferred for what one of them met."""

    def look() -> bool:
        rows = server.json("queue", "list", "--limit", "100000")
        return sum(1 for row in rows if (row["code"] or "").startswith("4.4.")) >= at_least

    wait_until(look, f"{at_least} deferred messages", 60)


def raise_receiver(host: Host, behaviour: Behaviour) -> Receiver:
    address = host.addresses[0]
    receiver = Receiver("mx." + DEAD, address, host.identity, behaviour)
    host.receivers.append(receiver)
    return receiver


def test_dead_destination(stage):
    lab = stage.lab("fairness", domains, **SETTINGS)
    dead = lab.world.domains[1].host

    submit_to_dead(lab, 0)
    deferred(lab.server, EACH)
    assert attempts(lab.server) - OTHERS <= FEW

    receiver = raise_receiver(dead, replying("greeting", SILENCE))
    submit_to_dead(lab, EACH)
    deferred(lab.server, 2 * EACH)
    assert len(receiver.sessions) <= FEW

    by_state = lab.server.wait_trace(f"m{2 * EACH - 1}@{DEAD}", bool)
    events = [e for e in by_state["events"] if e["event"] == "defer"]
    probe = events[0]["detail"]["destination_failed"]["probe"]
    told = lab.server.run("trace", "--detail", by_state["id"]).stdout.decode()
    assert f"not tried itself: failed for {probe} at " in told

    receiver.behaviour = HONEST
    receiver.wait_for(lambda: receiver.taken >= 2 * EACH, 90)
    wait_until(lambda: not pending(lab.server), "an empty queue", 30)
    assert receiver.taken == 2 * EACH
    stage.clear()


def pending(server) -> int:
    recipients = server.json("stats")["queue"]["recipients"]
    return recipients["queued"] + recipients["leased"]
