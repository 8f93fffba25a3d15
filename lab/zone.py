# SPDX-License-Identifier: Apache-2.0
"""A zone: its records, how it is signed, and what is wrong with it.

We sign ourselves, RRset by RRset, since the tools made for honest operators
cannot give one RRset an expired signature and its neighbour a broken one.
Each zone has one ECDSA P-256 key for everything.
"""

import time
from dataclasses import dataclass, field

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from lab import denial

TTL = 300
HOUR = 3600
DAY = 24 * HOUR

#: Signature windows: begin and end in seconds from now.
GOOD = (-HOUR, 14 * DAY)
EXPIRED = (-14 * DAY, -7 * DAY)
FUTURE = (7 * DAY, 14 * DAY)

IN = dns.rdataclass.IN
TYPE = dns.rdatatype

Key = tuple[str, str]


@dataclass
class Zone:
    """What a zone shall be; names in it are relative, "@" is its apex.

    `denial` is nsec, nsec3 or optout. `windows` and `broken` name RRsets by
    (name, type): those get another signature window, or signatures that do
    not verify. `ds` is what the parent says: good, none, or wrong (a digest
    of a key that is not there). `address` is that of the zone's name server.
    `ttl` is that of all records. `serial` is that of the SOA record.
    """

    name: str
    records: list[str] = field(default_factory=list)
    signed: bool = True
    denial: str = "nsec"
    window: tuple[int, int] = GOOD
    windows: dict[Key, tuple[int, int]] = field(default_factory=dict)
    broken: set[Key] = field(default_factory=set)
    ds: str = "good"
    address: str = ""
    ttl: int = TTL
    serial: int = 1

    def __post_init__(self) -> None:
        self.origin = dns.name.from_text(self.name)
        tag = 0
        while tag < 10000:  # five digits: texts that name it are of one width
            self._private = ec.generate_private_key(ec.SECP256R1())
            self.dnskey = self._public(self._private)
            tag = dns.dnssec.key_id(self.dnskey)

    def server(self) -> str:
        """The name of the zone's name server, which is inside the zone."""
        return dns.name.from_text("ns", self.origin).to_text()

    def _public(self, private) -> dns.rdata.Rdata:
        algorithm = dns.dnssec.Algorithm.ECDSAP256SHA256
        return dns.dnssec.make_dnskey(private.public_key(), algorithm, flags=257)

    def anchor(self) -> str:
        """The zone's key as a line for a trust anchor file."""
        return f"{self.origin.to_text()} {self.ttl} IN DNSKEY {self.dnskey.to_text()}\n"

    def delegation(self) -> list[str]:
        """The absolute lines that the parent has about this zone."""
        name = self.origin.to_text()
        lines = [f"{name} NS {self.server()}", f"{self.server()} A {self.address}"]
        if self.signed and self.ds != "none":
            key = self.dnskey
            if self.ds == "wrong":
                key = self._public(ec.generate_private_key(ec.SECP256R1()))
            digest = dns.dnssec.make_ds(self.origin, key, "SHA256")
            lines.append(f"{name} DS {digest.to_text()}")
        return lines

    def to_text(self, children: list["Zone"] = ()) -> str:
        """The complete zone file, signed if it shall be."""
        zone = self._unsigned(children)
        if self.signed:
            self._sign(zone)
        return zone.to_text(relativize=False)

    def to_plain_text(self, children: list["Zone"] = ()) -> str:
        """The zone file for a server that signs it, with our key()."""
        return self._unsigned(children).to_text(relativize=False)

    def key(self) -> tuple[dns.rdata.Rdata, int]:
        """The DNSKEY, and the private number of its curve point."""
        return self.dnskey, self._private.private_numbers().private_value

    def _unsigned(self, children: list["Zone"]) -> dns.zone.Zone:
        text = "\n".join(self._lines(children))
        return dns.zone.from_text(text, self.origin, relativize=False)

    def _lines(self, children: list["Zone"]) -> list[str]:
        soa = (
            f"@ SOA ns hostmaster {self.serial} {DAY} {HOUR} {30 * DAY} {self.ttl}"
        )
        lines = [f"$TTL {self.ttl}", soa, "@ NS ns", f"ns A {self.address}"]
        lines += self.records
        for child in children:
            lines += child.delegation()
        return lines

    def _sign(self, zone: dns.zone.Zone) -> None:
        key = dns.rdataset.from_rdata(self.ttl, self.dnskey)
        zone.replace_rdataset(self.origin, key)
        denial.add_chain(zone, self.origin, self.denial, self.ttl)
        for name, node in list(zone.nodes.items()):
            for rdataset in list(node.rdatasets):
                if denial.authoritative(zone, self.origin, name, rdataset.rdtype):
                    self._sign_rrset(zone, name, rdataset)

    def _named(self, name: dns.name.Name, rdtype: int) -> Key:
        relative = name.relativize(self.origin).to_text()
        return relative, TYPE.to_text(rdtype)

    def _sign_rrset(self, zone, name, rdataset) -> None:
        wanted = self._named(name, rdataset.rdtype)
        begin, end = self.windows.get(wanted, self.window)
        now = int(time.time())
        signature = dns.dnssec.sign(
            (name, rdataset),
            self._private,
            self.origin,
            self.dnskey,
            inception=now + begin,
            expiration=now + end,
        )
        if name.is_wild():
            signature = self._sign_wildcard(name, rdataset, signature)
        if wanted in self.broken:
            flipped = bytes(byte ^ 1 for byte in signature.signature)
            signature = signature.replace(signature=flipped)
        place = zone.find_rdataset(name, TYPE.RRSIG, rdataset.rdtype, create=True)
        place.add(signature, rdataset.ttl)

    def _sign_wildcard(self, name, rdataset, signature):
        """The signature once more: the asterisk is no label that counts (RFC
        4034 section 3.1.3), which this dnspython does not know."""
        bare = signature.replace(labels=signature.labels - 1, signature=b"")
        data = dns.dnssec._make_rrsig_signature_data((name, rdataset), bare)
        r, s = decode_dss_signature(self._private.sign(data, ec.ECDSA(SHA256())))
        return bare.replace(signature=r.to_bytes(32, "big") + s.to_bytes(32, "big"))
