# SPDX-License-Identifier: Apache-2.0
"""Answers that no server software would give, signed with a zone's key."""

import time
from dataclasses import dataclass, field

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset

from lab import zone
from lab.front import Fault
from lab.world import World

# More iterations than a validator counts (RFC 9276 3.2): the answer whose
# denial has them is insecure in the midst of a signed zone.
MANY_ITERATIONS = 1000


@dataclass
class Forge:
    """The key is that of the world in `worlds` when the question comes."""

    worlds: list[World] = field(default_factory=list)

    def answer(self, zone_name: str, sections: dict) -> Fault:
        def act(query: dns.message.Message, transport: str) -> bytes:
            home = self.worlds[-1].zone_of(zone_name)
            answer = _reply(query)
            for section, sets in sections.items():
                for owner, rdatas in sets:
                    rrset = _rrset(owner, rdatas)
                    signed = [rrset, _sign(home, rrset)]
                    getattr(answer, section).extend(signed)
            return answer.to_wire()

        return Fault(act)

    def insecure(self, zone_name: str, owner: str, rdata: dns.rdata.Rdata) -> Fault:
        """An answer from a wildcard that a validator takes for insecure."""

        def act(query: dns.message.Message, transport: str) -> bytes:
            home = self.worlds[-1].zone_of(zone_name)
            answer = _reply(query)
            wild = _rrset("*." + owner.partition(".")[2], [rdata])
            signature = _sign(home, wild)
            shown = _rrset(owner, [rdata])
            signature.name = shown.name
            denial = _denial(zone_name, owner)
            answer.answer.extend([shown, signature])
            answer.authority.extend([denial, _sign(home, denial)])
            return answer.to_wire()

        return Fault(act)


def _reply(query: dns.message.Message) -> dns.message.Message:
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    return answer


def _rrset(owner: str, rdatas: list[dns.rdata.Rdata]) -> dns.rrset.RRset:
    name = dns.name.from_text(owner)
    return dns.rrset.from_rdata_list(name, zone.TTL, rdatas)


def _denial(zone_name: str, owner: str) -> dns.rrset.RRset:
    """An NSEC3 record that goes round the hash of a name, once."""
    digest = dns.dnssec.nsec3_hash(owner, None, MANY_ITERATIONS, 1)
    before = digest[:-1] + ("0" if digest[-1] > "0" else "1")
    after = digest[:-1] + ("V" if digest[-1] < "V" else "U")
    text = f"1 0 {MANY_ITERATIONS} - {after} A RRSIG"
    rdata = dns.rdata.from_text(zone.IN, dns.rdatatype.NSEC3, text)
    return _rrset(f"{before}.{zone_name}.", [rdata])


def _sign(home: zone.Zone, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
    now = int(time.time())
    signature = dns.dnssec.sign(
        rrset,
        home._private,
        home.origin,
        home.dnskey,
        inception=now - zone.HOUR,
        expiration=now + zone.DAY,
    )
    if rrset.name.is_wild():
        signature = home._sign_wildcard(rrset.name, rrset, signature)
    return dns.rrset.from_rdata(rrset.name, zone.TTL, signature)
