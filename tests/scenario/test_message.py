# SPDX-License-Identifier: Apache-2.0
"""What happens to the message itself, and to several of them."""

import random
import smtplib

import pytest

from lab import front
from lab.behaviour import HONEST, replying
from lab.server import SUBMISSION
from lab.world import Domain, Host
from tests.support.delivery import SENDER

scenario = pytest.mark.scenario
TLSA_OF_MX = ("_25._tcp.mx", "TLSA")


def large(size: int) -> bytes:
    """A message with lines of every length up to 998 and leading dots."""
    chance = random.Random(size)
    lines, total = [b"Subject: large", b""], 0
    while total < size:
        line = chance.choice([b".", b"..", b"x"]) * chance.randint(0, 400)
        lines.append(line[:998])
        total += len(line) + 2
    return b"\r\n".join(lines) + b"\r\n"


@scenario(Domain("large.test", [Host(tlsa=["3 1 1"])]))
def test_large_message_arrives_as_it_was(mail, lab):
    data, recipient = large(6 * 1024 * 1024), f"large@{mail.domain.name}"
    lab.server.submit(SENDER, recipient, data=data)
    lab.server.wait_trace(recipient, lambda trace: trace["status"] == "delivered")
    ((_, arrived),) = mail.domain.host.receiver.mails(recipient)
    added, _, rest = arrived.data.partition(b"Subject: large\r\n")
    assert rest == data.partition(b"Subject: large\r\n")[2]
    assert added.startswith(b"Received: ")


def delivered_after(lab, recipient: str, code: str, repair) -> None:
    """The first attempt fails; repaired, a later one delivers."""
    lab.server.submit(SENDER, recipient)
    trace = lab.server.wait_trace(recipient, lambda trace: trace["attempts"] > 0)
    assert trace["code"] == code
    repair()
    trace = lab.server.wait_trace(recipient, lambda t: t["status"] != "pending")
    assert (trace["status"], trace["security"]) == ("delivered", "dane")
    assert trace["attempts"] > 1


@scenario(
    Domain(
        "repaired.test",
        [Host(tlsa=["3 1 1"], behaviour=replying("STARTTLS", "454 4.7.0 not now"))],
    )
)
def test_a42_server_repaired_before_a_later_attempt(mail, lab):
    def repair() -> None:
        mail.domain.host.receiver.behaviour = HONEST

    delivered_after(lab, "later@repaired.test", "4.7.321", repair)


@scenario(
    Domain("a42.test", [Host(tlsa=["3 1 1"])], faults={TLSA_OF_MX: front.SERVFAIL})
)
def test_a42_dns_repaired_before_a_later_attempt(mail, lab):
    def repair() -> None:
        lab.world.fronts.set_fault("_25._tcp.mx.a42.test", "TLSA", None)

    delivered_after(lab, "later@a42.test", "4.7.324", repair)


@scenario(Domain("several.test", [Host(tlsa=["3 1 1"])]))
def test_several_recipients_in_one_transaction(mail, lab):
    names = [f"r{i}@several.test" for i in range(5)]
    lab.server.submit(SENDER, *names)
    for name in names:
        lab.server.wait_trace(name, lambda trace: trace["status"] == "delivered")
    arrived = [m for _, m in mail.domain.host.receiver.mails(names[0])]
    assert [sorted(m.recipients) for m in arrived] == [names]


SHARED_HOST = Host("mx.a49-first.test.", tlsa=["3 1 1"])


@scenario(
    Domain("a49-first.test", [SHARED_HOST]),
    Domain("a49-second.test", [SHARED_HOST], signed=False),
)
def test_a49_same_host_under_different_policies(mail, lab):
    mail.delivered("dane")
    recipient = "bob@a49-second.test"
    lab.server.submit(SENDER, recipient)
    trace = lab.server.wait_trace(recipient, lambda t: t["status"] == "delivered")
    assert trace["security"] == "half-dane"
    receiver = SHARED_HOST.receiver
    ((first, _),) = receiver.mails(mail.recipient)
    ((second, _),) = receiver.mails(recipient)
    assert first is not second and not second.resumed


@scenario(Domain("bare.test", [Host(tlsa=["3 1 1"])]))
@pytest.mark.parametrize(
    "data",
    [b"Subject: x\r\n\r\nbare\nfeed", b"Subject: x\r\n\r\nbare\rreturn", b"nul\0"],
    ids=["LF", "CR", "NUL"],
)
def test_malformed_message_is_refused(mail, lab, data):
    with smtplib.SMTP(*SUBMISSION, timeout=10) as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt("refused@bare.test")
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(data + b"\r\n.\r\n")
        assert client.getreply()[0] // 100 == 5
    assert lab.server.trace("refused@bare.test") is None
