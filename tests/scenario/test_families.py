# SPDX-License-Identifier: Apache-2.0
"""Hosts with several addresses, of both families: A35, A50."""

import dns.rdata
import dns.rdatatype
import pytest

from lab import zone
from lab.world import Domain, Host
from tests.support.delivery import SENDER, Delivery, recipient
from tests.support.forge import Forge

FORGE = Forge()
GOOD, WRONG = ["3 1 1"], ["3 1 1 wrong"]
TIMES = {"retry": '"1s"', "expire": "3s"}


def _address(text: str) -> dns.rdata.Rdata:
    rdtype = dns.rdatatype.AAAA if ":" in text else dns.rdatatype.A
    return dns.rdata.from_text(zone.IN, rdtype, text)


def _domain(name: str, tlsa: list[str], four: str, six: str, insecure: str) -> Domain:
    """One MX host, insecure in one family; at its IPv6 address it shows
    another certificate."""
    address = four if insecure == "A" else six
    fault = FORGE.insecure(name, f"mx.{name}.", _address(address))
    hosts = [
        Host(tlsa=tlsa, addresses=[four]),
        Host(mx=False, addresses=[six]),
    ]
    return Domain(name, hosts, faults={("mx", insecure): fault})


OLD = Domain(
    "a35.test",
    [
        Host(tlsa=GOOD, addresses=["127.25.35.1", "127.25.35.2"]),
        Host(mx=False, addresses=["fd00::25:35"]),
    ],
)
AAAA_INSECURE = _domain("a50c.test", GOOD, "127.25.50.1", "fd00::25:50:1", "AAAA")
A_INSECURE = _domain("a50d.test", WRONG, "127.25.50.2", "fd00::25:50:2", "A")
DOMAINS = [OLD, AAAA_INSECURE, A_INSECURE]


@pytest.fixture
def lab(stage):
    fresh = not stage.is_up("families")
    lab = stage.lab("families", lambda: DOMAINS, **TIMES)
    if fresh:
        FORGE.worlds[:] = [lab.world]
        for domain in DOMAINS:
            lab.server.submit(SENDER, recipient(domain))
    return lab


def tries(trace: dict) -> list[tuple]:
    """The tries of the first attempt: where, and what came of it."""
    event = next(e for e in trace["events"] if e["attempt"] == 1)
    return [(t["address"], t["code"]) for t in event["detail"]["tries"]]


def states(mail: Delivery) -> dict:
    """The addresses of the only MX host, with their states."""
    (host,) = mail.policy()["hosts"]
    return {a["address"]: a["dnssec"] for a in host["addresses"]}


def test_a35_one_of_several_addresses_serves_the_old_certificate(lab):
    mail = Delivery(lab, OLD)
    assert mail.delivered("dane").sni == "mx.a35.test"
    old, good = tries(mail.end())
    assert old == ("fd00::25:35", "4.7.323")
    assert good[0] in OLD.host.addresses


def test_a50_tlsa_binds_the_insecure_aaaa(lab):
    mail = Delivery(lab, AAAA_INSECURE)
    mail.delivered("dane")
    assert [code for _, code in tries(mail.end())][0] == "4.7.323"
    assert states(mail) == {"127.25.50.1": "secure", "fd00::25:50:1": "insecure"}


def test_a50_tlsa_binds_the_insecure_a(lab):
    mail = Delivery(lab, A_INSECURE)
    trace = mail.blocked("7.323", "tlsa-mismatch")
    assert {address for address, _ in tries(trace)} == {"127.25.50.2", "fd00::25:50:2"}
    assert states(mail) == {"127.25.50.2": "insecure", "fd00::25:50:2": "secure"}
