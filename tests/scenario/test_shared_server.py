# SPDX-License-Identifier: Apache-2.0
"""One name server holds the zones of many; one of them holds its connection.

The answers of all of them need TCP. Were several questions asked over one
connection, the honest ones would wait behind the one that is never answered,
until libunbound gives up all that is on it, after 3 s.
"""

from lab import front
from lab.procs import wait_until
from lab.world import LEAF_SERVER, Domain, Host
from tests.support.delivery import SENDER

FALSE = [f"3 1 1 ={i:064x}" for i in range(60)]
HONEST = [Domain(f"large{i}.test", [Host(tlsa=[*FALSE, "3 1 1"])]) for i in range(5)]
HOLDER = Domain("holder.test", records=["@ MX 1 mx.in"])
#: from the question by UDP to the one by TCP, of the quickest: a round trip
#: if nothing is in the way, and else nearly those 3 s
STREAM_S = 2.0


def domains() -> list[Domain]:
    return [HOLDER, *HONEST]


def first(asked: list[front.Question], transport: str) -> float:
    return next(q.time for q in asked if q.transport == transport)


def test_each_question_has_its_own_connection(stage):
    lab = stage.lab("shared-server", domains, retry='"1h"')
    fronts, server = lab.world.fronts, lab.server
    fronts.set_fault("*.in.holder.test", "*", front.dripping(1000.0), LEAF_SERVER)

    def held() -> bool:
        asked = fronts.questions(under="in.holder.test")
        return any(q.transport == "tcp" for q in asked)

    server.submit(SENDER, "bob@holder.test")
    wait_until(held, "the connection to be held", 30)
    for domain in HONEST:
        server.submit(SENDER, f"bob@{domain.name}")
    passed = []
    for domain in HONEST:
        delivered = server.wait_trace(
            f"bob@{domain.name}", lambda t: t["status"] == "delivered", 60
        )
        assert delivered["security"] == "dane"
        asked = fronts.questions("TLSA", domain.name)
        passed.append(first(asked, "tcp") - first(asked, "udp"))
    print(passed)
    assert min(passed) < STREAM_S, passed
