# SPDX-License-Identifier: Apache-2.0
"""Postfix and Exim as clients that submit to us, and what arrives in the end.

Both check our certificate on the listener with STARTTLS. What they said to us
is in their own logs.
"""

import hashlib
import re
import smtplib
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

import pytest

from lab.procs import wait_until

SENDER = "alice@sender.test"
DAEMONS = ["postfix", "exim"]
MEGABYTE = 1 << 20


def hand_over(interop, daemon: str, recipients: list[str], data: bytes, *options) -> None:
    """Gives a message to the daemon, which has to submit it to us."""
    address = interop.daemon(daemon).address
    with smtplib.SMTP(address, 25, timeout=60) as client:
        client.ehlo("client.test")
        client.sendmail(SENDER, recipients, data, mail_options=options)


def arrived(interop, recipient: str) -> bytes:
    """The one copy of the message that the recipient's host has got."""
    host = interop.domain(recipient.rpartition("@")[2]).host
    receiver = host.receiver
    wait_until(lambda: receiver.mails(recipient), f"the message to {recipient}", 30)
    ((session, mail),) = receiver.mails(recipient)
    assert mail.encrypted and session.tls
    return mail.data


def our_ids(data: bytes) -> list[bytes]:
    """The ids in the Received fields that are ours."""
    return re.findall(rb"by mail\.sender\.test .*?id (\w+)", data, re.DOTALL)


def plain(subject: str, body: str, policy=SMTP) -> bytes:
    mail = EmailMessage(policy=policy)
    mail["From"], mail["To"], mail["Subject"] = SENDER, "list@sender.test", subject
    mail.set_content(body, cte="8bit" if not body.isascii() else None)
    return mail.as_bytes()


def body_of(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_several_recipients(interop, daemon):
    recipients = [f"{daemon}-{user}@inbox{n}.test" for n in (1, 2) for user in "abc"]
    hand_over(interop, daemon, recipients, plain("several", "For all of you.\r\n"))
    copies = [arrived(interop, recipient) for recipient in recipients]
    assert all(body_of(copy) == b"For all of you.\r\n" for copy in copies)
    ids = {tuple(our_ids(copy)) for copy in copies}
    assert len(ids) == 1 and len(ids.pop()) == 1  # one message, by us once


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_megabyte(interop, daemon):
    lines = [hashlib.sha256(b"%d" % n).hexdigest() for n in range(MEGABYTE // 66)]
    # lines that begin with dots, and one that is a dot alone
    lines[10], lines[20], lines[30] = ".", "..", ".dot"
    data = plain("large", "\r\n".join(lines) + "\r\n")
    assert len(data) > 0.99 * MEGABYTE
    recipient = f"{daemon}-large@inbox1.test"
    hand_over(interop, daemon, [recipient], data)
    assert body_of(arrived(interop, recipient)) == body_of(data)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_eight_bits(interop, daemon):
    data = plain("eight bits", "Grüße, ½ Pfund Käse, 10 €\r\n")
    assert max(body_of(data)) > 127
    recipient = f"{daemon}-8bit@inbox1.test"
    hand_over(interop, daemon, [recipient], data, "BODY=8BITMIME")
    assert body_of(arrived(interop, recipient)) == body_of(data)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_internationalised_address(interop, daemon):
    recipient = f"{daemon}-jürgen@inbox1.test"
    data = plain("Grüße aus Köln", "Hallo.\r\n", policy=SMTPUTF8)
    hand_over(interop, daemon, [recipient], data, "SMTPUTF8", "BODY=8BITMIME")
    copy = arrived(interop, recipient)
    assert "Subject: Grüße aus Köln\r\n".encode() in copy
    assert body_of(copy) == b"Hallo.\r\n"


def test_what_postfix_said(interop):
    """It pipelined to us under TLS, and knew us by our certificate."""
    recipient = "postfix-said@inbox2.test"
    hand_over(interop, "postfix", [recipient], plain("said", "As in the log.\r\n"))
    arrived(interop, recipient)
    log = interop.postfix.log_text()
    assert "Verified TLS connection established to mail.sender.test[127.0.0.2]:587" in log
    lines = [line.partition("[127.0.0.2]:587: ")[::2] for line in log.splitlines()]
    dialogue = [(start.rpartition(": ")[2][:1], text) for start, text in lines if text]
    said = f"RCPT TO:<{recipient}>"
    (rcpt,) = [i for i, (_, text) in enumerate(dialogue) if text.startswith(said)]
    around = [mark for mark, _ in dialogue[rcpt - 1 : rcpt + 2]]
    assert around == [">", ">", ">"], dialogue[rcpt - 3 : rcpt + 3]
    assert any("BODY=8BITMIME" in text for mark, text in dialogue if mark == ">")
    assert any("SMTPUTF8" in text for mark, text in dialogue if mark == ">")


def test_what_exim_said(interop):
    """It used CHUNKING and PIPELINING, and trusted our certificate."""
    recipient = "exim-said@inbox2.test"
    hand_over(interop, "exim", [recipient], plain("said", "As in the log.\r\n"))
    arrived(interop, recipient)

    def delivered() -> list[str]:
        lines = interop.exim.log_text().splitlines()
        return [line for line in lines if f"=> {recipient} " in line]

    wait_until(lambda: delivered() != [], "Exim's log")
    (line,) = delivered()
    words = line.split()
    assert "CV=yes" in words and any(word.startswith("X=TLS1.") for word in words), line
    assert "K" in words and "L" in words, line
