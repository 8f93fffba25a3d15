# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up: new mail is refused while what is queued goes on."""

import os
import smtplib
import subprocess

import pytest

from lab.behaviour import NORMAL, replying
from lab.procs import wait_until
from lab.server import Server, message
from lab.world import Domain, Host, World

SENDER = "alice@sender.test"
SIZE = 32 << 20
#: less than the reserve, and enough to deliver from
LEFT = 2 << 20
LATER = [Host(tlsa=["3 1 1"], behaviour=replying("RCPT", "450 4.2.0 later", NORMAL))]


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    made = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(place)]
    subprocess.run(made, check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def free(place) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def fill(place) -> None:
    """Somebody else's file takes all but LEFT."""
    (place / "ballast").write_bytes(bytes(free(place) - LEFT))


def accepted(server: Server, recipient: str) -> bool:
    try:
        server.submit(SENDER, recipient)
    except smtplib.SMTPDataError as refusal:
        assert (refusal.smtp_code, refusal.smtp_error[:5]) == (452, b"4.3.1"), server.tail()
        return False
    return True


def test_queued_mail_goes_on_and_room_is_seen(tmp_path, disk):
    domains = [Domain("waits.test", LATER), Domain("open.test", [Host(tlsa=["3 1 1"])])]
    with World(tmp_path / "world", domains) as world:
        server = Server(world, retry='"2s"')
        text = server.config.read_text()
        server.config.write_text(text.replace(f"{server.directory}/sealpost.db", f"{disk}/db"))
        server.start()
        server.submit(SENDER, "first@waits.test")
        fill(disk)
        wait_until(lambda: not accepted(server, "second@open.test"), "a refusal", 30)
        trace = server.wait_trace("first@waits.test", lambda t: t["status"] == "delivered")
        assert trace["attempts"] == 2
        large = message(SENDER, "large@open.test") + b"x" * 70 + b"\r\n" * 60000
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            server.submit(SENDER, "large@open.test", data=large)
        assert refusal.value.smtp_code == 452
        (disk / "ballast").unlink()
        wait_until(lambda: accepted(server, "third@open.test"), "room", 30)
        server.wait_trace("third@open.test", lambda t: t["status"] == "delivered")
        assert "queue.store_failed" not in server.log.read_text()
        assert server.stop() == 0
