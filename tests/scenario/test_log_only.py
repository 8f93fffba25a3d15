# SPDX-License-Identifier: Apache-2.0
"""enforce = false: everything is checked and said, little is blocked: A43."""

import pytest

from lab import zone
from lab.behaviour import NO_STARTTLS
from lab.world import Domain, Host

scenario = pytest.mark.scenario
SETTINGS = {
    "extra": 'enforce = false\nroute "strict.test" { dane = "mandatory" }\n'
}


def waived(mail) -> str:
    """What the trace says would have been done to the message."""
    event = next(e for e in mail.end()["events"] if e["event"] == "send")
    notes = [attempt.get("would_have_blocked") for attempt in event["detail"]["tries"]]
    notes.append(event["detail"].get("would_have_blocked"))
    return " ".join(filter(None, notes))


@scenario(Domain("mismatch.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_a43_mismatch_is_delivered_and_noted(mail):
    mail.delivered("tls")
    assert "7.323" in waived(mail)


@scenario(Domain("stripped.test", [Host(tlsa=["3 1 1"], behaviour=NO_STARTTLS)]))
def test_a43_no_starttls_is_delivered_and_noted(mail):
    mail.delivered("clear")
    assert "7.321" in waived(mail)


@scenario(Domain("counted.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_a43_is_counted(mail, lab):
    mail.delivered("tls")
    workers = lab.server.json("stats")["transport"]
    rows = [row for worker in workers for row in worker["would_have_blocked"]]
    found = {(row["code"], row["scenario"], row["filter"]) for row in rows}
    assert ("4.7.323", "tlsa-mismatch", "log-only") in found
    assert b"tlsa-mismatch" in lab.server.run("stats").stdout


@scenario(Domain("good.test", [Host(tlsa=["3 1 1"])]))
def test_a43_match_is_verified_all_the_same(mail):
    mail.delivered("dane")
    assert waived(mail) == ""


@scenario(
    Domain(
        "bogus.test",
        [Host(tlsa=["3 1 1"])],
        signing={"windows": {("@", "MX"): zone.EXPIRED}},
    )
)
def test_a43_bogus_mx_is_never_used(mail):
    mail.blocked("7.324", "rrsig-expired")
    assert mail.domain.host.receiver.sessions == []


@scenario(Domain("strict.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_a43_mandatory_route_still_binds(mail):
    mail.blocked("7.323", "tlsa-mismatch")
