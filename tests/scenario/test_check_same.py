# SPDX-License-Identifier: Apache-2.0
"""What `check` says of a destination is what delivery does there.

One message to each destination, and one analysis: verdict, code and scenario
of the analysis are those of the message's first attempt. The destinations are
those of the demo, and more of each kind that a probe can see (mail-flow 7).
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import front, zone
from lab.behaviour import ALERT, CLOSE, NO_STARTTLS, SILENCE, STRIPPED, Behaviour, replying
from lab.cert import Certificate
from lab.destinations import LAB_CA, TLSA_OF_MX, destinations
from lab.policy_host import NOT_FOUND, Sts, policy
from lab.server import tried
from lab.world import Domain, Host
from tests.support.analysis import check_shape
from tests.support.delivery import SENDER, brief, recipient

SETTINGS = {
    "retry": '"1h"',
    "expire": "4h",
    "smtp": 'greeting_timeout = "2s"  command_timeout = "2s"  connect_timeout = "4s"',
    "resolver": 'timeout = "5s"',
    "extra": """
route "mandatory.test" { dane = "mandatory" }
route "off.test" { dane = "off" }
""",
}
GOOD = ["3 1 1"]
WRONG = ["3 1 1 wrong"]


def one(name: str, tlsa=(), behaviour=None, certificate=None, listens=True, **more):
    """A domain with one host."""
    host = Host(tlsa=list(tlsa), listens=listens)
    host.behaviour = behaviour or host.behaviour
    host.certificate = certificate or host.certificate
    return Domain(name, [host], **more)


def ca(**wanted) -> Certificate:
    return Certificate(issuer="lab", **wanted)


def sts(name: str, mx: str, certificate=LAB_CA, mode="enforce", **more) -> Domain:
    where = more.pop("where", Sts(policy(mode, mx)))
    return one(name, certificate=certificate, signed=False, sts=where, **more)


TLS = [
    one("alert.test", GOOD, Behaviour(handshake=ALERT)),
    one("hung-up.test", GOOD, Behaviour(handshake=CLOSE)),
    one("offer-gone.test", GOOD, STRIPPED),
    one("refusing.test", GOOD, replying("STARTTLS", "454 4.7.0 not now")),
    one("injected.test", GOOD, Behaviour(injected=b"250 surplus\r\n")),
    one("old-tls.test", GOOD, Behaviour(tls_versions=("TLSv1", "TLSv1_1"))),
    one("alert-plain.test", behaviour=Behaviour(handshake=ALERT), signed=False),
    one("no-tls-unusable.test", ["1 1 1"], NO_STARTTLS),
]
CONNECTION = [
    one("nobody-there.test", GOOD, listens=False),
    one("greets-554.test", GOOD, replying("greeting", "554 5.3.2 no service")),
    one("greets-421.test", GOOD, replying("greeting", "421 4.3.2 busy")),
    one("hangs-up.test", GOOD, replying("greeting", CLOSE)),
    one("ehlo-550.test", GOOD, replying("EHLO", "550 5.7.1 not you")),
]
CERTIFICATE = [
    one("ta-expired.test", ["2 1 1"], certificate=ca(ends=-0.5)),
    one("ta-later.test", ["2 1 1"], certificate=ca(starts=2)),
    one("ta-other-name.test", ["2 1 1"], certificate=ca(names=("else.test",))),
    one("ta-not-sent.test", ["2 1 1"], certificate=ca(sends=("issuer",))),
    one("ee-expired.test", GOOD, certificate=Certificate(ends=-0.5)),
    one("ee-other-name.test", GOOD, certificate=Certificate(names=("else.test",))),
    one("agile.test", ["3 1 1", f"3 1 2 ={'00' * 64}"]),
    one("rsa-only.test", ["3 1 1 second"], certificate=Certificate(second="rsa")),
]
HOSTS = [
    Domain("both-wrong.test", [Host("mx1", 10, WRONG), Host("mx2", 20, WRONG)]),
    Domain("next-has-none.test", [Host("mx1", 10, WRONG), Host("mx2", 20)]),
    Domain(
        "worst-speaks.test",
        [Host("mx1", 10, GOOD, behaviour=NO_STARTTLS), Host("mx2", 20, WRONG)],
    ),
    Domain("half.test", [Host("mx.half-hosts.test.", tlsa=GOOD)], signed=False),
    Domain("half-wrong.test", [Host("mx.half-hosts.test.", tlsa=WRONG)], signed=False),
    Domain("half-hosts.test"),
    Domain("alias.test", [Host(tlsa=GOOD, alias="mail")]),
    one("mandatory.test"),
    one("off.test", WRONG),
]
DNS = [
    Domain("null.test", records=["@ MX 0 ."]),
    Domain("null-beside.test", [Host(tlsa=GOOD)], records=["@ MX 0 ."]),
    Domain("absent.test", exists=False),
    Domain("bare.test"),
    Domain("mx-without-address.test", records=["@ MX 10 nowhere"]),
    one("mx-refused.test", GOOD, faults={("@", "MX"): front.REFUSED}),
    one("address-fails.test", GOOD, faults={("mx", "A"): front.SERVFAIL}),
    one("tlsa-notimp.test", GOOD, faults={TLSA_OF_MX: front.NOTIMP}),
    one("tlsa-silent.test", GOOD, faults={TLSA_OF_MX: front.DROP}),
    one("ds-mismatch.test", GOOD, signing={"ds": "wrong"}),
    one("future.test", GOOD, signing={"window": zone.FUTURE}),
    one("tlsa-expired.test", GOOD, signing={"windows": {TLSA_OF_MX: zone.EXPIRED}}),
    one("tlsa-broken.test", GOOD, signing={"broken": {TLSA_OF_MX}}),
    one("a-broken.test", GOOD, signing={"broken": {("mx", "A")}}),
]
STS = [
    sts("sts-good.test", "mx.sts-good.test"),
    sts("sts-other-mx.test", "mx.else.test"),
    sts("sts-untrusted.test", "mx.sts-untrusted.test", Certificate()),
    sts("sts-expired.test", "mx.sts-expired.test", ca(ends=-0.5)),
    sts("sts-no-tls.test", "mx.sts-no-tls.test", behaviour=NO_STARTTLS),
    sts("sts-testing.test", "mx.else.test", mode="testing"),
    sts("sts-404.test", "x", where=Sts(answer=NOT_FOUND)),
]
ENVELOPE = [  # seen by the test that goes as far as the recipient
    one("sender-refused.test", GOOD, replying("MAIL", "550 5.7.1 not from there")),
    one("no-such-user.test", GOOD, replying("RCPT", "550 5.1.1 no such user")),
    one("full.test", GOOD, replying("RCPT", "452 4.2.2 mailbox full")),
    one("hangs-up-at-rcpt.test", GOOD, replying("RCPT", CLOSE)),
    one("silent-at-rcpt.test", GOOD, replying("RCPT", SILENCE)),
    one("no-smtp-at-rcpt.test", GOOD, replying("RCPT", b"550 no\x00body\r\n")),
]
ALL = [
    *(domain for domain, _ in destinations()),
    *TLS,
    *CONNECTION,
    *CERTIFICATE,
    *HOSTS,
    *DNS,
    *STS,
    *ENVELOPE,
]
ASKED = [domain for domain in ALL if domain.name != "half-hosts.test"]


@pytest.fixture(scope="module")
def analyses() -> dict[str, dict]:
    return {}


def analyse(lab, domain: Domain) -> dict:
    if domain not in ENVELOPE:
        return lab.server.json("check", domain.name)
    envelope = ["--from", SENDER, "--to", recipient(domain)]
    return lab.server.json("check", "--smtp", *envelope, domain.name)


def analyse_all(lab, domains: list[Domain]) -> dict[str, dict]:
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda domain: analyse(lab, domain), domains)
        return dict(zip([domain.name for domain in domains], found))


def delivered(trace: dict) -> tuple:
    """What became of the first attempt: verdict, code, scenario."""
    if trace["status"] == "delivered":
        return "delivered", None, None
    first = next(e for e in trace["events"] if e["event"] in ("defer", "fail"))
    return "held back", first["code"], first["scenario"]


def analysed(check: dict) -> tuple:
    tree = check["tree"]
    assert check["verdict"] == tree["verdict"]
    check_shape(tree)
    # what the peer itself only puts off is a warning: it may be greylisting
    put_off = check["test"] == "smtp" and tree["code"] is not None
    if check["verdict"] in ("pass", "warn") and not put_off:
        return "delivered", None, None
    return "held back", tree["code"], tree["scenario"]


@pytest.mark.scenario(*ALL)
@pytest.mark.parametrize("domain", ASKED, ids=lambda domain: domain.name)
def test_same(lab, analyses, domain):
    if not analyses:
        for each in ASKED:  # the first of a scenario has got its message
            if each is not ALL[0]:
                lab.server.submit(SENDER, recipient(each))
        analyses.update(analyse_all(lab, ASKED))
    trace = lab.server.wait_trace(recipient(domain), tried)
    check = analyses[domain.name]
    assert analysed(check) == delivered(trace), brief(trace)
    assert check["target"] == domain.name
