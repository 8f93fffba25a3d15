# SPDX-License-Identifier: Apache-2.0
"""Zones and name servers that want to cost us time, memory or other mail.

One server gets mail for all of them at once, and meanwhile for a good domain.
The limits are for the debug build, with sanitizers, on a slow machine.
"""

import re
import time

import pytest

from lab import front
from lab.server import tried
from lab.world import BEHIND, LEAF_SERVER, Domain, Host
from tests.support import evil_dns
from tests.support.delivery import SENDER
from tests.support.usage import Usage

TIMEOUT = 4
SETTINGS_OF_SERVER = {
    "retry": '"1h"',
    "expire": "2h",
    "smtp": 'connect_timeout = "2s"  greeting_timeout = "2s"',
    "resolver": f'timeout = "{TIMEOUT}s"',
}
#: a plan asks at most for MX, address, alias and TLSA one after the other
VERDICT_S = 5 * TIMEOUT
#: of most good messages: all the servers here share one interpreter
GOOD_S = 5.0
CPU_S = {"resolve": 15.0, "transport": 10.0, "queue": 10.0}
GROWTH_KIB = {"resolve": 200 * 1024, "transport": 100 * 1024}

UNHEARD = [f"127.26.{i // 250}.{i % 250 + 1}" for i in range(512)]
MX_512 = [f"@ MX {i} h{i}" for i in range(512)]
A_512 = [f"h{i} A {address}" for i, address in enumerate(UNHEARD)]


def chain(aliases: int) -> list[str]:
    """From the MX record's name to an address where nobody listens."""
    names = [f"c{i} CNAME c{i + 1}" for i in range(aliases)]
    return ["@ MX 1 c0", *names, f"c{aliases} A 127.26.9.1"]


LABEL = "n" * 63
LONG = ".".join([LABEL, LABEL, LABEL, "n" * 45])  # with .long.test. 255 bytes
ODD = r"e\027[2J\000\010<b>x"
ODD_ANSWERS = {
    ("@", "MX"): evil_dns.unsigned(rf"MX 1 {ODD}.odd.test."),
    (ODD, "A"): evil_dns.unsigned("A 127.26.9.3"),
}
MANY_NS = [f"deep NS ns{i}.nowhere{i}" for i in range(60)]
#: Servers of their own for those who break TCP; test_shared_server has one
#: that holds honest zones too.
SLOW, CUT = "127.0.53.99", "127.0.53.98"
SLOW_SERVER = ["deep NS ns.deep", f"ns.deep A {SLOW}"]
CUT_SERVER = ["deep NS ns.deep", f"ns.deep A {CUT}"]
TRAP = evil_dns.KeyTrap(keys=40, signatures=60)

DOMAINS = [
    Domain("many-mx.test", records=MX_512 + A_512),
    Domain("many-addresses.test", [Host(listens=False, addresses=UNHEARD[:100])]),
    Domain("itself.test", records=["@ MX 1 a", "a CNAME a"]),
    Domain("circle.test", records=["@ MX 1 a", "a CNAME b", "b CNAME a"]),
    Domain("chain.test", records=chain(20)),
    Domain("chain8.test", records=chain(8)),  # resolver.aliases_max
    Domain("chain9.test", records=chain(9)),
    Domain("dname.test", records=["@ MX 1 x.a", "a DNAME b", "b DNAME a"]),
    Domain("grow.test", records=["@ MX 1 x.a", "a DNAME a.a"], signed=False),
    Domain("iterations.test", [Host()], signing={"denial": "nsec3:500"}),
    Domain("keytrap.test", [Host(tlsa=["3 1 1"])]),
    Domain("servers.test", records=["@ MX 1 mx.deep", *MANY_NS]),
    Domain(
        "referral.test",
        records=["@ MX 1 mx.a", "a NS ns.b", "b NS ns.a"],
    ),
    Domain("drip.test", records=["@ MX 1 mx.deep", *SLOW_SERVER]),
    Domain("wrong-id.test", [Host()], faults={("@", "MX"): evil_dns.WRONG_ID}),
    Domain("truncated.test", records=["@ MX 1 mx.deep", *CUT_SERVER]),
    Domain("pointers.test", [Host()], faults={("@", "MX"): evil_dns.POINTER_LOOP}),
    Domain("silent.test", [Host()], faults={("*", "*"): front.DROP}),
    Domain("long.test", records=[f"@ MX 1 {LONG}", f"{LONG} A 127.26.9.2"]),
    Domain("odd.test", signed=False, faults=ODD_ANSWERS),
    Domain("short.test", [Host(tlsa=["3 1 1"])]),
    Domain("many-tlsa.test", [Host(tlsa=[f"3 1 1 ={i:064x}" for i in range(400)])]),
]
#: status, end of the code, scenario of the first attempt
EXPECTED = {
    "many-mx.test": ("pending", "4.316", "connection-refused"),
    "many-tlsa.test": ("pending", "7.323", "tlsa-mismatch"),
    "many-addresses.test": ("pending", "4.316", "connection-refused"),
    "itself.test": ("pending", "4.312", "address-lookup-failed"),
    "circle.test": ("pending", "4.312", "address-lookup-failed"),
    "chain.test": ("pending", "4.312", "address-lookup-failed"),
    "chain8.test": ("pending", "4.316", "connection-refused"),
    "chain9.test": ("pending", "4.312", "address-lookup-failed"),
    "dname.test": ("pending", "4.312", "address-lookup-failed"),
    "grow.test": ("failed", "4.4", "no-addresses"),
    "iterations.test": ("delivered", "0.0", None),
    "servers.test": ("pending", "4.312", "address-lookup-failed"),
    "referral.test": ("pending", "4.312", "address-lookup-failed"),
    "drip.test": ("pending", "4.312", "address-lookup-failed"),
    "wrong-id.test": ("pending", "4.312", "mx-lookup-failed"),
    "truncated.test": ("pending", "4.312", "address-lookup-failed"),
    "pointers.test": ("pending", "4.312", "mx-lookup-failed"),
    "silent.test": ("pending", "4.312", "mx-lookup-failed"),
    "long.test": ("pending", "4.316", "connection-refused"),
    "odd.test": ("pending", "4.316", "connection-refused"),
    "short.test": ("delivered", "0.0", None),
}
#: A and AAAA of the host and of its name server, each 5 times (libunbound's
#: outbound-msg-retry) by UDP and then by TCP, and 6 others; all that once more
#: in a fresh context, where the first failure was a cached one.
TWICE = 2 * (4 * 5 * 2 + 6)
#: questions for a name server, of a type, under a name
ASKED_MAX = [
    (None, "many-mx.test", 80),
    ("AAAA", "many-mx.test", 10),
    ("TLSA", "many-mx.test", 10),
    (None, "itself.test", 40),
    (None, "circle.test", 40),
    (None, "chain.test", 50),
    (None, "dname.test", 40),
    (None, "grow.test", 40),
    (None, "keytrap.test", 40),
    (None, "servers.test", 40),
    (None, "referral.test", 40),
    (None, "wrong-id.test", 40),
    (None, "truncated.test", TWICE),
    (None, "pointers.test", 40),
]
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")

GOOD = Domain("good.test", [Host(tlsa=["3 1 1"])])


def domains() -> list[Domain]:
    return [*DOMAINS, GOOD]


def set_traps(world) -> None:
    """What can only be made once the zones have their keys."""
    fronts = world.fronts
    for address in (SLOW, CUT):
        fronts.listen(address, BEHIND[LEAF_SERVER])
    fronts.set_fault("*.deep.drip.test", "*", front.dripping(1.0), SLOW)
    fronts.set_fault("*.deep.truncated.test", "*", front.TRUNCATED, CUT)
    trap = TRAP.dnskeys(world, "keytrap.test")
    fronts.set_fault("keytrap.test", "DNSKEY", trap)
    fronts.set_fault("keytrap.test", "MX", TRAP.signed("MX 10 mx.keytrap.test."))
    owner = "_25._tcp.mx.short.test"
    raw = [b"", b"\x03", b"\x03\x01", b"\x03\x01\x01"]
    fronts.set_fault(owner, "TLSA", evil_dns.signed_tlsa(world, owner, raw))


def mail_to(lab, recipient: str) -> float:
    """Sends a message; the seconds until it was delivered."""
    began = time.monotonic()
    lab.server.submit(SENDER, recipient)
    lab.server.wait_trace(recipient, lambda t: t["status"] == "delivered", 60)
    return time.monotonic() - began


class Run:
    """All that was sent at once, and what it cost."""

    def __init__(self, lab) -> None:
        self.lab = lab
        set_traps(lab.world)
        mail_to(lab, "first@good.test")
        self.usage = Usage(lab.server)
        began = time.monotonic()
        for domain in DOMAINS:
            lab.server.submit(SENDER, f"bob@{domain.name}")
        self.good_s = [mail_to(lab, f"bob{i}@good.test") for i in range(5)]
        self.traces = {d.name: self.verdict(d.name) for d in DOMAINS}
        self.verdict_s = time.monotonic() - began
        self.cost = self.usage.since()

    def verdict(self, domain: str) -> dict:
        return self.lab.server.wait_trace(f"bob@{domain}", tried, VERDICT_S)

    def asked(self, rdtype: str, under: str) -> int:
        return len(self.lab.world.fronts.questions(rdtype, under))


@pytest.fixture(scope="module")
def run(stage):
    return Run(stage.lab("hostile-dns", domains, **SETTINGS_OF_SERVER))


def test_other_mail_is_not_held_up(run):
    assert sorted(run.good_s)[2] < GOOD_S, run.good_s


def test_verdicts_in_time(run):
    assert run.verdict_s < 2 * VERDICT_S


def test_processor_time(run):
    used = {role: cost.cpu for role, cost in run.cost.items()}
    assert not {r for r, limit in CPU_S.items() if used[r] > limit}, used


def test_memory(run):
    grown = {role: cost.kib for role, cost in run.cost.items()}
    assert not {r for r, limit in GROWTH_KIB.items() if grown[r] > limit}, grown


def first(trace: dict) -> tuple[str, str, str | None]:
    """What came of the first attempt."""
    event = next(e for e in trace["events"] if e["event"] in ("send", "defer", "fail"))
    return trace["status"], event["code"].partition(".")[2], event["scenario"]


@pytest.mark.parametrize("name", EXPECTED)
def test_verdict(run, name):
    assert first(run.traces[name]) == EXPECTED[name]


def test_key_trap(run):
    """The resolver stops calculating; by then its time may be over as well."""
    stopped = ("pending", "7.324", "dnssec-bogus")
    too_late = ("pending", "4.312", "mx-lookup-failed")
    assert first(run.traces["keytrap.test"]) in (stopped, too_late)


@pytest.mark.parametrize("rdtype, under, limit", ASKED_MAX)
def test_number_of_questions(run, rdtype, under, limit):
    assert run.asked(rdtype, under) <= limit


def test_number_of_hosts_and_addresses(run):
    hosts = run.lab.server.json("policy", "many-mx.test")["hosts"]
    assert len(hosts) == 10
    (host,) = run.lab.server.json("policy", "many-addresses.test")["hosts"]
    assert len(host["addresses"]) == 10


def test_iterations_are_not_computed(run):
    """RFC 9276 section 3.2: what they prove counts as insecure."""
    assert run.traces["iterations.test"]["security"] == "tls"


def test_no_odd_byte_gets_out(run):
    server = run.lab.server
    message = run.traces["odd.test"]["id"]
    said = [
        server.run("policy", "odd.test").stdout,
        server.run("trace", "--detail", message).stdout,
        server.run("trace", "--detail", message, "--json").stdout,
        server.run("queue", "list").stdout,
        server.log.read_bytes(),
    ]
    for text in said:
        assert b"odd.test" in text
        assert not CONTROL.search(text), CONTROL.search(text)
