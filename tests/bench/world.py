# SPDX-License-Identifier: Apache-2.0
"""The signed world that is delivered to.

Root, a top-level domain, and below it some thousand zones, each signed with a key
of its own: MX, the host's address, and TLSA 3 1 1 for the certificate of the
sink. As many again share hosts as domains out there do (population.py): the zone
of a customer has its MX alone, that of a provider the host. Three Knots serve
them (one a level, since one that held parent and child would never refer). Zones
and certificate are made once and kept for a week in build/bench/world, unless
what makes them has changed.

    127.0.53.1, .2       name servers of the root and of test
    127.0.55.x           those of the domains: one Knot on fifty addresses,
                         since a resolver that loses packets to one server
                         leaves that alone for a while
    127.40.x.y           the hosts, all of them the sink
    192.0.2.1            the host of dead domains: nothing is there
"""

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from zlib import crc32

from lab.authority import file_name
from lab.cert import Certificate, Workshop
from lab.knot import Knot
from lab.procs import Processes, wait_until
from lab.server import ROOT
from lab.zone import DAY, Zone
from tests.bench import population
from tests.bench.board import Board

BENCH = ROOT / "build" / "bench"
CACHE = BENCH / "world"
DOMAINS = 1000
WIDE = 2600  # for what a thousand is not enough
RESIDENTS = 5000
DEAD = 100
ROOT_SERVER, TLD_SERVER = "127.0.53.1", "127.0.53.2"
LEAF_SERVERS = [f"127.0.55.{n}" for n in range(1, 51)]
NOBODY = "192.0.2.1"
WRONG = "wrong.test"
SINK_THREADS = 2
#: What the kept world depends on.
MAKERS = [
    Path(__file__),
    Path(population.__file__),
    *(ROOT / "lab" / name for name in ("authority.py", "cert.py", "zone.py")),
]


def domain(n: int) -> str:
    return f"d{n:04}.test"


def dead_domain(n: int) -> str:
    return f"dead{n:03}.test"


def resident(n: int) -> str:
    """A domain of the population."""
    return f"r{n:04}.test"


def provider(n: int) -> str:
    return f"provider{n:02}.test"


def address(n: int) -> str:
    return f"127.40.{n // 250}.{n % 250 + 1}"


class LeafKnot(Knot):
    """On all addresses of LEAF_SERVERS."""

    def command(self) -> list[str]:
        argv = super().command()
        file = Path(argv[-1])
        lines = [f"    listen: {server}@53\n" for server in LEAF_SERVERS[1:]]
        first = f"    listen: {self.address}@53\n"
        file.write_text(file.read_text().replace(first, first + "".join(lines)))
        return argv


def _zone(name: str, *records: str) -> Zone:
    server = LEAF_SERVERS[crc32(name.encode()) % len(LEAF_SERVERS)]
    return Zone(name, records=list(records), address=server, ttl=DAY)


def _leaf(name: str, host: str, tlsa: str) -> Zone:
    """With a mail host of its own."""
    return _zone(name, "@ MX 10 mx", f"mx A {host}", f"_25._tcp.mx TLSA {tlsa}")


def _residents(tlsa: str, addresses: Iterator[str]) -> list[Zone]:
    """Providers, and the domains at home with them or by themselves."""
    zones = [_leaf(provider(n), next(addresses), tlsa) for n in range(len(population.PROVIDERS))]
    for n, home in enumerate(population.homes(RESIDENTS)):
        if home is None:
            zones.append(_leaf(resident(n), next(addresses), tlsa))
        else:
            zones.append(_zone(resident(n), f"@ MX 10 mx.{provider(home)}."))
    return zones


def _made_by() -> str:
    """A digest of the programs that make a world."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in MAKERS)).hexdigest()


def _make(directory: Path) -> None:
    """Signs everything; a second or ten."""
    workshop = Workshop(directory / "certificates")
    identity = workshop.make("sink.test", Certificate(ends=60))
    tlsa = identity.tlsa("3 1 1")
    addresses = map(address, count())
    leaves = [_leaf(domain(n), next(addresses), tlsa) for n in range(WIDE)]
    leaves += [_leaf(dead_domain(n), NOBODY, tlsa) for n in range(DEAD)]
    leaves.append(_leaf(WRONG, next(addresses), identity.tlsa("3 1 1 wrong")))
    leaves += _residents(tlsa, addresses)
    top = Zone("test", address=TLD_SERVER, ttl=DAY)
    root = Zone(".", address=ROOT_SERVER, ttl=DAY)
    for zone, children in [(root, [top]), (top, leaves), *((leaf, []) for leaf in leaves)]:
        (directory / file_name(zone)).write_text(zone.to_text(children))
    facts = {
        "made_by": _made_by(),
        "made": time.time(),
        "anchor": root.anchor(),
        "hints": f". 3600000 NS {root.server()}\n{root.server()} 3600000 A {ROOT_SERVER}\n",
        "tlsa": tlsa.split()[3],
        "chain": str(identity.chain_file.relative_to(directory)),
        "key": str(identity.key_file.relative_to(directory)),
        "leaves": [leaf.name for leaf in leaves],
    }
    (directory / "facts.json").write_text(json.dumps(facts))


def _kept() -> dict | None:
    """The facts of the world that is there; None: it is old, or another's."""
    try:
        facts = json.loads((CACHE / "facts.json").read_text())
        if facts["made_by"] == _made_by() and time.time() - facts["made"] < 7 * DAY:
            return facts
    except (FileNotFoundError, ValueError, KeyError):
        pass
    return None


def _facts() -> dict:
    if facts := _kept():
        return facts
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True)
    print("bench: signing the world", flush=True)
    _make(CACHE)
    return json.loads((CACHE / "facts.json").read_text())


class BenchWorld:
    """DNS and sink, running from start() on until `processes` are stopped."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.processes = Processes()
        self._facts = _facts()
        self.tlsa = self._facts["tlsa"]
        self.anchor_file = self._write("root.key", self._facts["anchor"])
        self.hints_file = self._write("root.hints", self._facts["hints"])
        self.many = self._lines("many", [domain(n) for n in range(DOMAINS)])
        self.wide = self._lines("wide", [domain(n) for n in range(WIDE)])
        residents = [resident(n) for n in range(RESIDENTS)]
        self.population = self._lines("population", residents)
        self.one = self._lines("one", [domain(0)])
        self.dead = self._lines("dead", [dead_domain(n) for n in range(DEAD)])
        self.wrong = self._lines("wrong", [WRONG])
        targets = [f"{address(n)} mx.{domain(n)}" for n in range(DOMAINS)]
        self.targets = self._lines("targets", targets)
        self.targets_one = self._lines("targets-one", targets[:1])

    def _write(self, name: str, text: str) -> Path:
        file = self.directory / name
        file.write_text(text)
        file.chmod(0o644)
        return file

    def _lines(self, name: str, lines: list[str]) -> Path:
        return self._write(name, "".join(f"{line}\n" for line in lines))

    def start(self) -> None:
        # the packets of a real network, where a message is three of them
        subprocess.run(["ip", "link", "set", "lo", "mtu", "1500"], check=True)
        self._start_dns()
        self._start_sink()

    def _start_dns(self) -> None:
        levels = [
            (Knot, ROOT_SERVER, ["."]),
            (Knot, TLD_SERVER, ["test"]),
            (LeafKnot, LEAF_SERVERS[0], self._facts["leaves"]),
        ]
        servers = []
        for make, server_address, names in levels:
            server = make(self.directory / f"dns-{server_address}", server_address)
            for name in names:
                zone = Zone(name)
                shutil.copy(CACHE / file_name(zone), server.directory)
                server.zones.append(zone)
            server.start(self.processes)
            servers.append(server)
        for server in servers:
            server.zones = server.zones[-1:]  # all are loaded when the last is
            server.wait()

    def _start_sink(self) -> None:
        file = self.directory / "board"
        self.board = Board(file)
        chain, key = (str(CACHE / self._facts[name]) for name in ("chain", "key"))
        argv = [str(BENCH / "sink"), str(file), chain, key, "25", str(SINK_THREADS)]
        self._sink = self.processes.start(argv, self.directory / "sink.log")
        self.board.set()
        wait_until(self._sink_is_up, "the sink")

    def _sink_is_up(self) -> bool:
        if self._sink.poll() is not None:
            text = (self.directory / "sink.log").read_text()
            raise RuntimeError(f"the sink ended: {text}")
        return self.board.ready()
