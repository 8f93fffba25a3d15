# SPDX-License-Identifier: Apache-2.0
"""Addresses and text beyond ASCII, and what the next server must offer:
SMTPUTF8 (RFC 6531), 8BITMIME (RFC 6152), SIZE (RFC 1870), CHUNKING (RFC 3030).
"""

import smtplib

import pytest

from lab.behaviour import EXTENSIONS, Behaviour
from lab.server import SUBMISSION
from lab.world import Domain, Host
from tests.support.delivery import OVER, SENDER

scenario = pytest.mark.scenario
BODY = "Grüße\r\n".encode()
PLAIN = b"Subject: plain\r\n\r\nplain\r\n"
EIGHT_BIT = b"Subject: eight bits\r\n\r\n" + BODY
UTF8_HEADER = "Subject: Grüße\r\n\r\nplain\r\n".encode()
LATE = b"Subject: late\r\n\r\n" + b"x" * 78 + b"\r\n"
LATE += (b"y" * 78 + b"\r\n") * 2000 + BODY


def lacking(*words: str) -> Behaviour:
    """A good receiver that does not offer these extensions."""
    kept = [e for e in EXTENSIONS if e.split(" ")[0] not in words]
    return Behaviour(extensions=tuple(kept))


def offering(*words: str) -> Behaviour:
    return Behaviour(extensions=(*EXTENSIONS, *words))


def one_host(name: str, behaviour: Behaviour = Behaviour()) -> Domain:
    return Domain(name, [Host(tlsa=["3 1 1"], behaviour=behaviour)])


def submit(sender: str, recipients: list[str], data: bytes, *options: str) -> None:
    """A transaction, every recipient with what follows it."""
    with smtplib.SMTP(*SUBMISSION, timeout=10) as client:
        client.command_encoding = "utf-8"
        client.ehlo()
        assert client.mail(sender, options)[0] == 250
        for recipient in recipients:
            address, _, more = recipient.partition(" ")
            assert client.rcpt(address, [more] if more else [])[0] == 250
        assert client.data(data)[0] == 250


def over(lab, recipient: str) -> tuple[str, str, str]:
    trace = lab.server.wait_trace(recipient, lambda t: t["status"] in OVER)
    last = [e for e in trace["events"] if e["event"] in ("send", "fail")][-1]
    return trace["status"], trace["code"], last["scenario"] or ""


def arrived(domain: Domain, recipient: str):
    """The one message to a recipient, and the commands it came with."""
    ((session, message),) = domain.host.receiver.mails(recipient)
    transactions: list[list[str]] = []
    for line, _ in session.commands:
        if line.startswith("MAIL"):
            transactions.append([])
        if transactions:
            transactions[-1].append(line)
    path = f"RCPT TO:<{recipient}>"
    (commands,) = [t for t in transactions if any(path in line for line in t)]
    return message, commands


def none_arrived(mail, recipient: str) -> None:
    assert mail.domain.host.receiver.mails(recipient) == []


@scenario(one_host("xn--bcher-kva.test"))
def test_utf8_address_to_a_server_with_smtputf8(mail, lab):
    recipient, sender = "jörg@bücher.test", "änne@sender.test"
    submit(sender, [recipient], UTF8_HEADER, "SMTPUTF8", "BODY=8BITMIME")
    assert over(lab, recipient)[0] == "delivered"
    message, commands = arrived(mail.domain, recipient)
    assert message.sender == sender and UTF8_HEADER in message.data
    assert "SMTPUTF8" in commands[0] and "BODY=8BITMIME" in commands[0]
    assert b"with UTF8SMTP" in message.data
    assert f"for <{recipient}>".encode() in message.data


@scenario(one_host("xn--mller-kva.test", lacking("SMTPUTF8")))
def test_utf8_domain_to_a_server_without_smtputf8(mail, lab):
    recipient, ascii_form = "bob@müller.test", "bob@xn--mller-kva.test"
    submit("al@bücher.test", [recipient], EIGHT_BIT, "SMTPUTF8", "BODY=8BITMIME")
    assert over(lab, recipient)[0] == "delivered"
    assert lab.server.json("policy", "MÜLLER.test")["domain"] == mail.domain.name
    (message,) = [
        m for _, m in mail.domain.host.receiver.mails(ascii_form) if BODY in m.data
    ]
    assert message.sender == "al@xn--bcher-kva.test"


@scenario(one_host("ascii-only.test", lacking("SMTPUTF8")))
def test_utf8_needs_to_a_server_without_smtputf8(mail, lab):
    refused = ("failed", "5.6.7", "smtputf8-not-supported")
    submit(SENDER, ["jörg@ascii-only.test"], PLAIN, "SMTPUTF8")
    submit("änne@sender.test", ["from@ascii-only.test"], PLAIN, "SMTPUTF8")
    submit(SENDER, ["header@ascii-only.test"], UTF8_HEADER, "SMTPUTF8")
    names = ["jörg@ascii-only.test", "from@ascii-only.test", "header@ascii-only.test"]
    assert [over(lab, name) for name in names] == [refused] * 3
    for name in names:
        none_arrived(mail, name)


@scenario(one_host("mixed.test", lacking("SMTPUTF8")))
def test_utf8_recipient_does_not_stop_the_other(mail, lab):
    submit(SENDER, ["jörg@mixed.test", "jim@mixed.test"], PLAIN, "SMTPUTF8")
    assert over(lab, "jim@mixed.test")[0] == "delivered"
    assert over(lab, "jörg@mixed.test")[1] == "5.6.7"
    message, commands = arrived(mail.domain, "jim@mixed.test")
    assert message.recipients == ["jim@mixed.test"]
    assert "SMTPUTF8" not in commands[0]


@scenario(one_host("declared.test", lacking("SMTPUTF8")))
def test_smtputf8_declared_and_not_needed(mail, lab):
    submit(SENDER, ["all-ascii@declared.test"], PLAIN, "SMTPUTF8")
    assert over(lab, "all-ascii@declared.test")[0] == "delivered"


@scenario(
    Domain(
        "next.test",
        [
            Host("mx1", 10, ["3 1 1"], behaviour=lacking("SMTPUTF8")),
            Host("mx2", 20, ["3 1 1"]),
        ],
    )
)
def test_utf8_goes_to_the_next_host_that_has_it(mail, lab):
    recipient = "jörg@next.test"
    submit(SENDER, [recipient], PLAIN, "SMTPUTF8")
    assert over(lab, recipient)[0] == "delivered"
    assert len(mail.domain.hosts[1].receiver.mails(recipient)) == 1


ORCPT = one_host("orcpt.test")
ORCPT_ASCII = one_host("orcpt-ascii.test", lacking("SMTPUTF8"))


@scenario(ORCPT, ORCPT_ASCII)
@pytest.mark.parametrize(
    "domain, recipient, said",
    [
        (ORCPT, "ö@orcpt.test", "jörg"),
        (ORCPT_ASCII, "o@orcpt-ascii.test", "j\\x{F6}rg"),
    ],
)
def test_orcpt_of_type_utf8(lab, domain, recipient, said):
    submit(SENDER, [f"{recipient} ORCPT=utf-8;jörg@alt.test"], PLAIN, "SMTPUTF8")
    assert over(lab, recipient)[0] == "delivered"
    _, commands = arrived(domain, recipient)
    assert f"ORCPT=utf-8;{said}@alt.test" in commands[1]


@scenario(one_host("seven.test", lacking("8BITMIME", "SMTPUTF8")))
@pytest.mark.parametrize("name", ["declared", "silent", "late"])
def test_8bit_to_a_server_without_8bitmime(mail, lab, name):
    data = LATE if name == "late" else EIGHT_BIT
    options = ["BODY=8BITMIME"] if name == "declared" else []
    recipient = f"{name}@seven.test"
    submit(SENDER, [recipient], data, *options)
    assert over(lab, recipient) == ("failed", "5.6.3", "8bit-not-supported")
    none_arrived(mail, recipient)


@scenario(one_host("home.test", lacking("8BITMIME", "SMTPUTF8")))
@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("body", EIGHT_BIT, b"text/rfc822-headers"),
        ("header", UTF8_HEADER, b"message/global"),
    ],
    ids=["body", "header"],
)
def test_8bit_comes_back_to_a_server_without_8bitmime(mail, lab, name, data, kind):
    """The report of its failure needs nothing that the server lacks."""
    sender = f"{name}-sender@home.test"
    submit(sender, [f"{name}@home.test"], data, "RET=FULL")
    assert over(lab, f"{name}@home.test")[0] == "failed"
    assert over(lab, sender)[0] == "delivered"
    message, commands = arrived(mail.domain, sender)
    assert commands[0].startswith("MAIL FROM:<>") and "8BIT" not in commands[0]
    assert message.data.isascii()
    assert b"\r\nContent-Type: " + kind + b"\r\n" in message.data
    assert (b"=C3=BC" in message.data) == (name == "header")


@scenario(one_host("eight.test"))
def test_8bit_arrives_declared_as_it_was(mail, lab):
    for name, data in (("early", EIGHT_BIT), ("late", LATE)):
        recipient = f"{name}@eight.test"
        submit(SENDER, [recipient], data)
        assert over(lab, recipient)[0] == "delivered"
        message, commands = arrived(mail.domain, recipient)
        assert message.data.endswith(data) and "BODY=8BITMIME" in commands[0]


SMALL = Behaviour(extensions=("PIPELINING", "SIZE 100000", "8BITMIME"))


@scenario(one_host("small.test", SMALL))
def test_larger_than_the_servers_size(mail, lab):
    recipient = "large@small.test"
    submit(SENDER, [recipient], LATE)
    assert over(lab, recipient) == ("failed", "5.3.4", "too-large-for-peer")
    none_arrived(mail, recipient)


@scenario(one_host("chunks.test", offering("CHUNKING")))
def test_streamed_message_goes_in_chunks(mail, lab):
    submit(SENDER, ["streamed@chunks.test"], LATE)
    submit(SENDER, ["whole@chunks.test"], PLAIN)
    assert over(lab, "streamed@chunks.test")[0] == "delivered"
    assert over(lab, "whole@chunks.test")[0] == "delivered"
    message, commands = arrived(mail.domain, "streamed@chunks.test")
    chunks = [c.split(" ") for c in commands if c.startswith("BDAT")]
    assert message.data.endswith(LATE)
    assert sum(int(c[1]) for c in chunks) == len(message.data)
    assert [len(c) for c in chunks] == [2] * (len(chunks) - 1) + [3]


@scenario(one_host("taken.test"))
def test_chunks_are_taken(mail, lab):
    recipient = "bdat@taken.test"
    with smtplib.SMTP(*SUBMISSION, timeout=10) as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(recipient)
        for part, last in ((PLAIN[:10], ""), (PLAIN[10:], " LAST")):
            client.send(b"BDAT %d%s\r\n" % (len(part), last.encode()) + part)
            assert client.getreply()[0] == 250
    assert over(lab, recipient)[0] == "delivered"
    assert arrived(mail.domain, recipient)[0].data.endswith(PLAIN)


@scenario(one_host("trace.test"))
def test_received_names_the_queue_id(mail, lab):
    mail.delivered("dane")
    message, _ = arrived(mail.domain, mail.recipient)
    header = message.data.partition(b"\r\n\r\n")[0].decode()
    assert f"\r\n\tid {mail.end()['id']}\r\n" in header
    assert f"for <{mail.recipient}>" in header


@scenario(one_host("submission.test"))
@pytest.mark.parametrize(
    "line, code",
    [
        ("MAIL FROM:<änne@sender.test>", "5.6.7"),
        ("MAIL FROM:<al@bücher.test>", "5.6.7"),
        ("RCPT TO:<jörg@submission.test>", "5.6.7"),
        ("RCPT TO:<bob@bücher.test>", "5.6.7"),
        (f"MAIL FROM:<{SENDER}> SIZE=99999999999", "5.3.4"),
    ],
)
def test_refused_at_submission(mail, lab, line, code):
    with smtplib.SMTP(*SUBMISSION, timeout=10) as client:
        client.ehlo()
        if line.startswith("RCPT"):
            client.mail(SENDER)
        client.send(line.encode() + b"\r\n")
        status, text = client.getreply()
        assert status // 100 == 5 and text.decode().startswith(code)
