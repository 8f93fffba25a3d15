# SPDX-License-Identifier: Apache-2.0
"""Reports to senders: what comes back, read as a mail program reads it.

Every message has a sender of its own at a destination that works, by which
its reports are found. All are sent at the start and wait together.
"""

import email
import email.message
import email.policy
import os
import signal
import smtplib

import pytest

from lab.behaviour import EXTENSIONS, Behaviour, replying
from lab.procs import wait_until
from lab.server import SUBMISSION, message
from lab.world import Domain, Host

HOME = "sender.test"
NO_DSN = Behaviour(extensions=tuple(e for e in EXTENSIONS if e != "DSN"))
SETTINGS = {
    "retry": '"1s"',
    "expire": "6s",
    "extra": 'delay_notice = "2s"\n',
}
# sender: (recipient, parameters of MAIL, parameters of RCPT)
MESSAGES = {
    "mismatch": ("bob@wrong.test", ["RET=FULL", "ENVID=env+2B1"], []),
    "orcpt": ("bob@wrong.test", ["RET=HDRS"], ["ORCPT=rfc822;old@first.test"]),
    "unknown": ("nobody@unknown.test", [], []),
    "bogus": ("bob@bogus.test", [], []),
    "nodelay": ("bob@wrong.test", [], ["NOTIFY=FAILURE"]),
    "never": ("bob@wrong.test", [], ["NOTIFY=NEVER"]),
    "neverunknown": ("nobody@unknown.test", [], ["NOTIFY=NEVER"]),
    "success": ("bob@nodsn.test", [], ["NOTIFY=SUCCESS"]),
    "passed": ("bob@good.test", [], ["NOTIFY=SUCCESS,FAILURE"]),
    "quiet": ("bob@nodsn.test", [], []),
}


def domains() -> list[Domain]:
    return [
        Domain(HOME, [Host(tlsa=["3 1 1"])]),
        Domain("good.test", [Host(tlsa=["3 1 1"])]),
        Domain("wrong.test", [Host(tlsa=["3 1 1 wrong"])]),
        Domain(
            "unknown.test",
            [Host(behaviour=replying("RCPT", "550 5.1.1 no such <user>"))],
        ),
        Domain("bogus.test", [Host(tlsa=["3 1 1"])], signing={"ds": "wrong"}),
        Domain("nodsn.test", [Host(behaviour=NO_DSN)]),
    ]


@pytest.fixture
def lab(stage):
    fresh = not stage.is_up("reports")
    lab = stage.lab("reports", domains, **SETTINGS)
    if fresh:
        for name, (recipient, on_mail, on_rcpt) in MESSAGES.items():
            sender = f"{name}@{HOME}"
            with smtplib.SMTP(*SUBMISSION, timeout=60) as client:
                client.ehlo()
                client.sendmail(
                    sender, [recipient], message(sender, recipient), on_mail, on_rcpt
                )
    return lab


class Report:
    """A report as Python's email package sees it."""

    def __init__(self, data: bytes) -> None:
        self.mail = email.message_from_bytes(data, policy=email.policy.default)
        assert self.mail.get_content_type() == "multipart/report"
        assert self.mail.get_param("report-type") == "delivery-status"
        assert not [d for p in self.mail.walk() for d in p.defects]
        assert max(map(len, data.split(b"\r\n"))) <= 998
        parts = list(self.mail.iter_parts())
        self.text = parts[0].get_content()
        self.about, *self.recipients = parts[1].get_payload()
        self.original = parts[2]

    @property
    def status(self) -> email.message.Message:
        assert len(self.recipients) == 1
        return self.recipients[0]

    def field(self, name: str) -> str | None:
        value = self.status[name]
        return None if value is None else " ".join(value.split())


def arrived(lab, name: str) -> list[Report]:
    home = next(d for d in lab.world.domains if d.name == HOME)
    found = home.host.receiver.mails(f"{name}@{HOME}")
    assert all(mail.sender == "" and mail.encrypted for _, mail in found)
    return [Report(mail.data) for _, mail in found]


def wait_report(lab, name: str, action: str) -> Report:
    def found() -> list[Report]:
        return [r for r in arrived(lab, name) if r.field("Action") == action]

    wait_until(lambda: bool(found()), f"a report '{action}' to {name}", 30)
    [report] = found()
    return report


def address_of(lab, domain: str) -> str:
    return next(d for d in lab.world.domains if d.name == domain).host.addresses[0]


def trace_of(lab, name: str) -> dict:
    [line] = lab.server.json_lines("trace", "--sender", f"{name}@{HOME}")
    [detailed] = lab.server.json_lines("trace", "--detail", line["id"])
    return detailed


def test_mismatch_is_explained(lab):
    report = wait_report(lab, "mismatch", "failed")
    mail, text = report.mail, report.text
    assert mail["From"].addresses[0].addr_spec == f"postmaster@{HOME}"
    assert mail["To"].addresses[0].addr_spec == f"mismatch@{HOME}"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["Message-ID"] and mail["Date"].datetime
    assert report.about["Reporting-MTA"] == "dns; mail.sender.test"
    assert report.about["Original-Envelope-Id"] == "env+1"
    assert report.about["Arrival-Date"]
    assert report.field("Final-Recipient") == "rfc822; bob@wrong.test"
    assert report.field("Original-Recipient") is None
    assert report.field("Status") == "5.7.323"
    assert report.field("Remote-MTA") == "dns; mx.wrong.test"
    assert report.field("Diagnostic-Code") == (
        "x-sealpost; 550 5.7.323 tlsa-invalid: The domain failed DANE validation."
    )
    assert report.field("Last-Attempt-Date")
    address = address_of(lab, "wrong.test")
    for words in (
        "550 5.7.323 tlsa-invalid: The domain failed DANE validation.",
        "tlsa-mismatch",
        f"mx.wrong.test [{address}]",
        "The administrator of wrong.test",
        "Compare the TLSA records with the certificate",
        "certificate: sha256",
        "valid from 20",
        "TLSA _25._tcp.mx.wrong.test: records, DNSSEC secure",
        ": did not match",
    ):
        assert words in text, f"'{words}' in {text}"
    assert report.original.get_content_type() == "message/rfc822"
    [original] = report.original.get_payload()
    assert original["To"] == "bob@wrong.test"
    assert "Sent through Sealpost" in original.get_content()


def test_mismatch_was_announced_as_a_delay(lab):
    report = wait_report(lab, "mismatch", "delayed")
    assert report.field("Status") == "4.7.323"
    assert report.field("Will-Retry-Until")
    assert report.field("Diagnostic-Code").startswith("x-sealpost; 450 4.7.323")
    assert "tlsa-mismatch" in report.text
    assert report.original.get_content_type() == "text/rfc822-headers"


def test_header_and_original_recipient(lab):
    report = wait_report(lab, "orcpt", "failed")
    assert report.field("Original-Recipient") == "rfc822; old@first.test"
    assert report.field("Final-Recipient") == "rfc822; bob@wrong.test"
    assert report.original.get_content_type() == "text/rfc822-headers"
    header = report.original.get_content()
    assert "Subject: test" in header and "Sent through" not in header


def test_the_trace_names_the_report(lab):
    report = wait_report(lab, "mismatch", "failed")
    trace = trace_of(lab, "mismatch")
    told = [e["detail"]["report"] for e in trace["events"] if e["event"] == "resolved"]
    assert [t["kind"] for t in told] == ["delayed", "failed"]
    assert report.mail["Message-ID"] == f"<{told[1]['id']}@mail.sender.test>"
    assert told[1]["to"] == f"mismatch@{HOME}"
    [line] = lab.server.json_lines("trace", "--detail", told[1]["id"])
    assert line["sender"] == "" and line["recipient"] == f"mismatch@{HOME}"
    shown = lab.server.run("trace", "--detail", trace["id"]).stdout.decode()
    assert f"the sender was told, by {told[1]['id']}" in shown


def test_refused_recipient(lab):
    report = wait_report(lab, "unknown", "failed")
    assert report.field("Status") == "5.1.1"
    assert report.field("Remote-MTA") == "dns; mx.unknown.test"
    assert report.field("Diagnostic-Code") == "smtp; 550 5.1.1 no such <user>"
    assert "550 5.1.1 no such <user>" in report.text
    assert [r.field("Action") for r in arrived(lab, "unknown")] == ["failed"]


def test_bogus_domain_was_never_contacted(lab):
    report = wait_report(lab, "bogus", "failed")
    assert report.field("Status") == "5.7.324"
    assert report.field("Remote-MTA") is None
    assert "DNSSEC bogus" in report.text


def test_no_delay_notice_unless_asked_for(lab):
    wait_report(lab, "nodelay", "failed")
    assert [r.field("Action") for r in arrived(lab, "nodelay")] == ["failed"]


def test_never(lab):
    wait_report(lab, "mismatch", "failed")
    wait_until(lambda: trace_of(lab, "never")["status"] == "failed", "the expiry", 30)
    assert trace_of(lab, "neverunknown")["status"] == "failed"
    assert arrived(lab, "never") == []
    assert arrived(lab, "neverunknown") == []


def test_relayed_where_the_next_hop_has_no_dsn(lab):
    report = wait_report(lab, "success", "relayed")
    assert report.field("Status").startswith("2.")
    assert report.field("Remote-MTA") == "dns; mx.nodsn.test"
    assert report.field("Diagnostic-Code").startswith("smtp; 250")
    assert report.original.get_content_type() == "text/rfc822-headers"
    assert arrived(lab, "quiet") == []


def test_success_is_left_to_a_next_hop_with_dsn(lab):
    wait_until(lambda: trace_of(lab, "passed")["status"] == "delivered", "delivery", 30)
    wait_report(lab, "success", "relayed")
    assert arrived(lab, "passed") == []
    good = next(d for d in lab.world.domains if d.name == "good.test")
    lines = [line for s in good.host.receiver.sessions for line, _ in s.commands]
    assert any("NOTIFY=SUCCESS,FAILURE" in line for line in lines)


def test_every_event_is_reported_once(lab):
    """At the end, with everything expired."""
    for name in ("mismatch", "orcpt", "bogus"):
        wait_report(lab, name, "failed")
        actions = [r.field("Action") for r in arrived(lab, name)]
        assert sorted(actions) == ["delayed", "failed"], name
    assert lab.server.json("stats")["queue"]["report_due"] == 0


def kill(server, role: str) -> None:
    """A kill -9; returns when the role is back."""

    def running() -> int | None:
        stats = server.run("stats", "--json")
        if stats.returncode != 0:
            return None
        processes = server.json("stats")["processes"]
        found = (p["pid"] for p in processes if p["role"] == role and p["running"])
        return next(found, None)

    wait_until(running, f"{role} to run", 30)
    victim = running()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: running() not in (None, victim), f"{role} to be back", 30)


def test_one_report_over_kills(stage):
    """The queue is killed while reports are made: each failure is reported,
    and by one message, however often that may arrive."""
    lab = stage.lab("reports-kills", domains, **SETTINGS)
    accepted = []
    for number in range(80):
        name = f"kill{number}"
        try:
            lab.server.submit(f"{name}@{HOME}", "nobody@unknown.test")
            accepted.append(name)
        except (smtplib.SMTPException, OSError):
            pass  # nothing was promised
        if number % 16 == 15:
            kill(lab.server, "queue")
    assert accepted
    wait_until(
        lambda: all(arrived(lab, name) for name in accepted), "all reports", 60
    )
    for name in accepted:
        ids = {report.mail["Message-ID"] for report in arrived(lab, name)}
        assert len(ids) == 1, name
