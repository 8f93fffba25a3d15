# SPDX-License-Identifier: Apache-2.0
"""From declared domains to a running world.

A Domain says who receives its mail and how its zone is signed; the world adds
what makes it reachable: root, top-level domains, delegations, name servers,
certificates and receivers.

    127.0.53.1, .2, .3      name servers of the root, the top-level domains,
                            and the domains, as the resolver sees them
    127.0.54.1, .2, .3      the Knots behind them
    .4 and so on            those of domains with another kind of authority
    127.25.x.y              receivers
    127.26.x.y              hosts of MTA-STS policies
"""

import itertools
import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from lab import netns
from lab.authority import Authority
from lab.behaviour import HONEST, Behaviour
from lab.cert import Certificate, Identity, Workshop
from lab.front import Fault, Fronts
from lab.knot import Knot
from lab.policy_host import PolicyHost, Sts
from lab.procs import Processes
from lab.receiver import Receiver
from lab.zone import Zone

ROOT_SERVER = "127.0.53.1"
TLD_SERVER = "127.0.53.2"
LEAF_SERVER = "127.0.53.3"
BEHIND = {f"127.0.53.{n}": f"127.0.54.{n}" for n in range(1, 10)}
FIRST_RECEIVER = ipaddress.IPv4Address("127.25.0.1")
FIRST_POLICY_HOST = ipaddress.IPv4Address("127.26.0.1")
SELF_SIGNED = Certificate()


@dataclass
class Host:
    """A host that receives mail.

    `name` is relative to the domain, or absolute with a final dot. `tlsa`
    holds records in the words of cert.Identity.tlsa, published at `tlsa_owner`
    (default: where port 25 has them). `certificate` None: no TLS at all.
    `addresses` empty: one is given. `port` is where it listens, and in the
    owner of its records. `alias` is a name for MX to point to that
    is a CNAME of this host; `mx` False: no MX points here. Set by the world:
    `receivers`, one an address, and `identity`.
    """

    name: str = "mx"
    preference: int = 10
    tlsa: list[str] = field(default_factory=list)
    tlsa_owner: str | None = None
    alias: str | None = None
    mx: bool = True
    certificate: Certificate | None = SELF_SIGNED
    behaviour: Behaviour = HONEST
    addresses: list[str] = field(default_factory=list)
    listens: bool = True
    port: int = 25
    receivers: list[Receiver] = field(default_factory=list)
    identity: Identity | None = None

    def absolute(self, domain: str) -> str:
        if self.name.endswith("."):
            return self.name
        return f"{domain}." if self.name == "@" else f"{self.name}.{domain}."

    @property
    def receiver(self) -> Receiver:
        return self.receivers[0]


@dataclass
class Domain:
    """A mail domain with its zone; a zone that has no hosts is fine too, and
    so is a domain that does not exist.

    `signing` goes to Zone: denial, window, windows, broken, ds. `faults` are
    by (name relative to the domain, type). `authority` is the kind of server
    that holds the zone.
    """

    name: str
    hosts: list[Host] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    exists: bool = True
    signed: bool = True
    signing: dict = field(default_factory=dict)
    faults: dict[tuple[str, str], Fault] = field(default_factory=dict)
    about: str = ""
    authority: type[Authority] = Knot
    sts: Sts | None = None

    @property
    def host(self) -> Host:
        return self.hosts[0]

    def full_name(self, relative: str) -> str:
        return f"{self.name}." if relative == "@" else f"{relative}.{self.name}."


class World:
    """DNS and receivers for some domains, running from start() to stop()."""

    def __init__(self, directory: Path, domains: list[Domain]) -> None:
        self.directory = directory
        self.domains = domains
        self.processes = Processes()
        self.workshop = Workshop(directory / "certificates")
        self._addresses = (FIRST_RECEIVER + i for i in itertools.count())
        self._policy_addresses = (FIRST_POLICY_HOST + i for i in itertools.count())
        self._leaf_servers = self._number_servers()
        self._zones = {d.name: self._zone(d) for d in domains if d.exists}

    def _number_servers(self) -> dict[type[Authority], str]:
        """The address of each kind of authority of the domains."""
        kinds = dict.fromkeys([Knot, *(d.authority for d in self.domains)])
        first = ipaddress.IPv4Address(LEAF_SERVER)
        return {kind: str(first + i) for i, kind in enumerate(kinds)}

    def _zone(self, domain: Domain) -> Zone:
        return Zone(
            domain.name,
            records=list(domain.records),
            signed=domain.signed,
            address=self._leaf_servers[domain.authority],
            **domain.signing,
        )

    def start(self) -> None:
        self.fronts = Fronts()
        for domain in self.domains:
            for host in domain.hosts:
                self._raise_host(domain, host)
            if domain.sts is not None:
                self._raise_policy_host(domain, domain.sts)
        self._start_dns()
        for domain in self.domains:
            for (relative, rdtype), fault in domain.faults.items():
                self.fronts.set_fault(domain.full_name(relative), rdtype, fault)

    def stop(self) -> None:
        """Ends everything that was started, in any state of the start."""
        for domain in self.domains:
            for host in domain.hosts:
                for receiver in host.receivers:
                    receiver.stop()
            if domain.sts is not None and domain.sts.host is not None:
                domain.sts.host.stop()
        self.processes.stop_all()
        if hasattr(self, "fronts"):
            self.fronts.stop()

    def __enter__(self) -> "World":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    def zone_of(self, name: str) -> Zone | None:
        """The declared zone that a name lies in."""
        labels = name.rstrip(".").split(".")
        for cut in range(len(labels)):
            if found := self._zones.get(".".join(labels[cut:])):
                return found
        return None

    def _raise_host(self, domain: Domain, host: Host) -> None:
        name = host.absolute(domain.name)
        records = self._zones[domain.name].records
        if host.alias is not None:
            records.append(f"{host.alias} CNAME {name}")
        if host.mx:
            records.append(f"@ MX {host.preference} {host.alias or name}")
        if host.receivers:
            return  # the host of an earlier domain
        host.addresses = host.addresses or [str(next(self._addresses))]
        bare = name.rstrip(".")
        if host.certificate is not None:
            host.identity = self.workshop.make(bare, host.certificate)
        self._publish(domain, name, host)
        for address in host.addresses if host.listens else []:
            netns.add_address(address)
            receiver = Receiver(
                bare, address, host.identity, host.behaviour, host.port
            )
            host.receivers.append(receiver)

    def _raise_policy_host(self, domain: Domain, sts: Sts) -> None:
        name = f"mta-sts.{domain.name}"
        address = sts.address or str(next(self._policy_addresses))
        records = self._zones[domain.name].records
        records.append(f"{name}. A {address}")
        records += [f'_mta-sts TXT "{text}"' for text in sts.records()]
        identity = self.workshop.make(name, sts.certificate)
        sts.host = PolicyHost(address, identity, sts)

    def _home(self, name: str) -> Zone:
        home = self.zone_of(name)
        if home is None:
            raise ValueError(f"no zone is declared for {name}")
        return home

    def _publish(self, domain: Domain, name: str, host: Host) -> None:
        for address in host.addresses:
            rdtype = "AAAA" if ":" in address else "A"
            self._home(name).records.append(f"{name} {rdtype} {address}")
        owner = f"_{host.port}._tcp.{name}"
        if host.tlsa_owner is not None:
            owner = domain.full_name(host.tlsa_owner)
        for wanted in host.tlsa:
            text = self._tlsa(wanted, host.identity)
            self._home(owner).records.append(f"{owner} TLSA {text}")

    def _tlsa(self, wanted: str, identity: Identity | None) -> str:
        if identity is not None:
            return identity.tlsa(wanted)
        # a host without TLS may have records all the same
        return self.workshop.make("nobody", SELF_SIGNED).tlsa(wanted)

    def _start_dns(self) -> None:
        leaves = list(self._zones.values())
        tops = self._top_level(leaves)
        self.root = Zone(".", address=ROOT_SERVER)
        kinds = {ROOT_SERVER: Knot, TLD_SERVER: Knot}
        kinds |= {server: kind for kind, server in self._leaf_servers.items()}
        servers = {at: self._authority(kind, at) for at, kind in kinds.items()}
        servers[ROOT_SERVER].add(self.root, tops)
        for top in tops:
            below = [leaf for leaf in leaves if leaf.name.endswith("." + top.name)]
            servers[TLD_SERVER].add(top, below)
        for leaf in leaves:
            servers[leaf.address].add(leaf)
        for server in servers.values():
            server.start(self.processes)
        for address, server in servers.items():
            server.wait()
            self.fronts.listen(address, server.address)
        self._write_resolver_files()

    def _authority(self, kind: type[Authority], address: str) -> Authority:
        number = address.rpartition(".")[2]
        return kind(self.directory / f"dns{number}", BEHIND[address])

    def _top_level(self, leaves: list[Zone]) -> list[Zone]:
        names = sorted({leaf.name.rpartition(".")[2] for leaf in leaves})
        return [Zone(name, address=TLD_SERVER) for name in names]

    def _write_resolver_files(self) -> None:
        self.anchor_file = self.directory / "root.key"
        self.anchor_file.write_text(self.root.anchor())
        self.hints_file = self.directory / "root.hints"
        name = self.root.server()
        self.hints_file.write_text(f". 3600000 NS {name}\n{name} 3600000 A {ROOT_SERVER}\n")
        for file in (self.anchor_file, self.hints_file):
            os.chmod(file, 0o644)
