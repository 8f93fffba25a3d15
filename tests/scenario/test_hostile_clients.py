# SPDX-License-Identifier: Apache-2.0
"""Clients that hold, flood or trick our server, while others submit.

Limits are for the debug build: memory of the receive role with its shadow, as
PSS, per session or in all.
"""

import contextlib
import json
import resource
import socket
import threading
import time
from pathlib import Path

import pytest

from lab.behaviour import Behaviour
from lab.world import Domain, Host
from tests.support.delivery import SENDER
from tests.support.evil_client import Client
from tests.support.usage import Usage

MIB = 1024 * 1024
SETTINGS_OF_SERVER = {
    "extra": 'receive { size_max = "12MiB" idle_timeout = "3s" }\n',
}
GOOD_S = 10.0
IDLE_KIB = 64  # of a session that says nothing
SESSION_KIB = 3 * 1024  # of one that is sending a message of any size
SOFT_LIMIT = 1024

CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2

QUIET = Behaviour(keeps_data=False)
GOOD = Domain("good.test", [Host(tlsa=["3 1 1"], behaviour=QUIET)])


def domains() -> list[Domain]:
    return [GOOD]


@contextlib.contextmanager
def few_descriptors():
    """What a service manager gives a daemon to begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def lab(stage, monkeypatch):
    # freed memory is kept by ASan for a while: keep that while short
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1:malloc_context_size=5")
    with few_descriptors():
        return stage.lab("hostile-clients", domains, **SETTINGS_OF_SERVER)


@pytest.fixture
def usage(lab):
    submit(lab, "before")
    return Usage(lab.server)


def submit(lab, name: str) -> None:
    """Others can submit, and their mail is delivered, at all times."""
    began = time.monotonic()
    recipient = f"{name}@good.test"
    lab.server.submit(SENDER, recipient)
    receiver = GOOD.host.receiver
    receiver.wait_for(lambda: receiver.mails(recipient))
    assert time.monotonic() - began < GOOD_S


def test_descriptors_are_what_the_system_allows(lab, usage):
    for role, pid in usage.pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        soft, hard = limits.partition("Max open files")[2].split()[:2]
        assert soft == hard, role


def test_idle_connections(lab, usage):
    with contextlib.ExitStack() as stack:
        held = [
            stack.enter_context(Client(f"127.0.1.{number % 4 + 1}"))
            for number in range(2000)
        ]
        submit(lab, "idle")
        kib = usage.since()["receive"].kib
        assert kib < 2000 * IDLE_KIB
        assert all(client.replies_until_end() == [220, 421] for client in held)


def test_too_many_from_one_address(lab):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Client("127.0.2.1")) for _ in range(1000)]
        assert held[-1].reply() == 220
        with Client("127.0.2.1") as client:
            assert 421 in client.replies_until_end()
        submit(lab, "other-address")


def test_slow_bytes_of_a_command(lab):
    with Client() as client:
        client.greet()
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 12:
                client.send(b"N")
                time.sleep(0.5)
        submit(lab, "slow")
        codes = client.replies_until_end()
    assert codes in ([421], [])
    assert time.monotonic() - began < 10


def test_bdat_a_byte_at_a_time(lab, usage):
    count = 20000
    with Client() as client:
        client.greet().envelope("bdat@good.test")
        parts = threading.Thread(
            target=client.send, args=(b"BDAT 1\r\nx" * count + b"BDAT 0 LAST\r\n",)
        )
        parts.start()
        submit(lab, "beside-bdat")
        codes = [client.reply() for _ in range(count + 1)]
        parts.join()
    assert set(codes) == {250}
    assert usage.since()["receive"].kib < 2 * SESSION_KIB
    assert usage.since()["receive"].cpu < 10


def test_100000_recipients(lab, usage):
    count = 100_000
    text = b"".join(b"RCPT TO:<r%d@good.test>\r\n" % i for i in range(count))
    with Client() as client:
        client.greet()
        assert client.say("MAIL FROM:<alice@sender.test>") == 250
        flood = threading.Thread(target=client.send, args=(text,))
        flood.start()
        codes = [client.reply() for _ in range(count)]
        submit(lab, "beside-recipients")
        flood.join()
    assert codes[:1000] == [250] * 1000
    assert set(codes[1000:]) <= {452, 421, 0}
    assert usage.since()["receive"].kib < 2 * SESSION_KIB
    assert usage.since()["receive"].cpu < 20


def test_1000_commands_at_once(lab):
    with Client() as client:
        client.greet()
        client.send(b"NOOP\r\n" * 1000)
        assert [client.reply() for _ in range(1000)] == [250] * 1000


def test_replies_that_nobody_reads(lab, usage):
    """More commands than there is room for replies: reading stops."""
    with Client() as client:
        client.greet()
        client.socket.settimeout(1)
        with contextlib.suppress(OSError):
            client.send(b"NOOP\r\n" * 5_000_000)
        submit(lab, "beside-unread")
        assert usage.since()["receive"].kib < SESSION_KIB


@pytest.mark.parametrize(
    "data, codes",
    [
        (b"x" * 20 * MIB, {500, 421}),
        (b"NO\0OP\r\n" * 30, {500, 501, 502, 421}),
        (b"NOPE\r\n" * 30, {500, 502, 421}),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", {554, 421}),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n" + b"RSET\r\n", {554, 421}),
        (CLIENT_HELLO, {500, 501, 502, 421}),
    ],
    ids=["endless line", "NUL", "errors", "HTTP GET", "HTTP POST", "TLS"],
)
def test_no_smtp(lab, usage, data, codes):
    with Client() as client:
        client.greet()
        with contextlib.suppress(OSError):
            client.send(data)
        submit(lab, "beside-rubbish")
        heard = client.replies_until_end()
    assert set(heard) <= codes
    assert usage.since()["receive"].kib < 2 * SESSION_KIB


#: what somebody has taken for the end of data (CVE-2023-51764 and kin)
ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r",
    b"\n.\r", b"\r.\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\r\n",
    b"\n\n.\r\n",
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_smuggled_end_of_data(lab, end):
    """One message in, at most one out, and no command from inside of it."""
    name = end.hex()
    smuggled = (
        f"MAIL FROM:<eve@sender.test>\r\nRCPT TO:<s{name}@good.test>\r\n"
        "DATA\r\nSubject: smuggled\r\n\r\nx"
    )
    with Client() as client:
        client.greet().envelope(f"e{name}@good.test")
        assert client.say("DATA") == 354
        client.send(b"Subject: x\r\n\r\nx" + end + smuggled.encode() + b"\r\n.\r\n")
        code = client.reply()
        assert client.say("NOOP") in (250, 0)
    assert code // 100 == 5
    submit(lab, f"after{name}")
    receiver = GOOD.host.receiver
    assert not receiver.mails(f"s{name}@good.test")
    assert not receiver.mails(f"e{name}@good.test")


def test_gone_in_the_middle_of_data(lab, usage):
    with Client() as client:
        client.greet().envelope("gone@good.test")
        assert client.say("DATA") == 354
        line = b"x" * 998 + b"\r\n"
        for _ in range(100):
            client.send(line * 1000)
    submit(lab, "after-gone")
    assert usage.since()["receive"].kib < SESSION_KIB
    assert not GOOD.host.receiver.mails("gone@good.test")


def test_large_messages_at_once(lab, usage):
    """Memory does not depend on their size: of each message at most a chunk
    is in receive, and one in queue."""
    count = 12
    body = (b"x" * 998 + b"\r\n") * (10 * MIB // 1000) + b".\r\n"
    highest = dict.fromkeys(("receive", "queue"), 0)
    codes = []

    def send(number: int) -> None:
        with Client() as client:
            client.greet().envelope(f"large{number}@good.test")
            assert client.say("DATA") == 354
            client.send(body)
            codes.append(client.reply())

    threads = [threading.Thread(target=send, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    submit(lab, "beside-large")
    while any(thread.is_alive() for thread in threads):
        now = usage.since()
        highest = {role: max(kib, now[role].kib) for role, kib in highest.items()}
        time.sleep(0.1)
    assert codes == [250] * count
    assert max(highest.values()) < count * SESSION_KIB, highest


def control(lab) -> socket.socket:
    """A connection to the control socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(lab.server.directory / "control"))  # waits its turn
    connection.settimeout(10)
    return connection


def answer_to(lab, data: bytes) -> bytes:
    with control(lab) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                answer += part
    return answer


RUBBISH = [
    b"\0\n",
    b"\xff\xfe[[[\n",
    b"[" * 60000 + b"\n",
    b'{"verb":"\\u0000"}\n',
    b'{"verb":{"verb":"stats"}}\n',
    b'{"verb":"rows","limit":-1,"what":1e400}\n',
    b"x" * MIB,
]


@pytest.mark.parametrize("data", RUBBISH, ids=lambda data: repr(data[:20]))
def test_rubbish_for_the_control_socket(lab, usage, data):
    for line in answer_to(lab, data).splitlines():
        assert "error" in json.loads(line)
    assert usage.since()["console"].kib < SESSION_KIB


def test_many_clients_of_the_control_socket(lab, usage):
    """Those who say nothing, or not all, make room for those who ask."""
    with contextlib.ExitStack() as stack:
        for number in range(100):
            connection = stack.enter_context(control(lab))
            with contextlib.suppress(OSError):
                connection.sendall(b'{"verb"' if number % 2 else b"")
        began = time.monotonic()
        assert lab.server.json("stats")["processes"]
        assert time.monotonic() - began < GOOD_S
        assert usage.since()["console"].cpu < 2


def test_client_of_the_control_socket_that_does_not_read(lab):
    with control(lab) as connection:
        connection.sendall(b'{"verb":"stats"}\n')
        submit(lab, "beside-control")
        assert lab.server.json("stats")["processes"]
