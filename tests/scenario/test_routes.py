# SPDX-License-Identifier: Apache-2.0
"""Routes: next hops with and without MX, their ports, what they demand of DANE,
their own retry, and a smart host for all others."""

import pytest

from lab import zone
from lab.behaviour import NO_STARTTLS, replying
from lab.world import Domain, Host

scenario = pytest.mark.scenario
ROUTES = """
route "by-mx.test" { next_hop = "hub.test" }
route "by-mx-port.test" { next_hop = "port-hub.test:2525" }
route "by-host.test" { next_hop = "[mx.fixed-hub.test]" }
route "by-host-port.test" { next_hop = "[mx.fixed-port.test]:2526"  dane = "mandatory" }
route "by-host-wrong.test" { next_hop = "[mx.wrong-hub.test]:2527" }
route "by-address.test" { next_hop = "[127.25.200.1]:2528" }
route "by-address-strict.test" { next_hop = "[127.25.200.1]:2528"  dane = "mandatory" }
route "strict.test" { dane = "mandatory" }
route "strict-none.test" { dane = "mandatory" }
route "off.test" { dane = "off" }
route "off-bogus.test" { dane = "off" }
route "slow.test" { retry = {"1s"} }
route "*" { next_hop = "[mx.smart.test]:2529" }
"""
SETTINGS = {"retry": '"100ms"', "expire": "4s", "extra": ROUTES}
EXPIRED_MX = {"windows": {("@", "MX"): zone.EXPIRED}}


def hub(name: str, port: int = 25, tlsa: str = "3 1 1", mx: bool = True) -> Domain:
    """A domain of ours that takes mail for another one."""
    return Domain(name, [Host(tlsa=[tlsa], port=port, mx=mx)])


HUB = hub("hub.test")
PORT_HUB = hub("port-hub.test", 2525)
FIXED_HUB = hub("fixed-hub.test", mx=False)
FIXED_PORT = hub("fixed-port.test", 2526, mx=False)
WRONG_HUB = hub("wrong-hub.test", 2527, "3 1 1 wrong", mx=False)
ADDRESS_HUB = Domain(
    "address-hub.test", [Host(port=2528, mx=False, addresses=["127.25.200.1"])]
)
SMART = hub("smart.test", 2529, mx=False)


def nowhere(name: str) -> Domain:
    """Its own MX would be a mistake: a host that refuses every message."""
    return Domain(name, [Host(behaviour=replying("MAIL", "550 5.7.1 not here"))])


@scenario(nowhere("by-mx.test"), HUB)
def test_next_hop_with_mx(mail):
    mail.delivered("dane", HUB.host)


@scenario(nowhere("by-mx-port.test"), PORT_HUB)
def test_next_hop_with_mx_and_port(mail):
    """The port is dialled and stands in the owner of the TLSA records."""
    mail.delivered("dane", PORT_HUB.host)


@scenario(nowhere("by-host.test"), FIXED_HUB)
def test_next_hop_without_mx(mail):
    """Fixed by configuration it is as good as a secure MX."""
    mail.delivered("dane", FIXED_HUB.host)
    assert mail.questions("MX") == 0


@scenario(nowhere("by-host-port.test"), FIXED_PORT)
def test_next_hop_without_mx_satisfies_mandatory(mail):
    mail.delivered("dane", FIXED_PORT.host)


@scenario(nowhere("by-host-wrong.test"), WRONG_HUB)
def test_next_hop_that_fails_is_not_evaded(mail, lab):
    trace = mail.blocked("7.323", "tlsa-mismatch")
    assert not WRONG_HUB.host.receiver.mails()
    detail = lab.server.run("trace", "--detail", trace["id"]).stdout.decode()
    address = WRONG_HUB.host.addresses[0]
    assert f"[LastAttemptedIP={address}:2527]" in detail


@scenario(nowhere("by-address.test"), ADDRESS_HUB)
def test_next_hop_by_address(mail):
    mail.delivered("tls", ADDRESS_HUB.host)


@scenario(nowhere("by-address-strict.test"))
def test_address_is_never_enough_for_mandatory(mail):
    mail.blocked("7.324", "dane-required")


@scenario(Domain("strict.test", [Host(tlsa=["3 1 1"])]))
def test_mandatory_met(mail):
    mail.delivered("dane")


@scenario(Domain("strict-none.test", [Host()]))
def test_mandatory_unmet(mail):
    mail.blocked("7.324", "dane-required")


@scenario(Domain("off.test", [Host(tlsa=["3 1 1 wrong"], behaviour=NO_STARTTLS)]))
def test_off_asks_no_tlsa(mail):
    mail.delivered("clear")
    assert mail.questions("TLSA") == 0


@scenario(Domain("off-bogus.test", [Host()], signing=EXPIRED_MX))
def test_off_does_not_trust_bogus_mx(mail):
    mail.blocked("7.324", "rrsig-expired")


@scenario(Domain("slow.test", [Host(behaviour=replying("MAIL", "451 4.3.0 later"))]))
def test_own_retry(mail):
    """Every second instead of ten times a second, until it expires."""
    trace = mail.end()
    assert trace["status"] == "failed"
    assert 2 <= trace["attempts"] <= 5


@scenario(nowhere("anybody.test"), SMART)
def test_smart_host_for_all_others(mail):
    mail.delivered("dane", SMART.host)
    assert mail.questions("MX") == 0
