# SPDX-License-Identifier: Apache-2.0
"""Answers and zones that no honest authority has."""

import random
import struct

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.RRSIG
import dns.rrset

from lab import zone
from lab.front import Fault

IN = dns.rdataclass.IN
TYPE = dns.rdatatype
RSASHA256 = dns.dnssec.Algorithm.RSASHA256


def _answering(rrsets) -> Fault:
    """Authoritative answers with what `rrsets` makes of the question."""

    def act(query: dns.message.Message, transport: str) -> bytes:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        answer.answer += rrsets(query.question[0].name)
        wire = answer.to_wire(max_size=65535)
        if transport == "tcp" or len(wire) <= 1232:
            return wire
        short = dns.message.make_response(query)
        short.flags |= dns.flags.AA | dns.flags.TC
        return short.to_wire()

    return Fault(act)


def _wrong_id(query: dns.message.Message, transport: str) -> bytes:
    answer = dns.message.make_response(query)
    answer.id ^= 1
    return answer.to_wire()


def _pointer_loop(query: dns.message.Message, transport: str) -> bytes:
    """One MX record whose owner is a pointer to itself."""
    question = query.to_wire()[12:]
    question = question[: question.index(0) + 5]
    head = struct.pack("!6H", query.id, 0x8400, 1, 1, 0, 0)
    here = 0xC000 | (len(head) + len(question))
    return head + question + struct.pack("!3HIHHH", here, 15, 1, 60, 4, 1, here)


WRONG_ID = Fault(_wrong_id)
POINTER_LOOP = Fault(_pointer_loop)


def unsigned(text: str) -> Fault:
    """Answers with one record, "MX 10 mx.x.test."."""
    rdtype, _, data = text.partition(" ")
    return _answering(
        lambda name: [dns.rrset.from_text(name, zone.TTL, "IN", rdtype, data)]
    )


def signed_tlsa(world, owner: str, data: list[bytes]) -> Fault:
    """TLSA records of any bytes, signed as well as any."""

    def rrsets(name: dns.name.Name) -> list:
        home = world.zone_of(owner)
        records = [dns.rdata.GenericRdata(IN, TYPE.TLSA, item) for item in data]
        rrset = dns.rrset.from_rdata(name, zone.TTL, *records)
        signature = dns.dnssec.sign(
            rrset, home._private, home.origin, home.dnskey, lifetime=zone.DAY
        )
        return [rrset, dns.rrset.from_rdata(name, zone.TTL, signature)]

    return _answering(rrsets)


def _tag_sum(data: bytes) -> int:
    return sum(byte << 8 if i % 2 == 0 else byte for i, byte in enumerate(data))


def _tag(data: bytes) -> int:
    """RFC 4034 appendix B."""
    total = _tag_sum(data)
    return (total + (total >> 16 & 0xFFFF)) & 0xFFFF


class KeyTrap:
    """RSA keys of one tag, and signatures of which none is by any of them
    (CVE-2023-50387). Nobody has the private keys; a modulus is just a number
    that is hard enough to calculate with."""

    def __init__(self, keys: int, signatures: int) -> None:
        self._random = random.Random(1)
        first = self._key()
        self.keys = [first]
        while len(self.keys) < keys:
            self.keys.append(self._colliding(_tag(first)))
        self._signatures = [self._noise(256) for _ in range(signatures)]

    def _noise(self, size: int) -> bytes:
        return b"\x00" + self._random.randbytes(size - 1)

    def _key(self) -> bytes:
        modulus = b"\xc0" + self._random.randbytes(254) + b"\x01"
        return struct.pack("!HBB", 257, 3, RSASHA256) + b"\x03\x01\x00\x01" + modulus

    def _colliding(self, tag: int) -> bytes:
        key = bytearray(self._key())
        while _tag(key) != tag:
            # a pair of bytes at an even place counts as one number
            wanted = (tag - _tag(key)) & 0xFFFF
            (value,) = struct.unpack_from("!H", key, 100)
            struct.pack_into("!H", key, 100, (value + (wanted or 1)) & 0xFFFF)
        return bytes(key)

    def _rrsig(self, covered: int, origin: dns.name.Name, signature: bytes):
        rest = struct.pack(
            "!HBBIIIH", covered, RSASHA256, len(origin.labels) - 1, zone.TTL,
            0x7FFFFFFF, 0, _tag(self.keys[0]),
        )  # fmt: skip
        wire = rest + origin.to_wire() + signature
        return dns.rdata.from_wire(IN, TYPE.RRSIG, wire, 0, len(wire))

    def dnskeys(self, world, domain: str) -> Fault:
        """The zone's key set with ours in it, rightly signed by its own."""

        def rrsets(name: dns.name.Name) -> list:
            home = world.zone_of(domain)
            parse = dns.rdata.from_wire
            ours = [parse(IN, TYPE.DNSKEY, key, 0, len(key)) for key in self.keys]
            rrset = dns.rrset.from_rdata(name, zone.TTL, home.dnskey, *ours)
            signature = dns.dnssec.sign(
                rrset, home._private, home.origin, home.dnskey, lifetime=zone.DAY
            )
            return [rrset, dns.rrset.from_rdata(name, zone.TTL, signature)]

        return _answering(rrsets)

    def signed(self, text: str) -> Fault:
        """An RRset, "MX 10 mx.x.test.", with all those signatures."""
        rdtype, _, data = text.partition(" ")

        def rrsets(name: dns.name.Name) -> list:
            rrset = dns.rrset.from_text(name, zone.TTL, "IN", rdtype, data)
            signatures = [
                self._rrsig(rrset.rdtype, name, each) for each in self._signatures
            ]
            return [rrset, dns.rrset.from_rdata(name, zone.TTL, *signatures)]

        return _answering(rrsets)
