# SPDX-License-Identifier: Apache-2.0
"""Replies of receivers to envelope and data, and in what pieces they come."""

import pytest

from lab.behaviour import CLOSE, NORMAL, Behaviour, replying
from lab.world import Domain, Host

scenario = pytest.mark.scenario


def answering(name: str, behaviour: Behaviour) -> Domain:
    return Domain(name, [Host(tlsa=["3 1 1"], behaviour=behaviour)])


@scenario(answering("split.test", Behaviour(split=True)))
def test_replies_byte_by_byte(mail):
    mail.delivered("dane")


@scenario(answering("greylist.test", replying("RCPT", "450 4.7.1 later", NORMAL)))
def test_recipient_deferred_then_taken(mail):
    mail.delivered("dane")
    assert mail.end()["attempts"] == 2


@scenario(answering("unknown.test", replying("RCPT", "550 5.1.1 no such user")))
def test_recipient_refused(mail):
    trace = mail.end()
    assert trace["status"] == "failed" and trace["attempts"] == 1
    assert "5.1.1 no such user" in trace["reply"]


@scenario(answering("refused.test", replying(".", "554 5.7.1 not this message")))
def test_message_refused(mail):
    trace = mail.end()
    assert trace["status"] == "failed" and trace["attempts"] == 1
    assert "not this message" in trace["reply"]


@scenario(answering("data-closed.test", replying("DATA", CLOSE, NORMAL)))
def test_closed_at_data_then_taken(mail):
    mail.delivered("dane")
    assert mail.end()["attempts"] == 2


@scenario(answering("shutdown.test", replying("MAIL", "421 4.3.2 closing", NORMAL)))
def test_421_then_taken(mail):
    mail.delivered("dane")


@scenario(
    Domain(
        "busy.test",
        [
            Host("mx1", 10, ["3 1 1"], behaviour=replying("greeting", "451 busy")),
            Host("mx2", 20, ["3 1 1"]),
        ],
    )
)
def test_greeting_451_then_next_host(mail):
    mail.delivered("dane", mail.domain.hosts[1])


@scenario(
    Domain(
        "backup.test",
        [
            Host("mx1", 10, behaviour=replying("greeting", "421 4.3.2 busy", NORMAL)),
            Host("mx2", 20, behaviour=Behaviour(extensions=("SIZE 10",))),
        ],
    )
)
def test_host_away_and_a_backup_that_takes_small_mail_only(mail):
    """The first host may take later what the second one never will."""
    mail.delivered("tls", mail.domain.host)
    trace = mail.end()
    told = [(e["event"], e["code"]) for e in trace["events"] if e["attempt"] > 0]
    assert told == [("defer", "4.3.4"), ("send", "2.0.0")]
