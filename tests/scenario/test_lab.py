# SPDX-License-Identifier: Apache-2.0
"""The lab itself: if this fails, nothing that follows can be trusted."""

import smtplib
import ssl

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from lab import front, zone
from lab.behaviour import ALERT, STRIPPED, Behaviour, replying
from lab.world import LEAF_SERVER, ROOT_SERVER, TLD_SERVER, Domain, Host, World

pytestmark = pytest.mark.first
IN = dns.rdataclass.IN
FAULTS = {
    ("servfail", "TXT"): front.SERVFAIL,
    ("notimp", "TXT"): front.NOTIMP,
    ("drop", "TXT"): front.DROP,
    ("empty", "TXT"): front.EMPTY,
    ("truncated", "TXT"): front.TRUNCATED,
}
HOSTS = [
    Host("honest", tlsa=["3 1 1"]),
    Host("stripped", behaviour=STRIPPED),
    Host("later", behaviour=replying("RCPT", "450 4.7.1 later")),
    Host("alert", behaviour=Behaviour(handshake=ALERT)),
    Host("split", behaviour=Behaviour(split=True)),
]
EXPIRED_MX = {"windows": {("@", "MX"): zone.EXPIRED}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    domains = [
        Domain("lab.test", HOSTS, faults=FAULTS),
        Domain("nsec3.test", [Host()], signing={"denial": "nsec3"}),
        Domain("expired.test", [Host()], signing=EXPIRED_MX),
        Domain("unsigned.test", [Host()], signed=False),
    ]
    with World(tmp_path_factory.mktemp("lab"), domains) as world:
        yield world


def ask(name: str, rdtype: str, server: str = LEAF_SERVER, by=dns.query.udp):
    query = dns.message.make_query(name, rdtype, want_dnssec=True)
    return by(query, server, timeout=2)


def validate(answer, name: str, rdtype: str, domain: Domain, world) -> None:
    owner, covered = dns.name.from_text(name), dns.rdatatype.from_text(rdtype)
    rrset = answer.find_rrset(answer.answer, owner, IN, covered)
    rrsig = dns.rdatatype.RRSIG
    signature = answer.find_rrset(answer.answer, owner, IN, rrsig, covered)
    apex = world.zone_of(domain.name)
    key = dns.rrset.from_rdata(apex.origin, 300, apex.dnskey)
    dns.dnssec.validate(rrset, signature, {apex.origin: key})


def test_referrals_and_signatures(world):
    for server in (ROOT_SERVER, TLD_SERVER):
        answer = ask("mx.lab.test", "A", server)
        assert not answer.answer and not answer.flags & dns.flags.AA
        types = {rrset.rdtype for rrset in answer.authority}
        assert {dns.rdatatype.NS, dns.rdatatype.DS} <= types
    unsigned = ask("unsigned.test", "A", TLD_SERVER)
    assert dns.rdatatype.DS not in {rrset.rdtype for rrset in unsigned.authority}
    lab = world.domains[0]
    validate(ask("lab.test", "MX"), "lab.test", "MX", lab, world)
    name = "_25._tcp.honest.lab.test"
    validate(ask(name, "TLSA"), name, "TLSA", lab, world)
    with pytest.raises(dns.dnssec.ValidationFailure):
        answer = ask("expired.test", "MX")
        validate(answer, "expired.test", "MX", world.domains[2], world)


def test_denial(world):
    plain = ask("absent.lab.test", "A")
    assert plain.rcode() == dns.rcode.NXDOMAIN
    assert dns.rdatatype.NSEC in {rrset.rdtype for rrset in plain.authority}
    hashed = ask("absent.nsec3.test", "A")
    assert dns.rdatatype.NSEC3 in {rrset.rdtype for rrset in hashed.authority}


def test_faults(world):
    assert ask("servfail.lab.test", "TXT").rcode() == dns.rcode.SERVFAIL
    assert ask("notimp.lab.test", "TXT").rcode() == dns.rcode.NOTIMP
    empty = ask("empty.lab.test", "TXT")
    assert empty.rcode() == dns.rcode.NOERROR and not empty.authority
    assert ask("truncated.lab.test", "TXT").flags & dns.flags.TC
    with pytest.raises(EOFError):
        ask("truncated.lab.test", "TXT", by=dns.query.tcp)
    with pytest.raises(dns.exception.Timeout):
        ask("drop.lab.test", "TXT")
    assert len(world.fronts.questions("TXT", "drop.lab.test")) == 1


def client(host: Host) -> smtplib.SMTP:
    client = smtplib.SMTP(host.addresses[0], timeout=5)
    client._host = host.receiver.name  # what starttls() takes for SNI
    return client


def test_receivers(world):
    honest, stripped, later, alert, split = HOSTS
    context = ssl._create_unverified_context()
    for host in (honest, split):
        with client(host) as smtp:
            smtp.starttls(context=context)
            smtp.sendmail("a@sender.test", "b@lab.test", b"Subject: x\r\n\r\n.x\r\n")
        ((session, mail),) = host.receiver.mails("b@lab.test")
        assert session.sni == host.receiver.name and mail.encrypted
        assert mail.data == b"Subject: x\r\n\r\n.x\r\n"
        assert not host.receiver.mail_in_clear()
    with client(stripped) as smtp:
        assert not smtp.has_extn("starttls")
        smtp.sendmail("a@sender.test", "b@lab.test", b"Subject: x\r\n\r\nx\r\n")
    assert stripped.receiver.mail_in_clear()
    with client(later) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused):
        smtp.sendmail("a@sender.test", "b@lab.test", b"Subject: x\r\n\r\nx\r\n")
    smtp = client(alert)
    with pytest.raises(ssl.SSLError, match="(?i)handshake.failure"):
        smtp.starttls(context=context)
    smtp.close()
