# SPDX-License-Identifier: Apache-2.0
"""The tools beside the analyzer's tests: the retry simulation, `tlsa lint`,
TLS reporting, side information, a certificate that is to come."""

import pytest

from lab.world import Domain, Host
from tests.support.analysis import analysis

scenario = pytest.mark.scenario
SETTINGS = {
    "retry": '"1s", "1s", "2s"',
    "expire": "8s",
    "smtp": 'command_timeout = "2s"  domain_pause = "0s"',
}


@pytest.fixture
def server(mail):
    return mail._lab.server


# --- what a sender would do


@scenario(Domain("held.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_retry(server, mail):
    found = analysis(server, "check", "--all", "held.test")
    assert (found.status, found.scenario) == (2, "tlsa-mismatch")
    assert found.words("retry.attempt") == ("fail", "tlsa-mismatch")
    schedule = found.step("retry.schedule")
    assert schedule["title"] == "5 attempts within 8s, then the message fails"
    attempts = schedule["evidence"]["attempts"].splitlines()
    assert attempts[0].startswith("1. at once, 20")
    assert attempts[4].startswith("5. after 6s, 20")
    evidence = found.step("retry.report")["evidence"]
    assert evidence["subject"] == "Your message could not be delivered"
    for part in (
        "550 5.7.323 tlsa-invalid: ",
        "attempts: 5, the last ",
        "The administrator of held.test.",
        "    postmaster@held.test\n",
        f"Server mx.held.test [{mail.domain.host.addresses[0]}], rule dane",
    ):
        assert part in evidence["text"]


@scenario(Domain("nobody.test", [], exists=False))
def test_retry_of_what_fails_at_once(server):
    found = analysis(server, "check", "--all", "nobody.test")
    assert found.scenario == "no-such-domain"
    assert found.steps("retry.schedule") == []
    assert "attempts: 1, the last " in found.step("retry.report")["evidence"]["text"]


@scenario(Domain("taken.test", [Host(tlsa=["3 1 1"])]))
def test_retry_of_what_is_delivered(server):
    found = analysis(server, "check", "--all", "taken.test")
    assert found.step("retry.attempt")["evidence"]["security"] == "dane"
    assert found.steps("retry.report") == []
    assert analysis(server, "check", "taken.test").steps("retry") == []
