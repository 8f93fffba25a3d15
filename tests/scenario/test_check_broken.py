# SPDX-License-Identifier: Apache-2.0
"""Ten set-ups that are broken on purpose: the first screen names each exactly."""

from dataclasses import dataclass, field
from typing import Callable

import dns.flags
import dns.message
import dns.rcode
import pytest

from lab import zone
from lab.cert import Certificate
from lab.front import Fault
from lab.policy_host import Sts, policy
from lab.world import Domain, Host
from tests.support.stage import Lab

SCREEN = 24  # lines of a terminal
PASS, WARN, FAIL = 0, 1, 2
GOOD = ["3 1 1"]
STALE = f"3 1 1 ={'5a' * 32}"
OF_LAB = Certificate(issuer="lab")


@dataclass
class Broken:
    """`first`: how the first line ends. `says`: what the screen has, too; a
    function where it is known once the world stands."""

    what: str
    domain: Domain
    status: int
    first: str
    says: list[str | Callable[[Domain], str]] = field(default_factory=list)
    options: tuple[str, ...] = ()


def _no_such_name(query: dns.message.Message, transport: str) -> bytes:
    """What some servers say of a name that has only other names below it."""
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()


def address(host: int) -> Callable[[Domain], str]:
    return lambda domain: domain.hosts[host].addresses[0]


def record(words: str) -> Callable[[Domain], str]:
    """The line of the zone that has to be added."""

    def line(domain: Domain) -> str:
        owner = f"_25._tcp.mx.{domain.name}."
        return f"{owner} IN TLSA {domain.host.identity.tlsa(words)}"

    return line


CASES = [
    Broken(
        "an expired certificate at one of two addresses",
        Domain("one-of-two.test", [
            Host(tlsa=["2 1 1"], certificate=OF_LAB),
            Host(mx=False, certificate=Certificate(issuer="lab", starts=-30, ends=-1)),
        ]),
        WARN, "WARN 4.7.322 cert-expired",
        ["has expired", address(1), "mx.one-of-two.test"],
    ),
    Broken(
        "TLSA for the RSA key only",
        Domain("rsa-only.test", [
            Host(tlsa=["3 1 1 second"], certificate=Certificate(second="rsa")),
        ]),
        WARN, "WARN tlsa-key-missing", [record("3 1 1")],
    ),
    Broken(
        "_25.tcp for _25._tcp",
        Domain("owner.test", [Host(tlsa=GOOD, tlsa_owner="_25.tcp.mx")]),
        WARN, "WARN tlsa-owner-wrong",
        ["_25.tcp.mx.owner.test", "_25._tcp.mx.owner.test"],
    ),
    Broken(
        "TLSA in an unsigned zone",
        Domain("unsigned.test", [Host(tlsa=GOOD)], signed=False),
        WARN, "WARN tlsa-unsigned", ["_25._tcp.mx.unsigned.test", "DS record"],
    ),
    Broken(
        "NXDOMAIN at _tcp",
        Domain("tcp.test", [Host(tlsa=GOOD)],
               faults={("_tcp.mx", rdtype): Fault(_no_such_name)
                       for rdtype in ("A", "TLSA")}),
        WARN, "WARN tlsa-tcp-denied", ["_tcp.mx.tcp.test"],
    ),
    Broken(
        "the TLSA record of the certificate before",
        Domain("stale.test", [Host(tlsa=[STALE])]),
        FAIL, "FAIL 4.7.323 tlsa-mismatch",
        [address(0), "mx.stale.test", record("3 1 1")],
    ),
    Broken(
        "DS without its DNSKEY",
        Domain("ds.test", [Host(tlsa=GOOD)], signing={"ds": "wrong"}),
        FAIL, "FAIL 4.7.324 ds-without-dnskey", ["DS of ds.test at the parent"],
    ),
    Broken(
        "an expired signature",
        Domain("rrsig.test", [Host(tlsa=GOOD)],
               signing={"windows": {("@", "MX"): zone.EXPIRED}}),
        FAIL, "FAIL 4.7.324 rrsig-expired", ["RRSIG of rrsig.test MX"],
    ),
    Broken(
        "an MTA-STS policy without the MX",
        Domain("policy.test", [Host(certificate=OF_LAB)], signed=False,
               sts=Sts(policy("enforce", "old.policy.test"))),
        FAIL, "FAIL 4.4.8 sts-mx-not-listed", ["mx.policy.test"], ("--sts",),
    ),
    Broken(
        "an open relay",
        Domain("relay.test", [Host(tlsa=GOOD)]),
        FAIL, "FAIL open-relay", [address(0)], ("--smtp",),
    ),
]


@pytest.fixture
def lab(stage) -> Lab:
    return stage.lab("check-broken", lambda: [case.domain for case in CASES])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_named_on_the_first_screen(case, lab):
    name = case.domain.name
    done = lab.server.run("check", *case.options, name)
    screen = done.stdout.decode().splitlines()[:SCREEN]
    shown = "\n".join(screen)
    assert done.returncode == case.status, done.stderr.decode() + shown
    assert screen[0] == f"{name}: {case.first}", shown
    joined = " ".join(shown.split())
    for wanted in case.says:
        wanted = wanted if isinstance(wanted, str) else wanted(case.domain)
        assert wanted in joined, shown
    assert "Who must act" in shown and "What to do" in shown, shown
