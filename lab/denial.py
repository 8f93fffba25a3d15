# SPDX-License-Identifier: Apache-2.0
"""The NSEC or NSEC3 chain of a zone (RFC 4034 section 4, RFC 5155).

NSEC3 is without salt and extra iterations, as RFC 9276 wants it; "nsec3:500"
has that many, which nobody should compute (RFC 9276 section 3.2). Opt-out sets
the flag on every NSEC3: then what falls between two names is not proven to be
absent, only not proven to be there, which validators call insecure.
"""

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.zone

IN = dns.rdataclass.IN
NS = dns.rdatatype.NS
DS = dns.rdatatype.DS
NSEC = dns.rdatatype.NSEC
NSEC3 = dns.rdatatype.NSEC3
RRSIG = dns.rdatatype.RRSIG
OPT_OUT = 1


def _types(zone: dns.zone.Zone, name: dns.name.Name) -> set[int]:
    node = zone.get_node(name)
    return {rdataset.rdtype for rdataset in node.rdatasets} if node else set()


def _is_cut(zone, origin, name) -> bool:
    return name != origin and NS in _types(zone, name)


def _below_cut(zone, origin, name) -> bool:
    """Whether a name lies under a delegation, and is so only glue."""
    if name == origin:
        return False
    above = name.parent()
    while above != origin:
        if _is_cut(zone, origin, above):
            return True
        above = above.parent()
    return False


def authoritative(zone, origin, name, rdtype: int) -> bool:
    """Whether an RRset is the zone's own and so has to be signed."""
    if rdtype == RRSIG or _below_cut(zone, origin, name):
        return False
    return not _is_cut(zone, origin, name) or rdtype in (DS, NSEC, NSEC3)


def _bitmap(zone, origin, name, also: list[str]) -> str:
    types = _types(zone, name)
    if _is_cut(zone, origin, name):
        types &= {NS, DS}
    words = [dns.rdatatype.to_text(rdtype) for rdtype in sorted(types)] + also
    if any(authoritative(zone, origin, name, rdtype) for rdtype in types):
        words.append("RRSIG")
    return " ".join(dict.fromkeys(words))


def _put(zone, name, rdtype: int, text: str, ttl: int) -> None:
    rdata = dns.rdata.from_text(IN, rdtype, text)
    zone.replace_rdataset(name, dns.rdataset.from_rdata(ttl, rdata))


def _own_names(zone, origin) -> list[dns.name.Name]:
    names = [name for name in zone.nodes if not _below_cut(zone, origin, name)]
    return sorted(names)


def _add_nsec(zone, origin, ttl: int) -> None:
    names = _own_names(zone, origin)
    for name, following in zip(names, names[1:] + names[:1]):
        bitmap = _bitmap(zone, origin, name, ["RRSIG", "NSEC"])
        _put(zone, name, NSEC, f"{following.to_text()} {bitmap}", ttl)


def _with_parents(names, origin) -> set[dns.name.Name]:
    """Adds the empty non-terminals, which NSEC3 chains name as well."""
    complete = set(names)
    for name in names:
        while name != origin:
            name = name.parent()
            complete.add(name)
    return complete


def _add_nsec3(zone, origin, flags: int, ttl: int, iterations: int) -> None:
    _put(zone, origin, dns.rdatatype.NSEC3PARAM, f"1 0 {iterations} -", 0)
    names = _with_parents(_own_names(zone, origin), origin)
    hashed = {dns.dnssec.nsec3_hash(name, "", iterations, 1): name for name in names}
    owners = sorted(hashed)
    for owner, following in zip(owners, owners[1:] + owners[:1]):
        bitmap = _bitmap(zone, origin, hashed[owner], [])
        name = dns.name.from_text(owner, origin)
        _put(zone, name, NSEC3, f"1 {flags} {iterations} - {following} {bitmap}", ttl)


def add_chain(zone: dns.zone.Zone, origin, kind: str, ttl: int) -> None:
    """Adds the chain that proves what the zone does not have."""
    if kind == "nsec":
        _add_nsec(zone, origin, ttl)
        return
    kind, _, iterations = kind.partition(":")
    flags = OPT_OUT if kind == "optout" else 0
    _add_nsec3(zone, origin, flags, ttl, int(iterations or 0))
