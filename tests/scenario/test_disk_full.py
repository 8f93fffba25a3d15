# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up: new mail is refused while what is queued goes on."""

import os
import smtplib
import subprocess

import pytest

from lab.behaviour import NORMAL, replying
from lab.procs import wait_until
from lab.server import Server, message
from lab.world import Domain, Host

SENDER = "alice@sender.test"
SIZE = 32 << 20
#: less than the reserve, and enough to deliver from
LEFT = 2 << 20
LATER = replying("RCPT", "450 4.2.0 later", NORMAL)


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
        assert (refusal.smtp_code, refusal.smtp_error[:5]) == (452, b"4.3.1")
        return False
    return True


def domains() -> list[Domain]:
    return [
        Domain("waits.test", [Host(tlsa=["3 1 1"], behaviour=LATER)]),
        Domain("open.test", [Host(tlsa=["3 1 1"])]),
    ]


@pytest.fixture
def server(stage, disk):
    """The store and the control socket are on that disk."""
    yield stage.lab("disk-full", domains, directory=disk, retry='"2s"').server
    stage.clear()


def delivered(server: Server, recipient: str) -> dict:
    return server.wait_trace(recipient, lambda t: t["status"] == "delivered")


def test_queued_mail_goes_on_and_room_is_seen(server, disk):
    server.submit(SENDER, "first@waits.test")
    fill(disk)
    wait_until(lambda: not accepted(server, "second@open.test"), "a refusal", 30)
    assert delivered(server, "first@waits.test")["attempts"] == 2
    large = message(SENDER, "large@open.test") + (b"x" * 70 + b"\r\n") * 60000
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        server.submit(SENDER, "large@open.test", data=large)
    assert refusal.value.smtp_code == 452
    (disk / "ballast").unlink()
    wait_until(lambda: accepted(server, "third@open.test"), "room", 30)
    delivered(server, "third@open.test")
    assert "queue.store_failed" not in server.log.read_text()
