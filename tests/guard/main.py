# SPDX-License-Identifier: Apache-2.0
"""The cost of a message, in numbers that do not depend on the machine's speed.

    tests/guard/run [--show]

Instructions (callgrind) are those of all processes of the server: what a run
with many messages takes more than one with few, for each message more. System
calls (strace -c) are those of all roles from the first message of a round to
the end of its last, DNS and connections included. Intake is with a few clients
that do not pipeline, a message a transaction. Deliveries are those of mail that
is due at once, to one domain with DANE: over as many connections as the server
opens by itself (two, when instructions are counted), reused, or with a new one
and a full handshake for each.
A limit leaves room for other versions of compiler and libraries; whoever
lowers a cost lowers its limit.
"""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab import netns, procs
from lab.world import Domain, Host, World
from tests.guard.trial import Calls, Trial, callgrind, instructions

AT_ONCE = 2  # servers under callgrind
#: In both sizes of run the same, so that the difference holds no handshakes.
PINNED = "max_per_host = 2"
REUSED = "messages_per_connection = 10000"
NEW = "messages_per_connection = 1"


@dataclass
class Limit:
    """For each message: instructions and system calls at most. `few` and
    `many` are the sizes of the two runs."""

    name: str
    smtp: str
    few: int
    many: int
    deliver: bool
    instructions: int
    calls: int


LIMITS = (
    Limit("intake", REUSED, 20, 220, False, 360_000, 20),
    Limit("delivery, connection reused", REUSED, 40, 180, True, 700_000, 17),
    Limit("delivery, new connection", NEW, 20, 70, True, 8_000_000, 56),
)


def make_world(directory: Path) -> World:
    world = World(directory, [Domain("guard.test", [Host(tlsa=["3 1 1"])])])
    world.start()
    receiver = world.domains[0].host.receiver
    receiver.context.num_tickets = 0  # full handshakes only
    return world


def count_run(world: World, limit: Limit, messages: int) -> int:
    """Instructions of a server from its start to its end."""
    name = f"{LIMITS.index(limit)}-{messages}"
    port = 2000 + 1000 * LIMITS.index(limit) + messages
    smtp = f"{PINNED} {limit.smtp}"
    trial = Trial(world, name, port, smtp, callgrind(world.directory / name))
    trial.wait()
    trial.take_in(messages)
    if limit.deliver:
        trial.deliver()
        trial.release(messages)
    trial.stop()
    return instructions(trial.directory)


def count_instructions(world: World) -> dict[str, float]:
    """Per message; a delivery's without its intake."""
    runs = [(limit, size) for limit in LIMITS for size in (limit.few, limit.many)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        totals = list(pool.map(lambda run: count_run(world, *run), runs))
    cost: dict[str, float] = {}
    for limit, few, many in zip(LIMITS, totals[::2], totals[1::2], strict=True):
        cost[limit.name] = (many - few) / (limit.many - limit.few)
        if limit.deliver:
            cost[limit.name] -= cost["intake"]
    return cost


def count_round(trial: Trial, limit: Limit) -> Calls:
    if limit.deliver:
        trial.take_in(limit.many)
        trial.deliver()
    with Calls(trial.roles(), trial.directory) as calls:
        if limit.deliver:
            trial.release(limit.many)
        else:
            trial.take_in(limit.many)
    return calls


def count_calls(world: World) -> dict[str, Calls]:
    counted: dict[str, Calls] = {}
    for i, limit in enumerate(LIMITS):
        trial = Trial(world, f"calls-{i}", 6000 + i, limit.smtp, [])
        trial.wait()
        counted[limit.name] = count_round(trial, limit)
        trial.stop()
    return counted


def main() -> int:
    netns.enter()
    procs.exit_on_signals()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="sealpost-guard-") as directory:
        world = make_world(Path(directory))
        try:
            cost = count_instructions(world)
            calls = count_calls(world)
        finally:
            world.stop()
    print(f"{'for each message':30} {'instructions':>12} {'limit':>10} {'calls':>7} {'limit':>6}")
    for limit in LIMITS:
        instructions_each = cost[limit.name]
        calls_each = calls[limit.name].total / limit.many
        good = instructions_each <= limit.instructions and calls_each <= limit.calls
        failed += not good
        print(
            f"{limit.name:30} {instructions_each:12,.0f} {limit.instructions:10,}"
            f" {calls_each:7.1f} {limit.calls:6}{'' if good else '  too much'}"
        )
        if not good or "--show" in sys.argv:
            rows = sorted(calls[limit.name].names.items(), key=lambda row: -row[1])
            print("   ", ", ".join(f"{name} {n / limit.many:.1f}" for name, n in rows[:14]))
    print(f"{len(LIMITS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
