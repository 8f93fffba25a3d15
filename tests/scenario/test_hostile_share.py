# SPDX-License-Identifier: Apache-2.0
"""A destination with much mail and much trouble leaves the others their share.

Its messages outnumber the deliveries at one time, each would hold its place
for minutes, and they come first. Domains of good mail are several, so that
every worker has some.
"""

import smtplib
import time

import pytest

from lab import front
from lab.behaviour import SILENCE, replying
from lab.server import SUBMISSION, message
from lab.world import Domain, Host
from tests.support.delivery import SENDER

SETTINGS_OF_SERVER = {"smtp": "max_connections = 100", "retry": '"1h"'}
MESSAGES = 300
GOOD_S = 8.0

sink = Host("mx.good0.test.", tlsa=["3 1 1"])
GOOD = [Domain(f"good{i}.test", [sink]) for i in range(6)]
TROUBLE = {
    "silent.test": "its name servers say nothing",
    "tarpit.test": "its mail server says nothing",
}


def domains() -> list[Domain]:
    mute = replying("greeting", SILENCE)
    return [
        *GOOD,
        Domain("silent.test", [Host()], faults={("*", "*"): front.DROP}),
        Domain("tarpit.test", [Host(behaviour=mute)]),
    ]


def submit_many(name: str) -> None:
    with smtplib.SMTP(*SUBMISSION, timeout=60) as client:
        for number in range(MESSAGES):
            recipient = f"m{number}@{name}"
            client.sendmail(SENDER, [recipient], message(SENDER, recipient))


@pytest.mark.parametrize("name", TROUBLE)
def test_much_mail_for(stage, name):
    lab = stage.lab("hostile-share", domains, **SETTINGS_OF_SERVER)
    submit_many(name)
    receiver = sink.receiver
    wanted = [f"after-{name}@{domain.name}" for domain in GOOD]
    began = time.monotonic()
    for recipient in wanted:
        lab.server.submit(SENDER, recipient)
    receiver.wait_for(lambda: set(wanted) <= set(receiver.arrivals()), 15)
    assert time.monotonic() - began < GOOD_S
