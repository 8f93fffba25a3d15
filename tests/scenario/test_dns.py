# SPDX-License-Identifier: Apache-2.0
"""What the DNS says about a destination, and what follows from it: A1-A14."""

import pytest

from lab import front, zone
from lab.world import Domain, Host

scenario = pytest.mark.scenario
TLSA_OF_MX = ("_25._tcp.mx", "TLSA")


def only_host(policy: dict) -> dict:
    assert len(policy["hosts"]) == 1, policy
    return policy["hosts"][0]


@scenario(Domain("a1.test", [Host(tlsa=["3 1 1"])]))
def test_a1_matching_tlsa(mail):
    session = mail.delivered("dane")
    assert session.sni == "mx.a1.test"
    assert session.tls in ("TLSv1.2", "TLSv1.3")
    policy = mail.policy()
    assert policy["verdict"] == "deliver" and policy["mx"]["dnssec"] == "secure"
    host = only_host(policy)
    assert (host["rule"], host["why"]) == ("dane", "tlsa")
    assert host["addresses"][0]["dnssec"] == "secure"
    assert host["tlsa"]["owner"] == "_25._tcp.mx.a1.test"
    assert [record["usable"] for record in host["tlsa"]["records"]] == [True]


@scenario(Domain("a2.test", [Host()], signed=False))
def test_a2_unsigned_domain(mail):
    session = mail.delivered("tls")
    assert session.sni == "mx.a2.test"
    host = only_host(mail.policy())
    assert (host["rule"], host["tlsa"]["answer"]) == ("opportunistic", "not-asked")
    assert mail.questions("TLSA") == 0


@scenario(
    Domain("a3.test", [Host("mx.a3-hosts.test.")]),
    Domain(
        "a3-hosts.test",
        signed=False,
        records=["_25._tcp.mx TLSA 3 1 1 00"],
        faults={TLSA_OF_MX: front.NOTIMP},
    ),
)
def test_a3_host_in_unsigned_zone(mail, lab):
    mail.delivered("tls")
    policy = mail.policy()
    assert policy["mx"]["dnssec"] == "secure"
    assert only_host(policy)["tlsa"]["answer"] == "not-asked"
    assert lab.world.fronts.questions("TLSA", "a3-hosts.test") == []


@scenario(Domain("a4.test", [Host()], records=["_25._tcp.mx TXT exists"]))
def test_a4_tlsa_nodata(mail):
    mail.delivered("tls")
    host = only_host(mail.policy())
    found = host["rule"], host["tlsa"]["dnssec"], host["tlsa"]["answer"]
    assert found == ("opportunistic", "secure", "nodata")


@scenario(Domain("a5.test", [Host()], signing={"denial": "nsec3"}))
def test_a5_tlsa_nxdomain(mail):
    mail.delivered("tls")
    host = only_host(mail.policy())
    found = host["rule"], host["tlsa"]["dnssec"], host["tlsa"]["answer"]
    assert found == ("opportunistic", "secure", "nxdomain")


@scenario(Domain("a6.test", [Host()], signing={"denial": "optout"}))
def test_a6_tlsa_denied_by_optout(mail):
    mail.delivered("tls")
    host = only_host(mail.policy())
    assert (host["rule"], host["tlsa"]["dnssec"]) == ("opportunistic", "insecure")


@scenario(
    Domain("a7.test", [Host(tlsa=["3 1 1"])], faults={TLSA_OF_MX: front.SERVFAIL})
)
def test_a7_tlsa_servfail(mail):
    mail.blocked("7.324", "tlsa-servfail")
    policy = mail.policy()
    assert (policy["verdict"], policy["code"]) == ("defer", "4.7.324")
    assert only_host(policy)["rule"] == "skip"


@scenario(Domain("a8.test", [Host(tlsa=["3 1 1"])], faults={TLSA_OF_MX: front.DROP}))
def test_a8_tlsa_timeout(mail):
    mail.blocked("7.324", "tlsa-timeout")


@scenario(Domain("a9.test", [Host(tlsa=["3 1 1"])], faults={TLSA_OF_MX: front.EMPTY}))
def test_a9_tlsa_empty_without_proof(mail):
    mail.blocked("7.324", "denial-unproven")
    assert only_host(mail.policy())["tlsa"]["dnssec"] == "bogus"


@scenario(
    Domain(
        "a10.test",
        [Host(tlsa=["3 1 1"])],
        signing={"windows": {("@", "MX"): zone.EXPIRED}},
    )
)
def test_a10_mx_signature_expired(mail):
    mail.blocked("7.324", "rrsig-expired")
    policy = mail.policy()
    assert (policy["mx"]["dnssec"], policy["scenario"]) == ("bogus", "rrsig-expired")


@scenario(Domain("a11.test", [Host(tlsa=["3 1 1"])], signing={"ds": "wrong"}))
def test_a11_ds_without_dnskey(mail):
    mail.blocked("7.324", "ds-without-dnskey")


@scenario(
    Domain(
        "a12.test",
        [Host(tlsa=["3 1 1"])],
        signing={"windows": {("@", "MX"): zone.FUTURE}},
    )
)
def test_a12_mx_signature_not_yet_valid(mail):
    mail.blocked("7.324", "rrsig-not-yet-valid")


@scenario(
    Domain("a13.test", [Host(tlsa=["3 1 1"])], signing={"broken": {("mx", "A")}})
)
def test_a13_only_address_bogus(mail):
    mail.blocked("7.324", "rrsig-invalid")


@scenario(
    Domain(
        "a14.test",
        [Host("mx1", 10, ["3 1 1"]), Host("mx2", 20, ["3 1 1"])],
        signing={"broken": {("mx1", "A")}},
    )
)
def test_a14_first_address_bogus_second_good(mail):
    mail.delivered("dane", mail.domain.hosts[1])
    assert mail.domain.hosts[0].receiver.sessions == []
