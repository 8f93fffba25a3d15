# SPDX-License-Identifier: Apache-2.0
"""Reload, stop, restart, and the death of the parent."""

import itertools
import os
import signal
import smtplib
import socket
from pathlib import Path

import pytest

from lab.behaviour import HOLD, NORMAL, SILENCE, replying
from lab.procs import wait_until
from lab.server import SUBMISSION, message, tried
from lab.world import Domain, Host
from tests.support.delivery import SENDER

RETRY = {"retry": '"300ms"', "expire": "1h"}
STRICT = 'route "strict.test" { dane = "mandatory" }\n'


def domains() -> list[Domain]:
    slow = replying(".", HOLD)
    stuck = replying(".", SILENCE, NORMAL)
    return [
        Domain("good.test", [Host(tlsa=["3 1 1"])]),
        Domain("strict.test", [Host()]),
        Domain("slow.test", [Host(tlsa=["3 1 1"], behaviour=slow)]),
        Domain("stuck.test", [Host(tlsa=["3 1 1"], behaviour=stuck)]),
        Domain("held.test", [Host(tlsa=["3 1 1"], behaviour=slow)]),
    ]


@pytest.fixture
def lab(stage):
    return stage.lab("process", domains, **RETRY)


def status_of(lab, recipient: str) -> str:
    """Sends a message and waits for its first attempt."""
    lab.server.submit(SENDER, recipient)
    tried = lab.server.wait_trace(recipient, lambda trace: trace["attempts"] > 0)
    return tried["status"]


def reload(lab, text: str, event: str) -> None:
    """Has the server read a changed file; waits for what it logs of it."""
    said = lab.server.log.read_text().count(event)
    lab.server.config.write_text(text)
    lab.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: lab.server.log.read_text().count(event) > said, event)


def becomes(lab, status: str, domain: str) -> None:
    """Sends until a first attempt ends so: the roles read a new file after
    the parent has."""
    names = itertools.count()

    def first_ends_so() -> bool:
        return status_of(lab, f"{status}{next(names)}@{domain}") == status

    wait_until(first_ends_so, f"a message to {domain} that is {status}")


def pids(lab) -> list[int]:
    return [process["pid"] for process in lab.server.json("stats")["processes"]]


def gone(pid: int) -> bool:
    """Whether a process has ended; that we may still reap it is no matter."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_reload(lab):
    text, roles = lab.server.config.read_text(), pids(lab)
    assert status_of(lab, "before@strict.test") == "delivered"
    reload(lab, text + STRICT, "reload.done")
    becomes(lab, "pending", "strict.test")
    reload(lab, text, "reload.done")
    becomes(lab, "delivered", "strict.test")
    assert pids(lab) == roles


def heard() -> str:
    """What a client from here hears: its greeting if that refuses it, else
    the answer to a recipient."""
    try:
        with smtplib.SMTP(*SUBMISSION, timeout=10) as client:
            client.ehlo()
            client.mail(SENDER)
            return client.rcpt("heard@good.test")[1].decode()
    except smtplib.SMTPConnectError as refused:
        return refused.smtp_error.decode()


def test_reload_changes_who_may_send(lab):
    def changed(text: str, answer: str) -> None:
        reload(lab, text, "reload.done")
        wait_until(lambda: answer in heard(), answer)

    text = lab.server.config.read_text()
    others = text.replace('"127.0.0.0/8"', '"192.0.2.0/24"')
    inbound = text.replace("accept_from", "inbound = true accept_from")
    mail = message(SENDER, "old@good.test")
    with smtplib.SMTP(*SUBMISSION, timeout=10) as old:
        changed(others, "client not accepted here")
        old.sendmail(SENDER, ["old@good.test"], mail)  # as its session began
    changed(inbound, "no mail for this domain here")
    changed(text, "2.1.5")
    assert lab.server.wait_trace("old@good.test", tried)["status"] == "delivered"


def test_reload_of_a_bad_file_changes_nothing(lab):
    text = lab.server.config.read_text()
    reload(lab, text + "colour = red\n", "reload.refused")
    lab.server.config.write_text(text)
    assert status_of(lab, "bob@good.test") == "delivered"


def test_stop_finishes_what_is_being_sent(lab):
    receiver = lab.world.domains[2].host.receiver
    lab.server.submit(SENDER, "bob@slow.test")
    receiver.wait_for(lambda: any("DATA" in s.verbs() for s in receiver.sessions))
    lab.server.process.terminate()
    wait_until(lambda: "server.stopping" in lab.server.log.read_text(), "the stop")
    receiver.release()
    assert lab.server.stop() == 0 and receiver.taken == 1
    lab.server.start()
    assert lab.server.trace("bob@slow.test")["status"] == "delivered"


def test_stop_without_queue_waits_for_nothing(lab):
    """What would be an outcome can't be stored any more."""
    receiver = lab.world.domains[4].host.receiver
    processes = lab.server.json("stats")["processes"]
    (queue,) = [p["pid"] for p in processes if p["role"] == "queue"]
    lab.server.submit(SENDER, "bob@held.test")
    receiver.wait_for(lambda: any("DATA" in s.verbs() for s in receiver.sessions))
    log = lab.server.log
    said = log.read_text().count("server.stopping")
    lab.server.process.terminate()
    wait_until(lambda: log.read_text().count("server.stopping") > said, "the stop")
    os.kill(queue, signal.SIGKILL)
    wait_until(lambda: "transport.stop_alone" in log.read_text(), "the end", 15)
    assert lab.server.stop() == 0
    receiver.release()
    lab.server.start()
    lab.server.wait_trace("bob@held.test", lambda t: t["status"] == "delivered")


@pytest.mark.long
def test_stop_hands_back_what_does_not_end(lab):
    receiver = lab.world.domains[3].host.receiver
    lab.server.submit(SENDER, "bob@stuck.test")
    receiver.wait_for(lambda: any("DATA" in s.verbs() for s in receiver.sessions))
    assert lab.server.stop(60) == 0 and receiver.taken == 0
    lab.server.start()
    lab.server.wait_trace("bob@stuck.test", lambda t: t["status"] == "delivered")
    assert receiver.taken == 1


def test_roles_end_with_their_parent(lab):
    roles = pids(lab)
    lab.server.process.kill()
    lab.server.process.wait()
    wait_until(lambda: all(map(gone, roles)), "the end of all roles")
    lab.server.start()
    assert status_of(lab, "restarted@good.test") == "delivered"
