# SPDX-License-Identifier: Apache-2.0
"""Postfix and Exim as receivers, under records that match and that do not."""

import subprocess

import pytest

from lab.procs import wait_until
from lab.server import tried
from tests.support import debian, postfix

SENDER = "alice@sender.test"
DAEMONS = ["postfix", "exim"]


def check_delivered(interop, daemon: str, domain: str, user: str, record: str) -> None:
    """The trace has all of it, and so has the receiver's own header."""
    recipient = f"{user}@{domain}"
    trace = interop.lab.server.wait_trace(
        recipient, lambda trace: trace["status"] != "pending"
    )
    assert (trace["status"], trace["security"]) == ("delivered", "dane")
    detail = next(e for e in trace["events"] if e["event"] == "send")["detail"]
    host = interop.domain(domain).host
    (planned,) = detail["plan"]["hosts"]
    address = {"address": host.addresses[0], "dnssec": "secure"}
    assert detail["plan"]["mx"]["dnssec"] == "secure"
    assert planned["addresses"] == [address]
    assert planned["tlsa"]["dnssec"] == "secure"
    (attempt,) = detail["tries"]
    tls = attempt["tls"]
    greeted = f"mx.{daemon}.test"
    assert attempt["authenticated"] and attempt["peer_name"] == greeted
    assert tls["match"]["record"] == host.identity.tlsa(record)
    assert tls["protocol"] in ("TLSv1.2", "TLSv1.3") and tls["cipher"]
    assert all(ms is not None for ms in attempt["timings"].values())
    assert detail["timings"]["total_ms"] >= detail["timings"]["dns_ms"]
    receiver = interop.daemon(daemon)
    wait_until(lambda: receiver.arrived(recipient), "the inbox")
    assert receiver.came_by_tls(recipient)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_matching_record(interop, daemon):
    interop.lab.server.submit(SENDER, f"good@{daemon}.test")
    check_delivered(interop, daemon, f"{daemon}.test", "good", "3 1 1")


@pytest.mark.parametrize("daemon", DAEMONS)
def test_chain(interop, daemon):
    interop.lab.server.submit(SENDER, f"chain@{daemon}-chain.test")
    check_delivered(interop, daemon, f"{daemon}-chain.test", "chain", "2 1 1")


@pytest.mark.parametrize("daemon", DAEMONS)
def test_wrong_record(interop, daemon):
    recipient = f"wrong@{daemon}-wrong.test"
    interop.lab.server.submit(SENDER, recipient)
    trace = interop.lab.server.wait_trace(recipient, tried)
    found = trace["status"], trace["code"], trace["scenario"]
    assert found == ("pending", "4.7.323", "tlsa-mismatch")
    receiver = interop.daemon(daemon)
    assert recipient not in receiver.log_text()
    assert not receiver.arrived(recipient)


def test_swaks(interop):
    recipient = "swaks@postfix.test"
    argv = ["swaks", "--server", "127.0.0.1:587", "--from", SENDER, "--to", recipient]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    check_delivered(interop, "postfix", "postfix.test", "swaks", "3 1 1")


def test_smtp_source(interop):
    recipient = "source@postfix.test"
    argv = [debian.program("usr/sbin/smtp-source"), "-f", SENDER, "-t", recipient,
            "-m", "1", "127.0.0.1:587"]  # fmt: skip
    environment = postfix.environment(interop.postfix.config)
    done = subprocess.run(argv, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    check_delivered(interop, "postfix", "postfix.test", "source", "3 1 1")
