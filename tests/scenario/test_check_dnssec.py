# SPDX-License-Identifier: Apache-2.0
"""sealpost check --dnssec: the chain of trust, its broken link, its servers."""

import copy
import json
import re
import time
from dataclasses import dataclass

import dns.dnssec
import dns.flags
import dns.message
import dns.rrset
import pytest

from lab import front, zone
from lab.knot import Knot
from lab.world import LEAF_SERVER, Domain, Host
from tests.support.forwarder import ADDRESS as FORWARDER
from tests.support.forwarder import Forwarder

scenario = pytest.mark.scenario

#: Servers beside the one that each zone has anyway; nobody is at SILENT.
OLD, BARE, AHEAD, SILENT, WRONG, OTHER, LAPSED = (
    f"127.0.53.{n}" for n in (91, 92, 93, 94, 95, 96, 97)
)
TLSA_OF_MX = ("_25._tcp.mx", "TLSA")
PASS, WARN, FAIL = 0, 1, 2
RESOLVER = re.compile(r"resolver \{[^}]*\}")
DAY = zone.DAY
#: for all of it, on a busy machine; the analyzer's own limit is 45 s for the
#: chains, after the plan's
PATIENCE_S = 90


def second(address: str) -> list[str]:
    """Records of a zone that has a second name server."""
    return ["@ NS ns2", f"ns2 A {address}"]


def _endless(query: dns.message.Message, transport: str) -> bytes:
    """Every name is a zone of its own, and its server is this one."""
    answer = dns.message.make_response(query)
    asked = query.question[0]
    name = asked.name.to_text()
    if asked.rdtype == dns.rdatatype.NS:
        answer.authority.append(dns.rrset.from_text(name, 60, "IN", "NS", f"ns.{name}"))
        glue = dns.rrset.from_text(f"ns.{name}", 60, "IN", "A", LEAF_SERVER)
        answer.additional.append(glue)
    else:
        answer.flags |= dns.flags.AA
        soa = f"{name} {name} 1 60 60 60 60"
        where = answer.answer if asked.rdtype == dns.rdatatype.SOA else answer.authority
        where.append(dns.rrset.from_text(name, 60, "IN", "SOA", soa))
    return answer.to_wire()


MANY = [f"@ NS ns{i}" for i in range(40)]
MANY += [f"ns{i} A 127.27.{i}.{k}" for i in range(40) for k in range(1, 4)]
LOOPING = ["deep NS ns.deeper.deep", "deeper.deep NS ns.deep", "@ MX 1 mx.deeper.deep"]
FAR = ".".join("abcdefghijklmnopqrstuvwxyz0123")

DOMAINS = {
    domain.name.partition(".")[0]: domain
    for domain in [
        Domain("good.test", [Host(tlsa=["3 1 1"])]),
        Domain("nsec3.test", [Host()], signing={"denial": "nsec3"}),
        Domain("optout.test", [Host()], signing={"denial": "optout"}),
        Domain("expired.test", [Host()], signing={"window": zone.EXPIRED}),
        Domain("early.test", [Host()], signing={"window": zone.FUTURE}),
        Domain(
            "oldmx.test",
            [Host(tlsa=["3 1 1"])],
            signing={"windows": {("@", "MX"): zone.EXPIRED}},
        ),
        Domain("soon.test", [Host()], signing={"window": (-14 * DAY, DAY)}),
        Domain("ds.test", [Host()], signing={"ds": "wrong"}),
        Domain("nods.test", [Host()], signing={"ds": "none"}),
        Domain("plain.test", [Host()], signed=False),
        Domain("away.test", [Host("mx.plain.test.")], ["other CNAME plain.test."]),
        Domain(
            "notimp.test", [Host(tlsa=["3 1 1"])], faults={TLSA_OF_MX: front.NOTIMP}
        ),
        Domain(
            "noproof.test", [Host(tlsa=["3 1 1"])], faults={TLSA_OF_MX: front.EMPTY}
        ),
        Domain("old.test", [Host()], second(OLD), signing={"serial": 7}),
        Domain("bare.test", [Host()], second(BARE)),
        Domain("ahead.test", [Host()], second(AHEAD)),
        Domain("gone.test", [Host()], second(SILENT)),
        Domain("forged.test", [Host()], second(WRONG)),
        Domain("foreign.test", [Host()], second(OTHER)),
        Domain("lapsed.test", [Host()], second(LAPSED)),
        Domain("many.test", [Host()], MANY),
        Domain("loop.test", records=LOOPING),
        Domain("mute.test", [Host()], faults={("@", "*"): front.DROP}),
        Domain(
            "endless.test",
            records=[f"@ MX 1 mx.{FAR}.deep", "deep NS ns.deep", f"ns.deep A {LEAF_SERVER}"],
            signed=False,
            faults={("*.deep", "*"): front.Fault(_endless)},
        ),
    ]
}
SETTINGS = {"resolver": 'timeout = "3s"'}
pytestmark = scenario(*DOMAINS.values())


@dataclass
class Tree:
    """What `sealpost check --json` says."""

    status: int
    root: dict

    def steps(self, identifier: str, words: str = "") -> list[dict]:
        def walk(step: dict):
            yield step
            for child in step["children"]:
                yield from walk(child)

        return [
            step
            for step in walk(self.root)
            if step["id"] == identifier and words in step["title"]
        ]

    def step(self, identifier: str, words: str = "") -> dict:
        found = self.steps(identifier, words)
        assert len(found) == 1, (identifier, words, json.dumps(self.root, indent=1))
        return found[0]

    def zones(self) -> dict[str, str]:
        """The state of each zone that was told."""
        found = [step["evidence"] for step in self.steps("dnssec.zone")]
        return {zone["zone"]: zone["state"] for zone in found}

    def scenarios(self, identifier: str) -> list[str]:
        return [s["scenario"] for s in self.steps(identifier) if s["scenario"]]


def run_check(lab, name: str, *more: str) -> Tree:
    """Of a domain; -c FILE comes after the server's own, and so counts."""
    done = lab.server.run("check", "--json", "--dnssec", *more, f"{name}.test")
    assert done.stdout, done.stderr.decode()
    return Tree(done.returncode, json.loads(done.stdout)["tree"])


@pytest.fixture
def check(lab):
    return lambda name: run_check(lab, name)


@pytest.fixture
def serve(lab):
    """A second server of a zone, which has it in another version."""

    def start(name: str, address: str, **other) -> None:
        version = copy.copy(lab.world.zone_of(f"{name}.test"))
        for key, value in other.items():
            setattr(version, key, value)
        server = Knot(lab.world.directory / f"second-{name}", address)
        server.add(version)
        server.start(lab.world.processes)
        server.wait()

    return start


SECURE = {".": "secure", "test": "secure"}


@pytest.mark.parametrize("name", ["good", "nsec3"])
def test_healthy(check, name):
    tree = check(name)
    assert tree.status == PASS
    assert tree.zones() == {**SECURE, f"{name}.test": "secure"}
    for identifier in ("dnssec.mx", "dnssec.address", "dnssec.tlsa"):
        assert tree.step(identifier)["evidence"]["dnssec"] == "secure"
    leaf = tree.step("dnssec.zone", f"{name}.test")["evidence"]
    assert [ds["fits"] for ds in leaf["ds"]] == [True]
    assert leaf["ds"][0]["tag"] == leaf["dnskey"][0]["tag"]
    server = tree.step("dnssec.server")["evidence"]
    assert (server["address"], server["serial"], server["tcp"]) == (LEAF_SERVER, 1, True)


def test_opt_out(check):
    tree = check("optout")
    assert tree.status == PASS
    tlsa = tree.step("dnssec.tlsa")
    assert (tlsa["evidence"]["dnssec"], tlsa["scenario"]) == ("insecure", "denial-opt-out")


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        ("expired", "rrsig-expired", "RRSIG of expired.test DNSKEY by key"),
        ("early", "rrsig-not-yet-valid", "RRSIG of early.test DNSKEY by key"),
        ("ds", "ds-without-dnskey", "DS of ds.test in test: "),
    ],
)
def test_broken_link(check, name, cause, words):
    tree = check(name)
    assert tree.status == FAIL and tree.root["scenario"] == cause
    assert tree.zones() == {**SECURE, f"{name}.test": "broken"}
    broken = tree.step("dnssec.link", f"{name}.test")
    assert (broken["scenario"], broken["code"]) == (cause, "4.7.324")
    assert words in broken["evidence"]["why"]
    assert tree.step("dnssec.mx")["scenario"] == cause


def test_tags_of_the_broken_link(check, lab):
    keys = lab.world.zone_of("ds.test").dnskey
    tree = check("ds")
    evidence = tree.step("dnssec.zone", "ds.test")["evidence"]
    assert [key["tag"] for key in evidence["dnskey"]] == [dns.dnssec.key_id(keys)]
    assert [ds["fits"] for ds in evidence["ds"]] == [False]
    for found in evidence["ds"] + evidence["dnskey"]:
        assert str(found["tag"]) in tree.step("dnssec.link")["evidence"]["why"]


def test_server_with_the_old_signature_is_named(check):
    tree = check("oldmx")
    assert tree.status == FAIL
    assert tree.zones()["oldmx.test"] == "secure"
    assert tree.step("dnssec.mx")["scenario"] == "rrsig-expired"
    answer = tree.step("dnssec.answer", f"MX by ns.oldmx.test [{LEAF_SERVER}]")
    assert answer["scenario"] == "dns-server-signatures"
    assert "RRSIG of oldmx.test MX by key" in answer["meaning"]


def test_expires_soon(check):
    tree = check("soon")
    assert tree.status == WARN
    assert tree.scenarios("dnssec.note") == ["rrsig-expires-soon"]


def test_unsigned(check):
    tree = check("plain")
    assert tree.status == WARN and tree.root["scenario"] == "zone-unsigned"
    assert tree.zones() == {**SECURE, "plain.test": "unsigned"}
    assert "test has no DS record" in tree.step("dnssec.link", "plain")["meaning"]
    assert tree.step("dnssec.mx")["evidence"]["chain_ends_at"] == "plain.test"


def test_signed_without_ds(check, lab):
    tree = check("nods")
    assert tree.status == WARN and tree.root["scenario"] == "zone-ds-missing"
    home = lab.world.zone_of("nods.test")
    ds = dns.dnssec.make_ds(home.origin, home.dnskey, "SHA256").to_text()
    assert f"nods.test. DS {ds}" in tree.step("dnssec.link", "nods")["action"]


def test_host_in_an_unsigned_zone(check):
    tree = check("away")
    assert tree.status == WARN
    assert tree.zones() == {**SECURE, "away.test": "secure", "plain.test": "unsigned"}
    assert tree.step("dnssec.address")["evidence"]["chain_ends_at"] == "plain.test"
    assert tree.steps("dnssec.tlsa") == []


def test_alias_to_an_unsigned_domain(check):
    """Its MX records stand elsewhere: the chain to there counts."""
    tree = check("other.away")
    assert tree.status == WARN and tree.root["scenario"] == "zone-unsigned"
    mx = tree.step("dnssec.mx")
    assert (mx["verdict"], mx["scenario"]) == ("warn", "zone-unsigned")
    assert mx["evidence"]["chain_ends_at"] == "plain.test"


def test_error_for_tlsa(check):
    tree = check("notimp")
    assert tree.status == FAIL
    assert tree.step("dnssec.tlsa")["scenario"] == "tlsa-failed"
    answer = tree.step("dnssec.answer", "TLSA by ns.notimp.test")
    assert answer["scenario"] == "dns-server-type"
    assert "NOTIMP to a question of type TLSA" in answer["meaning"]


def test_denial_without_proof(check):
    tree = check("noproof")
    assert tree.status == FAIL
    assert tree.step("dnssec.tlsa")["scenario"] == "denial-unproven"
    assert tree.scenarios("dnssec.answer") == ["dns-server-no-proof"]


def test_one_of_two_servers_is_old(check, serve):
    serve("old", OLD, serial=3, window=zone.EXPIRED)
    tree = check("old")
    old = tree.step("dnssec.server", f"ns2.old.test [{OLD}]")
    assert old["scenario"] == "dns-server-signatures"
    assert tree.step("dnssec.server", LEAF_SERVER)["verdict"] == "pass"
    notes = [note["scenario"] for note in old["children"]]
    assert notes == ["dns-server-behind"]
    assert "serial 3, and 7 elsewhere" in old["children"][0]["meaning"]


def test_one_of_two_servers_is_ahead_of_time(check, serve):
    serve("ahead", AHEAD, window=zone.FUTURE)
    server = check("ahead").step("dnssec.server", AHEAD)
    assert server["scenario"] == "dns-server-signatures"
    assert "begins only" in server["meaning"]


def test_one_of_two_servers_strips_signatures(check, serve):
    serve("bare", BARE, signed=False)
    bare = check("bare").step("dnssec.server", BARE)
    assert bare["scenario"] == "dns-server-unsigned"
    assert "no RRSIG of bare.test SOA" in bare["meaning"]


ANSWER_OF_SECOND = "MX by ns2.{}.test [{}]"


def test_one_of_two_servers_gives_a_signature_that_does_not_verify(check, serve):
    serve("forged", WRONG, broken={("@", "MX")})
    tree = check("forged")
    assert tree.zones()["forged.test"] == "secure"
    answer = tree.step("dnssec.answer", ANSWER_OF_SECOND.format("forged", WRONG))
    assert answer["scenario"] == "dns-server-signatures"
    assert re.search(r"RRSIG of forged\.test MX by key \d+ does not verify",
                     answer["meaning"])


def test_one_of_two_servers_gives_an_expired_signature_of_mx_only(check, serve):
    serve("lapsed", LAPSED, windows={("@", "MX"): zone.EXPIRED})
    tree = check("lapsed")
    assert tree.zones()["lapsed.test"] == "secure"
    answer = tree.step("dnssec.answer", ANSWER_OF_SECOND.format("lapsed", LAPSED))
    assert answer["scenario"] == "dns-server-signatures"
    assert re.search(r"RRSIG of lapsed\.test MX by key \d+ expired \d{4}-",
                     answer["meaning"])


def test_one_of_two_servers_signs_with_a_key_of_its_own(check, serve):
    other = zone.Zone("foreign.test")
    serve("foreign", OTHER, _private=other._private, dnskey=other.dnskey)
    tree = check("foreign")
    assert tree.zones()["foreign.test"] == "secure"
    server = tree.step("dnssec.server", f"ns2.foreign.test [{OTHER}]")
    assert server["scenario"] == "dns-server-signatures"
    foreign = dns.dnssec.key_id(other.dnskey)
    assert f"SOA by key {foreign} is by no key of the zone" in server["meaning"]
    assert "dns-server-keys" in [note["scenario"] for note in server["children"]]


def test_one_of_two_servers_is_gone(check):
    tree = check("gone")
    assert tree.status == WARN
    gone = tree.step("dnssec.server", f"ns2.gone.test [{SILENT}]")
    assert gone["scenario"] == "dns-server-silent"
    # the parent has never heard of it
    assert tree.scenarios("dnssec.note") == ["ns-child-only"]
    assert "ns2.gone.test" in tree.step("dnssec.note")["meaning"]


@pytest.mark.parametrize("name", ["many", "loop", "mute", "endless"])
def test_hostile_servers_cost_bounded_time(check, name):
    began = time.monotonic()
    tree = check(name)
    assert time.monotonic() - began < PATIENCE_S
    assert len(tree.steps("dnssec.zone")) <= 24
    assert len(tree.steps("dnssec.server")) <= 24 * 16
    assert tree.step("dnssec")["verdict"] in ("warn", "fail")


def test_behind_a_forwarder(lab, tmp_path):
    """The resolver's word alone is enough, and nobody is blamed."""
    text = lab.server.config.read_text()
    config = tmp_path / "sealpost.conf"
    resolver = f'trust_anchor = "{lab.world.anchor_file}" forward = {{"{FORWARDER}@53"}}'
    config.write_text(RESOLVER.sub(f"resolver {{ {resolver} }}", text))
    with Forwarder(lab.world):
        tree = run_check(lab, "good", "-c", str(config))
    assert tree.status == PASS
    assert tree.zones() == {**SECURE, "good.test": "secure"}
    skipped = tree.step("dnssec.server")
    assert skipped["verdict"] == "skip"
    assert skipped["scenario"] == "dns-servers-not-reached"
