# SPDX-License-Identifier: Apache-2.0
"""Mail servers that want to cost us time, memory or other mail.

One server has mail for all of them at once, and meanwhile for a good domain.
The limits are for the debug build, with sanitizers, on a slow machine.
"""

import re
import time

import pytest

from lab.behaviour import CLOSE, RESET, Behaviour, Flood, replying
from lab.cert import Certificate
from lab.server import tried
from lab.world import Domain, Host
from tests.support.delivery import SENDER
from tests.support.usage import Usage

SETTINGS_OF_SERVER = {
    "retry": '"1h"',
    "expire": "2h",
    "smtp": 'greeting_timeout = "8s" command_timeout = "8s" '
    'data_init_timeout = "8s" data_done_timeout = "8s"',
}
#: the longest way to a verdict is a handful of timeouts
VERDICT_S = 40.0
#: of most good messages: all the servers here share one interpreter
GOOD_S = 5.0
CPU_S = 20.0
GROWTH_KIB = 64 * 1024

LINE = Flood(b"x" * 65536, pause=0.01)
LINES = Flood(b"220-more\r\n" * 5000, pause=0.01)
DRIP = Flood(b"2", pause=0.4)
BANNER = b"220-hello\r\n" * 10000 + b"220 here I am\r\n"
KEYWORDS = b"250-STARTTLS\r\n" * 10000 + b"250 PIPELINING\r\n"
RECORD_BYTES = b"\x16\x03\x03\x40\x00" + bytes(16384)
#: a ServerHello of 16 MiB that is about to come
START = b"\x16\x03\x03\x40\x00\x02\xff\xff\xff\x03\x03" + bytes(16378)
HELLO = Flood(START, pause=0.01, after=True)
HELLO_DRIP = Flood(START[:1], pause=0.4, after=True)
ODD = b"550 5.1.1 \x1b[2J\x9b31m<b>evil\xff\r\n"


def naming(count: int) -> Certificate:
    return Certificate(names=tuple(f"n{i}.sans.test" for i in range(count)))



CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")

PROTOCOL = ("4.5.0", "protocol-error")
CLOSED = ("4.4.318", "connection-closed")
SLOW = ("4.4.315", "session-timeout")
NO_TLS = "4.7.321"

#: behaviour, and the code and scenario of the first attempt
PEERS = {
    "line": (replying("greeting", LINE), PROTOCOL),
    "lines": (replying("greeting", LINES), PROTOCOL),
    "drip": (replying("greeting", DRIP), SLOW),
    "banner": (replying("greeting", BANNER), PROTOCOL),
    "ehlo-line": (replying("EHLO", LINE), PROTOCOL),
    "ehlo-lines": (replying("EHLO", LINES), PROTOCOL),
    "keywords": (replying("EHLO", KEYWORDS), PROTOCOL),
    "behind-220": (
        replying("STARTTLS", b"220 2.0.0 go\r\n" + RECORD_BYTES),
        (NO_TLS, "starttls-garbage"),
    ),
    "handshake": (Behaviour(handshake=HELLO), (NO_TLS, "handshake-failed")),
    "shake-drip": (Behaviour(handshake=HELLO_DRIP), (NO_TLS, "handshake-failed")),
    "tls-lines": (Behaviour(after_handshake=LINES), PROTOCOL),
    "early-250": (replying("DATA", b"354 go\r\n250 2.0.0 taken\r\n"), PROTOCOL),
    "early-421": (
        replying("DATA", b"354 go\r\n421 4.3.2 bye\r\n"),
        ("4.3.2", "remote-reply"),
    ),
    "ahead": (replying("MAIL", b"250 a\r\n250 b\r\n354 c\r\n250 d\r\n"), PROTOCOL),
    "nul": (replying("RCPT", b"550 5.1.1 no\0thing\r\n"), PROTOCOL),
    "odd": (replying("RCPT", ODD), ("5.1.1", "remote-reply")),
    "dot-drip": (replying(".", DRIP), SLOW),
    "close-greeting": (replying("greeting", CLOSE), CLOSED),
    "close-ehlo": (replying("EHLO", CLOSE), CLOSED),
    "close-starttls": (replying("STARTTLS", CLOSE), (NO_TLS, "starttls-timeout")),
    "close-handshake": (Behaviour(handshake=CLOSE), (NO_TLS, "handshake-failed")),
    "close-tls": (Behaviour(after_handshake=CLOSE), CLOSED),
    "close-mail": (replying("MAIL", CLOSE), CLOSED),
    "close-rcpt": (replying("RCPT", RESET), CLOSED),
    "close-data": (replying("DATA", RESET), CLOSED),
    "close-dot": (replying(".", CLOSE), CLOSED),
}


def hosts() -> list[Domain]:
    return [
        Domain(f"{name}.test", [Host(tlsa=["3 1 1"], behaviour=behaviour)])
        for name, (behaviour, _) in PEERS.items()
    ]


TICKETS = Domain("tickets.test", [Host(tlsa=["3 1 1"])])
TWO_ADDRESSES = ["127.25.9.1", "127.25.9.2"]
KEYS = Domain("keys.test", [Host(tlsa=["3 1 1"], addresses=TWO_ADDRESSES)])
PLAIN = [
    Domain("names1000.test", [Host(tlsa=["3 1 1"], certificate=naming(1000))]),
    Domain("names10000.test", [Host(tlsa=["3 1 1"], certificate=naming(10000))]),
    TICKETS,
    KEYS,
]
GOOD = Domain("good.test", [Host(tlsa=["3 1 1"])])
HOSTILE = [*hosts(), *PLAIN]


def domains() -> list[Domain]:
    return [*HOSTILE, GOOD]


def set_traps(world) -> None:
    """What a Behaviour cannot say."""
    TICKETS.host.receiver.context.num_tickets = 500
    # the other address has another key, which no record is for
    other = world.workshop.make("mx.keys.test", Certificate())
    first = KEYS.host.receivers[0]
    first.context = first._tls_context(other)


def mail_to(lab, recipient: str) -> float:
    """Sends a message; the seconds until it was delivered."""
    began = time.monotonic()
    lab.server.submit(SENDER, recipient)
    lab.server.wait_trace(recipient, lambda t: t["status"] == "delivered", 60)
    return time.monotonic() - began


class Run:
    """All that was sent at once, and what it cost."""

    def __init__(self, lab) -> None:
        self.lab = lab
        set_traps(lab.world)
        mail_to(lab, "first@good.test")
        usage = Usage(lab.server)
        began = time.monotonic()
        for domain in HOSTILE:
            lab.server.submit(SENDER, f"bob@{domain.name}")
        self.good_s = [mail_to(lab, f"bob{i}@good.test") for i in range(5)]
        self.traces = {d.name: self.verdict(d.name) for d in HOSTILE}
        self.verdict_s = time.monotonic() - began
        self.cost = usage.since()["transport"]

    def verdict(self, domain: str) -> dict:
        return self.lab.server.wait_trace(f"bob@{domain}", tried, VERDICT_S)


@pytest.fixture(scope="module")
def run(stage):
    with pytest.MonkeyPatch.context() as patch:
        # freed memory is kept by ASan for a while: keep that while short
        patch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1:malloc_context_size=5")
        return Run(stage.lab("hostile-peers", domains, **SETTINGS_OF_SERVER))


def test_other_mail_is_not_held_up(run):
    assert sorted(run.good_s)[2] < GOOD_S, run.good_s


def test_verdicts_in_time(run):
    assert run.verdict_s < VERDICT_S


def test_cost(run):
    assert run.cost.cpu < CPU_S and run.cost.kib < GROWTH_KIB, run.cost


def first(trace: dict) -> tuple[str, str | None]:
    """Code and scenario of the first attempt."""
    event = next(e for e in trace["events"] if e["event"] in ("send", "defer", "fail"))
    return event["code"], event["scenario"]


@pytest.mark.parametrize("name", PEERS)
def test_verdict(run, name):
    assert first(run.traces[f"{name}.test"]) == PEERS[name][1]


@pytest.mark.parametrize("name", PEERS)
def test_one_connection(run, name):
    domain = next(d for d in HOSTILE if d.name == f"{name}.test")
    assert len(domain.host.receiver.sessions) == 1
    assert not domain.host.receiver.mail_in_clear()


def test_certificates(run):
    """Many names are fine as far as OpenSSL takes the message."""
    assert run.traces["names1000.test"]["security"] == "dane"
    verdict = first(run.traces["names10000.test"])
    assert verdict == (NO_TLS, "handshake-failed")


def test_flood_of_tickets(run):
    assert run.traces["tickets.test"]["security"] == "dane"


def test_another_certificate_at_the_other_address(run):
    assert run.traces["keys.test"]["security"] == "dane"
    wrong, right = KEYS.host.receivers
    assert not wrong.mails() and len(right.mails()) == 1
    assert not wrong.mail_in_clear()


def test_no_odd_byte_gets_out(run):
    server = run.lab.server
    message = run.traces["odd.test"]["id"]
    said = [
        server.run("trace", "--detail", message).stdout,
        server.run("trace", "--detail", message, "--json").stdout,
        server.run("queue", "list").stdout,
        server.log.read_bytes(),
    ]
    assert b"evil" in said[0] and b"evil" in said[1]
    for text in said:
        assert not CONTROL.search(text), CONTROL.search(text)
        text.decode()
