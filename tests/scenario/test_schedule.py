# SPDX-License-Identifier: Apache-2.0
"""The retry schedule from its first attempt to the report: A41, A42.

A day of it passes in less than half a minute.
"""

from datetime import datetime
from statistics import median

import pytest

from lab import front
from lab.behaviour import NORMAL, replying
from lab.world import Domain, Host

scenario = pytest.mark.scenario

QUARTER_MS = 250  # of an hour
LATE_MS = 200  # most of them; a single one may be late on a busy machine
SETTINGS = {
    "retry": ", ".join(f'"{quarters * QUARTER_MS}ms"' for quarters in (1, 1, 4)),
    "expire": f"{96 * QUARTER_MS}ms",
}
# 0, 0:15, 0:30, 1:30 ... 23:30
PLANNED_MS = [n * QUARTER_MS for n in (0, 1, *range(2, 96, 4))]
NOT_NOW = "454 4.7.0 not now"


def starts_ms(trace: dict) -> list[float]:
    """When each attempt began, after the first one. The last one may end
    behind the expiry: then its event is the failure."""
    times = {}
    for event in trace["events"]:
        if event["attempt"] and "timings" in event["detail"]:
            end = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
            taken_ms = event["detail"]["timings"]["total_ms"]
            times.setdefault(event["attempt"], end.timestamp() * 1000 - taken_ms)
    return [times[attempt] - times[1] for attempt in sorted(times)]


@scenario(
    Domain(
        "dns.test",
        [Host(tlsa=["3 1 1"])],
        faults={("_25._tcp.mx", "TLSA"): front.SERVFAIL},
    )
)
def test_a42_dns_repaired_after_the_third_try(mail, lab):
    """The first of the file: it looks on while the others wait."""
    seen = lab.server.wait_trace(mail.recipient, lambda trace: trace["attempts"] > 2)
    lab.world.fronts.set_fault("_25._tcp.mx.dns.test", "TLSA", None)
    mail.delivered("dane")
    assert mail.end()["attempts"] == seen["attempts"] + 1


@scenario(Domain("lasting.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_a41_fault_that_lasts(mail):
    trace = mail.blocked("7.323", "tlsa-mismatch")
    assert trace["reply"].startswith("550 5.7.323 tlsa-invalid: ")
    assert trace["attempts"] == len(PLANNED_MS) == 26
    late_ms = [at - due for at, due in zip(starts_ms(trace), PLANNED_MS, strict=True)]
    assert all(-QUARTER_MS / 5 < late < 4 * QUARTER_MS for late in late_ms), late_ms
    assert median(late_ms) < LATE_MS, late_ms  # it does not add up


@scenario(
    Domain(
        "fifth.test",
        [Host(tlsa=["3 1 1"], behaviour=replying("STARTTLS", *[NOT_NOW] * 4, NORMAL))],
    )
)
def test_a42_repaired_before_the_fifth_try(mail):
    mail.delivered("dane")
    trace = mail.end()
    codes = [event["code"] for event in trace["events"] if event["attempt"] > 0]
    assert codes == ["4.7.321"] * 4 + ["2.0.0"] and trace["attempts"] == 5
