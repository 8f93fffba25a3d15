# SPDX-License-Identifier: Apache-2.0
"""MTA-STS (RFC 8461) beside DANE: A40, A45 to A48a."""

import json

import pytest

from lab import front
from lab.behaviour import NO_STARTTLS
from lab.cert import Certificate
from lab.policy_host import TRUSTED, Answer, Sts, policy
from lab.server import message
from lab.world import Domain, Host
from tests.support.delivery import OVER, SENDER, brief

scenario = pytest.mark.scenario
SETTINGS = {
    "retry": '"1s", "1s", "2s"',
    "expire": "8s",
    "smtp": 'command_timeout = "2s"  domain_pause = "0s"',
    "extra": """
route "by-hub.test" { next_hop = "hub.test" }
route "by-host.test" { next_hop = "[mx.hub2.test]" }
route "without.test" { mta_sts = false }
""",
}
BY_MX = "mx.signed.test."
SIGNED = Domain("signed.test")


def cert(**wanted) -> Certificate:
    return Certificate(issuer="lab", **wanted)


def sts(name: str, certificate=TRUSTED, mode: str = "enforce", mx=None, **more):
    """A domain with one host and a policy, which lists it by default."""
    host = Host(certificate=certificate, **more.pop("host", {}))
    text = policy(mode, mx or f"mx.{name}")
    return Domain(name, [host], sts=Sts(text), **{"signed": False, **more})


def tries(mail) -> list[dict]:
    trace = mail.end()
    events = [e["detail"] for e in trace["events"] if e["attempt"]]
    return [t for detail in events for t in detail.get("tries", [])]


# --- enforce


@scenario(sts("good.test"))
def test_enforced(mail):
    mail.delivered("sts")
    plan = mail.policy()
    assert plan["sts"]["mode"] == "enforce"
    assert plan["sts"]["id"] == "1"
    assert plan["sts"]["mx"] == ["mx.good.test"]
    assert plan["sts"]["expires"].endswith("Z")
    (host,) = plan["hosts"]
    assert (host["rule"], host["why"], host["sts"]) == ("encrypt", "sts", "enforce")
    assert tries(mail)[0]["sts"] == {"mode": "enforce", "scenario": None}


@scenario(sts("signed-good.test", signed=True))
def test_enforced_in_a_signed_zone(mail):
    mail.delivered("sts")


@scenario(sts("wild.test", cert(names=("*.wild.test",)), mx="*.wild.test"))
def test_wildcards_for_one_label(mail):
    mail.delivered("sts")


@scenario(sts("wild-two.test", cert(names=("*.test",))))
def test_wildcard_is_not_for_two_labels(mail):
    mail.blocked("7.5", "sts-cert-name-mismatch")


@scenario(sts("unlisted.test", mx="mx.other.test"))
def test_a46_mx_not_listed(mail):
    mail.blocked("4.8", "sts-mx-not-listed")
    plan = mail.policy()
    assert (plan["verdict"], plan["code"]) == ("defer", "4.4.8")
    assert plan["hosts"][0]["rule"] == "skip"


@scenario(sts("too-deep.test", mx="*.mx.too-deep.test"))
def test_a46_pattern_for_another_label(mail):
    mail.blocked("4.8", "sts-mx-not-listed")


@scenario(
    Domain(
        "one-of-two.test",
        [Host("mx1", 10, certificate=TRUSTED), Host("mx2", 20, certificate=TRUSTED)],
        signed=False,
        sts=Sts(policy("enforce", "mx2.one-of-two.test")),
    )
)
def test_a46_the_listed_host_takes_it(mail):
    mail.delivered("sts", mail.domain.hosts[1])


@scenario(sts("untrusted.test", Certificate()))
def test_a47_untrusted(mail):
    trace = mail.blocked("7.5", "sts-cert-untrusted")
    assert "Reason: self-signed certificate" in trace["reply"], trace["reply"]


@scenario(sts("stranger.test", Certificate(issuer="stranger")))
def test_a47_authority_that_nobody_knows(mail):
    mail.blocked("7.5", "sts-cert-untrusted")


@scenario(sts("cn-only.test", cert(names=(), common_name="mx.cn-only.test")))
def test_a47_common_name_only(mail):
    mail.blocked("7.5", "sts-cert-name-mismatch")


@scenario(sts("old.test", cert(starts=-9, ends=-2)))
def test_a47_expired(mail):
    mail.blocked("7.5", "sts-cert-expired")


@scenario(sts("stripped.test", host={"behaviour": NO_STARTTLS}))
def test_a47_starttls_stripped(mail):
    mail.blocked("7.321", "starttls-not-offered")


# --- testing, none


@scenario(sts("testing.test", Certificate(), "testing"))
def test_a48_testing_untrusted(mail):
    mail.delivered("tls")
    (attempt,) = tries(mail)
    assert attempt["sts"]["mode"] == "testing"
    assert attempt["sts"]["scenario"] == "sts-cert-untrusted"
    assert mail.policy()["hosts"][0]["sts"] == "testing"


@scenario(sts("testing-clear.test", mode="testing", host={"behaviour": NO_STARTTLS}))
def test_a48_testing_in_clear(mail):
    mail.delivered("clear")
    assert tries(mail)[0]["sts"]["scenario"] == "starttls-not-offered"


@scenario(sts("testing-unlisted.test", mode="testing", mx="mx.other.test"))
def test_a48_testing_not_listed(mail):
    mail.delivered("tls")
    (host,) = mail.policy()["hosts"]
    assert host["rule"] == "opportunistic"
    assert host["sts_found"]["scenario"] == "sts-mx-not-listed"


@scenario(sts("none.test", Certificate(), "none", mx="mx.other.test"))
def test_none(mail):
    mail.delivered("tls")
    assert mail.policy()["sts"]["mode"] == "none"


# --- beside DANE


def half(name: str, *, tlsa="3 1 1", **more) -> Domain:
    host = Host(f"mx.{name}.signed.test.", tlsa=[tlsa], **more)
    text = policy("enforce", f"mx.{name}.signed.test")
    return Domain(f"{name}.test", [host], signed=False, sts=Sts(text))


@scenario(half("half-bad", certificate=Certificate()), SIGNED)
def test_a40_half_dane_passes_and_mta_sts_fails(mail):
    mail.blocked("7.5", "sts-cert-untrusted")


@scenario(half("half-wrong", tlsa="3 1 1 wrong", certificate=TRUSTED), SIGNED)
def test_a40_half_dane_fails_and_mta_sts_passes(mail):
    mail.blocked("7.323", "tlsa-mismatch")


@scenario(half("half-good", certificate=TRUSTED), SIGNED)
def test_a40_both_pass(mail):
    mail.delivered("half-dane")


@scenario(sts("dane-fails.test", signed=True, host={"tlsa": ["3 1 1 wrong"]}))
def test_a45_dane_fails_though_mta_sts_passes(mail):
    mail.blocked("7.323", "tlsa-mismatch")


@scenario(sts("dane.test", Certificate(), signed=True, host={"tlsa": ["3 1 1"]}))
def test_dane_is_in_its_place(mail):
    mail.delivered("dane")
    assert tries(mail)[0]["sts"] == {
        "mode": None,
        "scenario": "sts-cert-untrusted",
        "evidence": tries(mail)[0]["sts"]["evidence"],
    }


@scenario(sts("unusable.test", signed=True, host={"tlsa": ["1 1 1"]}))
def test_a48a_all_unusable_and_mta_sts_passes(mail):
    mail.delivered("sts")


@scenario(
    sts("unusable-bad.test", Certificate(), signed=True, host={"tlsa": ["1 1 1"]})
)
def test_a48a_all_unusable_and_mta_sts_fails(mail):
    mail.blocked("7.5", "sts-cert-untrusted")


# --- whose policy


@scenario(Domain("by-hub.test"), sts("hub.test", mx="mx.other.test"))
def test_smart_host_by_its_own_policy(mail):
    mail.deferred("4.8", "sts-mx-not-listed")


@scenario(Domain("by-host.test"), sts("hub2.test", mx="mx.other.test"))
def test_fixed_next_hop_has_none(mail):
    trace = mail.end()
    assert (trace["status"], trace["security"]) == ("delivered", "tls"), brief(trace)


@scenario(sts("without.test", mx="mx.other.test"))
def test_route_without_mta_sts(mail):
    mail.delivered("tls")
    assert mail.policy()["sts"] is None
    assert mail.questions("TXT") == 0


# --- what waives it, what ends it


@scenario(sts("optional.test", Certificate()))
def test_tls_required_no(mail, lab):
    recipient = f"no@{mail.domain.name}"
    data = b"TLS-Required: No\r\n" + message(SENDER, recipient)
    lab.server.submit(SENDER, recipient, data=data)
    trace = lab.server.wait_trace(recipient, lambda t: t["attempts"] > 0)
    assert (trace["status"], trace["security"]) == ("delivered", "tls"), brief(trace)
    mail.deferred("7.5", "sts-cert-untrusted")


@scenario(sts("changed.test", mx="mx.other.test"))
def test_id_is_looked_at_before_a_failure(mail, lab):
    """The TXT record is in the resolver's cache for its TTL, the policy in
    ours: neither keeps the mail once the domain has corrected it."""
    recipient = f"late@{mail.domain.name}"
    lab.server.submit(SENDER, recipient)
    trace = lab.server.wait_trace(recipient, lambda t: t["attempts"] > 0)
    assert trace["code"] == "4.4.8", brief(trace)
    host = mail.domain.sts.host
    host.answer = Answer(policy("enforce", f"mx.{mail.domain.name}"))
    owner = mail.domain.full_name("_mta-sts")
    lab.world.fronts.set_fault(owner, "TXT", front.texts("v=STSv1; id=2;"))
    trace = lab.server.wait_trace(recipient, lambda t: t["status"] in OVER)
    assert (trace["status"], trace["security"]) == ("delivered", "sts"), brief(trace)
    plan = next(e["detail"]["plan"] for e in trace["events"] if e["event"] == "send")
    assert plan["sts"]["mx"] == [f"mx.{mail.domain.name}"]


def counted(server, domain: str) -> tuple[int, int]:
    """Sessions of today under MTA-STS: good ones, and failures."""
    done = server.run("report", "show", "--json", domain)
    policies = json.loads(done.stdout)["policies"] if done.returncode == 0 else []
    sums = [p["summary"] for p in policies if p["policy"]["policy-type"] == "sts"]
    return (
        sum(s["total-successful-session-count"] for s in sums),
        sum(s["total-failure-session-count"] for s in sums),
    )


@scenario(sts("replaced.test", mx="mx.other.test"))
def test_a_plan_that_is_replaced_is_counted_once(mail, lab):
    """What failed under a policy that was outdated is no failure (RFC 8460)."""
    trace = mail.deferred("4.8", "sts-mx-not-listed")
    lab.server.run("queue", "hold", trace["id"])
    before = counted(lab.server, mail.domain.name)
    assert before[0] == 0 and before[1] > 0
    host = mail.domain.sts.host
    host.answer = Answer(policy("enforce", f"mx.{mail.domain.name}"))
    owner = mail.domain.full_name("_mta-sts")
    lab.world.fronts.set_fault(owner, "TXT", front.texts("v=STSv1; id=2;"))
    recipient = f"once@{mail.domain.name}"
    lab.server.submit(SENDER, recipient)
    trace = lab.server.wait_trace(recipient, lambda t: t["attempts"] > 0)
    assert (trace["status"], trace["attempts"]) == ("delivered", 1), brief(trace)
    assert counted(lab.server, mail.domain.name) == (1, before[1])
