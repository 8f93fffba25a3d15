# SPDX-License-Identifier: Apache-2.0
"""The one world of the interop tests: real daemons and scripted receivers."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lab.cert import Certificate, Workshop
from lab.destinations import LAB_CA
from lab.world import Domain, Host, World
from tests.interop.compare import Comparison
from tests.interop.destinations import destinations
from tests.support import unbound, users
from tests.support.authorities import Bind, Nsd
from tests.support.exim import Exim
from tests.support.postfix import Postfix
from tests.support.stage import Lab, Stage

SUBMISSION = "mail.sender.test"
SUBMISSION_ADDRESS = "127.0.0.2"
AUTHORITIES = {"bind": Bind, "nsd": Nsd}
DENIALS = ("nsec", "nsec3", "optout")

LISTEN = """\
listen "tls" {{
  address = {{"{address}:587"}}
  accept_from = {{"127.0.0.0/8"}}
  certificate = {{"{chain}"}}
  key = {{"{key}"}}
}}
"""


def receivers(name: str, network: str) -> list[Domain]:
    """A daemon's domains: a record that matches, one that does not, a chain."""

    def domain(kind: str, number: int, **host) -> Domain:
        address = [f"{network}.{number}"]
        return Domain(f"{name}{kind}.test", [Host(addresses=address, listens=False, **host)])

    return [
        domain("", 1, tlsa=["3 1 1"]),
        domain("-wrong", 2, tlsa=["3 1 1 wrong"]),
        domain("-chain", 3, tlsa=["2 1 1"], certificate=LAB_CA),
    ]


def inboxes() -> list[Domain]:
    """Where submitted messages go."""
    return [Domain(f"inbox{n}.test", [Host(tlsa=["3 1 1"])]) for n in (1, 2)]


def zone_of_shapes(name: str, denial: str) -> Domain:
    """Answers that need more than one signature to be believed."""
    return Domain(
        f"{name}-{denial}.test",
        [
            Host("mx", tlsa=["3 1 1"]),
            Host("starhost", mx=False, tlsa=["3 1 1"], tlsa_owner="*._tcp.starhost"),
            Host("chainhost", mx=False, tlsa=["3 1 1"], tlsa_owner="tlsa.chainhost"),
            Host("dnamehost", mx=False, tlsa=["3 1 1"], tlsa_owner="_25._tcp.tlsas"),
            Host("plainhost", mx=False),
            Host("texthost", mx=False),
        ],
        records=[
            "star MX 10 starhost",
            "chain MX 10 chainhost",
            "_25._tcp.chainhost CNAME tlsa.chainhost",
            "dname MX 10 dnamehost",
            "_tcp.dnamehost DNAME _tcp.tlsas",
            "plain MX 10 plainhost",
            "text MX 10 texthost",
            "_25._tcp.texthost TXT no-tlsa",
            "alias CNAME real",
            "real MX 10 mx",
            "*.wild MX 10 mx",
            "old DNAME new",
            "x.new MX 10 mx",
        ],
        signing={"denial": denial},
        authority=AUTHORITIES[name],
    )


def zones_of_shapes() -> list[Domain]:
    return [zone_of_shapes(name, denial) for name in AUTHORITIES for denial in DENIALS]


@dataclass
class Interop:
    """What is up: the lab, and the daemons in it."""

    lab: Lab
    postfix: Postfix
    exim: Exim
    comparison: Comparison = field(default_factory=Comparison)

    @property
    def world(self) -> World:
        return self.lab.world

    def daemon(self, name: str) -> Postfix | Exim:
        return {"postfix": self.postfix, "exim": self.exim}[name]

    def domain(self, name: str) -> Domain:
        return next(d for d in self.world.domains if d.name == name)


class Scene:
    """Raises everything, and ends it in any state of the start."""

    def __init__(self) -> None:
        self._stage = Stage()
        self._files = tempfile.TemporaryDirectory(prefix="sealpost-interop-")
        self._real = {
            "postfix": receivers("postfix", "127.26.0"),
            "exim": receivers("exim", "127.27.0"),
        }

    def _domains(self) -> list[Domain]:
        sender = Domain("sender.test", records=[f"mail A {SUBMISSION_ADDRESS}"])
        compared = [d for row in destinations() for d in row]
        real = [d for group in self._real.values() for d in group]
        return [sender, *real, *inboxes(), *zones_of_shapes(), *compared]

    def _listener(self) -> tuple[str, Path]:
        """The second listener, with STARTTLS, and the authority it is under."""
        workshop = Workshop(Path(self._files.name))
        identity = workshop.make(SUBMISSION, Certificate(issuer="submission"))
        text = LISTEN.format(
            address=SUBMISSION_ADDRESS, chain=identity.chain_file, key=identity.key_file
        )
        return text, workshop.authority_file("submission")

    def start(self) -> Interop:
        listener, authority = self._listener()
        Path(self._files.name).chmod(0o711)
        authority.chmod(0o644)
        lab = self._stage.lab(
            "interop", self._domains, extra=listener, retry='"2s", "10m"'
        )
        folders = {}
        for name in ("etc", "unbound", "postfix", "exim"):
            folders[name] = lab.world.directory / name
            folders[name].mkdir()
        users.add_accounts(folders["etc"])
        users.use_resolver(unbound.ADDRESS, folders["etc"])
        unbound.Unbound(folders["unbound"], lab.world).start()
        submitted = [domain.name for domain in inboxes()]
        common = (SUBMISSION, authority)
        postfix = Postfix(folders["postfix"], self._real["postfix"], *common, submitted)
        exim = Exim(folders["exim"], self._real["exim"], *common)
        for daemon in (postfix, exim):
            daemon.start(lab.world.processes)
        return Interop(lab, postfix, exim)

    def stop(self) -> None:
        self._stage.clear()
        self._files.cleanup()
