# SPDX-License-Identifier: Apache-2.0
"""TLS reports that we send: a day of mixed traffic, counted and told.

The counts are held against the trace, the reports against the schema and
Python's own reader of mail.
"""

import email.policy
import gzip
import json
from collections import Counter
from email import message_from_bytes
from pathlib import Path

import jsonschema
import pytest

from lab.behaviour import ALERT, NO_STARTTLS, Behaviour
from lab.front import SERVFAIL
from lab.world import Domain, Host

SENDER = "alice@sender.test"
EACH = 3
SETTINGS = {
    "retry": '"1s", "1s", "2s"',
    "expire": "3s",
    "smtp": 'greeting_timeout = "2s"',
    "resolver": 'timeout = "3s"',
    "extra": """report {
  organization = "Sender, Inc."
  contact = "tls@sender.test"
}
""",
}
SCHEMA = Path(__file__).resolve().parents[2] / "doc/tlsrpt.schema.json"
RECEIVER = "reports.test"


def rua(*uris: str, name: str = "") -> list[str]:
    owner = f"_smtp._tls.{name}".rstrip(".")
    return [f'{owner} TXT "v=TLSRPTv1; " "rua={",".join(uris)}"']


def tlsa(name: str, records=(), **host) -> Domain:
    return Domain(f"{name}.test", [Host(tlsa=["3 1 1"], **host)], records=list(records))


def domains() -> list[Domain]:
    return [
        tlsa("good", rua(f"mailto:good@{RECEIVER}", "ftp://x.test")),
        Domain("wrong.test", [Host(tlsa=["3 1 1 wrong"])]),
        # no way in for TLS: its report arrives all the same
        tlsa(
            "stripped",
            rua("mailto:own@stripped.test", f"mailto:other@{RECEIVER}"),
            behaviour=NO_STARTTLS,
        ),
        tlsa("alert", behaviour=Behaviour(handshake=ALERT)),
        Domain("plain.test", [Host()], rua(f"mailto:plain@{RECEIVER}"), signed=False),
        Domain("clear.test", [Host(behaviour=NO_STARTTLS)], signed=False),
        Domain("unusable.test", [Host(tlsa=["0 1 1"])], rua("ftp://x.test")),
        Domain(
            "servfail.test",
            [Host(tlsa=["3 1 1"])],
            faults={("_25._tcp.mx", "TLSA"): SERVFAIL},
        ),
        # mail servers of somebody else, who wants reports as well
        Domain(
            "hosted.test",
            [Host("mx.hoster.test.", tlsa=["3 1 1"])],
            rua(f"mailto:hosted@{RECEIVER}"),
        ),
        Domain(
            "hoster.test",
            records=rua(
                f"mailto:hoster@{RECEIVER}", f"mailto:hosted@{RECEIVER}", name="mx"
            ),
        ),
        Domain(RECEIVER, [Host()]),
    ]


#: policy type and domain, result (None: success)
EXPECTED = {
    ("tlsa", "mx.good.test", None),
    ("tlsa", "mx.wrong.test", "validation-failure"),
    ("tlsa", "mx.stripped.test", "starttls-not-supported"),
    ("tlsa", "mx.alert.test", "validation-failure"),
    ("no-policy-found", "plain.test", None),
    ("no-policy-found", "clear.test", "starttls-not-supported"),
    ("tlsa", "mx.unusable.test", "tlsa-invalid"),
    ("tlsa", "mx.servfail.test", "dnssec-invalid"),
    ("tlsa", "mx.hoster.test", None),
}
RECIPIENTS = [d.name for d in domains() if d.hosts and d.name != RECEIVER]


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))


def traced(trace: dict) -> int:
    """Connections and failures before any, as the trace tells them."""
    found = 0
    for event in trace["events"]:
        detail = event["detail"] or {}
        found += sum(not a_try["reused"] for a_try in detail.get("tries", []))
        found += detail.get("plan", {}).get("scenario") == "tlsa-servfail"
    return found


@pytest.fixture
def day(stage):
    """The lab behind a day of traffic, and what its trace counts."""
    fresh = not stage.is_up("tlsrpt")
    lab = stage.lab("tlsrpt", domains, **SETTINGS)
    if fresh:
        lab.sessions = Counter()
        recipients = [f"r{n}@{name}" for name in RECIPIENTS for n in range(EACH)]
        for recipient in recipients:
            lab.server.submit(SENDER, recipient)
        for recipient in recipients:
            trace = lab.server.wait_trace(
                recipient, lambda t: t["status"] in ("delivered", "failed"), 60
            )
            lab.sessions[recipient.split("@")[1]] += traced(trace)
    return lab


def show(server, domain: str) -> dict:
    done = server.run("report", "show", "--json", domain)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def totals(report: dict) -> int:
    summaries = [p["summary"] for p in report["policies"]]
    return sum(
        s["total-successful-session-count"] + s["total-failure-session-count"]
        for s in summaries
    )


def results(report: dict):
    for entry in report["policies"]:
        policy = entry["policy"]
        if entry["summary"]["total-successful-session-count"]:
            yield policy["policy-type"], policy["policy-domain"], None
        for failure in entry.get("failure-details", []):
            yield policy["policy-type"], policy["policy-domain"], failure["result-type"]


def test_totals(day, validator):
    found = set()
    for name in RECIPIENTS:
        report = show(day.server, name)
        validator.validate(report)
        found |= set(results(report))
        assert totals(report) == day.sessions[name], name
        for entry in report["policies"]:
            failed = sum(
                f["failed-session-count"] for f in entry.get("failure-details", [])
            )
            assert failed == entry["summary"]["total-failure-session-count"]
    assert found == EXPECTED
    report = show(day.server, "wrong.test")
    failure = report["policies"][0]["failure-details"][0]
    assert failure["receiving-mx-hostname"] == "mx.wrong.test"
    assert failure["sending-mta-ip"] == "127.0.0.1"
    assert failure["failure-reason-code"] == "4.7.323 tlsa-mismatch"
    assert report["organization-name"] == "Sender, Inc."


def test_list(day):
    rows = day.server.json("report", "list")
    assert {row["domain"] for row in rows} >= set(RECIPIENTS)
    row = next(row for row in rows if row["domain"] == "good.test")
    assert (row["successful"], row["failed"]) == (day.sessions["good.test"], 0)
    assert day.server.run("report", "show", "unknown.test").returncode == 1
    assert day.server.run("report", "list", "unknown.test").returncode == 1


def reports_at(domain: Domain, address: str) -> list[bytes]:
    return [m.data for r in domain.host.receivers for _, m in r.mails(address)]


def check_mail(data: bytes, domain: str, validator) -> dict:
    """RFC 8460 5.3."""
    mail = message_from_bytes(data, policy=email.policy.default)
    assert not mail.defects
    assert mail.get_content_type() == "multipart/report"
    assert mail["Content-Type"].params["report-type"] == "tlsrpt"
    assert mail["TLS-Report-Domain"] == domain
    assert mail["TLS-Report-Submitter"] == "sender.test"
    assert mail["TLS-Required"] == "No"
    assert mail["From"].addresses[0].addr_spec == "tls@sender.test"
    text, attachment = mail.iter_parts()
    assert text.get_content_type() == "text/plain" and not text.defects
    assert attachment.get_content_type() == "application/tlsrpt+gzip"
    submitter, about, begin, end = attachment.get_filename().split("!")
    assert (submitter, about) == ("sender.test", domain)
    assert int(begin) % 86400 == 0 and end == f"{int(begin) + 86399}.json.gz"
    report = json.loads(gzip.decompress(attachment.get_content()))
    validator.validate(report)
    subject = f"Report Domain: {domain} Submitter: sender.test Report-ID: "
    assert mail["Subject"] == f"{subject}<{report['report-id']}>"
    return report


def test_mail(day, validator):
    before = {name: show(day.server, name) for name in RECIPIENTS}
    done = day.server.run("report", "close-day", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["domain"]: row["sent_to"] for row in json.loads(done.stdout)}
    assert [t["state"] for t in rows["wrong.test"]] == ["no-record"]
    assert [t["state"] for t in rows["unusable.test"]] == ["no-record"]
    assert {t["uri"]: t["state"] for t in rows["stripped.test"]} == {
        "mailto:own@stripped.test": "queued",
        f"mailto:other@{RECEIVER}": "queued",
    }
    assert [t["uri"] for t in rows["mx.hoster.test"]] == [f"mailto:hoster@{RECEIVER}"]
    before["mx.hoster.test"] = show(day.server, "mx.hoster.test")
    by_name = {domain.name: domain for domain in day.world.domains}
    for domain, at, address in [
        ("good.test", RECEIVER, f"good@{RECEIVER}"),
        ("plain.test", RECEIVER, f"plain@{RECEIVER}"),
        ("hosted.test", RECEIVER, f"hosted@{RECEIVER}"),
        ("mx.hoster.test", RECEIVER, f"hoster@{RECEIVER}"),
        ("stripped.test", RECEIVER, f"other@{RECEIVER}"),
        ("stripped.test", "stripped.test", "own@stripped.test"),
    ]:
        day.server.wait_trace(address, lambda t: t["status"] == "delivered", 30)
        (data,) = reports_at(by_name[at], address)
        assert check_mail(data, domain, validator) == before[domain]


def test_once_and_not_counted(day):
    """A day is told once, and its reports are in no report."""
    before = day.server.json("report", "list")
    again = day.server.run("report", "close-day", "--json")
    assert json.loads(again.stdout) == before
    by_name = {domain.name: domain for domain in day.world.domains}
    assert len(reports_at(by_name[RECEIVER], f"good@{RECEIVER}")) == 1
    assert RECEIVER not in {row["domain"] for row in before}
    row = next(row for row in before if row["domain"] == "stripped.test")
    assert row["successful"] + row["failed"] == day.sessions["stripped.test"]
