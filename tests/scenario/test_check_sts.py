# SPDX-License-Identifier: Apache-2.0
"""`sealpost check --sts`: record, policy, hosts and certificates."""

import pytest

from lab.behaviour import NO_STARTTLS
from lab.cert import Certificate
from lab.policy_host import NOT_FOUND, TRUSTED, Answer, Sts, policy
from lab.world import Domain, Host
from tests.support.analysis import analysis

scenario = pytest.mark.scenario
SETTINGS = {
    "retry": '"1s", "1s", "2s"',
    "expire": "8s",
    "smtp": 'command_timeout = "2s"  domain_pause = "0s"',
}
WEEKS = 2592000


def sts(name: str, mode="enforce", mx=None, certificate=TRUSTED, **more):
    host = Host(certificate=certificate, **more.pop("host", {}))
    given = more.pop("sts", {})
    text = policy(mode, *(mx or [f"mx.{name}"]), max_age=more.pop("max_age", WEEKS))
    return Domain(name, [host], sts=Sts(text, **given), **{"signed": False, **more})


@pytest.fixture
def check(mail):
    return lambda *more: analysis(mail._lab.server, "check", "--sts", *more)


@scenario(sts("fine.test"))
def test_fine(check, mail):
    found = check("fine.test")
    assert (found.status, found.verdict, found.found()) == (0, "pass", set())
    assert found.step("sts.txt")["evidence"]["id"] == "1"
    evidence = found.step("sts.policy")["evidence"]
    assert (evidence["mode"], evidence["mx"]) == ("enforce", ["mx.fine.test"])
    assert evidence["max_age"] == WEEKS
    assert found.step("sts.mx")["evidence"]["listed"]
    (address,) = mail.domain.host.addresses
    evidence = found.step("sts.certificate")["evidence"]
    assert (evidence["host"], evidence["address"]) == ("mx.fine.test", address)
    text = mail._lab.server.run("check", "--sts", "fine.test").stdout.decode()
    assert text.splitlines()[0] == "fine.test: PASS"
    assert "a known authority issued for this name (MTA-STS)" in " ".join(text.split())
    assert "whatever the certificate" not in text and "clear text" not in text


MET = "met before, see the DANE validation"


@pytest.mark.parametrize(
    "name, words",
    [
        ("met.test", ("pass", None)),
        ("met-dane.test", ("warn", "sts-cert-untrusted")),
        ("met-plain.test", ("warn", "starttls-not-offered")),
        ("met-away.test", ("warn", "connection-refused")),
    ],
)
@scenario(
    sts("met.test"),
    sts("met-dane.test", certificate=Certificate(), signed=True, host={"tlsa": ["3 1 1"]}),
    sts("met-plain.test", host={"behaviour": NO_STARTTLS}),
    sts("met-away.test", host={"listens": False}),
)
def test_an_address_is_met_once(mail, name, words):
    found = analysis(mail._lab.server, "check", "--all", name)
    assert found.words("sts.certificate") == words
    assert found.step("sts.certificate")["evidence"]["note"] == MET
    alone = analysis(mail._lab.server, "check", "--sts", name)
    assert alone.words("sts.certificate") == words
    assert "note" not in alone.step("sts.certificate")["evidence"]


@scenario(sts("other.test", mx=["mx2.other.test"]))
def test_policy_without_the_mx(check, mail):
    found = check("other.test")
    assert (found.status, found.scenario) == (2, "sts-mx-not-listed")
    assert found.words("sts.mx") == ("warn", "sts-mx-not-listed")
    assert found.step("sts.mx")["evidence"]["host"] == "mx.other.test"
    assert found.words("sts.unused") == ("pass", "sts-mx-unused")
    assert found.steps("sts.certificate") == []
    text = mail._lab.server.run("check", "--sts", "other.test").stdout.decode()
    assert text.splitlines()[0] == "other.test: FAIL 4.4.8 sts-mx-not-listed"
    assert "mx.other.test" in "\n".join(text.splitlines()[:24])


TWO = Domain(
    "two.test",
    [
        Host("a", certificate=TRUSTED),
        Host("b", preference=20, certificate=Certificate(issuer="lab", ends=-1, starts=-9)),
    ],
    signed=False,
    sts=Sts(policy("enforce", "*.two.test", max_age=WEEKS)),
)


@scenario(TWO)
def test_one_host_is_good(check):
    found = check("two.test")
    assert (found.status, found.verdict) == (1, "warn")
    assert found.scenario == "sts-cert-expired"
    good, bad = found.steps("sts.certificate")
    assert (good["verdict"], bad["scenario"]) == ("pass", "sts-cert-expired")


@scenario(sts("stranger.test", certificate=Certificate(), max_age=600))
def test_certificate_of_nobody(check):
    found = check("stranger.test")
    assert (found.status, found.scenario) == (2, "sts-cert-untrusted")
    assert found.words("sts.max_age") == ("warn", "sts-max-age-short")
    assert found.step("sts.certificate")["evidence"]["tls"]["certificate"]


@scenario(sts("plain.test", mode="testing", host={"behaviour": NO_STARTTLS}))
def test_testing_holds_nothing_back(check):
    found = check("plain.test")
    assert (found.status, found.verdict) == (1, "warn")
    assert found.words("sts.mode") == ("pass", "sts-mode-testing")
    assert found.words("sts.certificate") == ("warn", "starttls-not-offered")


@scenario(sts("gone.test", sts={"answer": NOT_FOUND}))
def test_policy_can_not_be_had(check):
    found = check("gone.test")
    assert (found.status, found.scenario) == (1, "sts-policy-fetch-error")
    assert "404" in found.step("sts.policy")["evidence"]["why"]


@scenario(sts("odd.test", sts={"answer": Answer("mode: enforce\n")}))
def test_policy_is_malformed(check):
    found = check("odd.test")
    assert (found.status, found.scenario) == (1, "sts-policy-invalid")


@scenario(sts("twice.test", sts={"txt": ["v=STSv1; id=1;", "v=STSv1; id=2;"]}))
def test_two_records(check):
    found = check("twice.test")
    assert (found.status, found.scenario) == (1, "sts-txt-invalid")
    assert len(found.step("sts.txt")["evidence"]["records"]) == 2
    assert found.steps("sts.policy") == []


@scenario(Domain("without.test", [Host(tlsa=["3 1 1"])]))
def test_none_at_all(check, mail):
    found = check("without.test")
    assert (found.status, found.verdict) == (0, "pass")
    assert found.words("sts.txt") == ("pass", "sts-absent")
    assert mail._lab.server.run("check", "--sts", "--host", "mx.without.test").returncode == 64


@scenario(sts("dane.test", mx=["other.test"], signed=True, host={"tlsa": ["3 1 1"]}))
def test_dane_goes_first(check):
    found = check("dane.test")
    assert (found.status, found.verdict) == (1, "warn")
    assert found.words("sts.mx") == ("warn", "sts-mx-not-listed")
