# SPDX-License-Identifier: Apache-2.0
"""One message to each destination of a small Internet, and what became of it.

    python3 -m lab.demo

Ends with 0 only if every message fared as it had to.
"""

import sys
import tempfile
import time
from pathlib import Path

from lab import netns, procs
from lab.destinations import Expected, destinations
from lab.dialogue import Session
from lab.server import Server, tried
from lab.world import Domain, World

SENDER = "alice@sender.test"
TITLES = ("destination", "what is special", "verdict", "code", "scenario", "TLSA asked",
          "what the receiver saw")  # fmt: skip


def recipient(domain: Domain) -> str:
    return f"bob@{domain.name}"


def sessions_of(domain: Domain) -> list[Session]:
    return [s for host in domain.hosts for r in host.receivers for s in r.sessions]


def seen(sessions: list[Session]) -> tuple[str, str]:
    """What receivers saw: in a word, and for people."""
    if not sessions:
        return "nothing", "nothing"
    for session in sessions:
        if session.mails and session.tls:
            return "tls", f"{session.tls}, SNI {session.sni}"
        if session.mails:
            return "clear", "clear text"
    last = sessions[-1]
    if last.tls or last.handshake_error:
        return "refused", f"TLS, SNI {last.sni}, no message"
    return "refused", "EHLO in clear, no message"


def questions(world: World, domain: Domain) -> str:
    return "yes" if world.fronts.questions("TLSA", domain.name) else "no"


def verdict(trace: dict) -> str:
    words = {"dane": "DANE verified", "tls": "TLS unverified", "clear": "clear text"}
    if trace["status"] == "delivered":
        return f"delivered, {words.get(trace['security'], trace['security'])}"
    return "deferred" if trace["status"] == "pending" else trace["status"]


def differences(trace: dict, saw: str, expected: Expected) -> list[str]:
    """What is not as it has to be, in words."""
    wrong = []
    for key in ("status", "security", "code", "scenario"):
        if expected.status == "delivered" and key in ("code", "scenario"):
            continue
        if trace[key] != getattr(expected, key):
            wrong.append(f"{key} is {trace[key]}, not {getattr(expected, key)}")
    if saw != expected.seen:
        wrong.append(f"the receiver saw {saw}, not {expected.seen}")
    return wrong


def print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [TITLES, *rows]) for i in range(len(TITLES))]
    ruler = tuple("-" * width for width in widths)
    for row in [TITLES, ruler, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def deliver_all(world: World, server: Server, plan) -> list[str]:
    """Sends, waits, prints the table; what is not as expected."""
    for domain, _ in plan:
        server.send(SENDER, recipient(domain))
    rows, wrong = [], []
    for domain, expected in plan:
        trace = server.wait_trace(recipient(domain), tried)
        word, text = seen(sessions_of(domain))
        cause = (trace["code"] or "", trace["scenario"] or "")
        asked = questions(world, domain)
        rows.append((domain.name, domain.about, verdict(trace), *cause, asked, text))
        wrong += [f"{domain.name}: {d}" for d in differences(trace, word, expected)]
    print_table(rows)
    return wrong


def run(directory: Path) -> list[str]:
    plan = destinations()
    began = time.monotonic()
    with World(directory, [domain for domain, _ in plan]) as world:
        print("The world is up: a signed root, a signed test., Knot DNS, and "
              f"{sum(len(d.hosts) for d in world.domains)} mail receivers.")  # fmt: skip
        server = Server(world, retry='"10m"')
        server.start()
        print("sealpostd is up: a message goes to each destination.\n")
        wrong = deliver_all(world, server, plan)
        status = server.stop()
        if status != 0:
            wrong.append(f"sealpostd ended with status {status}")
    print(f"\n{time.monotonic() - began:.1f} seconds.", end=" ")
    return wrong


def main() -> int:
    netns.enter()
    procs.exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="sealpost-demo-") as directory:
        wrong = run(Path(directory))
    if wrong:
        print("Not as expected:\n  " + "\n  ".join(wrong))
        return 1
    print("All as expected, and all that was started is gone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
