# SPDX-License-Identifier: Apache-2.0
"""sealpost check --smtp: a session up to the recipient, and no further."""

import json
from dataclasses import dataclass

import pytest

from lab.behaviour import CLOSE, NO_STARTTLS, Behaviour, replying
from lab.world import Domain, Host
from tests.scenario.test_check_dane import FAIL, PASS, WARN, steps
from tests.support.stage import Lab

DENIED = "554 5.7.1 relay access denied"


def hears(*rcpt: str, **more) -> Behaviour:
    """Answers to RCPT: the probe's recipient, then the stranger."""
    return replying("RCPT", *rcpt, **more)


CLOSED = hears("250 2.1.5 ok", DENIED)


@dataclass
class Case:
    """`at`: the step that has the scenario. `breaks`: the peer ends a session."""

    domain: Domain
    status: int
    scenario: str | None = None
    at: str | None = None
    outcome: str = "accepted"
    breaks: bool = False


def one(name: str, behaviour: Behaviour = CLOSED, **more) -> Domain:
    return Domain(name, [Host(behaviour=behaviour, **more)])


CASES = [
    Case(one("cs-good.test", tlsa=["3 1 1"]), PASS),
    Case(one("cs-slow.test", hears("250 ok", DENIED, extensions=())), PASS),
    Case(one("cs-relay.test", Behaviour()), FAIL, "open-relay", "smtp.address.relay"),
    Case(one("cs-grey.test", hears("450 4.7.1 greylisted", DENIED)), WARN,
         "remote-reply", "smtp.address.rcpt", "deferred"),
    Case(one("cs-nobody.test", hears("550 5.1.1 no such user", DENIED)), FAIL,
         "remote-reply", "smtp.address.rcpt", "refused"),
    Case(one("cs-hangs-up.test", replying("RCPT", CLOSE), tlsa=["3 1 1"]), FAIL,
         "connection-closed", "smtp.address.rcpt", "broken off", breaks=True),
    Case(one("cs-babbles.test", replying("RCPT", b"hello\r\n")), FAIL,
         "protocol-error", "smtp.address.rcpt", "broken off", breaks=True),
    Case(Domain("cs-two-ways.test",
                [Host("mx1", 10, behaviour=replying("RCPT", CLOSE)),
                 Host("mx2", 20, behaviour=hears("450 4.7.1 greylisted", DENIED))]),
         WARN, "remote-reply", "smtp.address.rcpt", "deferred", breaks=True),
    Case(one("cs-mail.test", replying("MAIL", "550 5.7.1 not you")), FAIL,
         "remote-reply", "smtp.address.mail", "refused"),
    Case(one("cs-greeting.test", replying("greeting", "554 5.3.2 not today")), FAIL,
         "remote-reply", "smtp.address.greeting", "no session"),
    Case(one("cs-clear.test", hears("250 ok", DENIED, offers_starttls=False)), WARN,
         "starttls-absent", "smtp.address.starttls"),
    Case(one("cs-stripped.test", NO_STARTTLS, tlsa=["3 1 1"]), FAIL,
         "starttls-not-offered", "smtp.address.starttls", "no session"),
    Case(one("cs-dane.test", tlsa=["3 1 1 wrong"]), FAIL, "tlsa-mismatch",
         "smtp.address.starttls", "no session"),
    Case(one("cs-refused.test", listens=False), FAIL, "connection-refused",
         "smtp.address.connect", "no session"),
    Case(Domain("cs-second.test",
                [Host(listens=False), Host("mx2", 20, behaviour=CLOSED)]),
         WARN, "connection-refused", "smtp.address.connect"),
    Case(Domain("cs-null.test", records=["@ MX 0 ."]), FAIL, "null-mx", "smtp",
         "no session"),
]
LITERAL = one("cs-literal.test")
SUBMISSION = Domain(
    "cs-submission.test",
    [
        Host(behaviour=CLOSED, addresses=["127.25.99.1"]),
        Host(mx=False, port=587, addresses=["127.25.99.1"]),
    ],
)
ENVELOPE = one("cs-envelope.test")
MAILBOX = one("cs-mailbox.test")


@pytest.fixture
def lab(stage) -> Lab:
    domains = [case.domain for case in CASES] + [LITERAL, SUBMISSION, ENVELOPE, MAILBOX]
    return stage.lab("check-smtp", lambda: domains, resolver='timeout = "4s"')


def check(lab: Lab, *arguments: str) -> tuple[int, dict]:
    done = lab.server.run("check", "--smtp", "--json", *arguments)
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout)["tree"]


def check_manners(domain: Domain) -> None:
    """One connection to an address; RSET in the place of DATA; QUIT. Where no
    record matches, a second one asks for the other key, as delivery does."""
    for host in domain.hosts:
        for receiver in host.receivers:
            receiver.wait_for(lambda: all(s.ended for s in receiver.sessions))
            session, *more = receiver.sessions
            assert len(more) == ("3 1 1 wrong" in host.tlsa)
            assert not any({"MAIL", "RCPT"} & set(s.verbs()) for s in more)
            verbs = session.verbs()
            assert "DATA" not in verbs and "BDAT" not in verbs
            if "MAIL" not in receiver.behaviour.replies:
                assert verbs.count("RSET") == verbs.count("RCPT")
            assert verbs[-1] == "QUIT"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.domain.name)
def test_case(case, lab):
    status, tree = check(lab, case.domain.name)
    assert (status, tree["scenario"]) == (case.status, case.scenario), tree
    (smtp,) = steps(tree, "smtp")
    assert smtp["evidence"]["outcome"] == case.outcome
    if case.at:
        assert case.scenario in [s["scenario"] for s in steps(smtp, case.at)]
    if not case.breaks:
        check_manners(case.domain)


def test_an_address(lab):
    address = LITERAL.host.addresses[0]
    status, tree = check(lab, address)
    assert status == PASS, tree
    check_manners(LITERAL)
    heard = [line for line, _ in LITERAL.host.receiver.sessions[0].commands]
    assert f"RCPT TO:<postmaster@[{address}]>" in heard


def test_submission(lab):
    status, tree = check(lab, SUBMISSION.name)
    assert status == PASS, tree
    (step,) = steps(tree, "smtp.address.submission")
    assert step["verdict"] == "pass" and step["evidence"]["starttls"]
    check_manners(SUBMISSION)


def test_a_mail_address(lab):
    """It is its domain, and the recipient."""
    status, tree = check(lab, f"Ann@{MAILBOX.name.upper()}")
    assert status == PASS, tree
    assert tree["title"] == MAILBOX.name
    (session,) = MAILBOX.host.receiver.sessions
    assert f"RCPT TO:<Ann@{MAILBOX.name.upper()}>" in [line for line, _ in session.commands]


def test_envelope_of_the_probe(lab):
    status, tree = check(lab, "--from", "a@sender.test", "--to", "b@cs-envelope.test",
                         ENVELOPE.name)
    assert status == PASS, tree
    (session,) = ENVELOPE.host.receiver.sessions
    assert [line for line, _ in session.commands if line.startswith(("MAIL", "RCPT"))] == [
        "MAIL FROM:<a@sender.test>",
        "RCPT TO:<b@cs-envelope.test>",
        "MAIL FROM:<a@sender.test>",
        "RCPT TO:<relay-test@example.net>",
    ]
    (ehlo,) = steps(tree, "smtp.address.ehlo")
    assert ehlo["evidence"]["name"] == "mx.cs-envelope.test"
    assert "PIPELINING" in ehlo["evidence"]["extensions"]
    (greeting,) = steps(tree, "smtp.address.greeting")
    assert greeting["evidence"]["greeting"] == "mx.cs-envelope.test ESMTP lab"
