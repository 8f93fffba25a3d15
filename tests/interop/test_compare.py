# SPDX-License-Identifier: Apache-2.0
"""The same destinations for us and for Postfix with smtp_tls_security_level =
dane behind Unbound: whatever differs has its reason in compare.py."""

import smtplib

import pytest

from lab.procs import wait_until
from lab.server import message
from tests.interop.destinations import destinations

SENDER = "alice@sender.test"
NAMES = [row[0].name for row in destinations()]


def ours(name: str) -> str:
    return f"bob@{name}"


def theirs(name: str) -> str:
    return f"carol@{name}"


def over(trace: dict) -> bool:
    return trace["status"] != "pending" or trace["attempts"] > 1


@pytest.fixture(scope="module")
def sent(interop):
    """A message to each destination from both."""
    with smtplib.SMTP(interop.postfix.address, 25, timeout=60) as client:
        for name in NAMES:
            interop.lab.server.submit(SENDER, ours(name))
            to = theirs(name)
            client.sendmail(SENDER, [to], message(SENDER, to))
    return interop


def postfix_over(interop, name: str) -> bool:
    attempts = interop.postfix.attempts(theirs(name))
    return len(attempts) > 1 or any(a.status != "deferred" for a in attempts)


@pytest.mark.parametrize("name", NAMES)
def test_same_or_explained(sent, name):
    domain = sent.domain(name)
    trace = sent.lab.server.wait_trace(ours(name), over)
    wait_until(lambda: postfix_over(sent, name), f"Postfix and {name}", 40)
    attempts = sent.postfix.attempts(theirs(name))
    wrong = sent.comparison.add_fates(domain, trace, attempts)
    assert not wrong, wrong


def test_no_stale_reasons(sent):
    if len(sent.comparison.rows) < len(NAMES):
        pytest.fail("the table is not complete: run all of it")
    assert sent.comparison.stale() == []
