# SPDX-License-Identifier: Apache-2.0
"""10,000 messages, a fifth of them to destinations that fail.

Nothing is lost, memory stays flat, and the sanitizers of the debug build have
nothing to say (the stage looks at the server's log and exit status).
"""

import os
from pathlib import Path

import pytest

from lab.behaviour import Behaviour, replying
from lab.procs import wait_until
from lab.world import Domain, Host
from tests.support.load import Load

MESSAGES = int(os.environ.get("SEALPOST_MESSAGES", "10000"))
CLIENTS = 4
QUIET = Behaviour(keeps_data=False)
FAILING = ("mismatch.test", "refused.test")
GOOD = tuple(f"good{i}.test" for i in range(8))
RETRY = {"retry": '"1s", "1s", "2s"', "expire": "4s"}
GROWTH = 1.25
SLACK_KIB = 16 * 1024


def domains() -> list[Domain]:
    sink = Host("mx.good0.test.", tlsa=["3 1 1"], behaviour=QUIET)
    refuses = replying("RCPT", "550 5.1.1 no such user")
    return [
        *[Domain(name, [sink]) for name in GOOD],
        Domain("mismatch.test", [Host(tlsa=["3 1 1 wrong"])]),
        Domain("refused.test", [Host(tlsa=["3 1 1"], behaviour=refuses)]),
    ]


def destination(number: int) -> str:
    if number % 5 == 0:
        return FAILING[number // 5 % len(FAILING)]
    return GOOD[number % len(GOOD)]


def resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def memory(server) -> dict[str, int]:
    """Resident memory of each process, by role and index."""
    processes = server.json("stats")["processes"]
    return {f"{p['role']}/{p['index']}": resident_kib(p["pid"]) for p in processes}


def queued(server) -> int:
    """How many recipients still have attempts before them."""
    recipients = server.json("stats")["queue"]["recipients"]
    return recipients["queued"] + recipients["leased"]


@pytest.mark.long
def test_soak(stage, capsys, monkeypatch):
    # freed memory is kept by ASan for a while: keep that while short
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=4:malloc_context_size=5")
    lab = stage.lab("soak", domains, **RETRY)
    receiver = lab.world.domains[0].host.receiver
    load = Load(destination, MESSAGES)
    load.start(CLIENTS)
    good = MESSAGES - len(range(0, MESSAGES, 5))
    receiver.wait_for(lambda: receiver.taken >= good // 4, 600)
    before = memory(lab.server)
    load.join()
    receiver.wait_for(lambda: receiver.taken >= good, 600)
    wait_until(lambda: not queued(lab.server), "an empty queue", 300)
    after = memory(lab.server)
    with capsys.disabled():
        for name, kib in sorted(after.items()):
            print(f"\n{name}: {before.get(name)} KiB, then {kib} KiB", end="")
        print()
    assert len(load.accepted) == MESSAGES
    assert receiver.taken == good
    grown = {n: k for n, k in after.items() if k > before[n] * GROWTH + SLACK_KIB}
    assert grown == {}
    stage.clear()
