# SPDX-License-Identifier: Apache-2.0
"""The plan of `sealpost policy` for every shape of DNS, row by row.

A case is a name to ask about, the domains behind it, and the plan in a few
words. No mail is sent; what was asked of the servers is looked at as well.
"""

from dataclasses import dataclass

import dns.message
import dns.query
import dns.rdata
import dns.rdatatype
import pytest

from lab import front, zone
from lab.front import Fault
from lab.world import BEHIND, LEAF_SERVER, Domain, Host
from tests.support.forge import Forge
from tests.support.stage import Lab

GOOD = ["3 1 1"]
ANY_256 = "cd" * 32
ANY_512 = "ab" * 64
OTHER = f"TLSA 3 1 1 {ANY_256}"
TLSA = ("_25._tcp.mx", "TLSA")
# A name below the owner: without it the zone denies _tcp, and that is enough.
BELOW = ["x._25._tcp.mx TXT here"]
ROUTES = """
route "none.test" { dane = "mandatory" }
route "half.test" { dane = "mandatory" }
route "unsigned-null.test" { dane = "mandatory" }
route "off.test" { dane = "off" }
route "off-bogus.test" { dane = "off" }
route "fixed.test" { next_hop = "[mx.fixed.test]:2525"  dane = "mandatory" }
"""


@dataclass
class Case:
    """`plan`: the verdict, then a line a host: name, rule, TLSA answer and
    state, base. `says` stands in the evidence; `unasked` is where no question
    for TLSA may have come to."""

    name: str
    plan: list[str]
    domains: list[Domain]
    says: str = ""
    unasked: str = ""
    warns: str = ""


def _stripped(query: dns.message.Message, transport: str) -> bytes:
    """The honest answer without its signatures."""
    ask = dns.query.tcp if transport == "tcp" else dns.query.udp
    again = dns.message.from_wire(query.to_wire())
    answer = ask(again, BEHIND[LEAF_SERVER], timeout=2)
    for section in (answer.answer, answer.authority):
        section[:] = [s for s in section if s.rdtype != dns.rdatatype.RRSIG]
    return answer.to_wire()


STRIPPED = Fault(_stripped)


FORGE = Forge()


def _raw_tlsa(domain: str, *rdatas: bytes) -> Domain:
    made = [dns.rdata.GenericRdata(zone.IN, zone.TYPE.TLSA, data) for data in rdatas]
    fault = FORGE.answer(domain, {"answer": [(f"_25._tcp.mx.{domain}.", made)]})
    return Domain(domain, [Host()], records=BELOW, faults={TLSA: fault})


def _compact(domain: str) -> Domain:
    """Denial in the compact way: the name exists, without the type."""
    owner = f"_25._tcp.mx.{domain}."
    soa = f"ns.{domain}. hostmaster.{domain}. 1 86400 3600 2592000 300"
    proof = {
        "authority": [
            (f"{domain}.", [dns.rdata.from_text(zone.IN, zone.TYPE.SOA, soa)]),
            (
                owner,
                [
                    dns.rdata.from_text(
                        zone.IN, zone.TYPE.NSEC, rf"\000.{owner} RRSIG NSEC"
                    )
                ],
            ),
        ]
    }
    fault = FORGE.answer(domain, proof)
    return Domain(domain, [Host()], records=BELOW, faults={TLSA: fault})


def _bogus(*names: tuple[str, str]) -> dict:
    return {"windows": {name: zone.EXPIRED for name in names}}


def _expired(owner: str, rdtype: str) -> str:
    return f"RRSIG of {owner} {rdtype} by key "


MX = [
    Case("p1.test", ["deliver", "mx.p1.test dane records secure mx.p1.test"],
         [Domain("p1.test", [Host(tlsa=GOOD)])]),
    Case("p2.test", ["deliver", "mx.p2.test opportunistic not-asked - -"],
         [Domain("p2.test", [Host(tlsa=GOOD)], signed=False)], unasked="p2.test"),
    Case("p3.test", ["defer 4.7.324 rrsig-expired"],
         [Domain("p3.test", [Host()], signing=_bogus(("@", "MX")))],
         says=_expired("p3.test", "MX")),
    Case("p4.test", ["defer 4.7.324 rrsig-not-yet-valid"],
         [Domain("p4.test", [Host()], signing={"window": zone.FUTURE})],
         says="of p4.test begins 20"),
    Case("p5.test", ["defer 4.4.312 mx-lookup-failed"],
         [Domain("p5.test", [Host()], faults={("@", "MX"): front.REFUSED})],
         says="MX p5.test: failed"),
    Case("p6.test", ["defer 4.7.324 rrsig-missing"],
         [Domain("p6.test", [Host()], faults={("@", "MX"): STRIPPED})],
         says="no RRSIG of p6.test MX in the answer"),
    Case("p7.test", ["defer 4.7.324 rrsig-invalid"],
         [Domain("p7.test", [Host()], signing={"broken": {("@", "MX")}})],
         says="of p7.test does not verify"),
    Case("p8.test", ["defer 4.7.324 ds-without-dnskey"],
         [Domain("p8.test", [Host()], signing={"ds": "wrong"})],
         says="DS of p8.test at the parent: "),
    Case("p9.test", ["deliver", "mx.p9.test opportunistic not-asked - -"],
         [Domain("p9.test", [Host(tlsa=GOOD)], signing={"ds": "none"})]),
    Case("gone.test", ["fail 5.4.310 no-such-domain"], [],
         says="MX gone.test: no such name, secure"),
    Case("gone.p2.test", ["fail 5.4.310 no-such-domain"], [],
         says="MX gone.p2.test: no such name, insecure"),
    Case("null7.test", ["fail 5.1.10 null-mx"],
         [Domain("null7.test", records=["@ MX 7 ."])],
         says="MX null7.test: null MX, secure"),
    Case("nulls.test", ["deliver", "mx.nulls.test dane records secure mx.nulls.test"],
         [Domain("nulls.test", [Host(tlsa=GOOD)], records=["@ MX 0 .", "@ MX 10 ."])],
         warns="null MX beside"),
    Case("bare.test", ["fail 5.4.4 no-mail-server", "bare.test skip not-asked - -"],
         [Domain("bare.test")],
         says="A bare.test: no data, secure; AAAA bare.test: no data, secure"),
    Case("bare2.test", ["deliver", "bare2.test dane records secure bare2.test"],
         [Domain("bare2.test", [Host("@", mx=False, tlsa=GOOD)])]),
    Case("bare3.test", ["deliver", "bare3.test opportunistic not-asked - -"],
         [Domain("bare3.test", [Host("@", mx=False)], signed=False)]),
    Case("sub.wild.test", ["deliver", "mx.wild.test dane records secure mx.wild.test"],
         [Domain("wild.test", [Host(mx=False)],
                 records=["* MX 10 mx", f"*.mx {OTHER}"])]),
    Case("single.test", ["fail 5.4.4 no-addresses", "mailhost skip not-asked - -"],
         [Domain("single.test", records=["@ MX 10 mailhost."])]),
    Case("literal.test", ["deliver", "192.0.2.1 opportunistic not-asked - -"],
         [Domain("literal.test", records=["@ MX 10 192.0.2.1."])]),
    Case("self.test",
         ["deliver", "mx.self.test opportunistic nxdomain secure mx.self.test"],
         [Domain("self.test", [Host(), Host("equal", 20), Host("worse", 30)],
                 records=["@ MX 20 mail.sender.test."])]),
    Case("self2.test", ["fail 5.4.6 mx-is-self"],
         [Domain("self2.test", [Host("worse", 30)], records=["@ MX 5 mail.sender.test."])],
         says="mail.sender.test is this server"),
]

ALIASES = [
    Case("al1.test", ["deliver", "mx.al1.test dane records secure to.al1.test"],
         [Domain("al1.test", [Host("to", alias="mx", tlsa=GOOD)],
                 records=[f"_25._tcp.mx {OTHER}"])]),
    Case("al2.test", ["deliver", "mx.al2.test opportunistic nxdomain secure mx.al2.test"],
         [Domain("al2.test", [Host("c", mx=False)],
                 records=["@ MX 10 mx", "mx CNAME a", "a CNAME b", "b CNAME c",
                          f"_25._tcp.a {OTHER}", f"_25._tcp.b {OTHER}"])]),
    Case("al3.test", ["defer 4.7.324 tlsa-servfail",
                      "mx.al3.test skip none failed to.al3.test"],
         [Domain("al3.test", [Host("to", alias="mx")],
                 records=[f"_25._tcp.mx {OTHER}", "x._25._tcp.to TXT here"],
                 faults={("_25._tcp.to", "TLSA"): front.SERVFAIL})],
         says="TLSA _25._tcp.to.al3.test: failed"),
    Case("al4.test", ["deliver", "mx.al4.test dane records secure mx.al4.test"],
         [Domain("al4.test", [Host("mx.al4u.test.", alias="mx", tlsa=GOOD,
                                   tlsa_owner="_25._tcp.mx")]),
          Domain("al4u.test", signed=False)], unasked="al4u.test"),
    Case("al5.test", ["deliver", "mx.al5u.test opportunistic not-asked - -"],
         [Domain("al5.test", records=["@ MX 10 mx.al5u.test."]),
          Domain("al5u.test", records=["mx CNAME to.al5s.test."], signed=False),
          Domain("al5s.test", [Host("to", mx=False, tlsa=GOOD)])],
         unasked="al5s.test"),
    Case("al6.test", ["deliver", "mx.al6h.test opportunistic not-asked - -"],
         [Domain("al6.test", records=["@ MX 10 mx.al6h.test."], signed=False),
          Domain("al6h.test", records=["mx CNAME to.al6u.test.", f"_25._tcp.mx {OTHER}"]),
          Domain("al6u.test", [Host("to", mx=False)], signed=False)],
         unasked="al6h.test"),
    Case("al7.test", ["deliver", "mx.sub.al7.test dane records secure mx.al7t.test"],
         [Domain("al7.test", records=["@ MX 10 mx.sub", "sub DNAME al7t.test."]),
          Domain("al7t.test", [Host("mx", mx=False, tlsa=GOOD)])]),
    Case("al8.test", ["deliver", "mx.sub.al8.test dane records secure mx.sub.al8.test"],
         [Domain("al8.test", records=["@ MX 10 mx.sub", "sub DNAME al8s.test."]),
          Domain("al8s.test", [Host("mx.al8u.test.", mx=False, tlsa=GOOD,
                                    tlsa_owner="_25._tcp.mx")],
                 records=["mx CNAME mx.al8u.test."]),
          Domain("al8u.test", signed=False)], unasked="al8u.test"),
    Case("al9.test", ["deliver", "mx.sub.al9.test opportunistic not-asked - -"],
         [Domain("al9.test", records=["@ MX 10 mx.sub", "sub DNAME al9u.test."]),
          Domain("al9u.test", [Host(mx=False)], records=BELOW, signed=False,
                 faults={TLSA: front.NOTIMP})], unasked="al9u.test"),
    Case("loop.test", ["defer 4.4.312 address-lookup-failed",
                       "a.loop.test skip not-asked - -"],
         [Domain("loop.test", records=["@ MX 10 a", "a CNAME b", "b CNAME a"])]),
    Case("w.da.test", ["deliver", "mx.dat.test dane records secure mx.dat.test"],
         [Domain("da.test", records=["w CNAME dat.test."]),
          Domain("dat.test", [Host(tlsa=GOOD)])]),
    Case("w.db.test", ["deliver", "mx.dbt.test half-dane records secure mx.dbt.test"],
         [Domain("db.test", records=["w CNAME dbt.test."], signed=False),
          Domain("dbt.test", [Host(tlsa=GOOD)])]),
    Case("w.dc.test", ["fail 5.4.310 no-such-domain"],
         [Domain("dc.test", records=["w CNAME gone.dc.test."])],
         says="MX w.dc.test, alias of gone.dc.test: no such name"),
    Case("x.sub.dd.test", ["deliver", "x.ddt.test dane records secure x.ddt.test"],
         [Domain("dd.test", records=["sub DNAME ddt.test."]),
          Domain("ddt.test", [Host("x", mx=False, tlsa=GOOD)], records=["x MX 10 x"])]),
    Case("tc1.test", ["deliver", "mx.tc1.test dane records secure mx.tc1.test"],
         [Domain("tc1.test", [Host(tlsa=GOOD, tlsa_owner="t")],
                 records=["_25._tcp.mx CNAME t"])]),
    Case("tc2.test", ["deliver", "mx.tc2.test opportunistic records insecure mx.tc2.test"],
         [Domain("tc2.test", [Host()], records=["_25._tcp.mx CNAME t.tc2u.test."]),
          Domain("tc2u.test", records=[f"t {OTHER}"], signed=False)],
         warns="TLSA records without DNSSEC"),
    Case("tc3.test", ["defer 4.7.324 rrsig-expired",
                      "mx.tc3.test skip none bogus mx.tc3.test"],
         [Domain("tc3.test", [Host()], records=["_25._tcp.mx CNAME t.tc3b.test."]),
          Domain("tc3b.test", records=[f"t {OTHER}"], signing=_bogus(("t", "TLSA")))],
         says=_expired("t.tc3b.test", "TLSA")),
]

ADDRESSES = [
    Case("f1.test", ["deliver", "mx.f1.test dane records secure mx.f1.test"],
         [Domain("f1.test", [Host(tlsa=GOOD)], faults={("mx", "AAAA"): front.SERVFAIL})]),
    Case("f2.test", ["defer 4.7.324 rrsig-expired", "mx.f2.test skip not-asked - -"],
         [Domain("f2.test", [Host()], signing=_bogus(("mx", "A")))],
         says=_expired("mx.f2.test", "A")),
    Case("f3.test", ["deliver", "mx.f3.test dane records secure mx.f3.test"],
         [Domain("f3.test", [Host(tlsa=GOOD, addresses=["fd00::25:f3"])],
                 records=["mx A 127.25.9.9"], signing=_bogus(("mx", "A")))]),
    Case("f4.test", ["defer 4.4.312 address-lookup-failed",
                     "mx.f4.test skip not-asked - -", "m2.f4.test skip not-asked - -"],
         [Domain("f4.test", records=["@ MX 10 mx", "@ MX 20 m2"],
                 faults={("m2", "A"): front.SERVFAIL})],
         says="A m2.f4.test: failed"),
    Case("f5.test", ["defer 4.7.324 rrsig-expired", "mx.f5h.test skip not-asked - -"],
         [Domain("f5.test", records=["@ MX 10 mx.f5h.test."], signed=False),
          Domain("f5h.test", [Host(mx=False)], signing=_bogus(("mx", "A")))]),
    Case("f6.test", ["deliver", "mx.f6h.test opportunistic not-asked - -"],
         [Domain("f6.test", records=["@ MX 10 mx.f6h.test."]),
          Domain("f6h.test", [Host(mx=False)], records=BELOW, signed=False,
                 faults={TLSA: front.NOTIMP})], unasked="f6h.test"),
]

RECORDS = [
    *(Case(f"short{n}.test",
           ["deliver", f"mx.short{n}.test encrypt records secure mx.short{n}.test"],
           [_raw_tlsa(f"short{n}.test", bytes([3, 1, 1][:n]))],
           warns="no TLSA record is usable") for n in range(4)),
    Case("short4.test", ["deliver", "mx.short4.test dane records secure mx.short4.test"],
         [_raw_tlsa("short4.test", b"", b"\3\1", b"\3\1\1" + bytes(32))]),
    Case("full.test", ["deliver", "mx.full.test encrypt records secure mx.full.test"],
         [Domain("full.test", [Host()], records=["_25._tcp.mx TLSA 2 0 0 010203"])]),
    Case("pkix.test", ["deliver", "mx.pkix.test encrypt records secure mx.pkix.test"],
         [Domain("pkix.test", [Host(tlsa=["1 1 1"])],
                 records=[f"_25._tcp.mx TLSA 0 0 1 {ANY_256}"])]),
    Case("t1.test", ["defer 4.7.324 tlsa-failed", "mx.t1.test skip none failed mx.t1.test"],
         [Domain("t1.test", [Host()], records=BELOW, faults={TLSA: front.NOTIMP})],
         says="got NOTIMP"),
    Case("t2.test", ["defer 4.7.324 denial-unproven",
                     "mx.t2.test skip none bogus mx.t2.test"],
         [Domain("t2.test", [Host()], records=BELOW, faults={TLSA: front.EMPTY})],
         says="denies _25._tcp.mx.t2.test TLSA without NSEC"),
    Case("t3.test", ["defer 4.7.324 rrsig-missing",
                     "mx.t3.test skip none bogus mx.t3.test"],
         [Domain("t3.test", [Host(tlsa=GOOD)], faults={TLSA: STRIPPED})],
         says="no RRSIG of _25._tcp.mx.t3.test TLSA"),
    Case("t4.test", ["deliver", "mx.t4.test opportunistic nodata secure mx.t4.test"],
         [_compact("t4.test")]),
    Case("t5.test", ["deliver", "mx.t5.test opportunistic nxdomain insecure mx.t5.test"],
         [Domain("t5.test", [Host()], signing={"denial": "optout"})]),
    Case("im1.test", ["defer 4.7.324 tlsa-servfail",
                      "mx.im1h.test skip none failed mx.im1h.test"],
         [Domain("im1.test", [Host("mx.im1h.test.")], signed=False),
          Domain("im1h.test", records=BELOW, faults={TLSA: front.SERVFAIL})]),
    Case("im2.test", ["deliver", "mx.im2h.test encrypt records secure mx.im2h.test"],
         [Domain("im2.test", [Host("mx.im2h.test.", tlsa=["1 1 1"])], signed=False),
          Domain("im2h.test")]),
]

ROUTED = [
    Case("none.test", ["defer 4.7.324 dane-required",
                       "mx.none.test skip nxdomain secure mx.none.test"],
         [Domain("none.test", [Host()])],
         says="TLSA _25._tcp.mx.none.test: no such name, secure"),
    Case("half.test", ["defer 4.7.324 dane-required",
                       "mx.halfh.test skip records secure mx.halfh.test"],
         [Domain("half.test", [Host("mx.halfh.test.", tlsa=GOOD)], signed=False),
          Domain("halfh.test")], says="MX half.test: records, insecure"),
    Case("unsigned-null.test", ["defer 4.7.324 dane-required"],
         [Domain("unsigned-null.test", records=["@ MX 0 ."], signed=False)],
         says="null MX, insecure"),
    Case("off.test", ["deliver", "mx.off.test opportunistic not-asked - -"],
         [Domain("off.test", [Host(tlsa=GOOD)])], unasked="off.test"),
    Case("off-bogus.test", ["defer 4.7.324 rrsig-expired"],
         [Domain("off-bogus.test", [Host()], signing=_bogus(("@", "MX")))]),
    Case("fixed.test", ["deliver", "mx.fixed.test dane records secure mx.fixed.test"],
         [Domain("fixed.test", [Host(mx=False, tlsa=GOOD, tlsa_owner="_2525._tcp.mx")])]),
]

CASES = MX + ALIASES + ADDRESSES + RECORDS + ROUTED

MANY = Domain(
    "many.test",
    records=[f"@ MX 10 h{n}" for n in range(200)]
    + [f"h{n} A 127.25.8.{n}" for n in range(200)],
)
TLSA_300 = Domain(
    "tlsa300.test",
    [Host(tlsa=GOOD)],
    records=[f"_25._tcp.mx TLSA 1 1 1 {n:064x}" for n in range(299)],
)
AGILE = Domain(
    "agile.test", [Host(tlsa=GOOD)], records=[f"_25._tcp.mx TLSA 3 1 2 {ANY_512}"]
)
SHORT_512 = Domain(
    "short512.test", [Host(tlsa=GOOD)], records=[f"_25._tcp.mx TLSA 3 1 2 {ANY_256}"]
)


@pytest.fixture
def lab(stage) -> Lab:
    def domains() -> list[Domain]:
        listed = [domain for case in CASES for domain in case.domains]
        return listed + [MANY, TLSA_300, AGILE, SHORT_512]

    settings = {"resolver": 'timeout = "4s"', "extra": ROUTES}
    lab = stage.lab("policy-audit", domains, **settings)
    FORGE.worlds[:] = [lab.world]
    return lab


def _brief(policy: dict) -> list[str]:
    first = [policy["verdict"], policy["code"], policy["scenario"]]
    lines = [" ".join(word for word in first if word)]
    for host in policy["hosts"]:
        tlsa = host["tlsa"]
        words = [host["name"], host["rule"], tlsa["answer"], tlsa["dnssec"], tlsa["base"]]
        lines.append(" ".join(word or "-" for word in words))
    return lines


def _warnings(policy: dict) -> str:
    return "; ".join(p["warning"] or "" for p in [policy, *policy["hosts"]])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(lab, case):
    policy = lab.server.json("policy", case.name)
    assert _brief(policy) == case.plan, policy["evidence"]
    assert case.says in (policy["evidence"] or "")
    assert bool(policy["evidence"]) == (policy["verdict"] != "deliver")
    assert case.warns in _warnings(policy)
    if case.unasked:
        assert lab.world.fronts.questions("TLSA", case.unasked) == []


def test_many_hosts_are_cut_not_lost(lab):
    policy = lab.server.json("policy", "many.test")
    assert policy["verdict"] == "deliver", policy["evidence"]
    assert len(policy["hosts"]) == 10
    assert "more MX hosts than the limit" in policy["warning"]


def _records(policy: dict) -> list[tuple]:
    keys = ("usage", "selector", "matching", "usable")
    return [tuple(r[k] for k in keys) for r in policy["hosts"][0]["tlsa"]["records"]]


def test_usable_records_come_before_the_limit(lab):
    policy = lab.server.json("policy", "tlsa300.test")
    assert policy["hosts"][0]["rule"] == "dane"
    assert _records(policy)[0] == (3, 1, 1, True)
    assert "more TLSA records than the limit" in policy["hosts"][0]["warning"]


def test_digest_agility(lab):
    found = _records(lab.server.json("policy", "agile.test"))
    assert found == [(3, 1, 2, True), (3, 1, 1, False)]
    found = _records(lab.server.json("policy", "short512.test"))
    assert found == [(3, 1, 1, True), (3, 1, 2, False)]
