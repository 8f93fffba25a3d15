# SPDX-License-Identifier: Apache-2.0
"""Exceptions: log-only for one destination, until a time, for a reason."""

from datetime import datetime, timedelta, timezone

import pytest

from lab import zone
from lab.procs import wait_until
from lab.server import message
from lab.world import Domain, Host
from tests.support.delivery import OVER, SENDER, brief

scenario = pytest.mark.scenario
SETTINGS = {
    "retry": '"500ms"',
    "expire": "20s",
    "extra": 'route "strict.test" { dane = "mandatory" }\n',
}
REASON = "ticket 4711: they renew on Monday"


def run(lab, *words: str) -> int:
    return lab.server.run("exception", *words).returncode


def add(lab, domain: str, until: str = "1h") -> None:
    assert run(lab, "add", domain, "--until", until, "--reason", REASON) == 0


def sent(lab, recipient: str) -> None:
    lab.server.submit(SENDER, recipient, data=message(SENDER, recipient))


def wrong(name: str, **more) -> Domain:
    return Domain(name, [Host(tlsa=["3 1 1 wrong"])], **more)


@scenario(wrong("fixed.test"))
def test_mail_that_waits_is_delivered(mail, lab):
    """Blocked, excepted, delivered by a later attempt; and all of it told."""
    mail.deferred("7.323", "tlsa-mismatch")
    add(lab, "FIXED.test")
    trace = mail.end()
    assert (trace["status"], trace["security"]) == ("delivered", "tls"), brief(trace)
    detail = next(e["detail"] for e in trace["events"] if e["event"] == "send")
    assert (detail["filter"], detail["exception"]) == ("exception", REASON)
    assert "7.323" in detail["would_have_blocked"]
    rows = [r for w in lab.server.json("stats")["transport"] for r in w["would_have_blocked"]]
    assert any((r["filter"], r["scenario"]) == ("exception", "tlsa-mismatch") for r in rows)
    lab.server.send(SENDER, "later@fixed.test")
    lab.server.wait_trace("later@fixed.test", lambda t: t["status"] == "delivered")
    assert run(lab, "remove", "fixed.test") == 0
    sent(lab, "last@fixed.test")
    trace = lab.server.wait_trace("last@fixed.test", lambda t: t["attempts"] > 0)
    assert trace["scenario"] == "tlsa-mismatch"


@scenario(wrong("shown.test"))
def test_policy_shows_it(mail, lab):
    assert mail.policy()["exception"] is None
    add(lab, "shown.test")
    assert mail.policy()["exception"]["reason"] == REASON
    text = lab.server.run("policy", "shown.test").stdout.decode()
    assert "exception until 2" in text and REASON in text
    alone = lab.server.run("policy", "--socket", "/nowhere", "shown.test")
    assert b"exceptions: not known" in alone.stdout and REASON not in str(alone.stdout)
    assert run(lab, "remove", "shown.test") == 0


@scenario(wrong("other.test"))
def test_only_for_its_domain(mail, lab):
    add(lab, "sub.other.test")
    add(lab, "test")
    mail.deferred("7.323", "tlsa-mismatch")


@scenario(wrong("over.test"))
def test_it_ends_by_itself(mail, lab):
    until = datetime.now(timezone.utc) + timedelta(seconds=1)
    add(lab, "over.test", until.isoformat(timespec="milliseconds"))
    listed = lab.server.json("exception", "list")
    assert any(row["domain"] == "over.test" for row in listed)
    wait_until(lambda: datetime.now(timezone.utc) > until, "the exception to end", 10)
    sent(lab, "late@over.test")
    trace = lab.server.wait_trace("late@over.test", lambda t: t["attempts"] > 0)
    assert (trace["status"], trace["scenario"]) == ("pending", "tlsa-mismatch")
    assert all(r["domain"] != "over.test" for r in lab.server.json("exception", "list"))


@scenario(wrong("strict.test"))
def test_mandatory_route_binds(mail, lab):
    add(lab, "strict.test")
    sent(lab, "strict@strict.test")
    trace = lab.server.wait_trace("strict@strict.test", lambda t: t["attempts"] > 0)
    assert (trace["status"], trace["scenario"]) == ("pending", "tlsa-mismatch")


@scenario(
    wrong("bogus.test", signing={"windows": {("@", "MX"): zone.EXPIRED}}),
)
def test_bogus_mx_is_never_used(mail, lab):
    add(lab, "bogus.test")
    sent(lab, "bogus@bogus.test")
    trace = lab.server.wait_trace("bogus@bogus.test", lambda t: t["attempts"] > 0)
    assert (trace["status"], trace["scenario"]) == ("pending", "rrsig-expired")


@scenario(wrong("command.test"))
def test_the_command(mail, lab):
    assert run(lab, "remove", "command.test") == 1
    add(lab, "command.test")
    made = lab.server.json(
        "exception", "add", "b\u00fccher.test", "--until", "2h", "--reason", REASON
    )
    assert (made["domain"], made["reason"]) == ("xn--bcher-kva.test", REASON)
    rows = {row["domain"]: row for row in lab.server.json("exception", "list")}
    assert rows["xn--bcher-kva.test"]["until"] == made["until"]
    assert REASON.encode() in lab.server.run("exception").stdout
    assert lab.server.json("exception", "remove", "command.test") == {"removed": 1}
    for words in (
        ("add", "command.test", "--reason", REASON),
        ("add", "command.test", "--until", "1h"),
        ("add", "command.test", "--until", "1h", "--reason", ""),
        ("add", "command.test", "--until", "2001-01-01T00:00:00Z", "--reason", REASON),
        ("add", "command.test", "--until", "soon", "--reason", REASON),
        ("add", "no domain", "--until", "1h", "--reason", REASON),
        ("add", "--until", "1h", "--reason", REASON),
        ("remove",),
        ("forget", "command.test"),
    ):
        assert run(lab, *words) == 64, words
    assert lab.server.wait_trace(mail.recipient, lambda t: t["status"] in OVER, 60)
