# SPDX-License-Identifier: Apache-2.0
"""Hundreds of domains whose name servers cost us their time leave DNS to others.

Each is a zone of its own with a name server of its own name, all at one address:
nothing that is known of one tells about the next. A question to them takes as
long as the resolver's deadline (30 s), a connection as long as libunbound waits.
"""

import time

import pytest

from lab import front
from lab.world import BEHIND, LEAF_SERVER, Domain, Host
from tests.support.delivery import SENDER
from tests.support.load import Load

MANY = 600
CLIENTS = 4
#: of the answers that come by TCP: as from another continent
LATE_S = 0.3
#: of most that wait for nothing: half of a question's deadline
GOOD_S = 15

FAULTS = {"silent": front.DROP, "dripping": front.dripping(1000.0)}
FALSE = [f"3 1 1 ={i:064x}" for i in range(60)]
TRAPS = {"silent": "127.0.53.98", "dripping": "127.0.53.99"}


def good(fault: str) -> list[Domain]:
    """Nothing of them is known before; the answer of some comes by TCP."""
    small = [Domain(f"small{i}-{fault}.test", [Host(tlsa=["3 1 1"])]) for i in range(6)]
    return small + large(fault)


def large(fault: str) -> list[Domain]:
    return [Domain(f"large{i}-{fault}.test", [Host(tlsa=[*FALSE, "3 1 1"])]) for i in range(6)]


def zones(server: str) -> list[str]:
    pairs = ((f"d{i} NS ns.d{i}", f"ns.d{i} A {server}") for i in range(MANY))
    return [record for pair in pairs for record in pair]


def domains() -> list[Domain]:
    traps = [Domain(f"{fault}.test", records=zones(TRAPS[fault])) for fault in FAULTS]
    return [*traps, *(domain for fault in FAULTS for domain in good(fault))]


@pytest.mark.parametrize("fault", FAULTS)
def test_others_are_resolved(stage, fault):
    lab = stage.lab("silent-servers", domains, retry='"1h"')
    fronts = lab.world.fronts
    fronts.listen(TRAPS[fault], BEHIND[LEAF_SERVER])
    fronts.set_fault(f"*.{fault}.test", "*", FAULTS[fault], TRAPS[fault])
    for domain in large(fault):
        fronts.set_fault(f"_25._tcp.mx.{domain.name}", "TLSA", front.delayed(LATE_S))
    load = Load(lambda number: f"d{number}.{fault}.test", MANY)
    load.start(CLIENTS)
    load.join()
    wanted = [f"bob@{domain.name}" for domain in good(fault)]
    began = time.monotonic()
    for recipient in wanted:
        lab.server.submit(SENDER, recipient)
    for recipient in wanted:
        lab.server.wait_trace(recipient, lambda t: t["status"] == "delivered", 60)
    passed = time.monotonic() - began
    print(f"{fault}: {passed:.1f} s")
    assert passed < GOOD_S
    asked = fronts.questions("TLSA", f"large0-{fault}.test")
    assert "tcp" in {question.transport for question in asked}
