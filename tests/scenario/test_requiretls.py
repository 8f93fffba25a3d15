# SPDX-License-Identifier: Apache-2.0
"""REQUIRETLS (RFC 8689): who is offered it, what a host needs for it, and what
becomes of a message that no host is good enough for."""

import smtplib
import ssl
import tempfile
from pathlib import Path

import pytest

from lab.behaviour import EXTENSIONS, NO_STARTTLS, Behaviour
from lab.cert import Certificate, Workshop
from lab.policy_host import TRUSTED, Sts, policy
from lab.server import message
from lab.world import Domain, Host
from tests.support.delivery import OVER, SENDER, brief

scenario = pytest.mark.scenario
OURS = Workshop(Path(tempfile.mkdtemp(prefix="sealpost-submission-"))).make(
    "mail.sender.test", Certificate()
)
SUBMISSION = ("127.0.0.1", 2587)
SETTINGS = {
    "extra": f"""
enforce = false
listen "tls" {{
  address = "{SUBMISSION[0]}:{SUBMISSION[1]}"
  certificate = "{OURS.chain_file}"
  key = "{OURS.key_file}"
}}
route "strict.test" {{ dane = "mandatory" }}
"""
}
OFFERS = Behaviour(extensions=(*EXTENSIONS, "REQUIRETLS"))
BY_MX = "mx.signed.test."


def client() -> smtplib.SMTP:
    """A client inside TLS."""
    session = smtplib.SMTP(*SUBMISSION, timeout=30)
    session.ehlo()
    assert not session.has_extn("requiretls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    session.starttls(context=context)
    session.ehlo()
    return session


def sent(lab, domain: Domain, header: bytes = b"", sender: str = SENDER) -> dict:
    """The trace of a message with REQUIRETLS, when it is over."""
    recipient = f"tls@{domain.name}"
    with client() as session:
        assert session.has_extn("requiretls")
        text = header + message(sender, recipient)
        session.sendmail(sender, [recipient], text, mail_options=["REQUIRETLS"])
    return lab.server.wait_trace(recipient, lambda t: t["status"] in OVER)


def passed_on(trace: dict, host: Host, security: str = "dane") -> None:
    """It arrived, protected, with the demand."""
    found = (trace["status"], trace["security"])
    assert found == ("delivered", security), brief(trace)
    (session, _), = host.receiver.mails(trace["recipient"])
    mails = [line for line, _ in session.commands if line.startswith("MAIL")]
    assert all(line.endswith(" REQUIRETLS") for line in mails), mails


def returned(trace: dict, domain: Domain) -> None:
    """At once, by the first attempt; and no host heard of the message."""
    found = (trace["status"], trace["code"], trace["scenario"], trace["attempts"])
    assert found == ("failed", "5.7.30", "requiretls-unmet", 1), brief(trace)
    for host in domain.hosts:
        assert not host.receiver.mails(trace["recipient"])


@scenario(Domain("plain.test", [Host(tlsa=["3 1 1"], behaviour=OFFERS)]))
def test_not_in_clear(mail, lab):
    with smtplib.SMTP(*SUBMISSION, timeout=30) as session:
        session.ehlo()
        assert not session.has_extn("requiretls")
        code, _ = session.mail(SENDER, ["REQUIRETLS"])
    assert code == 555


@scenario(Domain("good.test", [Host(tlsa=["3 1 1"], behaviour=OFFERS)]))
def test_met(mail, lab):
    passed_on(sent(lab, mail.domain), mail.domain.host)


@scenario(Domain("strict.test", [Host(tlsa=["3 1 1"], behaviour=OFFERS)]))
def test_met_on_a_mandatory_route(mail, lab):
    passed_on(sent(lab, mail.domain), mail.domain.host)


@scenario(
    Domain(
        "second.test",
        [
            Host("mx1", 10, ["3 1 1"]),
            Host("mx2", 20, behaviour=OFFERS),
            Host("mx3", 30, ["3 1 1"], behaviour=OFFERS),
        ],
    )
)
def test_met_by_the_third_host(mail, lab):
    passed_on(sent(lab, mail.domain), mail.domain.hosts[2])


@scenario(Domain("lacks.test", [Host(tlsa=["3 1 1"])]))
def test_peer_without_requiretls(mail, lab):
    returned(sent(lab, mail.domain), mail.domain)


@scenario(Domain("no-tlsa.test", [Host(behaviour=OFFERS)]))
def test_peer_without_tlsa(mail, lab):
    returned(sent(lab, mail.domain), mail.domain)


@scenario(
    Domain("half.test", [Host(BY_MX, tlsa=["3 1 1"], behaviour=OFFERS)], signed=False),
    Domain("signed.test"),
)
def test_half_dane_is_not_enough(mail, lab):
    returned(sent(lab, mail.domain), mail.domain)


def by_policy(name: str, mode: str) -> Domain:
    """An unsigned domain with MTA-STS and a certificate to match."""
    host = Host(certificate=TRUSTED, behaviour=OFFERS)
    return Domain(name, [host], signed=False, sts=Sts(policy(mode, f"mx.{name}")))


@scenario(by_policy("sts.test", "enforce"))
def test_met_by_mta_sts(mail, lab):
    passed_on(sent(lab, mail.domain), mail.domain.host, "sts")


@scenario(by_policy("sts-testing.test", "testing"))
def test_mta_sts_in_testing_is_not_enough(mail, lab):
    returned(sent(lab, mail.domain), mail.domain)


@scenario(Domain("unusable.test", [Host(tlsa=["1 1 1"], behaviour=OFFERS)]))
def test_all_unusable_is_not_enough(mail, lab):
    returned(sent(lab, mail.domain), mail.domain)


@scenario(Domain("mismatch.test", [Host(tlsa=["3 1 1 wrong"], behaviour=OFFERS)]))
def test_log_only_does_not_waive_it(mail, lab):
    """Other messages pass in log-only mode, this one does not."""
    returned(sent(lab, mail.domain), mail.domain)
    mail.delivered("tls")


@scenario(Domain("stripped.test", [Host(tlsa=["3 1 1"], behaviour=NO_STARTTLS)]))
def test_no_starttls(mail, lab):
    returned(sent(lab, mail.domain), mail.domain)


@scenario(Domain("both.test", [Host(tlsa=["3 1 1 wrong"], behaviour=OFFERS)]))
def test_requiretls_wins_over_tls_required_no(mail, lab):
    trace = sent(lab, mail.domain, b"TLS-Required: No\r\n")
    returned(trace, mail.domain)


def report_of(lab, sender: str) -> dict:
    return lab.server.wait_trace(sender, lambda t: t["status"] in OVER)


@scenario(
    Domain("refuses.test", [Host(behaviour=OFFERS)]),
    Domain("home.test", [Host(tlsa=["3 1 1"], behaviour=OFFERS)]),
)
def test_report_is_protected_as_its_subject_was(mail, lab):
    sender = "alice@home.test"
    returned(sent(lab, mail.domain, sender=sender), mail.domain)
    home = next(d for d in lab.world.domains if d.name == "home.test")
    assert report_of(lab, sender)["status"] == "delivered"
    ((session, report),) = home.host.receiver.mails(sender)
    mails = [line for line, _ in session.commands if line.startswith("MAIL")]
    assert mails and all(line.endswith(" REQUIRETLS") for line in mails), mails
    assert b"text/rfc822-headers" in report.data
    assert b"Sent through Sealpost in the lab." not in report.data


@scenario(
    Domain("refuses2.test", [Host(behaviour=OFFERS)]),
    Domain("open.test", [Host()]),
)
def test_report_goes_where_nobody_offers_it(mail, lab):
    """Else the sender would never hear that nobody is good enough."""
    sender = "alice@open.test"
    returned(sent(lab, mail.domain, sender=sender), mail.domain)
    report = report_of(lab, sender)
    assert report["status"] == "delivered", brief(report)
    home = next(d for d in lab.world.domains if d.name == "open.test")
    ((session, arrived),) = home.host.receiver.mails(sender)
    assert not any("REQUIRETLS" in line for line, _ in session.commands)
    assert b"text/rfc822-headers" in arrived.data
    assert b"Sent through Sealpost in the lab." not in arrived.data
