# SPDX-License-Identifier: Apache-2.0
"""BIND, which signs its zones itself, and NSD, which gets signed ones."""

import base64
import subprocess

import dns.dnssec

from lab.authority import Authority, file_name
from lab.procs import Processes
from lab.zone import Zone
from tests.support import debian

NAMED_START = """\
options {{
  directory "{directory}";
  key-directory "{directory}";
  listen-on {{ {address}; }};
  listen-on-v6 {{ none; }};
  recursion no;
  notify no;
  dnssec-validation no;
  empty-zones-enable no;
  pid-file none;
  lock-file none;
  session-keyfile none;
}};
controls {{ }};
"""
NAMED_POLICY = """\
dnssec-policy "lab-{denial}" {{
  keys {{ csk lifetime unlimited algorithm ecdsap256sha256; }};
  {chain}
}};
"""
NAMED_ZONE = """\
zone "{name}" {{
  type primary;
  file "{file}";
  {signing}
}};
"""
CHAINS = {
    "nsec": "",
    "nsec3": "nsec3param iterations 0 optout no salt-length 0;",
    "optout": "nsec3param iterations 0 optout yes salt-length 0;",
}
PRIVATE_KEY = """\
Private-key-format: v1.3
Algorithm: 13 (ECDSAP256SHA256)
PrivateKey: {number}
Created: 20200101000000
Publish: 20200101000000
Activate: 20200101000000
"""
#: What the key has to do and has been doing for long: sign everything.
KEY_STATE = """\
; the state of a key, whose first line is a comment
Algorithm: 13
Length: 256
Lifetime: 0
KSK: yes
ZSK: yes
Generated: 20200101000000 (Wed Jan  1 00:00:00 2020)
Published: 20200101000000 (Wed Jan  1 00:00:00 2020)
Active: 20200101000000 (Wed Jan  1 00:00:00 2020)
DNSKEYChange: 20200101000000 (Wed Jan  1 00:00:00 2020)
ZRRSIGChange: 20200101000000 (Wed Jan  1 00:00:00 2020)
KRRSIGChange: 20200101000000 (Wed Jan  1 00:00:00 2020)
DSChange: 20200101000000 (Wed Jan  1 00:00:00 2020)
DNSKEYState: omnipresent
ZRRSIGState: omnipresent
KRRSIGState: omnipresent
DSState: omnipresent
GoalState: omnipresent
"""


class Bind(Authority):
    """named with a dnssec-policy for each kind of denial, and our keys: their
    DS is in the parent before named has ever run."""

    title = "BIND"

    def start(self, processes: Processes) -> None:
        # named listens on what an interface has, which is 127.0.0.1 alone
        argv = ["ip", "address", "replace", f"{self.address}/32", "dev", "lo"]
        subprocess.run(argv, check=True)
        super().start(processes)

    def environment(self) -> dict[str, str]:
        return debian.environment()

    def zone_text(self, zone: Zone, children: list[Zone]) -> str:
        if zone.signed:
            self._write_key(zone)
        return zone.to_plain_text(children)

    def _write_key(self, zone: Zone) -> None:
        dnskey, number = zone.key()
        tag = dns.dnssec.key_id(dnskey)
        name = f"K{zone.origin.to_text()}+013+{tag:05}"
        record = f"{zone.origin.to_text()} 300 IN DNSKEY {dnskey.to_text()}\n"
        (self.directory / f"{name}.key").write_text(record)
        encoded = base64.b64encode(number.to_bytes(32, "big")).decode()
        private = PRIVATE_KEY.format(number=encoded)
        (self.directory / f"{name}.private").write_text(private)
        (self.directory / f"{name}.state").write_text(KEY_STATE)

    def _zone_entry(self, zone: Zone) -> str:
        signing = f'dnssec-policy "lab-{zone.denial}"; inline-signing yes;'
        return NAMED_ZONE.format(
            name=zone.origin.to_text(),
            file=file_name(zone),
            signing=signing if zone.signed else "",
        )

    def command(self) -> list[str]:
        parts = [NAMED_START.format(directory=self.directory, address=self.address)]
        parts += [NAMED_POLICY.format(denial=d, chain=c) for d, c in CHAINS.items()]
        parts += map(self._zone_entry, self.zones)
        file = self.directory / "named.conf"
        file.write_text("".join(parts))
        return [debian.program("usr/sbin/named"), "-g", "-n", "1", "-c", str(file)]


NSD_START = """\
server:
  ip-address: {address}
  do-ip6: no
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{directory}"
  database: ""
  pidfile: "{directory}/nsd.pid"
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
remote-control:
  control-enable: no
"""


class Nsd(Authority):
    title = "NSD"

    def environment(self) -> dict[str, str]:
        return debian.environment()

    def command(self) -> list[str]:
        start = NSD_START.format(directory=self.directory, address=self.address)
        entries = [
            f'zone:\n  name: "{zone.origin.to_text()}"\n'
            f'  zonefile: "{file_name(zone)}"\n'
            for zone in self.zones
        ]
        file = self.directory / "nsd.conf"
        file.write_text(start + "".join(entries))
        return [debian.program("usr/sbin/nsd"), "-d", "-c", str(file)]
