# SPDX-License-Identifier: Apache-2.0
"""What becomes of a cached MTA-STS policy (RFC 8461 sections 3.3 and 5.1).

A policy that names another MX host blocks the mail (4.4.8): that tells
whether it was heeded. The domains are unsigned, so that DANE is no part of
it and their TXT records can change.
"""

import os
import signal
import time

import pytest

from lab import front, policy_host
from lab.cert import Certificate
from lab.policy_host import NOT_FOUND, Answer, Sts, policy
from lab.procs import wait_until
from lab.world import Domain, Host
from tests.support.delivery import SENDER, brief

scenario = pytest.mark.scenario
SETTINGS = {
    "retry": '"1h"',
    "expire": "2h",
    "smtp": 'domain_pause = "0s"',
    "sts": 'timeout = "2s"  back_off = "300ms"',
}
BACK_OFF_S = 0.3
TXT_OWNER = ("_mta-sts", "TXT")
LIMIT = 65536
BLOCKS = policy("enforce", "mx.other.test")


def sts_domain(name: str, text: str = BLOCKS, **more) -> Domain:
    return Domain(
        name,
        [Host(certificate=policy_host.TRUSTED)],
        signed=False,
        sts=Sts(text, **more),
        faults={TXT_OWNER: front.texts("v=STSv1; id=1;")},
    )


def padded(text: str, size: int) -> str:
    return text + "x: " + "y" * (size - len(text) - 5) + "\r\n"


class Cache:
    """A domain, its policy host, and mail to it, one message at a time."""

    def __init__(self, lab, mail) -> None:
        self._lab = lab
        self._domain = mail.domain
        self.host = mail.domain.sts.host
        self._count = 0
        self.trace = mail.first_attempt()

    def publish(self, *texts: str) -> None:
        """From now on these are the TXT records."""
        name = self._domain.full_name(TXT_OWNER[0])
        self._lab.world.fronts.set_fault(name, "TXT", front.texts(*texts))

    def send(self) -> None:
        self._count += 1
        recipient = f"m{self._count}@{self._domain.name}"
        self._lab.server.submit(SENDER, recipient)
        self.trace = self._lab.server.wait_trace(recipient, lambda t: t["attempts"] > 0)

    def plan(self) -> dict:
        """What the attempt found about the policy."""
        details = [e["detail"] for e in self.trace["events"] if e["attempt"]]
        return next(d["plan"] for d in details if "plan" in d)

    def blocked(self) -> None:
        """The policy that names another host was heeded."""
        found = (self.trace["status"], self.trace["code"], self.trace["scenario"])
        assert found == ("pending", "4.4.8", "sts-mx-not-listed"), brief(self.trace)

    def delivered(self) -> None:
        assert self.trace["status"] == "delivered", brief(self.trace)

    def trouble(self, scenario_name: str, part: str = "") -> None:
        plan = self.plan()
        assert plan.get("sts_scenario") == scenario_name, plan
        assert part in plan["sts_note"], plan["sts_note"]

    def rest(self) -> None:
        """Until the back-off of a failed fetch is over."""
        time.sleep(BACK_OFF_S + 0.1)


@pytest.fixture
def cache(lab, mail) -> Cache:
    return Cache(lab, mail)


@scenario(sts_domain("id.test"))
def test_new_id_and_failed_fetch(cache):
    cache.blocked()
    cache.host.answer = NOT_FOUND
    cache.publish("v=STSv1; id=2;")
    cache.send()
    cache.blocked()
    cache.trouble("sts-policy-fetch-error", "404")
    assert cache.plan()["sts"]["id"] == "1"
    cache.host.answer = Answer(policy("enforce", "mx.id.test"))
    cache.rest()
    cache.send()
    cache.delivered()
    assert cache.plan()["sts"]["id"] == "2"


@scenario(sts_domain("same.test"))
def test_same_id_is_not_fetched_again(cache):
    cache.blocked()
    cache.host.answer = Answer(policy("none"))
    cache.send()
    cache.blocked()
    assert len(cache.host.requests) == 1
    assert cache.host.requests[0].path == policy_host.PATH
    assert cache.host.requests[0].host == "mta-sts.same.test"


@scenario(sts_domain("expiry.test", policy("enforce", "mx.other.test", max_age=8)))
def test_expiry_and_failed_fetch(cache):
    cache.blocked()
    cache.host.stop()
    cache.send()
    cache.blocked()
    time.sleep(8)
    cache.rest()
    cache.send()
    cache.delivered()
    cache.trouble("sts-policy-fetch-error")
    cache.host.start()
    cache.rest()
    cache.send()
    cache.blocked()


@scenario(sts_domain("gone.test"))
@pytest.mark.parametrize(
    "texts",
    [(), ("v=STSv1; id=2;", "v=STSv1; id=3;"), ("v=STSv1; id=not one;",)],
    ids=["gone", "two", "malformed"],
)
def test_txt_is_no_record_any_more(cache, texts):
    cache.publish("v=STSv1; id=1;")
    cache.send()
    cache.blocked()
    cache.publish(*texts)
    cache.send()
    cache.blocked()
    assert len(cache.host.requests) == 1


@scenario(sts_domain("shown.test"))
def test_policy_takes_it_from_the_server(cache, mail, lab):
    """Without the server's cache the command would fetch anew."""
    cache.blocked()
    asked = len(cache.host.requests)
    plan = mail.policy()
    assert (plan["code"], plan["sts"]["id"], plan["sts_cache"]) == ("4.4.8", "1", "server")
    assert b"the server's policy" in lab.server.run("policy", "shown.test").stdout
    assert len(cache.host.requests) == asked
    alone = lab.server.run("policy", "--json", "--socket", "/nowhere", "shown.test")
    assert b'"sts_cache":"none"' in alone.stdout and b"4.4.8" in alone.stdout
    assert len(cache.host.requests) == asked + 1


@scenario(sts_domain("restart.test"))
def test_restart(cache, lab):
    cache.blocked()
    asked = len(cache.host.requests)
    cache.host.stop()
    assert lab.server.stop() == 0
    lab.server.start()
    cache.send()
    cache.blocked()
    assert cache.plan()["sts"]["id"] == "1"
    cache.publish()
    cache.send()
    cache.blocked()
    assert len(cache.host.requests) == asked


@scenario(sts_domain("testing.test", policy("testing", "mx.other.test")))
def test_testing_to_enforce(cache):
    cache.delivered()
    assert cache.plan()["sts"]["mode"] == "testing"
    cache.host.answer = Answer(BLOCKS)
    cache.send()
    cache.delivered()
    cache.publish("v=STSv1; id=2;")
    cache.send()
    cache.blocked()
    cache.host.answer = Answer(policy("none"))
    cache.publish("v=STSv1; id=3;")
    cache.send()
    cache.delivered()


WRONG = {
    "authority": Certificate(issuer="nobody"),
    "name": Certificate(issuer="lab", names=("www.wrong.test",)),
    "expired": Certificate(issuer="lab", ends=-0.5),
    "self": Certificate(),
    "common": Certificate(issuer="lab", names=()),
}


@scenario(sts_domain("wrong.test"))
@pytest.mark.parametrize("certificate", WRONG.values(), ids=WRONG.keys())
def test_wrong_certificate_keeps_the_policy(cache, lab, certificate, request):
    cache.blocked()
    asked = len(cache.host.requests)
    make = lab.world.workshop.make
    cache.host.present(make("mta-sts.wrong.test", certificate))
    cache.publish(f"v=STSv1; id={request.node.callspec.id};")
    cache.rest()
    cache.send()
    cache.blocked()
    cache.trouble("sts-webpki-invalid", "mta-sts.wrong.test at 127.26.")
    assert len(cache.host.requests) == asked


BROKEN = {
    "moved": (Answer("", "301 Moved", headers=("Location: https://mta-sts.id.test/",)), "301"),
    "error": (Answer(BLOCKS, "500 Error"), "500"),
    "type": (Answer(BLOCKS, type="text/html"), "text/html"),
    "large": (Answer(padded(BLOCKS, LIMIT + 1)), "too large"),
    "slow": (Answer(BLOCKS, drip=0.2), "timed out"),
    "silent": (Answer(silent=True), "timed out"),
}


@scenario(sts_domain("broken.test"))
@pytest.mark.parametrize(("answer", "part"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_answer_keeps_the_policy(cache, answer, part, request):
    cache.blocked()
    cache.host.answer = answer
    cache.publish(f"v=STSv1; id={request.node.callspec.id};")
    cache.rest()
    cache.send()
    cache.blocked()
    cache.trouble("sts-policy-fetch-error", part)


def at_first_sight(name: str, part: str, cause: str = "fetch-error", **sts):
    domain = sts_domain(f"{name}.test", **sts)
    return pytest.param(cause, part, marks=scenario(domain), id=name)


@pytest.mark.parametrize(
    ("cause", "part"),
    [
        *(at_first_sight(n, part, answer=how) for n, (how, part) in BROKEN.items()),
        *(
            at_first_sight(f"c-{n}", "at 127.26.", "", certificate=how)
            for n, how in WRONG.items()
        ),
    ],
)
def test_never_seen_and_broken(cache, cause, part):
    """Mail goes on as if there was no policy."""
    cache.delivered()
    cache.trouble(f"sts-policy-{cause}" if cause else "sts-webpki-invalid", part)


@scenario(sts_domain("invalid.test", "version: STSv1\r\nmode: enforce\r\n"))
def test_invalid_policy(cache):
    cache.delivered()
    cache.trouble("sts-policy-invalid")


@scenario(sts_domain("limit.test", padded(BLOCKS, LIMIT)))
def test_64_kib_are_taken(cache):
    cache.blocked()


@scenario(sts_domain("private.test", address="127.27.0.1"))
def test_private_address(cache):
    cache.delivered()
    cache.trouble("sts-policy-fetch-error", "127.27.0.1:443: not connected to")
    assert cache.host.handshakes == 0


@scenario(sts_domain("down.test"))
def test_policy_host_is_down(cache):
    cache.blocked()
    cache.host.stop()
    cache.publish("v=STSv1; id=2;")
    cache.send()
    cache.blocked()
    cache.trouble("sts-policy-fetch-error", "mta-sts.down.test at 127.26.")


@scenario(sts_domain("fresh.test", policy("enforce", "mx.other.test", max_age=6)))
def test_refreshed_before_it_expires(cache):
    cache.blocked()
    cache.publish()  # nothing but the refresh keeps it
    begun = time.monotonic()
    asked = len(cache.host.requests)
    wait_until(lambda: len(cache.host.requests) >= asked + 2, "refreshes", 20)
    wait_until(lambda: time.monotonic() > begun + 7, "the first to be over", 20)
    cache.send()
    cache.blocked()


@scenario(sts_domain("burst.test"))
def test_one_fetch_at_a_time(cache, lab):
    cache.blocked()
    asked = len(cache.host.requests)
    cache.host.answer = Answer(BLOCKS, drip=0.01)
    cache.publish("v=STSv1; id=2;")
    recipients = [f"b{i}@burst.test" for i in range(12)]
    for recipient in recipients:
        lab.server.submit(SENDER, recipient)
    for recipient in recipients:
        lab.server.wait_trace(recipient, lambda t: t["attempts"] > 0)
    assert len(cache.host.requests) == asked + 1


@scenario(sts_domain("killed.test"))
def test_fetch_is_killed(cache, lab):
    """Who waits for a policy asks again."""
    cache.blocked()
    asked = len(cache.host.requests)
    cache.host.answer = Answer(silent=True)
    cache.publish("v=STSv1; id=2;")
    lab.server.submit(SENDER, "k@killed.test")
    wait_until(lambda: len(cache.host.requests) > asked, "the request", 10)
    cache.host.answer = Answer(policy("enforce", "mx.killed.test"))
    processes = lab.server.json("stats")["processes"]
    os.kill(next(p["pid"] for p in processes if p["role"] == "fetch"), signal.SIGKILL)
    trace = lab.server.wait_trace("k@killed.test", lambda t: t["attempts"] > 0)
    assert trace["status"] == "delivered", brief(trace)
