# SPDX-License-Identifier: Apache-2.0
"""TLS reports: what a day of mixed traffic is counted as."""

import sqlite3
from collections import Counter
from contextlib import closing

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
}


def tlsa(name: str, **host) -> Domain:
    return Domain(f"{name}.test", [Host(tlsa=["3 1 1"], **host)])


def domains() -> list[Domain]:
    return [
        tlsa("good"),
        Domain("wrong.test", [Host(tlsa=["3 1 1 wrong"])]),
        tlsa("stripped", behaviour=NO_STARTTLS),
        tlsa("alert", behaviour=Behaviour(handshake=ALERT)),
        Domain("plain.test", [Host()], signed=False),
        Domain("clear.test", [Host(behaviour=NO_STARTTLS)], signed=False),
        Domain("unusable.test", [Host(tlsa=["0 1 1"])]),
        Domain(
            "servfail.test",
            [Host(tlsa=["3 1 1"])],
            faults={("_25._tcp.mx", "TLSA"): SERVFAIL},
        ),
    ]


#: policy type and domain, result (empty: success)
EXPECTED = {
    ("tlsa", "mx.good.test", ""),
    ("tlsa", "mx.wrong.test", "validation-failure"),
    ("tlsa", "mx.stripped.test", "starttls-not-supported"),
    ("tlsa", "mx.alert.test", "validation-failure"),
    ("no-policy-found", "plain.test", ""),
    ("no-policy-found", "clear.test", "starttls-not-supported"),
    ("tlsa", "mx.unusable.test", "tlsa-invalid"),
    ("tlsa", "mx.servfail.test", "dnssec-invalid"),
}


def counts(server) -> list[dict]:
    path = server.directory / "sealpost.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        query = "SELECT * FROM tls_count c JOIN tls_policy p ON p.id = c.policy"
        return [dict(row) for row in db.execute(query)]


def traced(trace: dict) -> int:
    """Connections and failures before any, as the trace tells them."""
    found = 0
    for event in trace["events"]:
        detail = event["detail"] or {}
        found += sum(not a_try["reused"] for a_try in detail.get("tries", []))
        found += detail.get("plan", {}).get("scenario") == "tlsa-servfail"
    return found


def test_totals(stage):
    lab = stage.lab("tlsrpt", domains, **SETTINGS)
    recipients = [f"r{n}@{d.name}" for d in domains() for n in range(EACH)]
    for recipient in recipients:
        lab.server.submit(SENDER, recipient)
    sessions = Counter()
    for recipient in recipients:
        trace = lab.server.wait_trace(
            recipient, lambda t: t["status"] in ("delivered", "failed"), 60
        )
        sessions[recipient.split("@")[1]] += traced(trace)
    found = counts(lab.server)
    for row in found:
        print(row)
    assert {(r["type"], r["domain"], r["result"]) for r in found} == EXPECTED
    counted = Counter()
    for row in found:
        counted[row["domain"].removeprefix("mx.")] += row["sessions"]
    assert counted == sessions
