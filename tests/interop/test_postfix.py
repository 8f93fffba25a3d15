# SPDX-License-Identifier: Apache-2.0
"""From swaks and smtp-source through sealpostd to a real Postfix, by DANE."""

import subprocess

from lab.procs import wait_until
from tests.support import postfix

SENDER = "alice@sender.test"


def check_arrival(interop, recipient: str) -> None:
    """It is in the inbox, and Postfix says that it came by TLS."""
    delivered = f"Delivered-To: {recipient}"
    wait_until(lambda: delivered in interop.postfix.inbox_text(), "the inbox")
    received = interop.postfix.inbox_text().partition(delivered)[2]
    assert "(using TLSv1." in received.partition("\n\n")[0]


def check_trace(interop, recipient: str) -> None:
    """Everything about the delivery is in its trace."""
    trace = interop.lab.server.wait_trace(
        recipient, lambda trace: trace["status"] != "pending"
    )
    assert (trace["status"], trace["security"]) == ("delivered", "dane")
    detail = next(e for e in trace["events"] if e["event"] == "send")["detail"]
    host = interop.lab.world.domains[0].host
    (planned,) = detail["plan"]["hosts"]
    address = {"address": host.addresses[0], "dnssec": "secure"}
    assert detail["plan"]["mx"]["dnssec"] == "secure"
    assert planned["addresses"] == [address]
    assert planned["tlsa"]["dnssec"] == "secure"
    (attempt,) = detail["tries"]
    tls = attempt["tls"]
    assert attempt["authenticated"] and attempt["peer_name"] == "mx.postfix.test"
    assert tls["match"]["record"] == host.identity.tlsa("3 1 1")
    assert tls["protocol"] in ("TLSv1.2", "TLSv1.3") and tls["cipher"]
    assert all(ms is not None for ms in attempt["timings"].values())
    assert detail["timings"]["total_ms"] >= detail["timings"]["dns_ms"]


def test_swaks_to_postfix(interop):
    recipient = "swaks@postfix.test"
    argv = ["swaks", "--server", "127.0.0.1:587", "--from", SENDER, "--to", recipient]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    check_trace(interop, recipient)
    check_arrival(interop, recipient)


def test_smtp_source_to_postfix(interop):
    recipient = "source@postfix.test"
    argv = [postfix.program("smtp-source"), "-f", SENDER, "-t", recipient,
            "-m", "1", "127.0.0.1:587"]  # fmt: skip
    environment = postfix.environment(interop.postfix.config)
    done = subprocess.run(argv, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    check_trace(interop, recipient)
    check_arrival(interop, recipient)
