# SPDX-License-Identifier: Apache-2.0
"""sealpost check --dane: every address, every key, and what delivery makes of it."""

import json
from dataclasses import dataclass, field
from typing import Iterator

import pytest

from lab import front, zone
from lab.behaviour import (
    ALERT,
    CLOSE,
    NO_STARTTLS,
    NORMAL,
    SILENCE,
    Behaviour,
    replying,
)
from lab.cert import Certificate
from lab.world import Domain, Host
from tests.support.stage import Lab

PASS, WARN, FAIL = 0, 1, 2
TWO_KEYS = Certificate(key="ecdsa", second="rsa")
OF_A_CA = Certificate(issuer="lab")
EXPIRED = Certificate(starts=-30, ends=-1)
CA_EXPIRED = Certificate(issuer="lab", starts=-30, ends=-1)
CA_ENDS_SOON = Certificate(issuer="lab", ends=7)
TLS_1_2 = Behaviour(tls_versions=("TLSv1_2", "TLSv1_2"))
TLSA = ("_25._tcp.mx", "TLSA")
BOGUS = {"windows": {TLSA: zone.EXPIRED}}

ECDSA, RSA, ED25519 = "ECDSA", "RSA", "Ed25519"
ALL_KEYS = 3  # connections: one for each algorithm, had or not


@dataclass
class Case:
    """`keys`: those of the first address. `connections`: to each address of
    each host, in order."""

    domain: Domain
    status: int
    scenario: str | None = None
    keys: tuple[str, ...] = (ECDSA,)
    rollover: str | None = None
    connections: tuple[int, ...] = (ALL_KEYS,)
    also: dict[str, str] = field(default_factory=dict)  # step id: scenario


def one(name: str, *tlsa: str, **more) -> Domain:
    return Domain(name, [Host(tlsa=list(tlsa), **more)])


def two_addresses(name: str, first: Certificate, second: Certificate) -> Domain:
    """One host whose addresses are two servers."""
    other = Host(mx=False, certificate=second)
    return Domain(name, [Host(tlsa=["2 1 1"], certificate=first), other])


CASES = [
    Case(one("cd-good.test", "3 1 1"), PASS, rollover="single",
         also={"dane.host.rollover": "rollover-single"}),
    Case(one("cd-both.test", "3 1 1", "3 1 1 second", certificate=TWO_KEYS), PASS,
         keys=(ECDSA, RSA), rollover="single"),
    Case(one("cd-rsa-missing.test", "3 1 1", certificate=TWO_KEYS), WARN,
         "tlsa-key-missing", (ECDSA, RSA), "single"),
    Case(one("cd-ecdsa-missing.test", "3 1 1 second", certificate=TWO_KEYS), WARN,
         "tlsa-key-missing", (ECDSA, RSA), "single"),
    Case(one("cd-tls12.test", "3 1 1", certificate=TWO_KEYS, behaviour=TLS_1_2), WARN,
         "tlsa-key-missing", (ECDSA, RSA), "single"),
    Case(one("cd-wrong.test", "3 1 1 wrong"), FAIL, "tlsa-mismatch"),
    Case(one("cd-neither.test", "3 1 1 wrong", certificate=TWO_KEYS), FAIL,
         "tlsa-mismatch", (ECDSA, RSA)),
    Case(one("cd-next.test", "3 1 1", "3 1 1 wrong"), PASS, rollover="3 1 1 + 3 1 1"),
    Case(one("cd-ca.test", "3 1 1", "2 1 1", certificate=OF_A_CA), PASS,
         rollover="3 1 1 + 2 1 1"),
    Case(one("cd-soon.test", "2 1 1", certificate=CA_ENDS_SOON), WARN,
         "cert-ends-soon", rollover="2 1 1"),
    Case(one("cd-exchange.test", "3 1 1", certificate=EXPIRED), WARN, "cert-expired",
         rollover="single", also={"dane.address.exchange": "cert-expired"}),
    Case(two_addresses("cd-address.test", OF_A_CA, CA_EXPIRED), WARN, "cert-expired",
         rollover="2 1 1", connections=(ALL_KEYS, ALL_KEYS),
         also={"dane.address": "cert-expired"}),
    Case(one("cd-clear.test", "3 1 1", behaviour=NO_STARTTLS), FAIL,
         "starttls-not-offered", (), connections=(1,)),
    Case(one("cd-none.test"), PASS),
    Case(Domain("cd-unsigned.test", [Host(tlsa=["3 1 1"])], signed=False), WARN,
         "tlsa-unsigned"),
    Case(one("cd-refused.test", "3 1 1", listens=False), FAIL, "connection-refused",
         (), connections=()),
    Case(Domain("cd-skipped.test", [Host(tlsa=["3 1 1"]), Host("mx2", 20, ["3 1 1"])],
                signing=BOGUS), WARN, "rrsig-expired", rollover="single",
         connections=(0, ALL_KEYS)),
    Case(Domain("cd-no-host.test",
                [Host(tlsa=["3 1 1"]), Host("mx2", 20, ["3 1 1 wrong"])],
                signing=BOGUS), FAIL, "tlsa-mismatch", connections=(0, ALL_KEYS)),
    Case(one("cd-both-families.test", "3 1 1",
             addresses=["127.25.98.1", "fd25:98::1"]), PASS, rollover="single",
         connections=(ALL_KEYS, ALL_KEYS)),
    Case(one("cd-injected.test", "3 1 1", behaviour=Behaviour(injected=b"250 x\r\n")),
         FAIL, "starttls-garbage", (), connections=(1,)),
    Case(one("cd-alert.test", "3 1 1", behaviour=Behaviour(handshake=ALERT)), FAIL,
         "handshake-failed", (), connections=(1,)),
    Case(one("cd-closed.test", "3 1 1", behaviour=replying("greeting", CLOSE)), FAIL,
         "connection-closed", (), connections=(1,)),
    Case(one("cd-shut.test", "3 1 1", behaviour=replying("EHLO", NORMAL, CLOSE)), FAIL,
         "connection-closed", (ECDSA,), "single"),
    Case(one("cd-mute.test", "3 1 1", behaviour=replying("QUIT", SILENCE)), PASS,
         rollover="single"),
    Case(one("cd-owner.test", "3 1 1", tlsa_owner="_25.tcp.mx"), WARN,
         "tlsa-owner-wrong"),
    Case(Domain("cd-mx.test", [Host(tlsa=["3 1 1"])],
                faults={("@", "MX"): front.SERVFAIL}), FAIL, "mx-lookup-failed", (),
         connections=(0,)),
]


# its connections are counted: it is looked at once
ENOUGH = one("cd-enough.test", "3 1 1",
             behaviour=replying("greeting", "220 one", "421 4.7.0 enough"))


@pytest.fixture
def lab(stage) -> Lab:
    domains = [case.domain for case in CASES] + [ENOUGH]
    return stage.lab("check-dane", lambda: domains, resolver='timeout = "4s"')


def steps(node: dict, step_id: str | None = None) -> Iterator[dict]:
    if step_id in (None, node["id"]):
        yield node
    for child in node["children"]:
        yield from steps(child, step_id)


def sessions(domain: Domain) -> list:
    return [receiver.sessions for host in domain.hosts for receiver in host.receivers]


def check_manners(domain: Domain) -> None:
    """No message, and QUIT in every session that stood."""
    for host in domain.hosts:
        for receiver in host.receivers:
            receiver.wait_for(lambda: all(s.ended for s in receiver.sessions))
            for session in receiver.sessions:
                assert not {"MAIL", "RCPT", "DATA"} & set(session.verbs())
                stood = session.tls or not receiver.behaviour.offers_starttls
                stood = stood and "EHLO" not in receiver.behaviour.replies
                assert not stood or session.verbs()[-1] == "QUIT"


def scenarios(tree: dict, step_id: str) -> list[str]:
    return [step["scenario"] for step in steps(tree, step_id) if step["scenario"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.domain.name)
def test_case(case, lab):
    domain = case.domain
    before = [len(found) for found in sessions(domain)]
    done = lab.server.run("check", "--dane", "--json", domain.name)
    assert done.stdout, done.stderr.decode()
    tree = json.loads(done.stdout)["tree"]
    assert (done.returncode, tree["scenario"]) == (case.status, case.scenario), tree
    (dane,) = steps(tree, "dane")
    assert (dane["evidence"]["delivery"] == "deliver") == (case.status != FAIL)
    check_manners(domain)
    counts = [len(found) - old for found, old in zip(sessions(domain), before)]
    assert tuple(counts) == case.connections
    for address in list(steps(dane, "dane.address"))[:1]:
        assert set(address["evidence"]["algorithms"]) == set(case.keys)
    found = [s["evidence"]["scheme"] for s in steps(dane, "dane.host.rollover")]
    assert found == ([case.rollover] if case.rollover else [])
    for step_id, scenario in case.also.items():
        assert scenario in scenarios(tree, step_id)


def tree_of(lab: Lab, name: str) -> tuple[Domain, dict]:
    (domain,) = [case.domain for case in CASES if case.domain.name == name]
    done = lab.server.run("check", "--dane", "--json", name)
    return domain, json.loads(done.stdout)["tree"]


@pytest.mark.parametrize("missing", ["rsa", "ecdsa"])
def test_the_missing_record_is_named(missing, lab):
    domain, tree = tree_of(lab, f"cd-{missing}-missing.test")
    wanted = "3 1 1 second" if missing == "rsa" else "3 1 1"
    line = f"_25._tcp.mx.{domain.name}. IN TLSA {domain.host.identity.tlsa(wanted)}"
    (step,) = [s for s in steps(tree, "dane.address.key") if s["scenario"]]
    assert step["evidence"]["algorithm"].lower() == missing
    assert line in step["meaning"] and line in step["action"]


def test_matrix(lab):
    domain, tree = tree_of(lab, "cd-ca.test")
    identity = domain.host.identity
    (key,) = steps(tree, "dane.address.key")
    leaf, issuer, root = key["evidence"]["certificates"]
    owner = "_25._tcp.mx.cd-ca.test. IN TLSA "
    assert leaf["record"] == owner + identity.tlsa("3 1 1")
    assert issuer["record"] == owner + identity.tlsa("2 1 1 issuer")
    assert root["record"] == owner + identity.tlsa("2 1 1")
    results = [
        {m["record"]: m["result"] for m in certificate["matches"]}
        for certificate in (leaf, issuer, root)
    ]
    key_record, root_record = identity.tlsa("3 1 1"), identity.tlsa("2 1 1")
    assert results[0] == {key_record: "match", root_record: "no match"}
    assert results[1] == {key_record: "no match", root_record: "no match"}
    assert results[2] == {key_record: "no match", root_record: "match"}


def test_the_address_that_fails_is_named(lab):
    domain, tree = tree_of(lab, "cd-address.test")
    (good,), (bad,) = [host.addresses for host in domain.hosts]
    (failing,) = [s for s in steps(tree, "dane.address") if s["scenario"]]
    assert failing["title"] == f"mx.cd-address.test [{bad}]:25"
    assert (failing["verdict"], failing["code"]) == ("warn", "4.7.322")
    assert failing["evidence"]["address"] == bad != good


def test_both_profiles(lab):
    _, tree = tree_of(lab, "cd-exchange.test")
    (step,) = steps(tree, "dane.address.exchange")
    assert step["evidence"]["rfc"] == "passes"
    assert "4.7.322" in step["evidence"]["exchange"]
    (address,) = steps(tree, "dane.address")
    assert address["evidence"]["session"]["security"] == "dane"


def test_a_host_alone(lab):
    done = lab.server.run("check", "--host", "--dane", "--json", "mx.cd-good.test")
    tree = json.loads(done.stdout)["tree"]
    assert done.returncode == PASS
    (host,) = steps(tree, "dane.host")
    assert host["title"] == "DANE of mail server mx.cd-good.test"
    (key,) = steps(host, "dane.address.key")
    assert key["evidence"]["matched"].startswith("3 1 1 ")


def test_profile_exchange_as_configured(lab, tmp_path):
    """Then it is delivery that holds the mail back, and the RFC that would not."""
    config = tmp_path / "exchange.conf"
    config.write_text(lab.server.config.read_text() + 'dane { profile = "exchange" }\n')
    done = lab.server.run("check", "-c", str(config), "--json", "cd-exchange.test")
    assert done.stdout, done.stderr.decode()
    tree = json.loads(done.stdout)["tree"]
    assert (done.returncode, tree["scenario"]) == (FAIL, "cert-expired")
    (step,) = steps(tree, "dane.address.exchange")
    assert (step["verdict"], step["evidence"]["rfc"]) == ("skip", "passes")


def test_a_server_that_has_enough(lab):
    """What is refused after the first connection tells nothing of keys."""
    done = lab.server.run("check", "--dane", "--json", ENOUGH.name)
    tree = json.loads(done.stdout)["tree"]
    (address,) = steps(tree, "dane.address")
    assert address["verdict"] == "pass"
    assert address["evidence"]["algorithms"] == [ECDSA]
    assert address["evidence"]["algorithms_absent"] == []
    untold = address["evidence"]["algorithms_untold"]
    assert [row["algorithm"] for row in untold] == [RSA, ED25519]
    assert untold[0]["why"].startswith("421 ")


def test_quit_where_no_record_matched(lab):
    """The session that fails its rule gets QUIT and no EHLO inside TLS."""
    domain, _ = tree_of(lab, "cd-wrong.test")
    secure = [s for s in domain.host.receiver.sessions if s.tls]
    assert secure and all(s.verbs(True) == ["QUIT"] for s in secure)
