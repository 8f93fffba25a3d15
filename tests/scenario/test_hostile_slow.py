# SPDX-License-Identifier: Apache-2.0
"""Peers that take their time with a message, that want a handshake in the
middle of a session, and messages of the largest size, in and out.

Limits are for the debug build: memory of a role with its shadow, as PSS.
"""

import contextlib
import hashlib
import smtplib
import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest

from lab.behaviour import EXTENSIONS, Behaviour
from lab.cert import Certificate, Workshop
from lab.server import SUBMISSION
from lab.world import Domain, Host
from tests.support.delivery import OVER, SENDER, brief
from tests.support.evil_client import Client
from tests.support.raw_tls import RawTls
from tests.support.usage import Usage

MIB = 1024 * 1024
OURS = Workshop(Path(tempfile.mkdtemp(prefix="sealpost-slow-"))).make(
    "mail.sender.test", Certificate()
)
SECURED = ("127.0.0.1", 2587)
RENEGOTIATOR = ("127.0.0.1", 2599)
SETTINGS = {
    "extra": f"""
receive {{ data_timeout = "2s"  idle_timeout = "1s" }}
smtp {{ attempt_timeout = "5s"  command_timeout = "3s" }}
listen "tls" {{
  address = "{SECURED[0]}:{SECURED[1]}"
  certificate = "{OURS.chain_file}"
  key = "{OURS.key_file}"
}}
route "again.test" {{ next_hop = "[{RENEGOTIATOR[0]}]:{RENEGOTIATOR[1]}" }}
"""
}
TOO_SLOW = (b"421", b"message too slow")
CPU_S = 2.0  # of one session, with its handshake
LARGE = 50 * MIB - 256 * 1024
ROLE_KIB = 24 * 1024  # more than before, while the largest messages pass

CHUNKING = Behaviour(extensions=(*EXTENSIONS, "CHUNKING"))


def domains() -> list[Domain]:
    return [
        Domain("good.test", [Host(tlsa=["3 1 1"])]),
        Domain("sips.test", [Host(tlsa=["3 1 1"], behaviour=Behaviour(sips=0.2))]),
        Domain("data.test", [Host(tlsa=["3 1 1"])]),
        Domain("bdat.test", [Host(tlsa=["3 1 1"], behaviour=CHUNKING)]),
    ]


@pytest.fixture
def lab(stage):
    return stage.lab("hostile-slow", domains, **SETTINGS)


@pytest.fixture
def patient(stage, monkeypatch):
    # freed memory is kept by ASan for a while: keep that while short
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1:malloc_context_size=5")
    return stage.lab("hostile-slow-patient", domains)


def host_of(lab, name: str) -> Host:
    return next(d for d in lab.world.domains if d.name == name).host


def over(lab, recipient: str) -> dict:
    return lab.server.wait_trace(recipient, lambda t: t["status"] in OVER)


@pytest.mark.parametrize("verb", ["DATA", "BDAT 1000000"])
def test_client_sends_a_message_byte_by_byte(lab, verb):
    """A byte is no silence, but the message has its time."""
    began = time.monotonic()
    with Client() as client:
        client.greet().envelope("drip@good.test")
        client.send(verb.encode() + b"\r\n")
        if verb == "DATA":
            assert client.reply() == 354
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 5:
                client.send(b"x")
                time.sleep(0.1)
        lab.server.submit(SENDER, "beside-drip@good.test")
        line = client.line()
    assert 2 <= time.monotonic() - began < 10
    assert line.startswith(TOO_SLOW[0]) and TOO_SLOW[1] in line
    assert not host_of(lab, "good.test").receiver.mails("drip@good.test")


def test_session_lives_on_after_a_message(lab):
    """The time of a message is not that of the session."""
    with smtplib.SMTP(*SUBMISSION, timeout=20) as client:
        began = time.monotonic()
        while time.monotonic() - began < 3:
            client.sendmail(SENDER, ["again@good.test"], b"Subject: x\r\n\r\nx\r\n")
            time.sleep(0.5)
        assert client.noop()[0] == 250


def send_large(recipient: str, body: bytes, verb: str) -> int:
    with Client() as client:
        client.greet().envelope(recipient)
        if verb == "DATA":
            assert client.say("DATA") == 354
            client.send(body + b".\r\n")
        else:
            client.send(b"BDAT %d LAST\r\n" % len(body))
            client.send(body)
        return client.reply()


def large(size: int) -> bytes:
    line = b"y" * 990 + b"\r\n"
    return b"Subject: large\r\n\r\n" + line * (size // len(line))


def test_server_takes_a_message_drop_by_drop(lab):
    """Each drop is progress; the attempt ends all the same."""
    began = time.monotonic()
    assert send_large("bob@sips.test", large(16 * MIB), "DATA") == 250
    trace = lab.server.wait_trace(
        "bob@sips.test", lambda t: any(e["event"] == "defer" for e in t["events"])
    )
    last = [e for e in trace["events"] if e["event"] == "defer"][0]
    assert last["scenario"] == "attempt-deadline", brief(trace)
    assert time.monotonic() - began < 20


def test_client_wants_another_handshake(lab):
    usage = Usage(lab.server)
    for _ in range(5):
        plain = socket.create_connection(SECURED, 20)
        lines = plain.makefile("rb")
        lines.readline()
        plain.sendall(b"EHLO evil.test\r\n")
        while lines.readline()[3:4] == b"-":
            pass
        plain.sendall(b"STARTTLS\r\n")
        assert lines.readline().startswith(b"220")
        plain.settimeout(None)
        tls = RawTls(plain)
        assert tls.write(b"EHLO evil.test\r\n") and tls.read().startswith(b"250")
        assert not any(tls.renegotiate() for _ in range(100))
        tls.close()
    lab.server.submit(SENDER, "after-renegotiation@good.test")
    assert usage.since()["receive"].cpu < CPU_S


class Renegotiator:
    """A server that greets, secures, and then wants a handshake again and
    again."""

    def __init__(self) -> None:
        self._listener = socket.create_server(RENEGOTIATOR)
        self.refused = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._session(self._listener.accept()[0])

    def _session(self, plain: socket.socket) -> None:
        lines = plain.makefile("rb")
        plain.sendall(b"220 again.test\r\n")
        lines.readline()
        plain.sendall(b"250-again.test\r\n250 STARTTLS\r\n")
        lines.readline()
        plain.sendall(b"220 go\r\n")
        tls = RawTls(plain, OURS)
        tls.read()
        for _ in range(100):
            if not tls.renegotiate():
                break
        # to a demand that was refused OpenSSL's server ends the connection
        if not tls.read():
            self.refused.set()
        time.sleep(0.5)
        tls.close()

    def close(self) -> None:
        self._listener.close()


def test_server_wants_another_handshake(lab):
    usage = Usage(lab.server)
    server = Renegotiator()
    lab.server.submit(SENDER, "bob@again.test")
    lab.server.submit(SENDER, "beside@good.test")
    trace = lab.server.wait_trace(
        "bob@again.test", lambda t: any(e["event"] == "defer" for e in t["events"])
    )
    assert server.refused.wait(10)
    assert trace["status"] == "pending", brief(trace)
    assert over(lab, "beside@good.test")["status"] == "delivered"
    assert usage.since()["transport"].cpu < CPU_S
    server.close()


@pytest.mark.parametrize("verb", ["DATA", "BDAT"])
def test_largest_message(patient, verb):
    """In and out by the same verb, and never whole in memory."""
    lab = patient
    lab.server.submit(SENDER, f"before-{verb}@good.test")
    name = f"{verb.lower()}.test"
    recipient = f"large@{name}"
    body = large(LARGE)
    usage = Usage(lab.server)
    highest = dict.fromkeys(dict(usage.pids), 0)
    codes = []
    sender = threading.Thread(
        target=lambda: codes.append(send_large(recipient, body, verb))
    )
    receiver = host_of(lab, name).receiver
    sender.start()
    while not receiver.mails(recipient) and codes in ([], [250]):
        now = usage.since()
        highest = {role: max(kib, now[role].kib) for role, kib in highest.items()}
        time.sleep(0.05)
    sender.join()
    assert codes == [250]
    assert over(lab, recipient)["status"] == "delivered"
    ((session, mail),) = receiver.mails(recipient)
    assert hashlib.sha256(mail.data[-len(body) :]).digest() == hashlib.sha256(
        body
    ).digest()
    assert (verb == "BDAT") == any(c.startswith("BDAT") for c, _ in session.commands)
    assert max(highest.values()) < ROLE_KIB, highest
