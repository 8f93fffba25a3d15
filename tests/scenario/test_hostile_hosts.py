# SPDX-License-Identifier: Apache-2.0
"""Many domains with one trouble leave the others their share.

Each of them has one message only, so no share of a domain and no pause of a
domain is in the way: they hold all places of every worker, for minutes if
nobody looked at them together. What they have in common is an address that
says nothing, or refuses, or a zone whose name servers say nothing.
"""

import time

import pytest

from lab import front
from lab.behaviour import SILENCE, replying
from lab.procs import wait_until
from lab.world import Domain, Host
from tests.support.delivery import SENDER
from tests.support.load import Load

MANY = 300
CLIENTS = 4
PATIENCE_S = 1.0
#: 300 domains over 100 places, of which 75 become free in each such time
GOOD_S = 8 * PATIENCE_S
SETTINGS = {
    "smtp": f'max_connections = 100 patience = "{PATIENCE_S:.0f}s"',
    "retry": '"1h"',
}
#: deliveries that may take their time, if no others come
STAY = 100 // 4
#: of each worker: the first few, and a probe
FEW = 5 + 1

sink = Host("mx.good0.test.", tlsa=["3 1 1"])
GOOD = [Domain(f"good{i}.test", [sink]) for i in range(6)]
mute = Host("mx", mx=False, behaviour=replying("greeting", SILENCE))
closed = Host("mx", mx=False, listens=False)


def names_to(host: str) -> list[str]:
    return [f"d{number} MX 10 {host}" for number in range(MANY)]


def domains() -> list[Domain]:
    everything = {("*", "*"): front.DROP}
    return [
        *GOOD,
        Domain("silent.test", [mute], names_to("mx")),
        Domain("refused.test", [closed], names_to("mx")),
        Domain("no-answer.test", faults=everything),
    ]


def codes(server) -> list[str]:
    rows = server.json("queue", "list", "--limit", str(10 * MANY))
    return [row["code"] for row in rows if row["code"]]


@pytest.mark.parametrize(
    "parent, code",
    [
        ("silent.test", "4.4.315"),
        ("refused.test", "4.4.316"),
        ("no-answer.test", "4.4.312"),
    ],
)
def test_many_domains_of(stage, parent, code):
    lab = stage.lab("hostile-hosts", domains, **SETTINGS)
    load = Load(lambda number: f"d{number}.{parent}", MANY)
    load.start(CLIENTS)
    load.join()
    wanted = [f"after-{parent}@{domain.name}" for domain in GOOD]
    began = time.monotonic()
    for recipient in wanted:
        lab.server.submit(SENDER, recipient)
    sink.receiver.wait_for(lambda: set(wanted) <= set(sink.receiver.arrivals()), 30)
    passed = time.monotonic() - began
    print(f"{parent}: {passed:.1f} s")
    assert passed < GOOD_S

    most = MANY - STAY
    wait_until(lambda: codes(lab.server).count(code) >= most, f"{most} {code}", 60)
    workers = len(lab.server.json("stats")["transport"])
    assert len(mute.receiver.sessions) <= FEW * workers


def test_what_was_not_tried_says_so(stage):
    """Runs after the others: the last of many, at a host that refuses."""
    lab = stage.lab("hostile-hosts", domains, **SETTINGS)
    last = MANY - 1
    trace = lab.server.wait_trace(f"m{last}@d{last}.refused.test", bool)
    (defer,) = (e for e in trace["events"] if e["event"] == "defer")
    (only,) = defer["detail"]["tries"]
    assert only["scenario"] == "connection-refused"
    assert only["evidence"].startswith("not tried: it failed ")
