# SPDX-License-Identifier: Apache-2.0
"""`TLS-Required: No` (RFC 8689 3): the sender cares more for delivery than for
TLS. It holds for that message only; forged addresses are never used, and a
mandatory route still binds."""

import pytest

from lab import front, zone
from lab.behaviour import NO_STARTTLS
from lab.server import message
from lab.world import Domain, Host
from tests.support.delivery import SENDER, brief

scenario = pytest.mark.scenario
SETTINGS = {"extra": 'route "strict.test" { dane = "mandatory" }\n'}
NO = b"TLS-Required: No\r\n"


def first_attempt(lab, domain: Domain, header: bytes = NO, user: str = "no") -> dict:
    """The trace of a message with a field, after its first attempt."""
    recipient = f"{user}@{domain.name}"
    lab.server.submit(SENDER, recipient, data=header + message(SENDER, recipient))
    return lab.server.wait_trace(recipient, lambda t: t["attempts"] > 0)


def delivered(trace: dict, security: str, waived: str | None) -> None:
    found = (trace["status"], trace["security"])
    assert found == ("delivered", security), brief(trace)
    detail = next(e["detail"] for e in trace["events"] if e["event"] == "send")
    assert detail["filter"] == "tls-required-no"
    assert detail.get("would_have_blocked_scenario") == waived


def deferred(trace: dict, code: str, cause: str) -> None:
    found = (trace["status"], trace["code"], trace["scenario"])
    assert found == ("pending", f"4.{code}", cause), brief(trace)


@scenario(Domain("good.test", [Host(tlsa=["3 1 1"])]))
def test_verified_all_the_same(mail, lab):
    delivered(first_attempt(lab, mail.domain), "dane", None)


@scenario(Domain("mismatch.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_mismatch_for_this_message_only(mail, lab):
    """No message finds the connection of one with other demands."""
    delivered(first_attempt(lab, mail.domain), "tls", "tlsa-mismatch")
    trace = first_attempt(lab, mail.domain, b"", "plain")
    deferred(trace, "7.323", "tlsa-mismatch")
    mail.first_attempt()
    trace = mail.end()
    assert (trace["status"], trace["code"]) == ("failed", "5.7.323")
    (_, arrived), = mail.domain.host.receiver.mails()
    assert arrived.recipients == [f"no@{mail.domain.name}"]


@scenario(Domain("stripped.test", [Host(tlsa=["3 1 1"], behaviour=NO_STARTTLS)]))
def test_clear_text_is_allowed(mail, lab):
    delivered(first_attempt(lab, mail.domain), "clear", "starttls-not-offered")


@scenario(
    Domain(
        "servfail.test",
        [Host(tlsa=["3 1 1"])],
        faults={("_25._tcp.mx", "TLSA"): front.SERVFAIL},
    )
)
def test_failed_tlsa_lookup_is_ignored(mail, lab):
    delivered(first_attempt(lab, mail.domain), "tls", "tlsa-servfail")


@scenario(
    Domain(
        "bogus.test",
        [Host()],
        signing={"windows": {("@", "MX"): zone.EXPIRED}},
    )
)
def test_bogus_mx_is_never_used(mail, lab):
    deferred(first_attempt(lab, mail.domain), "7.324", "rrsig-expired")


@scenario(Domain("strict.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_mandatory_route_binds(mail, lab):
    deferred(first_attempt(lab, mail.domain), "7.323", "tlsa-mismatch")


@scenario(Domain("yes.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_other_values_and_two_fields_mean_nothing(mail, lab):
    for user, header in (
        ("yes", b"TLS-Required: Yes\r\n"),
        ("twice", 2 * NO),
        ("body", b""),
    ):
        trace = first_attempt(lab, mail.domain, header, user)
        deferred(trace, "7.323", "tlsa-mismatch")


@scenario(Domain("counted.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_it_is_counted(mail, lab):
    delivered(first_attempt(lab, mail.domain), "tls", "tlsa-mismatch")
    workers = lab.server.json("stats")["transport"]
    rows = [row for worker in workers for row in worker["would_have_blocked"]]
    assert any(row["filter"] == "tls-required-no" for row in rows)
