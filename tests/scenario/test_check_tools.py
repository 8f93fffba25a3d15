# SPDX-License-Identifier: Apache-2.0
"""The tools beside the analyzer's tests: the retry simulation, `tlsa lint`,
TLS reporting, side information, a certificate that is to come."""

import pytest
from cryptography.hazmat.primitives import serialization

from lab import front
from lab.cert import Certificate
from lab.policy_host import Sts
from lab.world import Domain, Host
from lab.zone import EXPIRED
from tests.support.analysis import analysis

scenario = pytest.mark.scenario
SETTINGS = {
    "retry": '"1s", "1s", "2s"',
    "expire": "8s",
    "smtp": 'command_timeout = "2s"  domain_pause = "0s"',
}


@pytest.fixture
def server(mail):
    return mail._lab.server


# --- what a sender would do


@scenario(Domain("held.test", [Host(tlsa=["3 1 1 wrong"])]))
def test_retry(server, mail):
    found = analysis(server, "check", "--all", "held.test")
    assert (found.status, found.scenario) == (2, "tlsa-mismatch")
    assert found.words("retry.attempt") == ("fail", "tlsa-mismatch")
    schedule = found.step("retry.schedule")
    assert schedule["title"] == "5 attempts within 8s, then the message fails"
    attempts = schedule["evidence"]["attempts"].splitlines()
    assert attempts[0].startswith("1. at once, 20")
    assert attempts[4].startswith("5. after 6s, 20")
    evidence = found.step("retry.report")["evidence"]
    assert evidence["subject"] == "Your message could not be delivered"
    for part in (
        "550 5.7.323 tlsa-invalid: ",
        "attempts: 5, the last ",
        "The administrator of held.test.",
        "    postmaster@held.test\n",
        f"Server mx.held.test [{mail.domain.host.addresses[0]}], rule dane",
    ):
        assert part in evidence["text"]


@scenario(Domain("nobody.test", [], exists=False))
def test_retry_of_what_fails_at_once(server):
    found = analysis(server, "check", "--all", "nobody.test")
    assert found.scenario == "no-such-domain"
    assert found.steps("retry.schedule") == []
    assert "attempts: 1, the last " in found.step("retry.report")["evidence"]["text"]


@scenario(Domain("taken.test", [Host(tlsa=["3 1 1"])]))
def test_retry_of_what_is_delivered(server):
    found = analysis(server, "check", "--all", "taken.test")
    assert found.step("retry.attempt")["evidence"]["security"] == "dane"
    assert found.steps("retry.report") == []
    assert analysis(server, "check", "taken.test").steps("retry") == []


# --- tlsa lint

HOUR = {"ttl": 3600}
TLSA = ("_25._tcp.mx", "TLSA")
NO_SUCH_NAME = {("_tcp.mx", kind): front.NXDOMAIN for kind in ("A", "TLSA")}


def lint(server, name: str):
    return analysis(server, "tlsa", "lint", name)


@scenario(Domain("lint.test", [Host(tlsa=["3 1 1"])], signing=HOUR))
def test_lint_of_what_is_fine(server, mail):
    found = lint(server, "mx.lint.test")
    assert (found.status, found.verdict, found.found()) == (0, "pass", set())
    assert list(found.document) == (
        ["target", "test", "verdict", "started", "elapsed_ms", "tree"]
    )
    evidence = found.step("tlsa")["evidence"]
    assert (evidence["owner"], evidence["dnssec"]) == ("_25._tcp.mx.lint.test", "secure")
    assert 3500 < evidence["ttl_s"] <= 3600
    record = found.step("tlsa.record")["evidence"]
    assert record["record"] == mail.domain.host.identity.tlsa("3 1 1")
    assert record["usable"]
    assert lint(server, "_25._tcp.MX.lint.test.").status == 0
    text = server.run("tlsa", "lint", "mx.lint.test")
    assert text.returncode == 0
    assert text.stdout.decode().splitlines()[0] == "mx.lint.test: PASS"


BAD = ["0 0 1", "3 1 1"]


@pytest.mark.parametrize(
    "name, status, verdict, scenario",
    [
        ("mx.plain.test", 1, "warn", "tlsa-unsigned"),
        ("mx.owner.test", 1, "warn", "tlsa-owner-wrong"),
        ("mx.denied.test", 1, "warn", "tlsa-tcp-denied"),
        ("mx.pkix.test", 1, "warn", "tlsa-record-unusable"),
        ("mx.late.test", 1, "fail", "rrsig-expired"),
        ("mx.days.test", 1, "warn", "tlsa-ttl-far"),
        ("mx.bare.test", 1, "warn", "tlsa-absent"),
        ("_26._tcp.mx.bare.test", 1, "warn", "tlsa-absent"),
    ],
)
@scenario(
    Domain("plain.test", [Host(tlsa=["3 1 1"])], signed=False),
    Domain("owner.test", [Host(tlsa=["3 1 1"], tlsa_owner="_25.tcp.mx")]),
    Domain("denied.test", [Host(tlsa=["3 1 1"])], signing=HOUR, faults=NO_SUCH_NAME),
    Domain("pkix.test", [Host(tlsa=BAD)], signing=HOUR),
    Domain("late.test", [Host(tlsa=["3 1 1"])], signing={"windows": {TLSA: EXPIRED}}),
    Domain("days.test", [Host(tlsa=["3 1 1"])], signing={"ttl": 172800}),
    Domain("bare.test", [Host()]),
)
def test_lint(server, name, status, verdict, scenario):
    found = lint(server, name)
    assert (found.status, found.verdict, found.scenario) == (status, verdict, scenario)
    text = server.run("tlsa", "lint", name).stdout.decode()
    assert scenario is None or scenario in "\n".join(text.splitlines()[:24])


@scenario(Domain("usage.test", [Host(tlsa=["3 1 1"])]))
def test_lint_of_no_name(server):
    for name in ("_25.tcp.mx.usage.test", "_x._tcp.mx.usage.test", "a..b", "[192.0.2.1]"):
        assert server.run("tlsa", "lint", name).returncode == 64
    assert server.run("tlsa", "lint").returncode == 64
    assert server.run("tlsa", "lint", "--port", "0", "mx.usage.test").returncode == 64


# --- a certificate that is to come


@pytest.fixture
def workshop(mail):
    return mail._lab.world.workshop


def line(name: str, record: str) -> str:
    return f"_25._tcp.mx.{name}. IN TLSA {record}"


@scenario(Domain("next.test", [Host(tlsa=["3 1 1"])], signing=HOUR))
def test_next_certificate(server, mail, workshop):
    new = workshop.make("mx.next.test", Certificate(issuer="next"))
    new_line = line("next.test", new.tlsa("3 1 1"))
    for option, file in (("--cert", new.chain_file), ("--key", new.key_file)):
        found = analysis(server, "check", option, file, "next.test")
        assert (found.status, found.scenario) == (2, "preflight-not-published"), option
        step = found.step("preflight.host")
        assert step["evidence"]["record"] == new_line
        assert not step["evidence"]["published"]
        old = line("next.test", mail.domain.host.identity.tlsa("3 1 1"))
        assert step["evidence"]["other_records"] == [old]
        assert step["evidence"]["ttl_s"] <= 3600
        assert step["action"].splitlines()[0].endswith(new_line)
    der = new.chain_file.with_suffix(".der")
    der.write_bytes(new.leaf.public_bytes(serialization.Encoding.DER))
    found = analysis(server, "check", "--cert", der, "next.test")
    assert found.step("preflight.host")["evidence"]["record"] == new_line
    text = server.run("check", "--cert", new.chain_file, "next.test").stdout.decode()
    assert "preflight-not-published" in text.splitlines()[0]


@scenario(Domain("ready.test", [Host(tlsa=["3 1 1", "3 1 1 wrong"])], signing=HOUR))
def test_next_certificate_is_published(server, mail):
    host = mail.domain.host
    for option, file in (("--cert", host.identity.chain_file), ("--key", host.identity.key_file)):
        found = analysis(server, "check", option, file, "--host", "mx.ready.test")
        assert found.words("preflight.host") == ("pass", "preflight-published")
        (old,) = found.step("preflight.host")["evidence"]["other_records"]
        assert old == line("ready.test", host.identity.tlsa("3 1 1 wrong"))
        assert found.status == 0


ISSUED = Certificate(issuer="lab")


@scenario(Domain("issued.test", [Host(tlsa=["2 1 1"], certificate=ISSUED)], signing=HOUR))
def test_next_certificate_by_its_issuer(server, workshop):
    def look(name: str, certificate: Certificate):
        new = workshop.make(name, certificate)
        return analysis(server, "check", "--cert", new.chain_file, "issued.test")

    found = look("mx.issued.test", Certificate(issuer="lab", ends=60))
    assert found.words("preflight.host") == ("pass", "preflight-by-issuer")
    assert found.words("preflight.issuer") == ("pass", None)
    found = look("mx.else.test", Certificate(issuer="lab", ends=61))
    assert (found.status, found.scenario) == (2, "cert-name-mismatch")
    found = look("mx.issued.test", Certificate(issuer="other"))
    assert (found.status, found.scenario) == (2, "preflight-not-published")
    new = workshop.make("mx.issued.test", Certificate(issuer="lab", ends=62))
    found = analysis(server, "check", "--key", new.key_file, "issued.test")
    assert (found.status, found.scenario) == (1, "preflight-unknown")


@scenario(Domain("free.test", [Host()]))
def test_next_certificate_without_dane(server, workshop):
    new = workshop.make("mx.free.test", Certificate(starts=-9, ends=-1))
    found = analysis(server, "check", "--cert", new.chain_file, "free.test")
    assert (found.status, found.scenario) == (1, "preflight-dates")
    assert found.words("preflight.host") == ("pass", "preflight-no-dane")
    assert found.words("preflight.issuer") == ("skip", None)
    found = analysis(server, "check", "--key", __file__, "free.test")
    assert (found.status, found.scenario) == (2, "preflight-unreadable")


# --- TLS reporting


def rua(*uris: str) -> str:
    return f'_smtp._tls TXT "v=TLSRPTv1; rua={",".join(uris)}"'


BY_MAIL = "mailto:tls@told.test"
BY_HTTPS = "https://mta-sts.told.test/reports"
HTTPS_HOST = Sts("nothing here")


@scenario(Domain("told.test", [Host()], [rua(BY_MAIL, BY_HTTPS)], sts=HTTPS_HOST))
def test_reports(server, mail):
    found = analysis(server, "check", "--tlsrpt", "told.test")
    assert (found.status, found.verdict, found.found()) == (0, "pass", set())
    by_mail, by_https = found.steps("tlsrpt.target")
    assert by_mail["evidence"] == {"uri": BY_MAIL, "hosts": ["mx.told.test"]}
    assert by_https["evidence"] == {"uri": BY_HTTPS, "status": 200}
    asked = [r for r in mail.domain.sts.host.requests if r.path == "/reports"]
    assert len(asked) == 1


@scenario(
    Domain("lost.test", [Host()], [rua("mailto:a@not.lost.test", "https://not.lost.test/", "ftp:x")])
)
def test_reports_that_reach_nobody(server):
    found = analysis(server, "check", "--tlsrpt", "lost.test")
    assert (found.status, found.verdict) == (1, "warn")
    by_mail, by_https = found.steps("tlsrpt.target")
    assert (by_mail["verdict"], by_mail["scenario"]) == ("warn", "no-such-domain")
    assert (by_https["verdict"], by_https["scenario"]) == ("warn", "tlsrpt-target-away")
    assert found.words("tlsrpt.ignored") == ("warn", "tlsrpt-uri-unused")


@pytest.mark.parametrize(
    "name, status, scenario",
    [("silent.test", 0, "tlsrpt-absent"), ("twice.test", 1, "tlsrpt-invalid")],
)
@scenario(
    Domain("silent.test", [Host()]),
    Domain("twice.test", [Host()], [rua("mailto:a@b.test"), rua("mailto:c@b.test")]),
)
def test_reports_to_nobody(server, name, status, scenario):
    found = analysis(server, "check", "--tlsrpt", name)
    assert (found.status, found.step("tlsrpt.txt")["scenario"]) == (status, scenario)
    assert found.steps("tlsrpt.target") == []


# --- beside it


KEY = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
FULL = ['@ TXT "v=spf1 mx -all"', '_dmarc TXT "v=DMARC1; p=reject"']
FULL += [f's1._domainkey TXT "v=DKIM1; k=ed25519; {KEY}"']
BROKEN = ['@ TXT "v=spf1 mx -all"', '@ TXT "v=spf1 -all"', '_dmarc TXT "v=DMARC1; p=x"']


def side(server, name: str, *more: str):
    return analysis(server, "check", "--all", *more, name)


@scenario(Domain("full.test", [Host()], FULL))
def test_side_information(server):
    found = side(server, "full.test", "--dkim-selector", "s1")
    assert found.step("side")["verdict"] == "pass"
    assert found.step("side.spf")["evidence"]["records"] == ["v=spf1 mx -all"]
    assert found.step("side.dmarc")["evidence"]["policy"] == "reject"
    assert found.step("side.dkim")["evidence"]["type"] == "ed25519"
    found = analysis(server, "check", "--tlsrpt", "--dkim-selector", "s2", "full.test")
    assert (found.status, found.words("side.dkim")) == (1, ("warn", "dkim-absent"))


@pytest.mark.parametrize(
    "name, verdict, spf, dmarc",
    [
        ("broken.test", "warn", "spf-invalid", "dmarc-invalid"),
        ("nothing.test", "pass", "spf-absent", "dmarc-absent"),
    ],
)
@scenario(Domain("broken.test", [Host()], BROKEN), Domain("nothing.test", [Host()]))
def test_side_information_never_fails(server, name, verdict, spf, dmarc):
    found = side(server, name)
    assert found.step("side")["verdict"] == verdict
    assert found.step("side.spf")["scenario"] == spf
    assert found.step("side.dmarc")["scenario"] == dmarc
    assert found.steps("side.dkim") == []
