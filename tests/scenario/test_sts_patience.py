# SPDX-License-Identifier: Apache-2.0
"""When all places are taken, an MTA-STS policy is waited for all the same: not
in a place, and never by sending without it."""

import smtplib

from lab.behaviour import SILENCE, replying
from lab.cert import Certificate
from lab.policy_host import Answer, Sts, policy
from lab.procs import wait_until
from lab.server import SUBMISSION, message
from lab.world import Domain, Host
from tests.support.delivery import OVER, SENDER, brief

SETTINGS = {
    "workers": 1,
    "retry": '"1h"',
    "smtp": 'max_connections = 4  patience = "500ms"',
}
TEXT = policy("enforce", "mx.slow.test")
SLOW = Answer(TEXT, drip=4.0 / len(TEXT))
MUTE = 8


def domains() -> list[Domain]:
    trusted = Certificate(issuer="lab")
    mute = replying("greeting", SILENCE)
    return [
        Domain(
            "slow.test",
            [Host(certificate=trusted)],
            sts=Sts(TEXT, answer=SLOW),
            signed=False,
        ),
        *(Domain(f"mute{n}.test", [Host(behaviour=mute)]) for n in range(MUTE)),
    ]


def submit(*recipients: str) -> None:
    with smtplib.SMTP(*SUBMISSION, timeout=60) as client:
        for recipient in recipients:
            client.sendmail(SENDER, [recipient], message(SENDER, recipient))


def test_the_first_fetch_is_waited_for(stage):
    lab = stage.lab("sts-patience", domains, **SETTINGS)
    slow = lab.world.domains[0]
    recipient = f"bob@{slow.name}"
    submit(recipient)
    wait_until(lambda: slow.sts.host.requests, "the fetch", 20)
    submit(*(f"a@mute{n}.test" for n in range(MUTE)))
    trace = lab.server.wait_trace(recipient, lambda t: t["scenario"] == "host-busy", 20)
    assert (trace["status"], trace["code"]) == ("pending", "4.4.5"), brief(trace)
    trace = lab.server.wait_trace(recipient, lambda t: t["status"] in OVER, 60)
    assert (trace["status"], trace["security"]) == ("delivered", "sts"), brief(trace)
    assert trace["attempts"] == 1, brief(trace)
    busy = [e for e in trace["events"] if e["scenario"] == "host-busy"]
    assert [e["event"] for e in busy] == ["defer"], brief(trace)
    assert len(slow.sts.host.requests) == 1
